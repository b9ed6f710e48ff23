//! `POST api/runs/KEY/request`: a request goes to its run, in this process or in another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::HttpResponse;
use serde_json::Value;

use super::access::Caller;
use super::asked::Asked;
use super::error::{Answered, Code, WebError};
use super::runs::Run;
use super::views;
use crate::logic::api::{Answer, Refusal, Request};
use crate::logic::engine::ClientOrder;
use crate::logic::ids::{RunId, TrialId};

/// How many requests wait for a run's answer.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    now: Arc<AtomicUsize>,
    most: usize,
}

/// One that waits; or a listener that listens.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Waiting {
    pub(super) fn new(most: usize) -> Self {
        Self { now: Arc::default(), most }
    }

    pub(super) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// A place, if there is one.
    pub(super) fn enter(&self, what: &str) -> Answered<Permit> {
        let permit = Permit(self.now.clone());
        if self.now.fetch_add(1, Ordering::Relaxed) < self.most {
            return Ok(permit);
        }
        Err(WebError::new(Code::Busy, format!("{} {what} already: try again later", self.most)))
    }
}

/// `POST api/runs/KEY/request`.
pub(super) async fn request(asked: Asked) -> Answered<HttpResponse> {
    let caller = asked.caller.clone().ok_or_else(|| WebError::new(Code::Unauthorised, "nobody knows who asks"))?;
    let mut request: Value = asked.json()?;
    let _permit = asked.page.waiting().enter("requests wait for answers")?;
    let (runs, key) = (asked.page.runs().clone(), asked.part("run")?);
    let run = views::aside(move || runs.find(&key)).await?;
    if names_numbers(&request) {
        let id = id_of(&run).await?;
        each_trial(&mut request, &mut |place| {
            if let Some(number) = place.as_u64().and_then(|number| u32::try_from(number).ok()) {
                *place = Value::String(TrialId::new(id, number).to_string());
            }
        });
    }
    let unread = |error: serde_json::Error| WebError::malformed(format!("the request can't be read: {error}"));
    let request: Request = serde_json::from_str(&request.to_string()).map_err(unread)?;
    let (by, request) = request.asker();
    check(&request)?;
    let request = sign(request, by, &caller);
    let said = serde_json::to_string(&request).unwrap_or_default();
    // Said first: a client that goes away takes the answer with it, and not the order.
    let said: String = said.chars().take(500).collect();
    log::info!("{:?} asked run {}: {said:?}", caller.name, run.key);
    let answer = ask(&run, request).await;
    audit(&run, &caller, &said, &answer);
    match answer? {
        Answer::Refused { code, why } => Err(refused(code, why)),
        answer => Ok(views::answer(views::json(&answer)?)),
    }
}

/// What a page may not ask.
fn check(request: &Request) -> Answered<()> {
    let why = match request {
        Request::Hello => "`hello` is asked by a GET",
        Request::Watch => "what happens is told by `api/events`",
        Request::AddFrom { run: Some(_), .. } => {
            "no path is taken here: a checkpoint of another run is added on the command line"
        }
        _ => return Ok(()),
    };
    Err(WebError::new(Code::Forbidden, why))
}

/// Who asks is kept with each order: the name that was given, and whose it is here.
fn sign(mut request: Request, by: Option<Arc<str>>, caller: &Caller) -> Request {
    let own = match &mut request {
        Request::Order(ClientOrder::SetSpace { by, .. } | ClientOrder::Set { by, .. }) => by.take(),
        request if request.acts() => None,
        _ => return request,
    };
    let signed = match by.or(own) {
        Some(name) => format!("{} ({}, on the page)", name.chars().take(80).collect::<String>(), caller.name),
        None => format!("{}, on the page", caller.name),
    };
    request.by(&signed)
}

fn audit(run: &Run, caller: &Caller, said: &str, answer: &Answered<Answer>) {
    let became = match answer {
        Ok(Answer::Refused { why, .. }) => format!("was refused: {why:?}"),
        Ok(_) => "was accepted".to_owned(),
        Err(error) => format!("wasn't carried out: {:?}", error.why),
    };
    log::info!("{said:?} of {:?} to run {} {became}", caller.name, run.key);
}

fn refused(code: Refusal, why: String) -> WebError {
    let code = match code {
        Refusal::Malformed => Code::Malformed,
        Refusal::Impossible => Code::Impossible,
        Refusal::Over => Code::Over,
    };
    WebError::new(code, why)
}

/// Asks a run, and waits for its answer without holding a thread.
pub(super) async fn ask(run: &Run, request: Request) -> Answered<Answer> {
    match (&run.controlled, &run.dir) {
        (Some(controlled), _) => Ok(controlled.answer(request).await),
        (None, Some(dir)) => elsewhere::ask(dir, &request).await,
        (None, None) => Err(WebError::new(Code::Over, "the run is over")),
    }
}

async fn id_of(run: &Run) -> Answered<RunId> {
    match ask(run, Request::Hello).await? {
        Answer::Hello(name) => Ok(name.run),
        Answer::Refused { code, why } => Err(refused(code, why)),
        _ => Err(WebError::new(Code::Unavailable, "the run gave an answer of another kind")),
    }
}

fn names_numbers(request: &Value) -> bool {
    let mut found = false;
    each_trial(&mut request.clone(), &mut |place| found |= place.is_u64());
    found
}

/// Shows each place of a request where a trial's id stands.
fn each_trial(request: &mut Value, see: &mut dyn FnMut(&mut Value)) {
    let Some(request) = request.as_object_mut() else { return };
    for (what, of) in request {
        match what.as_str() {
            "trial" | "save_and_wait" | "pause_and_wait" => see(of),
            "as" => of.get_mut("request").into_iter().for_each(|request| each_trial(request, see)),
            "pool" => see_at(of, "trial", see),
            "add_from" => {
                if let Some(checkpoint) = of.get_mut("checkpoint") {
                    see_at(checkpoint, "trial", see);
                }
            }
            "order" => {
                for (order, of) in of.as_object_mut().into_iter().flatten() {
                    match order.as_str() {
                        "stop" | "pause" | "resume" | "save" | "revive" => see(of),
                        "prioritise" | "request" => of.get_mut(0).into_iter().for_each(&mut *see),
                        "add_from" => {
                            if let Some(checkpoint) = of.get_mut(1) {
                                see_at(checkpoint, "trial", see);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn see_at(of: &mut Value, name: &str, see: &mut dyn FnMut(&mut Value)) {
    if let Some(place) = of.get_mut(name) {
        see(place);
    }
}

#[cfg(unix)]
mod elsewhere {
    //! A run of another process, by its socket.

    use std::path::Path;

    use actix_web::rt::net::UnixStream;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

    use super::{Answer, Answered, Code, Request, WebError};
    use crate::edge::control::{ControlClientError, listening};

    /// The longest answer, in bytes.
    const LONGEST: u64 = 64 << 20;

    /// Dropping it closes the connection.
    pub(super) async fn ask(run: &Path, request: &Request) -> Answered<Answer> {
        let place = listening(run).map_err(said)?;
        let stream = UnixStream::connect(&place.socket).await.map_err(|source| said(place.gone(run, source)))?;
        let asked = async {
            let mut line = serde_json::to_vec(request)?;
            line.push(b'\n');
            let mut stream = BufReader::new(stream);
            stream.get_mut().write_all(&line).await?;
            let mut answer = String::new();
            if stream.take(LONGEST).read_line(&mut answer).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            serde_json::from_str(&answer).map_err(std::io::Error::from)
        };
        asked.await.map_err(|error| said(error.into()))
    }

    fn said(error: ControlClientError) -> WebError {
        match error {
            ControlClientError::None { .. } => {
                WebError::new(Code::Over, "the run has ended, or was started without a control socket")
            }
            error => WebError::new(Code::Unavailable, error.to_string()),
        }
    }
}

#[cfg(not(unix))]
mod elsewhere {
    //! There are no sockets.

    use std::path::Path;

    use super::{Answer, Answered, Code, Request, WebError};

    pub(super) async fn ask(_: &Path, _: &Request) -> Answered<Answer> {
        Err(WebError::new(Code::Unavailable, "a run of another process can't be steered on this system"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_stands_for_an_id_wherever_one_can() {
        let id = "00000_00007";
        for (request, at) in [
            (json!({ "order": { "pause": 7 } }), "/order/pause"),
            (json!({ "order": { "prioritise": [7, 3] } }), "/order/prioritise/0"),
            (json!({ "order": { "request": [7, { "cpu": 2 }] } }), "/order/request/0"),
            (json!({ "order": { "add_from": [{ "x": 7 }, { "trial": 7, "index": 7 }] } }), "/order/add_from/1/trial"),
            (
                json!({ "add_from": { "config": { "trial": 7 }, "checkpoint": { "trial": 7, "index": 7 } } }),
                "/add_from/checkpoint/trial",
            ),
            (json!({ "save_and_wait": 7 }), "/save_and_wait"),
            (json!({ "pool": { "trial": 7 } }), "/pool/trial"),
        ] {
            let mut expected = request.clone();
            *expected.pointer_mut(at).unwrap() = json!(id);
            let mut request = request;
            assert!(names_numbers(&request));
            each_trial(&mut request, &mut |place| *place = json!(id));
            assert_eq!(request, expected);
        }
        assert!(!names_numbers(&json!({ "order": { "add": { "pause": 7 } } })));
        assert!(!names_numbers(&json!({ "order": { "concurrency": 7 } })));
    }
}
