//! The past of a run, told again record by record: the ledger becomes what it was, and the parts that decide are told what
//! their own saved states don't say.

mod events;
mod facts;

use super::Engine;
use crate::logic::event::Outcome;
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::journal::{ObserverState, Opened, PartStates, Record, RunFacts};

/// What is remembered of earlier sessions besides the ledger.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The last session's beginning.
    pub opened: Option<Opened>,
    /// What holds for the run as a whole.
    pub run: RunFacts,
    /// How the last session ended; none if it was cut off.
    pub outcome: Option<Outcome>,
    /// The last mark.
    pub marks: u64,
    /// The last states of observers.
    pub observers: Vec<ObserverState>,
    /// States of parts that couldn't be taken up, in words; those parts were told everything again instead.
    pub refused: Vec<String>,
    /// Parts that have a saved state needn't be told what led to it.
    untold: Untold,
}

#[derive(Clone, Copy, Debug, Default)]
struct Untold {
    searcher: bool,
    scheduler: bool,
    stop: bool,
}

/// A past that can't have happened: the journal isn't one run's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecallError {
    /// Trials are numbered without gaps.
    #[error(
        "trial {found} was added where {expected} should have been: the journal isn't one run's, or parts of it are missing"
    )]
    Numbering {
        /// What was found.
        found: TrialId,
        /// What should have been.
        expected: TrialId,
    },
    /// Something is said of a trial that was never added.
    #[error("something is said of trial {0}, which was never added")]
    Unknown(TrialId),
}

impl Engine {
    /// Takes one more record of the past. All of them come before the run begins.
    ///
    /// # Errors
    /// If it can't follow those before it.
    pub fn recall(&mut self, record: Record) -> Result<(), RecallError> {
        match record {
            Record::Opened(opened) => {
                self.recalled.outcome = None;
                self.recalled.opened = Some(opened);
            }
            Record::Step(events) => {
                for (index, event) in events.iter().enumerate() {
                    self.recall_event(event, &events[index + 1..])?;
                }
            }
            Record::Facts(facts) => self.recall_facts(*facts)?,
            Record::Run(run) => {
                // It ends a snapshot: from here on every part is told.
                self.recalled.run.join(run);
                self.recalled.untold = Untold::default();
            }
            Record::Parts(parts) => self.recall_parts(parts),
            Record::Observer(state) => {
                self.recalled.observers.retain(|other| other.name != state.name);
                self.recalled.observers.push(state);
            }
            Record::Mark(mark) => self.recalled.marks = self.recalled.marks.max(mark),
            Record::Fresh => {}
        }
        Ok(())
    }

    /// What was remembered of earlier sessions besides the ledger.
    pub fn recalled(&self) -> &Recalled {
        &self.recalled
    }

    /// The states of the parts, for a snapshot that holds everything up to now.
    pub fn part_states(&mut self) -> PartStates {
        let named = |name: &str, state| serde_json::json!({ "name": name, "state": state });
        let searcher = self.searcher.save().map(|(name, state)| named(&name, state));
        let scheduler = self.scheduler.call(|part| part.save().map(|state| named(part.name(), state))).flatten();
        let stop = self.stop.call(|rule| rule.save().map(|state| named("stop", state))).flatten();
        PartStates { searcher, scheduler, stop }
    }

    fn recall_parts(&mut self, parts: PartStates) {
        let mut refused = Vec::new();
        let mut take = |what: &str,
                        saved: Option<serde_json::Value>,
                        restore: &mut dyn FnMut(&str, serde_json::Value) -> Result<(), String>| {
            let Some(mut saved) = saved else { return false };
            let name = saved["name"].as_str().unwrap_or_default().to_owned();
            match restore(&name, saved["state"].take()) {
                Ok(()) => true,
                Err(why) => {
                    refused.push(format!("the state of the {what} {name} isn't taken up: {why}"));
                    false
                }
            }
        };
        let searcher = take("searcher", parts.searcher, &mut |name, state| {
            same_part(self.searcher.name(), name)?;
            let restored = self.searcher.restore(state).map(|restored| restored.map_err(|error| error_chain(&error)));
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        let scheduler = take("scheduler", parts.scheduler, &mut |name, state| {
            let restored = self.scheduler.call(|part| {
                same_part(part.name(), name)?;
                part.restore(state).map_err(|error| error_chain(&error))
            });
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        let stop = take("stop rules", parts.stop, &mut |_, state| {
            let restored = self.stop.call(|rule| rule.restore(state).map_err(|error| error_chain(&error)));
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        self.recalled.untold = Untold { searcher, scheduler, stop };
        self.recalled.refused.extend(refused);
    }
}

fn same_part(name: &str, saved: &str) -> Result<(), String> {
    if name == saved { Ok(()) } else { Err(format!("this run has {name} in its place")) }
}
