//! `GET api/events`: what changes, told at most five times a second, as long as somebody listens.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use actix_web::rt::time::{Instant, Interval, interval, sleep_until, timeout};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, http::header, rt};
use futures::future::{LocalBoxFuture, select_all};
use futures::{FutureExt, stream};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::asked::Asked;
use super::connection;
use super::error::{Answered, WebError};
use super::guard::one;
use super::model::{Changes, Notice};
use super::page::Page;
use super::request::{Permit, Waiting};
use super::runs::Run;
use super::settings::WebLimits;
use super::views::{self, RunList};

/// A run's changes are told at most so often.
const PACE: Duration = Duration::from_millis(200);

/// Something is said at least so often, so that both ends notice when the other is gone.
const BEAT: Duration = Duration::from_secs(15);

/// So many events wait for a listener; what is behind them is told as one change, later.
const ROOM: usize = 2;

/// A change that is larger, in bytes, isn't told: the listener fetches again what it shows.
const LARGEST: usize = 4 << 20;

/// So many runs in one stream.
const MOST_RUNS: usize = 64;

/// How many listen.
#[derive(Clone, Debug)]
pub(super) struct Listeners(Waiting);

impl Listeners {
    pub(super) fn new(limits: &WebLimits) -> Self {
        Self(Waiting::new(limits.listeners))
    }

    pub(super) fn now(&self) -> usize {
        self.0.now()
    }
}

/// `GET api/events`.
pub(super) async fn events(asked: Asked) -> Answered<HttpResponse> {
    let permit = asked.page.listeners().0.enter("listeners are here")?;
    let keys: Vec<String> = asked.pairs()?.into_iter().filter(|(name, _)| name == "run").map(|(_, key)| key).collect();
    if keys.len() > MOST_RUNS {
        return Err(WebError::malformed(format!("one stream tells of at most {MOST_RUNS} runs")));
    }
    let keys: BTreeSet<String> = keys.into_iter().collect();
    let last = one(asked.request.headers(), "last-event-id")?.map(str::to_owned);
    let runs = asked.page.runs().clone();
    let found = views::aside(move || keys.iter().map(|key| runs.find(key)).collect::<Answered<Vec<Run>>>()).await?;
    let (to, mut from) = mpsc::channel(ROOM);
    let told = Told::new(asked.page.clone(), found, last.as_deref(), to, permit);
    let shut = connection::of(&asked.request);
    rt::spawn(async move {
        if told.tell().await == Err(Ended::Stalled) {
            log::warn!("a listener read nothing of what it was sent for too long, and was dropped");
            shut.shut();
        }
    });
    let body = stream::poll_fn(move |context| {
        from.poll_recv(context).map(|event| event.map(Ok::<Bytes, std::convert::Infallible>))
    });
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/event-stream"));
    // A proxy that collects an answer before it passes it on would hold back all of it.
    response.insert_header(("x-accel-buffering", "no"));
    Ok(response.streaming(body))
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    /// The listener is gone.
    Gone,
    /// It is there, and doesn't read.
    Stalled,
}

/// What woke the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Woken {
    News,
    Beat,
    Gone,
}

/// A run, and how far the listener knows it.
struct Followed {
    run: Run,
    position: u64,
    /// What can't be continued, and why.
    lost: Option<String>,
}

/// A run that may come to another state.
struct Watched {
    /// Kept: notices of a model that is gone would end.
    _run: Run,
    notices: watch::Receiver<Notice>,
    states: u64,
}

/// A stream to one listener.
struct Told {
    page: Page,
    to: mpsc::Sender<Bytes>,
    followed: Vec<Followed>,
    watched: Vec<Watched>,
    list: watch::Receiver<u64>,
    /// How often a run had come or gone when that was told last.
    listed: u64,
    stalled: Duration,
    _permit: Permit,
}

impl Told {
    fn new(page: Page, runs: Vec<Run>, last: Option<&str>, to: mpsc::Sender<Bytes>, permit: Permit) -> Self {
        let followed = runs.into_iter().map(|run| begin(&page, run, last)).collect();
        let (mut list, stalled) = (page.runs().changes(), page.settings().limits.stalled);
        let listed = *list.borrow_and_update();
        let mut told = Self { page, to, followed, watched: Vec::new(), list, listed, stalled, _permit: permit };
        told.watch_all();
        told
    }

    /// All runs that are known or followed: any of them may come to another state.
    fn watch_all(&mut self) {
        let mut runs = self.page.runs().opened();
        for followed in &self.followed {
            if !runs.iter().any(|run| run.key == followed.run.key) {
                runs.push(followed.run.clone());
            }
        }
        let watch = |run: Run| {
            let mut notices = run.model.notices();
            let states = notices.borrow_and_update().states;
            Watched { _run: run, notices, states }
        };
        self.watched = runs.into_iter().map(watch).collect();
    }

    async fn tell(mut self) -> Result<(), Ended> {
        let mut beat = interval(BEAT);
        // The first tick comes at once, and opens the stream.
        beat.tick().await;
        self.send(": tryout\n\n".to_owned()).await?;
        self.changes(true).await?;
        loop {
            let woken = self.woken(&mut beat).await;
            let began = Instant::now();
            match woken {
                Woken::Gone => return Err(Ended::Gone),
                Woken::Beat => self.beat().await?,
                Woken::News => {
                    self.states().await?;
                    self.changes(false).await?;
                    sleep_until(began + PACE).await;
                }
            }
        }
    }

    async fn woken(&mut self, beat: &mut Interval) -> Woken {
        let to = self.to.clone();
        let mut all: Vec<LocalBoxFuture<'_, Woken>> = vec![
            async move {
                to.closed().await;
                Woken::Gone
            }
            .boxed_local(),
            beat.tick().map(|_| Woken::Beat).boxed_local(),
            self.list.changed().map(|_| Woken::News).boxed_local(),
        ];
        // The models are kept, so none of these ends.
        all.extend(self.watched.iter_mut().map(|run| run.notices.changed().map(|_| Woken::News).boxed_local()));
        select_all(all).await.0
    }

    async fn beat(&mut self) -> Result<(), Ended> {
        let runs: Vec<Run> = self.followed.iter().map(|followed| followed.run.clone()).collect();
        let _ = views::aside(move || {
            runs.iter().for_each(|run| run.model.refresh());
            Ok(())
        })
        .await;
        self.send(": \n\n".to_owned()).await
    }

    /// Tells that a run came, went or changed its state.
    async fn states(&mut self) -> Result<(), Ended> {
        let listed = *self.list.borrow_and_update();
        let came = std::mem::replace(&mut self.listed, listed) != listed;
        let changed = self.watched.iter_mut().fold(came, |changed, run| {
            let states = run.notices.borrow().states;
            let differs = std::mem::replace(&mut run.states, states) != states;
            changed || differs
        });
        if !changed {
            return Ok(());
        }
        let runs = self.page.runs().clone();
        // First: what changes while the list is made is told again.
        self.watch_all();
        let told = views::aside(move || views::json(&RunList::look(&runs))).await;
        match told.ok().and_then(|body| String::from_utf8(body.into()).ok()) {
            Some(body) => self.send(format!("event: runs\ndata: {body}\n\n")).await,
            None => Ok(()),
        }
    }

    /// Tells what has changed of the runs that are followed; at the start also that nothing has.
    async fn changes(&mut self, first: bool) -> Result<(), Ended> {
        for watched in &mut self.watched {
            watched.notices.mark_unchanged();
        }
        for at in 0..self.followed.len() {
            let Some(Followed { run, position, lost }) = self.followed.get_mut(at) else { break };
            let (run, since, lost) = (run.clone(), *position, lost.take());
            let now = run.model.position();
            if now == since && !first && lost.is_none() {
                continue;
            }
            let told = match lost {
                Some(why) => Ok(Err(why)),
                None => views::aside(move || change(&run, since)).await,
            };
            let (position, event) = match told {
                Ok(Ok((position, data))) => (position, Ok(data)),
                Ok(Err(why)) => (now, Err(why)),
                Err(error) => (now, Err(error.why)),
            };
            if let Some(followed) = self.followed.get_mut(at) {
                followed.position = position;
            }
            let event = match event {
                Ok(data) => format!("event: change\nid: {}\ndata: {data}\n\n", self.id()),
                Err(why) => {
                    let run = self.followed.get(at).map(|followed| followed.run.key.to_string());
                    format!("event: lagged\nid: {}\ndata: {}\n\n", self.id(), json!({ "run": run, "why": why }))
                }
            };
            self.send(event).await?;
        }
        Ok(())
    }

    /// How far the listener knows each run.
    fn id(&self) -> String {
        let epoch = self.page.epoch();
        let ids = self.followed.iter().map(|followed| format!("{epoch}-{}:{}", followed.run.key, followed.position));
        ids.collect::<Vec<_>>().join(",")
    }

    async fn send(&self, event: String) -> Result<(), Ended> {
        let sent = pin!(self.to.send(Bytes::from(event)));
        match timeout(self.stalled, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(Ended::Stalled),
        }
    }
}

/// A run, from where the listener has it if it says so.
fn begin(page: &Page, run: Run, last: Option<&str>) -> Followed {
    let now = run.model.position();
    let Some(last) = last else { return Followed { run, position: now, lost: None } };
    let ours = |id: &str| -> Option<u64> {
        let (epoch, rest) = id.trim().split_once('-')?;
        let (key, position) = rest.rsplit_once(':')?;
        if epoch == page.epoch() && key == &*run.key { position.parse().ok() } else { None }
    };
    match last.split(',').find_map(ours) {
        Some(position) if position <= now => Followed { run, position, lost: None },
        _ => Followed { run, position: now, lost: Some("the stream can't be continued where it broke off".to_owned()) },
    }
}

/// A change as JSON, and up to where it reaches; or why it can't be told.
fn change(run: &Run, since: u64) -> Answered<Result<(u64, String), String>> {
    let delta = match run.model.changes(&run.key, since) {
        Changes::Lagged(why) => return Ok(Err(why)),
        Changes::Delta(delta) => delta,
    };
    let unwritten = |error: serde_json::Error| WebError::malformed(error.to_string());
    let trials = serde_json::to_string(&delta.trials).map_err(unwritten)?;
    if trials.len() > LARGEST {
        return Ok(Err(format!("more has changed than fits in an event: {} trials", delta.trials.shown)));
    }
    let header = serde_json::to_string(&delta.header).map_err(unwritten)?;
    let key = json!(&*run.key);
    let position = delta.position;
    let data = format!("{{\"run\":{key},\"position\":{position},\"header\":{header},\"trials\":{trials}}}");
    Ok(Ok((position, data)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::web::runs::Runs;
    use crate::edge::web::settings::{Access, PageSettings};

    /// A page whose listeners are given up after a moment, and its listeners.
    fn page() -> Page {
        let mut settings = PageSettings::default();
        settings.limits.stalled = Duration::from_millis(50);
        Page::new(Runs::new(), Access::token("a token that is long enough to be one"), settings).unwrap()
    }

    fn told(page: &Page, to: mpsc::Sender<Bytes>) -> Told {
        let runs = ["a", "b", "c"].map(|key| Run {
            key: key.into(),
            dir: None,
            controlled: None,
            model: crate::edge::web::model::RunModel::open(std::path::Path::new("nowhere")),
        });
        Told::new(page.clone(), runs.into(), None, to, page.listeners().0.enter("listeners").unwrap())
    }

    #[test]
    fn a_listener_that_reads_nothing_is_given_up_and_one_that_is_gone_too() {
        rt::System::new().block_on(async {
            let page = page();
            let (to, from) = mpsc::channel(ROOM);
            assert_eq!(told(&page, to).tell().await, Err(Ended::Stalled));
            assert_eq!(from.len(), ROOM, "no more than that waited for it");
            assert_eq!(page.listeners().now(), 0);
            let (to, from) = mpsc::channel(16);
            drop(from);
            assert_eq!(told(&page, to).tell().await, Err(Ended::Gone));
        });
    }
}
