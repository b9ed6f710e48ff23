//! What every run is held to, besides the rules of the simulator itself.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use crate::logic::engine::{Ledger, TrialRecord};
use crate::logic::event::{AddedBy, EventKind, ExperimentEvent};
use crate::logic::ids::LeaseId;
use crate::logic::journal::PartStates;
use crate::logic::space::Space;
use crate::logic::trial::Status;

macro_rules! promises {
    ($($promise:ident $name:literal $doc:literal,)+) => {
        /// What a run is held to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Promise {
            $(#[doc = $doc] $promise,)+
        }

        impl Promise {
            /// All there are.
            pub const ALL: &'static [Promise] = &[$(Promise::$promise,)+];

            /// Its name on a command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Promise::$promise => $name,)+
                }
            }
        }
    };
}

promises! {
    Moves "moves" "Nothing is stuck: once the trouble is over, every trial and the run come to their ends.",
    Bounded "bounded" "They do so in a bounded number of steps.",
    Rules "rules" "The rules of the simulator hold: one lease a trial, legal transitions, every end said once.",
    Parts "parts" "No searcher, scheduler or stop rule fails.",
    Results "results" "Every result is there once, in its order.",
    Attempts "attempts" "Attempts are numbered without gaps, and who is given up ends.",
    Checkpoints "checkpoints" "A checkpoint's index is used once, and what is deleted was there.",
    Journal "journal" "What was written can be read, and every part takes up its state.",
    Records "records" "What is known of the trials is the same when their past is told again.",
    Snapshots "snapshots" "It is the same from a compacted journal.",
    Spaces "spaces" "Once the space was changed, what a searcher suggests outside of it doesn't begin.",
    States "states" "Parts that are told the past again have the states that they had.",
    Decisions "decisions" "A run that is cut off and resumed ends like one that isn't, where nothing depends on time.",
    Panics "panics" "Nothing panics.",
    Settings "settings" "All parts can be made and prepared.",
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no promise has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no promise called `{name}`; there are {}", names())]
pub struct UnknownPromise {
    name: String,
}

fn names() -> String {
    Promise::ALL.iter().map(|promise| promise.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Promise {
    type Err = UnknownPromise;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Promise::ALL.iter().find(|promise| promise.name() == text);
        known.copied().ok_or_else(|| UnknownPromise { name: text.to_owned() })
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) what: String,
}

impl Broken {
    pub(super) fn new(promise: Promise, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}

/// What is known of a trial from its events.
#[derive(Clone, Debug)]
struct Known {
    /// The iteration of its next result.
    next: u64,
    attempt: u32,
    given_up: bool,
    ended: bool,
    /// The least index that its next checkpoint may have.
    index: u32,
    kept: BTreeSet<u32>,
    /// It was suggested outside of the space, as that was by then.
    outside: bool,
}

/// Follows the events of a run over all its sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    trials: Vec<Known>,
    leases: BTreeSet<LeaseId>,
    changes: Arc<Space>,
}

impl Watch {
    pub(super) fn follow(&mut self, event: &ExperimentEvent) -> Result<(), Broken> {
        let kind = &event.kind;
        let broken = |promise, what: String| Err(Broken::new(promise, format!("{what}, at {}", event.at)));
        if let EventKind::SpaceChanged { changes, .. } = kind {
            self.changes = changes.clone();
        }
        let Some(trial) = kind.trial() else { return Ok(()) };
        if let EventKind::Added { config, by, from, .. } = kind {
            if trial.index() != self.trials.len() {
                return broken(Promise::Journal, format!("{trial} was added as number {}", self.trials.len()));
            }
            let next = from.as_ref().map_or(0, |from| from.report.iteration()) + 1;
            let (attempt, kept) = (1, BTreeSet::new());
            let outside = *by == AddedBy::Searcher && self.changes.shuts_out(config).is_some();
            self.trials.push(Known { next, attempt, given_up: false, ended: false, index: 0, kept, outside });
            return Ok(());
        }
        let Some(known) = self.trials.get_mut(trial.index()) else {
            return broken(Promise::Journal, format!("{trial} was never added"));
        };
        match kind {
            EventKind::Reported { report } if known.ended || report.iteration() != known.next => {
                let iteration = report.iteration();
                return broken(Promise::Results, format!("{trial}: result {iteration} in place of {}", known.next));
            }
            EventKind::Reported { .. } => known.next += 1,
            EventKind::Exploited { exploit, .. } => known.next = exploit.checkpoint.report.iteration() + 1,
            EventKind::Launched { .. } if known.outside => {
                return broken(Promise::Spaces, format!("{trial} begins outside of the space"));
            }
            EventKind::Launched { attempt, lease, .. } => {
                if *attempt != known.attempt || known.ended {
                    return broken(
                        Promise::Attempts,
                        format!("{trial}: attempt {attempt} in place of {}", known.attempt),
                    );
                }
                if !self.leases.insert(*lease) {
                    return broken(Promise::Rules, format!("{trial} has a lease that was there before: {lease}"));
                }
            }
            EventKind::Failed { retry_at: Some(_), .. } => known.attempt += 1,
            EventKind::Failed { retry_at: None, .. } => known.given_up = true,
            EventKind::Status { to: Status::Pending | Status::Running | Status::Paused, .. } if known.given_up => {
                return broken(Promise::Attempts, format!("{trial} was given up and goes on"));
            }
            EventKind::Revived { attempt, .. } => {
                // By somebody's word.
                (known.attempt, known.given_up, known.ended, known.outside) = (*attempt, false, false, false);
            }
            EventKind::Ended { .. } => known.ended = true,
            EventKind::Saved { checkpoint } if checkpoint.id.index < known.index => {
                return broken(Promise::Checkpoints, format!("{:?} was there before", checkpoint.id));
            }
            EventKind::Saved { checkpoint } => {
                known.index = checkpoint.id.index + 1;
                known.kept.insert(checkpoint.id.index);
            }
            EventKind::Deleted { checkpoint } if !known.kept.remove(&checkpoint.index) => {
                return broken(Promise::Checkpoints, format!("{checkpoint:?} was deleted and isn't there"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether two are the same, by value or (NaN is no value) by what is printed of them.
fn same<T: PartialEq + Debug>(was: &T, is: &T) -> bool {
    was == is || format!("{was:?}") == format!("{is:?}")
}

/// What is known of every trial is the same in both.
pub(super) fn same_ledger(promise: Promise, was: &Ledger, is: &Ledger) -> Result<(), Broken> {
    if was.len() != is.len() {
        return Err(Broken::new(promise, format!("there were {} trials and are {}", was.len(), is.len())));
    }
    for (was_record, is_record) in was.iter().zip(is.iter()) {
        same_record(promise, was_record, is_record)?;
        let (was, is) = (was.plan(was_record.id), is.plan(is_record.id));
        if was != is {
            return Err(Broken::new(promise, format!("{}, its plan: {}", was_record.id, difference(&was, &is))));
        }
    }
    if was.run() != is.run() {
        return Err(Broken::new(promise, format!("of the run: {}", difference(was.run(), is.run()))));
    }
    Ok(())
}

fn same_record(promise: Promise, was: &TrialRecord, is: &TrialRecord) -> Result<(), Broken> {
    if same(was, is) {
        return Ok(());
    }
    Err(Broken::new(promise, format!("{}: {}", was.id, difference(was, is))))
}

/// Where two differ, in what is printed of them.
fn difference<T: Debug>(was: &T, is: &T) -> String {
    let (was, is) = (format!("{was:?}"), format!("{is:?}"));
    let common = was.char_indices().zip(is.chars()).take_while(|((_, was), is)| was == is);
    let begin = common.filter(|((_, letter), _)| *letter == ' ').last().map_or(0, |((at, _), _)| at);
    let part = |text: &str| text.get(begin..).unwrap_or_default().chars().take(160).collect::<String>();
    let field = was.get(..begin).unwrap_or_default().chars().rev().take(40).collect::<Vec<_>>();
    let field: String = field.into_iter().rev().collect();
    format!("..{field} was{} and is{}", part(&was), part(&is))
}

/// What is held against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    All,
    /// All but the searcher: it is told again what trials were, and that may say less than what it drew.
    AllButSearcher,
}

/// The parts have the same states. One that gave none then, or gives none now, isn't compared.
pub(super) fn same_states(what: Compared, was: &PartStates, is: &PartStates) -> Result<(), Broken> {
    let searcher = (what == Compared::All).then_some(("searcher", &was.searcher, &is.searcher));
    let others = [("scheduler", &was.scheduler, &is.scheduler), ("rule", &was.stop, &is.stop)];
    for (part, was, is) in searcher.into_iter().chain(others) {
        if let (Some(was), Some(is)) = (was, is)
            && timeless(was.clone()) != timeless(is.clone())
        {
            return Err(Broken::new(Promise::States, format!("the {part}'s: {}", difference(was, is))));
        }
    }
    Ok(())
}

/// A state without what rules about the whole experiment said or measured when they were last asked: they are asked again.
fn timeless(mut state: Value) -> Value {
    if let Value::Object(map) = &mut state {
        if map.get("part").and_then(Value::as_str) == Some("budget") {
            map.remove("used");
        }
        map.remove("of_experiment");
        map.values_mut().for_each(|value| *value = timeless(value.take()));
    }
    if let Value::Array(values) = &mut state {
        values.iter_mut().for_each(|value| *value = timeless(value.take()));
    }
    state
}

/// What became of each trial, apart from when and on which worker.
pub(super) fn ends(ledger: &Ledger) -> Vec<String> {
    let one = |record: &TrialRecord| {
        let loss = record.last.as_ref().and_then(|last| last.number("loss"));
        format!(
            "{} {} after {} of {}: {loss:?}, {:?}",
            record.id, record.status, record.reported, record.config, record.ending
        )
    };
    ledger.iter().map(one).collect()
}
