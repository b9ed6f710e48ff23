//! The time limit of a whole run: its trials finish their steps, save or don't, and nobody new starts.

use std::borrow::Cow;

use super::close::RunPhase;
use super::{Demand, Engine, EngineOutput};
use crate::logic::event::{Ending, Outcome};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::limit::{OnLimit, TimeLimit};
use crate::logic::time::Moment;
use crate::logic::trial::{Keep, Phase, State, TrialOrder};

impl Engine {
    /// When the run's time is over, as long as it is open.
    pub(super) fn time_is_over_at(&self) -> Option<Moment> {
        self.time_limit().filter(|_| self.is_open()).map(|limit| limit.at())
    }

    /// How long the run may take: what a client said last, else what the settings say.
    fn time_limit(&self) -> Option<TimeLimit> {
        self.ledger.run().time_limit().unwrap_or(self.settings.time_limit)
    }

    /// Ends the run if its time is over.
    pub(super) fn check_time(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(limit) = self.time_limit().filter(|limit| self.is_open() && limit.at() <= now) else { return };
        let outcome = Outcome::Stopped(limit.to_string().into());
        match limit.then {
            OnLimit::Kill => self.end_at_once(outcome, &limit.to_string(), now, out),
            OnLimit::FinishStep | OnLimit::SaveThenStop => self.wind_down(limit, outcome, now, out),
        }
    }

    /// Whoever is in a step finishes it; everybody else ends now.
    fn wind_down(&mut self, limit: TimeLimit, outcome: Outcome, now: Moment, out: &mut Vec<EngineOutput>) {
        let keep = limit.then.keep();
        self.begin_to_close(RunPhase::WindingDown { outcome, by: now + self.settings.grace, limit }, now, out);
        self.demand = Demand::Exhausted;
        if !std::mem::replace(&mut self.demand_closed, true) {
            out.push(EngineOutput::DemandClosed);
        }
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        for trial in open {
            if self.is_in_a_step(trial) {
                self.stop_after_step(trial, keep, out);
            } else {
                self.end_trial(trial, Ending::Experiment, Some(limit.to_string().into()), now, out);
            }
        }
    }

    /// Whether a report of a trial is awaited, or just here. One that saves will have come to the end of its step by then.
    fn is_in_a_step(&self, trial: TrialId) -> bool {
        self.ledger.live(trial).is_some_and(|live| {
            let at_work = matches!(live.state, State::Running { phase: Phase::Training | Phase::Deciding, .. });
            at_work && !live.saving
        })
    }

    fn stop_after_step(&mut self, trial: TrialId, keep: Keep, out: &mut Vec<EngineOutput>) {
        if self.ledger.is_ending(trial) {
            return;
        }
        self.forget_waiting_copy(trial);
        if let Some(live) = self.ledger.live_mut(trial) {
            live.last_step = Some((Ending::Experiment, keep));
        }
        out.push(EngineOutput::Trial(trial, TrialOrder::Hurry));
    }

    /// The moment up to which steps were waited for: what hasn't ended by now is ended the hard way.
    pub(super) fn wind_down_deadline(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        if let RunPhase::WindingDown { outcome, by, limit } = &self.phase
            && *by <= now
        {
            let (outcome, grace) = (outcome.clone(), self.settings.grace);
            let why = format!("{limit}, and nothing came of it within the grace of {grace:?}");
            self.end_at_once(outcome, &why, now, out);
        }
    }

    /// Every trial ends now, wherever it stands, and its worker with it.
    fn end_at_once(&mut self, outcome: Outcome, why: &str, now: Moment, out: &mut Vec<EngineOutput>) {
        self.begin_to_close(RunPhase::Stopping { outcome, by: Some(now) }, now, out);
        self.demand = Demand::Exhausted;
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        for trial in open {
            let saving = self.lease_of_save(trial);
            self.end_trial(trial, Ending::Experiment, Some(Cow::from(why.to_owned())), now, out);
            // A stop waits for a checkpoint that is being written; this doesn't.
            if let Some(lease) = saving {
                let fault = Fault::new(FailureKind::Preempted, format!("{why}, while it saved"));
                out.push(EngineOutput::Trial(trial, TrialOrder::Fail { lease, fault }));
            }
        }
    }

    pub(super) fn lease_of_save(&self, trial: TrialId) -> Option<LeaseId> {
        let live = self.ledger.live(trial)?;
        let saves = live.saving || matches!(live.state, State::Running { phase: Phase::Saving, .. });
        live.lease.filter(|_| saves)
    }

    /// Why the run winds down, if it does.
    pub(super) fn why_winding_down(&self) -> Option<Cow<'static, str>> {
        match &self.phase {
            RunPhase::WindingDown { limit, .. } => Some(limit.to_string().into()),
            _ => None,
        }
    }
}
