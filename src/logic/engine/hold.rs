//! The same error on several workers: something other than the trials is wrong then, and no more of them are spent on it.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::io::{EngineOutput, OrderError, Waiting};
use crate::logic::event::{Ending, EventKind, Hold, Outcome, RunFailure};
use crate::logic::failure::{Failure, FailureKind};
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;

/// What is done when the same error has come from several workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnSameError {
    /// The run is held: no trial is launched any more, retries included, until a client lets it go on or ends it. What
    /// runs goes on. For a run that somebody controls.
    Hold,
    /// The run ends with [`RunFailure::SameError`]. For a run that nobody controls.
    End,
}

/// When the same error counts as everybody's, and what is done then.
///
/// **The same** are two errors of one kind, at one place if a place is known, and with the same words once what differs from
/// worker to worker is left out: every word with a digit in it (numbers, addresses, ids, names with a number in them) is
/// read as `#`, and any white space as one blank. A word is letters, digits, `_`, and `-` and `.` within it.
///
/// **Counted** is every attempt that fails so, each of which was on a worker of its own, since one that failed is never
/// used again; an attempt for which no worker could be had counts too, and a preemption doesn't. Sixteen different errors
/// are counted side by side.
///
/// **Forgotten** are all of them when a trial ends well: it is done, or a rule or the scheduler ended it at work. One of
/// them is forgotten when any trial reports an iteration beyond the furthest that its attempts had reached: that place can
/// be passed. A session begins with none.
///
/// **One trial alone** says more of its configuration than of the rest: its failures count, but at least one of another
/// trial must be among them, unless the run has no other trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct SameError {
    /// On so many workers; at least 2.
    pub workers: u32,
    /// What is done then.
    pub then: OnSameError,
}

/// So many different errors are told apart; of more, the one that was seen least lately is forgotten.
const KINDS: usize = 16;

/// One error, and the attempts that it has ended.
#[derive(Clone, Debug)]
struct Counted {
    kind: FailureKind,
    place: Option<String>,
    words: String,
    attempts: u32,
    /// The trial whose attempts these were; none if there were several.
    only: Option<TrialId>,
    furthest: u64,
}

/// The errors since something last worked.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors(VecDeque<Counted>);

impl Errors {
    /// Counts one more; says how many were the same, and whose they were if they were all one trial's.
    fn add(&mut self, trial: TrialId, failure: &Failure) -> (u32, Option<TrialId>) {
        let words = failure.fault.words();
        let same =
            |one: &Counted| one.kind == failure.fault.kind && one.place == failure.fault.place && one.words == words;
        let known = self.0.iter().position(same).and_then(|at| self.0.remove(at));
        let mut counted = known.unwrap_or_else(|| Counted {
            kind: failure.fault.kind,
            place: failure.fault.place.clone(),
            words,
            attempts: 0,
            only: Some(trial),
            furthest: 0,
        });
        counted.attempts += 1;
        counted.only = counted.only.filter(|only| *only == trial);
        counted.furthest = counted.furthest.max(failure.iteration);
        let answer = (counted.attempts, counted.only);
        self.0.truncate(KINDS - 1);
        self.0.push_front(counted);
        answer
    }

    /// Somebody has come this far.
    pub(super) fn passed(&mut self, iteration: u64) {
        if !self.0.is_empty() {
            self.0.retain(|counted| iteration <= counted.furthest);
        }
    }

    fn forget(&mut self) {
        self.0.clear();
    }
}

impl Engine {
    /// Why no trial is launched at the moment, if a client has to let the run go on.
    pub fn hold(&self) -> Option<&Arc<Hold>> {
        self.ledger.run().hold.as_ref()
    }

    /// Why a trial isn't running.
    pub fn waiting(&self, trial: TrialId) -> Waiting {
        match (self.ledger.waiting(trial), self.hold()) {
            (Waiting::ForTurn | Waiting::ForScheduler | Waiting::ForResources { .. }, Some(why)) => {
                Waiting::OnHold { why: why.clone() }
            }
            (waiting, _) => waiting,
        }
    }

    /// Counts a failure, and holds or ends the run if it is everybody's.
    pub(super) fn count_error(&mut self, trial: TrialId, failure: &Failure, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(SameError { workers, then }) = self.settings.same_error else { return };
        if !self.is_open() || self.hold().is_some() || failure.fault.kind == FailureKind::Preempted {
            return;
        }
        let (attempts, only) = self.errors.add(trial, failure);
        if attempts < workers || (only.is_some() && self.ledger.len() > 1) {
            return;
        }
        let why = Hold::SameError { workers: attempts, last: trial, fault: Box::new(failure.fault.clone()) };
        match then {
            OnSameError::End => self.close(Outcome::Failed(RunFailure::SameError { why }), now, out),
            OnSameError::Hold => {
                let why = Arc::new(why);
                self.commit(now, out, EventKind::Held { why: why.clone() });
                out.push(EngineOutput::Hold(why));
            }
        }
    }

    /// A trial has ended: if it did well, whatever went wrong before isn't everybody's. One that was done can have lost its
    /// worker since it said so.
    pub(super) fn ended_well(&mut self, ending: Ending, on_worker: bool) {
        let judged = matches!(ending, Ending::StopRule | Ending::Scheduler);
        if ending == Ending::Done || (judged && on_worker) {
            self.errors.forget();
        }
    }

    /// A client lets the run go on; errors are counted anew.
    pub(super) fn proceed(&mut self, now: Moment, out: &mut Vec<EngineOutput>) -> Result<(), OrderError> {
        if self.hold().is_none() {
            return Err(OrderError::NotHeld);
        }
        self.errors.forget();
        self.commit(now, out, EventKind::Proceeded);
        out.push(EngineOutput::Proceed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::failure::Fault;
    use crate::logic::ids::RunId;

    fn failure(message: &str, iteration: u64) -> Failure {
        let fault = Fault::new(FailureKind::UserError, message);
        Failure { fault, attempt: 1, iteration, worker: None, at: Moment::START }
    }

    fn trial(number: u32) -> TrialId {
        TrialId::new(RunId::new(1), number)
    }

    #[test]
    fn the_same_is_counted_whatever_else_goes_wrong_in_between() {
        let mut errors = Errors::default();
        assert_eq!(errors.add(trial(0), &failure("disk 1 is full", 0)), (1, Some(trial(0))));
        assert_eq!(errors.add(trial(1), &failure("no such key", 0)), (1, Some(trial(1))));
        assert_eq!(errors.add(trial(0), &failure("disk 2 is full", 0)), (2, Some(trial(0))));
        assert_eq!(errors.add(trial(2), &failure("disk 3 is full", 0)), (3, None));
        let panic = Failure { fault: Fault::new(FailureKind::Panic, "disk 3 is full"), ..failure("", 0) };
        assert_eq!(errors.add(trial(2), &panic).0, 1, "another kind");
    }

    #[test]
    fn what_somebody_has_passed_is_forgotten() {
        let mut errors = Errors::default();
        errors.add(trial(0), &failure("early", 2));
        errors.add(trial(1), &failure("late", 5));
        errors.passed(2);
        assert_eq!(errors.add(trial(2), &failure("early", 1)).0, 2, "they all had got as far as that");
        errors.passed(3);
        assert_eq!(errors.add(trial(3), &failure("early", 2)).0, 1);
        assert_eq!(errors.add(trial(3), &failure("late", 0)).0, 2);
    }

    #[test]
    fn no_more_than_sixteen_errors_are_remembered() {
        let mut errors = Errors::default();
        let name = |n: u8| format!("error {}", char::from(b'a' + n));
        for n in 0..=KINDS as u8 {
            errors.add(trial(0), &failure(&name(n), 0));
        }
        assert_eq!(errors.0.len(), KINDS);
        assert_eq!(errors.add(trial(1), &failure(&name(1), 0)).0, 2);
        assert_eq!(errors.add(trial(1), &failure(&name(0), 0)).0, 1, "the oldest is gone");
    }
}
