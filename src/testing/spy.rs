//! Wrappers that note what a searcher or scheduler is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::schedule::{Cohort, Scheduler};
use crate::logic::search::{SearchError, Searcher, Suggestion};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError};

/// What was heard of one trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How often it was added (schedulers) or suggested (searchers).
    pub added: u32,
    /// How often it reported.
    pub reports: u64,
    /// All its ends. More than one is a defect.
    pub ends: Vec<Ending>,
}

/// A searcher or scheduler, and a note of what it is told. All clones of the note are one.
#[derive(Debug)]
pub struct Spy<T: ?Sized> {
    notes: Arc<Mutex<BTreeMap<TrialId, Heard>>>,
    inner: Box<T>,
}

impl<T: ?Sized> Spy<T> {
    /// Watches `inner`.
    pub fn new(inner: Box<T>) -> Self {
        Self { notes: Arc::default(), inner }
    }

    /// What is heard, now and later.
    pub fn notes(&self) -> Arc<Mutex<BTreeMap<TrialId, Heard>>> {
        self.notes.clone()
    }

    fn note(&self, trial: TrialId, note: impl FnOnce(&mut Heard)) {
        note(self.notes.lock().unwrap_or_else(PoisonError::into_inner).entry(trial).or_default());
    }
}

impl Scheduler for Spy<dyn Scheduler> {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        self.note(trial, |heard| heard.reports += 1);
        self.inner.on_report(trial, report, cohort)
    }

    fn inner(&self) -> Option<&dyn Scheduler> {
        Some(&*self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Scheduler> {
        Some(&mut *self.inner)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) {
        self.note(trial, |heard| heard.added += 1);
        self.inner.on_add(trial, config);
    }

    fn on_revive(&mut self, trial: TrialId, config: &Config, last: Option<&Report>) {
        self.note(trial, |heard| heard.added += 1);
        self.inner.on_revive(trial, config, last);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.note(trial, |heard| heard.ends.push(ending));
        self.inner.on_end(trial, ending, last, cohort)
    }

    fn save(&self) -> Option<PartState> {
        self.inner.save()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.inner.restore(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        self.inner.spec()
    }
}

impl Searcher for Spy<dyn Searcher> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let suggestion = self.inner.suggest(trial);
        if matches!(suggestion, Ok(Suggestion::Next(_))) {
            self.note(trial, |heard| heard.added += 1);
        }
        suggestion
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&*self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut *self.inner)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.note(trial, |heard| heard.reports += 1);
        self.inner.on_report(trial, report);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.note(trial, |heard| heard.ends.push(ending));
        self.inner.on_end(trial, ending, last);
    }

    fn save(&self) -> Option<PartState> {
        self.inner.save()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.inner.restore(state)
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        self.inner.spec()
    }
}
