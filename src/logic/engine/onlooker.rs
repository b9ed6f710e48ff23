//! A run as its records tell it, without the parts that decide: for views.

use super::{Engine, Ledger, Plan, ReplayError, RunRecord, TrialRecord};
use crate::logic::engine::settings::EngineSettings;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::{RunId, TrialId, WorkerId};
use crate::logic::journal::{Opened, Record};
use crate::logic::pool::Resources;
use crate::logic::time::Moment;

/// All that an engine knows at a moment: where a view begins that didn't hear what happened before.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The moment. What happens later isn't in it.
    pub now: Moment,
    /// The session. Its time by the machine's clock isn't known here.
    pub opened: Opened,
    /// The run as a whole.
    pub run: RunRecord,
    /// All trials, in the order of their creation, and what is to come of those that haven't ended.
    pub trials: Vec<(TrialRecord, Option<Plan>)>,
    /// Who has which worker.
    pub workers: Vec<(TrialId, WorkerId)>,
}

impl Engine {
    /// All that is known at this moment.
    pub fn overview(&self, now: Moment) -> Overview {
        let settings = &self.settings;
        let ledger = &self.ledger;
        let trials = ledger.iter().map(|record| (record.clone(), ledger.plan(record.id).cloned())).collect();
        let workers = ledger.open_trials().filter_map(|trial| Some((trial, self.runs_on(trial)?.worker))).collect();
        let opened = Opened::new(settings.experiment.clone(), settings.run, "");
        Overview { now, opened, run: ledger.run().clone(), trials, workers }
    }
}

/// Follows the records of a run: its ledger is what the engine's was. No part that decides is called.
#[derive(Debug)]
pub struct Onlooker {
    run: RunId,
    ledger: Ledger,
}

impl Onlooker {
    /// Of a run of which nothing is known yet.
    pub fn new(run: RunId) -> Self {
        Self { run, ledger: Ledger::new(&EngineSettings::new(run, "", Resources::new())) }
    }

    /// Of a run of which all this is known.
    pub fn of(run: RunId, record: RunRecord, trials: Vec<(TrialRecord, Option<Plan>)>) -> Self {
        let mut onlooker = Self::new(run);
        onlooker.ledger.adopt(record, trials);
        onlooker
    }

    /// What is known of trials and run.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes one more record.
    ///
    /// # Errors
    /// If it can't follow those before it.
    pub fn hear(&mut self, record: Record) -> Result<(), ReplayError> {
        match record {
            Record::Opened(_) => self.ledger.open(),
            Record::Step(events) => events.iter().try_for_each(|event| self.event(event))?,
            Record::Trial(stored) => {
                let trial = TrialId::new(self.run, stored.trial);
                if !self.ledger.load(*stored) {
                    return Err(ReplayError::Unknown(trial));
                }
            }
            Record::Facts(facts) => {
                let trial = TrialId::new(self.run, facts.trial);
                let Some(record) = self.ledger.get(trial) else { return Err(ReplayError::Unknown(trial)) };
                let stored = facts.onto(record, self.ledger.plan(trial));
                self.ledger.load(stored);
            }
            Record::Turn(turn) => self.ledger.begin_turn(turn),
            Record::Run(run) => self.ledger.join(run),
            Record::Parts(_) | Record::Observer(_) | Record::Mark(_) | Record::Fresh => {}
        }
        Ok(())
    }

    /// Takes one more event.
    ///
    /// # Errors
    /// If it can't follow those before it.
    pub fn event(&mut self, event: &ExperimentEvent) -> Result<(), ReplayError> {
        self.ledger.check(&event.kind)?;
        self.ledger.apply(event);
        Ok(())
    }
}

impl Ledger {
    /// How many trials have or want a worker.
    #[cfg(feature = "web")]
    pub(crate) fn launched_count(&self) -> usize {
        self.launched()
    }

    /// How many trials wait in the line, for the scheduler, and for their next attempts.
    #[cfg(feature = "web")]
    pub(crate) fn waiting_counts(&self) -> (usize, usize, usize) {
        (self.in_line(), self.candidates() - self.in_line(), self.backing_off())
    }

    /// Whether an event can follow those before it.
    pub(super) fn check(&self, kind: &EventKind) -> Result<(), ReplayError> {
        if let EventKind::Added { trial, .. } = kind {
            let expected = self.next_id();
            if *trial != expected {
                return Err(ReplayError::Numbering { found: *trial, expected });
            }
        } else if let Some(trial) = kind.trial().filter(|trial| self.get(*trial).is_none()) {
            return Err(ReplayError::Unknown(trial));
        }
        Ok(())
    }
}
