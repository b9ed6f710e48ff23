//! The end of a run: one way, whatever the reason.

use std::borrow::Cow;

use super::entry::Standing;
use super::settings::AtEnd;
use super::{Demand, Engine, EngineOutput};
use crate::logic::event::{Ending, EventKind, Outcome, PausedBy};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::TrialId;
use crate::logic::limit::TimeLimit;
use crate::logic::time::Moment;
use crate::logic::trial::{Keep, State, TrialOrder};

/// How far the end has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    /// It hasn't begun.
    Open,
    /// Trials come to the end of their steps, until the moment.
    WindingDown { outcome: Outcome, by: Moment, limit: TimeLimit },
    /// Trials are being stopped. The workers' grace ends at the moment, if there is one.
    Stopping { outcome: Outcome, by: Option<Moment> },
    /// Trials are being paused, until the deadline.
    Draining { by: Moment, forced: bool },
    /// No trial has a worker; the workers are being stopped.
    ClosingPool(Outcome),
    /// It is over.
    Over,
}

impl Phase {
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            Phase::Draining { by, forced: false } | Phase::WindingDown { by, .. } => Some(*by),
            _ => None,
        }
    }
}

impl Engine {
    /// Whether the run goes on.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. })
    }

    /// Ends the run: every trial that hasn't ended is stopped. A second call changes nothing.
    pub(super) fn close(&mut self, outcome: Outcome, out: &mut Vec<EngineOutput>) {
        if !matches!(self.phase, Phase::Open | Phase::Draining { .. } | Phase::WindingDown { .. }) {
            return;
        }
        let why = match &outcome {
            Outcome::Stopped(reason) => Some(reason.clone()),
            Outcome::Failed(failure) => Some(failure.to_string().into()),
            _ => None,
        };
        self.phase = Phase::Stopping { outcome, by: None };
        self.demand = Demand::Exhausted;
        let live: Vec<TrialId> = self.ledger.live_trials().collect();
        for trial in live {
            self.stop_trial(trial, Ending::Experiment, why.clone(), out);
        }
        self.close_if_empty(out);
    }

    /// Ends a trial by somebody's decision, which is told at once: a crash before it takes effect doesn't undo it.
    pub(super) fn end_trial(
        &mut self,
        trial: TrialId,
        ending: Ending,
        reason: Option<Cow<'static, str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        if self.ledger.live(trial).is_some_and(|live| !matches!(live.standing, Standing::Ending(_))) {
            self.tell(now, out, || EventKind::Stopping { trial, ending, reason: reason.clone() });
            self.stop_trial(trial, ending, reason, out);
        }
    }

    /// Stops a trial at once, or at its next report where a last checkpoint is to be written.
    pub(super) fn stop_trial(
        &mut self,
        trial: TrialId,
        ending: Ending,
        reason: Option<Cow<'static, str>>,
        out: &mut Vec<EngineOutput>,
    ) {
        let Some(live) = self.ledger.live(trial) else { return };
        if matches!(live.standing, Standing::Ending(_)) {
            return;
        }
        let running = matches!(live.state, State::Running { .. });
        if running && self.settings.at_end == AtEnd::Checkpoint && ending == Ending::Client {
            self.drop_exploit(trial);
            self.set_standing(trial, Standing::Stop { ending, keep: Keep::Checkpoint }, reason);
            return;
        }
        self.drop_exploit(trial);
        self.ledger.leave_lines(trial);
        self.set_standing(trial, Standing::Ending(ending), reason);
        out.push(EngineOutput::Trial(trial, TrialOrder::Stop));
    }

    /// Pauses everything; what can't be paused by then goes back to its last checkpoint.
    pub(super) fn drain(&mut self, by: Moment, now: Moment, out: &mut Vec<EngineOutput>) {
        self.phase = Phase::Draining { by, forced: false };
        self.demand = Demand::Exhausted;
        let live: Vec<TrialId> = self.ledger.live_trials().collect();
        for trial in live {
            let holds_worker = self.ledger.live(trial).is_some_and(|live| live.state.holds_worker());
            if holds_worker {
                self.pause_trial(trial, PausedBy::Drain, None, now, out);
            }
        }
    }

    /// The deadline of a drain: whoever still has a worker is taken off it, as by a preemption.
    pub(super) fn drain_deadline(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Phase::Draining { by, forced: false } = self.phase else { return };
        if now < by {
            return;
        }
        self.phase = Phase::Draining { by, forced: true };
        let live: Vec<TrialId> = self.ledger.live_trials().collect();
        for trial in live {
            let lease = self.ledger.live(trial).and_then(|live| live.lease);
            if let Some(lease) = lease {
                let message = "the drain's deadline came before its next report";
                let fault = Fault::new(FailureKind::Preempted, message);
                out.push(EngineOutput::Trial(trial, TrialOrder::Fail { lease, fault }));
            }
        }
    }

    /// Moves on to the next phase once nothing holds this one up.
    pub(super) fn close_if_empty(&mut self, out: &mut Vec<EngineOutput>) {
        let (outcome, by) = match &self.phase {
            Phase::Open if self.is_complete() => (Outcome::Completed, None),
            Phase::Stopping { outcome, by } if self.ledger.live_count() == 0 => (outcome.clone(), *by),
            Phase::WindingDown { outcome, .. } if self.ledger.live_count() == 0 => (outcome.clone(), None),
            Phase::Draining { by, .. } if self.ledger.launched() == 0 => (Outcome::Drained, Some(*by)),
            _ => return,
        };
        self.phase = Phase::ClosingPool(outcome);
        out.push(EngineOutput::ClosePool { by });
    }

    fn is_complete(&self) -> bool {
        self.demand == Demand::Exhausted && self.ledger.live_count() == 0
    }

    /// The last word.
    pub(super) fn finish(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        if let Phase::ClosingPool(outcome) = std::mem::replace(&mut self.phase, Phase::Over) {
            self.tell(now, out, || EventKind::Finished { outcome: outcome.clone() });
            out.push(EngineOutput::Finished(outcome));
        }
    }
}
