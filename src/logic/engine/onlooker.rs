//! A run as its records tell it, without the parts that decide: for views.

use super::{Ledger, ReplayError};
use crate::logic::engine::settings::EngineSettings;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::journal::Record;
use crate::logic::pool::Resources;

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
    pub(crate) fn launched_count(&self) -> usize {
        self.launched()
    }

    /// How many trials wait in the line, for the scheduler, and for their next attempts.
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
