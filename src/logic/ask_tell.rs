//! Trials that whoever asks works on, under leases: a machine beside those of the workers.
//!
//! Each worker of the pool is a place for one trial. Once its trial is to work it waits here, is given to the first who asks, and is
//! theirs as long as something is heard from them within the time that they gave: a report, or that they are still there. Whoever
//! falls silent has lost it. That is a preemption: the trial is tried again, under another lease, which is given to somebody else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::api::{GivenTrial, Next, TrialEnd};
use super::config::Config;
use super::failure::{FailureKind, Fault};
use super::ids::{LeaseId, WorkerId};
use super::metrics::Metrics;
use super::time::Moment;
use super::trial::{Rests, WorkerFact, WorkerOrder};
use super::worker::{Call, Wish, Worker, WorkerInput, WorkerOutput};

/// So many leases that were ended by the run are remembered, for those who haven't heard of it.
const REMEMBERED: usize = 4_096;

/// Something that reaches the machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AskTellInput {
    /// There is a worker.
    Spawned(WorkerId),
    /// It gets an order.
    Order(WorkerId, LeaseId, WorkerOrder),
    /// It is gone.
    Killed(WorkerId),
    /// Somebody asks for a trial.
    Asked {
        /// The number of the question, by which it is answered.
        question: u64,
        /// Who.
        by: Arc<str>,
        /// Within which something must be heard of them, again and again.
        lease: Duration,
        /// Until when they wait for one.
        until: Moment,
    },
    /// Somebody tells of a trial. With neither a report nor an end: that they are still there.
    Told {
        /// The number of the question what is to follow.
        question: u64,
        /// Of which.
        lease: LeaseId,
        /// A report.
        metrics: Option<Metrics>,
        /// Its end.
        end: Option<TrialEnd>,
    },
    /// Time has passed.
    Tick,
}

/// Something that it says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AskTellOutput {
    /// A worker says this.
    Say(WorkerId, LeaseId, WorkerFact),
    /// A worker has ended.
    Gone(WorkerId),
    /// The answer to whoever asked for a trial; none if there was none in time.
    Given(u64, Option<GivenTrial>),
    /// The answer to whoever told; an error says why nothing was taken.
    Next(u64, Result<Next, String>),
}

/// Whose a worker's trial is.
#[derive(Clone, Debug, PartialEq)]
enum Whose {
    /// Nobody's: there is none, or it isn't to work.
    Nobodys,
    /// It waits for somebody.
    Waits,
    Lent {
        lease: LeaseId,
        by: Arc<str>,
        /// Their time.
        within: Duration,
        until: Moment,
        /// Since when they work on the next report.
        since: Moment,
        /// The question that waits for what the run says.
        question: Option<u64>,
        /// What was told while the run judged what came before.
        held: Vec<WorkerInput>,
    },
}

#[derive(Debug)]
struct Place {
    worker: Worker,
    config: Arc<Config>,
    whose: Whose,
}

/// Gives trials out, and takes what is told of them.
#[derive(Debug)]
pub(crate) struct AskTell {
    /// What time of day it is at [`Moment::START`], in seconds since 1970.
    unix: f64,
    places: BTreeMap<WorkerId, Place>,
    /// Those whose trials wait, in their order.
    waiting: VecDeque<WorkerId>,
    /// Who asks and waits: question, who, their time, until when.
    asking: VecDeque<(u64, Arc<str>, Duration, Moment)>,
    /// Leases that were lent and that the run has ended: whoever had one is told so once.
    ended: BTreeSet<LeaseId>,
}

impl AskTell {
    pub(crate) fn new(unix: f64) -> Self {
        let (waiting, asking) = (VecDeque::new(), VecDeque::new());
        Self { unix, places: BTreeMap::new(), waiting, asking, ended: BTreeSet::new() }
    }

    /// When a [`AskTellInput::Tick`] has something to say.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let places = self.places.values().flat_map(|place| {
            let lent = match &place.whose {
                Whose::Lent { until, question: None, .. } => Some(*until),
                Whose::Lent { .. } | Whose::Waits | Whose::Nobodys => return [None, None],
            };
            [lent, place.worker.deadline()]
        });
        places.flatten().chain(self.asking.iter().map(|(.., until)| *until)).min()
    }

    pub(crate) fn on(&mut self, input: AskTellInput, now: Moment, out: &mut Vec<AskTellOutput>) {
        match input {
            AskTellInput::Spawned(worker) => {
                let place = Place {
                    worker: Worker::new(Rests::WhenReleased, self.unix),
                    config: Arc::default(),
                    whose: Whose::Nobodys,
                };
                self.places.insert(worker, place);
            }
            AskTellInput::Order(worker, lease, order) => {
                self.feed(worker, WorkerInput::Order(lease, one_by_one(order)), now, out);
            }
            AskTellInput::Killed(worker) => {
                self.take_back(worker, out);
                self.places.remove(&worker);
            }
            AskTellInput::Asked { question, by, lease, until } => {
                self.asking.push_back((question, by, lease, until));
            }
            AskTellInput::Told { question, lease, metrics, end } => {
                self.told(question, lease, (metrics, end), now, out);
            }
            AskTellInput::Tick => self.tick(now, out),
        }
        self.give(now, out);
    }

    /// Those who asked first get the trials that wait longest.
    fn give(&mut self, now: Moment, out: &mut Vec<AskTellOutput>) {
        while let (Some(worker), Some(_)) = (self.waiting.front(), self.asking.front()) {
            let place = self.places.get_mut(worker).and_then(|place| {
                let info = place.worker.info().cloned()?;
                Some((place, info))
            });
            self.waiting.pop_front();
            let Some((place, info)) = place else { continue };
            let Some((question, by, within, _)) = self.asking.pop_front() else { return };
            let lease = place.worker.lease();
            place.whose =
                Whose::Lent { lease, by, within, until: now + within, since: now, question: None, held: Vec::new() };
            let given = GivenTrial { trial: info.id, lease, config: place.config.clone(), attempt: info.attempt };
            out.push(AskTellOutput::Given(question, Some(given)));
        }
    }

    fn told(
        &mut self,
        question: u64,
        lease: LeaseId,
        (metrics, end): (Option<Metrics>, Option<TrialEnd>),
        now: Moment,
        out: &mut Vec<AskTellOutput>,
    ) {
        let mine = |(_, place): &(&WorkerId, &mut Place)| matches!(place.whose, Whose::Lent { lease: theirs, .. } if theirs == lease);
        let Some((worker, place)) = self.places.iter_mut().find(mine) else {
            let answer = if self.ended.remove(&lease) { Ok(Next::Stop) } else { Err(over(lease)) };
            return out.push(AskTellOutput::Next(question, answer));
        };
        let works = place.worker.is_working();
        let Whose::Lent { within, until, since, question: open, held, .. } = &mut place.whose else { return };
        if open.is_some() {
            let why = format!("lease {lease} was told of before, and that isn't answered yet: wait for the answer");
            return out.push(AskTellOutput::Next(question, Err(why)));
        }
        let took = Some(now.since(*since));
        (*until, *since) = (now + *within, now);
        let wish = if end == Some(TrialEnd::Done) { Wish::End } else { Wish::GoOn };
        let inputs = match (metrics, end) {
            (None, None) => return out.push(AskTellOutput::Next(question, Ok(Next::GoOn))),
            (None, Some(TrialEnd::Done)) => vec![WorkerInput::Ended],
            (Some(metrics), None | Some(TrialEnd::Done)) => vec![WorkerInput::Reported { metrics, wish, took }],
            (metrics, Some(TrialEnd::Failed(why))) => {
                let last = metrics.map(|metrics| WorkerInput::Reported { metrics, wish, took });
                let fault = Fault::new(FailureKind::UserError, why);
                last.into_iter().chain([WorkerInput::Failed(fault)]).collect()
            }
        };
        *open = Some(question);
        if !works {
            return held.extend(inputs);
        }
        let worker = *worker;
        // A report that the run wants to judge first is followed by its order, and the failure waits for that.
        inputs.into_iter().for_each(|input| self.feed(worker, input, now, out));
    }

    fn tick(&mut self, now: Moment, out: &mut Vec<AskTellOutput>) {
        self.asking.retain(|(question, .., until)| {
            let waits = *until > now;
            if !waits {
                out.push(AskTellOutput::Given(*question, None));
            }
            waits
        });
        let workers: Vec<WorkerId> = self.places.keys().copied().collect();
        for worker in workers {
            let Some(place) = self.places.get_mut(&worker) else { continue };
            let Whose::Lent { by, within, until, question: None, .. } = &place.whose else { continue };
            if *until > now {
                self.feed(worker, WorkerInput::Tick, now, out);
            } else {
                let message = format!("{by}, who worked on it, hasn't been heard of for {within:?}");
                place.whose = Whose::Nobodys;
                let fault = Fault::new(FailureKind::Preempted, message);
                self.feed(worker, WorkerInput::Failed(fault), now, out);
            }
        }
    }

    /// Feeds a worker, and does what it wants of its trainable.
    fn feed(&mut self, worker: WorkerId, input: WorkerInput, now: Moment, out: &mut Vec<AskTellOutput>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(place) = self.places.get_mut(&worker) else { return };
            let mut said = Vec::new();
            place.worker.on(input, now, &mut said);
            for output in said {
                match output {
                    WorkerOutput::Say(lease, fact) => {
                        let over = matches!(fact, WorkerFact::Released | WorkerFact::Failed(_));
                        out.push(AskTellOutput::Say(worker, lease, fact));
                        if over {
                            self.take_back(worker, out);
                        }
                    }
                    WorkerOutput::Call(call) => inputs.extend(self.call(worker, call, now, out)),
                    // It ends with its next report by itself.
                    WorkerOutput::Hurry => {}
                }
            }
        }
    }

    /// What a trainable would do. Answers what became of it, if that is known at once.
    fn call(&mut self, worker: WorkerId, call: Call, now: Moment, out: &mut Vec<AskTellOutput>) -> Vec<WorkerInput> {
        let Some(place) = self.places.get_mut(&worker) else { return Vec::new() };
        match call {
            Call::Begin { config, .. } => {
                place.config = config;
                vec![WorkerInput::Ready]
            }
            // Whoever works on it has its state.
            Call::Restore(_) => vec![WorkerInput::CheckpointGone],
            Call::Save { .. } => vec![WorkerInput::Saved(None)],
            Call::Work(_) => {
                match &mut place.whose {
                    Whose::Lent { held, .. } if !held.is_empty() => return std::mem::take(held),
                    Whose::Lent { question, since, until, within, .. } => {
                        (*since, *until) = (now, now + *within);
                        let question = question.take();
                        out.extend(question.map(|question| AskTellOutput::Next(question, Ok(Next::GoOn))));
                    }
                    Whose::Waits => {}
                    whose => {
                        *whose = Whose::Waits;
                        self.waiting.push_back(worker);
                    }
                }
                Vec::new()
            }
            Call::Rest => {
                self.take_back(worker, out);
                vec![WorkerInput::AtRest]
            }
            Call::End => {
                self.take_back(worker, out);
                self.places.remove(&worker);
                out.push(AskTellOutput::Gone(worker));
                Vec::new()
            }
        }
    }

    /// The trial is no longer for anybody to work on. Whoever did is told so, now or with their next word.
    fn take_back(&mut self, worker: WorkerId, out: &mut Vec<AskTellOutput>) {
        self.waiting.retain(|waits| *waits != worker);
        let Some(place) = self.places.get_mut(&worker) else { return };
        let Whose::Lent { lease, question, .. } = std::mem::replace(&mut place.whose, Whose::Nobodys) else { return };
        match question {
            Some(question) => out.push(AskTellOutput::Next(question, Ok(Next::Stop))),
            None => {
                self.ended.insert(lease);
                if self.ended.len() > REMEMBERED {
                    self.ended.pop_first();
                }
            }
        }
    }
}

/// Whoever works on a trial is told what the run says of each report.
fn one_by_one(mut order: WorkerOrder) -> WorkerOrder {
    let limits = match &mut order {
        WorkerOrder::Start { first: Some(first), .. } => Some(&mut first.limits),
        WorkerOrder::Train { limits, .. } => Some(limits),
        _ => None,
    };
    if let Some(limits) = limits {
        (limits.reports, limits.time) = (NonZeroU32::MIN, None);
    }
    order
}

fn over(lease: LeaseId) -> String {
    format!(
        "lease {lease} is over, or there never was one: nothing was heard of it for too long and its trial was given to somebody \
         else, or the trial has ended"
    )
}

#[cfg(test)]
mod tests;
