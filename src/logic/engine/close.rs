//! The end of a run: one way, whatever the reason.

use std::borrow::Cow;

use super::settings::AtEnd;
use super::{Demand, Engine, EngineOutput};
use crate::logic::event::{Closing, Ending, EventKind, Outcome, PausedBy};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::TrialId;
use crate::logic::limit::TimeLimit;
use crate::logic::time::Moment;
use crate::logic::trial::{Keep, State, TrialOrder};

/// How far the end has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RunPhase {
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

impl RunPhase {
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            RunPhase::Draining { by, forced: false } | RunPhase::WindingDown { by, .. } => Some(*by),
            _ => None,
        }
    }
}

impl Engine {
    /// Whether the run goes on.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, RunPhase::Open)
    }

    pub(super) fn is_draining(&self) -> bool {
        matches!(self.phase, RunPhase::Draining { .. })
    }

    /// Whether the run is ending, and waits for trials to come to the end of their steps.
    pub(super) fn takes_its_time(&self) -> bool {
        matches!(self.phase, RunPhase::Draining { .. } | RunPhase::WindingDown { .. })
    }

    /// How the run will have ended, once it has begun to end.
    pub fn closing(&self) -> Option<Closing> {
        let (outcome, by) = match &self.phase {
            RunPhase::Open | RunPhase::Over => return None,
            RunPhase::WindingDown { outcome, by, .. } => (outcome.clone(), Some(*by)),
            RunPhase::Stopping { outcome, by } => (outcome.clone(), *by),
            RunPhase::Draining { by, .. } => (Outcome::Drained, Some(*by)),
            RunPhase::ClosingPool(outcome) => (outcome.clone(), None),
        };
        Some(Closing { outcome, by })
    }

    /// Enters a phase in which no trial begins any more, and says so.
    pub(super) fn begin_to_close(&mut self, phase: RunPhase, now: Moment, out: &mut Vec<EngineOutput>) {
        self.phase = phase;
        if let Some(closing) = self.closing() {
            self.commit(now, out, EventKind::Closing { closing });
        }
    }

    /// Ends the run: every trial that hasn't ended is stopped. Once trials are being stopped, a further call changes nothing.
    pub(super) fn close(&mut self, outcome: Outcome, now: Moment, out: &mut Vec<EngineOutput>) {
        if !matches!(self.phase, RunPhase::Open | RunPhase::Draining { .. } | RunPhase::WindingDown { .. }) {
            return;
        }
        let why = match &outcome {
            Outcome::Stopped(reason) => Some(reason.clone()),
            Outcome::Failed(failure) => Some(failure.to_string().into()),
            _ => None,
        };
        self.begin_to_close(RunPhase::Stopping { outcome, by: None }, now, out);
        self.demand = Demand::Exhausted;
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        for trial in open {
            self.end_trial(trial, Ending::Experiment, why.clone(), now, out);
        }
        self.close_if_empty(out);
    }

    /// Ends a trial by somebody's decision, which is told at once: a crash before it takes effect doesn't undo it. It ends
    /// now, or at its next report where a last checkpoint is to be written, or it exports.
    pub(super) fn end_trial(
        &mut self,
        trial: TrialId,
        ending: Ending,
        reason: Option<Cow<'static, str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Some(state) = self.ledger.live(trial).map(|live| live.state) else { return };
        // What it saves has the workers' grace: a store may hang.
        if let Some(lease) = self.lease_of_save(trial).filter(|_| ending != Ending::Scheduler) {
            self.ending_by.insert((now + self.settings.grace, trial, lease));
        }
        if self.ledger.is_ending(trial) || state.status().is_terminal() {
            return;
        }
        let keep = self.keeps_at_end(ending).filter(|_| matches!(state, State::Running { .. }));
        self.forget_waiting_copy(trial);
        self.commit(now, out, EventKind::Stopping { trial, ending, reason });
        if let Some(live) = self.ledger.live_mut(trial) {
            live.last_step = keep.map(|keep| (ending, keep));
        }
        // It ends with its next report, so that is not kept waiting.
        out.push(EngineOutput::Trial(trial, if keep.is_some() { TrialOrder::Hurry } else { TrialOrder::Stop }));
    }

    /// Whether a trial that ends so may finish its step, since something is written then: perhaps a checkpoint.
    fn keeps_at_end(&self, ending: Ending) -> Option<Keep> {
        let exports = self.settings.export.is_on();
        match (ending, self.settings.at_end) {
            (Ending::Client, AtEnd::Checkpoint) => Some(Keep::Checkpoint),
            (Ending::Client | Ending::Scheduler, _) if exports => Some(Keep::Nothing),
            _ => None,
        }
    }

    /// Takes trials off their workers that were to end, and still save after the grace.
    pub(super) fn end_overdue(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while let Some((by, trial, lease)) = self.ending_by.first().copied().filter(|(by, ..)| *by <= now) {
            self.ending_by.remove(&(by, trial, lease));
            if self.lease_of_save(trial) == Some(lease) {
                let grace = self.settings.grace;
                let message =
                    format!("it was to end, and its last checkpoint wasn't there within the grace of {grace:?}");
                let fault = Fault::new(FailureKind::Preempted, message);
                out.push(EngineOutput::Trial(trial, TrialOrder::Fail { lease, fault }));
            }
        }
    }

    /// Whether a trial's next report is its last.
    pub(super) fn has_last_step(&self, trial: TrialId) -> bool {
        self.ledger.live(trial).is_some_and(|live| live.last_step.is_some())
    }

    /// Pauses everything; what can't be paused by then goes back to its last checkpoint.
    pub(super) fn drain(&mut self, by: Moment, now: Moment, out: &mut Vec<EngineOutput>) {
        self.begin_to_close(RunPhase::Draining { by, forced: false }, now, out);
        self.demand = Demand::Exhausted;
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        for trial in open {
            if self.ledger.plan(trial).is_some_and(|plan| plan.launched) {
                self.pause_trial(trial, PausedBy::Drain, None, now, out);
            }
        }
    }

    /// The deadline of a drain: whoever still has a worker is taken off it, as by a preemption.
    pub(super) fn drain_deadline(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let RunPhase::Draining { by, forced: false } = self.phase else { return };
        if now < by {
            return;
        }
        self.phase = RunPhase::Draining { by, forced: true };
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        for trial in open {
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
            RunPhase::Open if self.is_complete() => (Outcome::Completed, None),
            RunPhase::Stopping { outcome, by } if self.ledger.open_count() == 0 => (outcome.clone(), *by),
            RunPhase::WindingDown { outcome, .. } if self.ledger.open_count() == 0 => (outcome.clone(), None),
            RunPhase::Draining { by, .. } if self.ledger.launched() == 0 && !self.some_are_ending() => {
                (Outcome::Drained, Some(*by))
            }
            _ => return,
        };
        self.phase = RunPhase::ClosingPool(outcome);
        out.push(EngineOutput::ClosePool { by });
    }

    /// Whether the end of a trial was decided that hasn't ended yet.
    fn some_are_ending(&self) -> bool {
        self.ledger.open_trials().any(|trial| self.ledger.is_ending(trial))
    }

    fn is_complete(&self) -> bool {
        self.demand == Demand::Exhausted && self.ledger.open_count() == 0
    }

    /// The last word.
    pub(super) fn finish(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        if let RunPhase::ClosingPool(outcome) = std::mem::replace(&mut self.phase, RunPhase::Over) {
            self.commit(now, out, EventKind::Finished { outcome: outcome.clone() });
            out.push(EngineOutput::Finished(outcome));
        }
    }
}
