//! A run's answers to requests from other processes.

#[cfg(feature = "web")]
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

#[cfg(feature = "web")]
use super::handle::About;
use super::handle::Control;
use super::imports::GivenCheckpoint;
use crate::edge::observe::Seen;
#[cfg(feature = "web")]
use crate::edge::web::{LiveRun, MakesModel};
use crate::error::ControlError;
use crate::logic::api::{Answer, Refusal, Request, TrialView};
use crate::logic::engine::ClientOrder;
use crate::logic::ids::TrialId;
use crate::ports::control::Controlled;

/// So many events wait for a client that reads slowly; then reports are dropped, and it is told how many.
const ROOM: usize = 16_384;

/// A run that answers.
#[derive(Debug)]
pub(super) struct Served(pub(super) Control);

impl Controlled for Served {
    fn answer(&self, request: Request) -> BoxFuture<'static, Answer> {
        let (by, request) = request.asker();
        let control = match by {
            Some(by) => self.0.by(by.chars().take(Request::LONGEST_NAME).collect::<String>()),
            None => self.0.clone(),
        };
        async move { answer(&control, request).await.unwrap_or_else(|error| refused(&error)) }.boxed()
    }

    fn watch(&self) -> BoxStream<'static, Answer> {
        self.0.events(ROOM).map(seen).boxed()
    }
}

#[cfg(feature = "web")]
impl From<&Control> for LiveRun {
    fn from(control: &Control) -> Self {
        let About { name, dir, .. } = &*control.about;
        let unique = format!("{}_{}", name.name, name.run);
        let asked = control.clone();
        let model: MakesModel = Arc::new(move || {
            let control = asked.clone();
            async move { control.read_model().await.ok() }.boxed()
        });
        Self { dir: dir.clone(), controlled: Arc::new(Served(control.clone())), name: unique, model }
    }
}

async fn answer(control: &Control, request: Request) -> Result<Answer, ControlError> {
    Ok(match request {
        Request::Hello => Answer::Hello(control.about.name.clone()),
        Request::Status => Answer::Status(Box::new(control.status().await?)),
        Request::Trial(trial) => {
            Answer::Trial(control.trial(trial).await?.map(|status| Box::new(TrialView::from(&status))))
        }
        Request::Trials { from, most } => {
            let trials = control.trials(from, most.min(Request::MOST_TRIALS)).await?;
            Answer::Trials(trials.iter().map(TrialView::from).collect())
        }
        Request::Pool { trial } => Answer::Pool(Box::new(control.pool(trial).await?)),
        Request::Order(ClientOrder::StopAll) => Answer::Done { trial: control.order(ClientOrder::StopAll).await? },
        Request::Order(order) => kept(control, control.order(order).await?).await,
        Request::AddFrom { config, checkpoint, run } => {
            let from = match run {
                Some(run) => GivenCheckpoint::of_run(run, checkpoint),
                None => checkpoint.into(),
            };
            kept(control, Some(control.add_from(config, from).await?)).await
        }
        Request::SaveAndWait(trial) => Answer::Saved(Some(control.save_and_wait(trial).await?)),
        Request::PauseAndWait(trial) => Answer::Saved(control.pause_and_wait(trial).await?),
        Request::Drain { within_s } => {
            let Ok(within) = Duration::try_from_secs_f64(within_s) else {
                let why = format!("`within_s` is {within_s}: give a number of seconds of at least 0");
                return Ok(Answer::Refused { code: Refusal::Malformed, why });
            };
            control.drain(within).await?;
            Answer::Done { trial: None }
        }
        Request::Ask { lease_s, wait_s } => {
            let (Some(lease), Some(wait)) = (span(lease_s).filter(|lease| !lease.is_zero()), span(wait_s)) else {
                let why =
                    format!("`lease_s` is {lease_s} and `wait_s` {wait_s}: give seconds, more than 0 and at least 0");
                return Ok(Answer::Refused { code: Refusal::Malformed, why });
            };
            Answer::Given(control.ask(lease, wait).await?.map(Box::new))
        }
        Request::Tell { lease, metrics, end } => Answer::Next(control.tell(lease, metrics, end).await?),
        Request::Sync => {
            control.sync().await?;
            Answer::Done { trial: None }
        }
        // Who asks was taken off before.
        Request::Watch | Request::As { .. } => Answer::Done { trial: None },
    })
}

/// The answer to an order that was accepted, once a resumed run would know of it.
async fn kept(control: &Control, trial: Option<TrialId>) -> Answer {
    // A run that has ended meanwhile has closed its journal, or says itself what it couldn't write.
    let _ = control.sync().await;
    Answer::Done { trial }
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn refused(error: &ControlError) -> Answer {
    let code = match error {
        ControlError::Over => Refusal::Over,
        ControlError::Refused(_) | ControlError::Import(_) | ControlError::NotTaken { .. } => Refusal::Impossible,
    };
    Answer::Refused { code, why: error.to_string() }
}

fn seen(seen: Seen) -> Answer {
    match seen {
        Seen::Missed(events) => Answer::Missed(events),
        Seen::Event(event) => match serde_json::to_value(&*event) {
            Ok(event) => Answer::Event(event),
            Err(error) => {
                log::warn!("an event can't be sent to a client: {error}");
                Answer::Missed(1)
            }
        },
    }
}
