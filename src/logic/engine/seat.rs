//! Where the searcher sits: at the engine's side, or away on an errand, thinking about its next suggestion.
//!
//! One whose suggestions take long is sent away with the question, and the run goes on with the trials that are known.
//! What happens meanwhile is told to it when it is back.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guard::{Guarded, panic_message};
use crate::logic::config::Config;
use crate::logic::event::{Ending, Part, RunFailure};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::search::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::state::{PartState, StateError};

/// A searcher with a question, to be [run](Errand::run) on any thread and brought back to the engine.
#[derive(Clone)]
pub struct Errand {
    trial: TrialId,
    task: Arc<Mutex<Option<Task>>>,
}

enum Task {
    Asked(Box<dyn Searcher>),
    Answered(Box<dyn Searcher>, Result<Suggestion, String>),
}

impl Errand {
    fn new(trial: TrialId, searcher: Box<dyn Searcher>) -> Self {
        Self { trial, task: Arc::new(Mutex::new(Some(Task::Asked(searcher)))) }
    }

    /// Has the searcher make its suggestion, however long that takes. A panic there is its failure.
    pub fn run(&self) {
        let Some(Task::Asked(mut searcher)) = self.task().take() else { return };
        let answer = match catch_unwind(AssertUnwindSafe(|| searcher.suggest(self.trial))) {
            Ok(Ok(suggestion)) => Ok(suggestion),
            Ok(Err(error)) => Err(error_chain(&error)),
            Err(payload) => Err(format!("it panicked: {}", panic_message(payload.as_ref()))),
        };
        *self.task() = Some(Task::Answered(searcher, answer));
    }

    fn task(&self) -> MutexGuard<'_, Option<Task>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").field("trial", &self.trial).finish_non_exhaustive()
    }
}

/// The same errand, not an equal one.
impl PartialEq for Errand {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task)
    }
}

/// What a searcher is told.
#[derive(Debug)]
enum Told {
    Report(TrialId, Report),
    Pause(TrialId, Option<Report>),
    End(TrialId, Ending, Option<Report>),
}

/// The searcher, or its empty seat.
#[derive(Debug)]
pub(super) struct Seat {
    /// None while it is away.
    searcher: Option<Guarded<dyn Searcher>>,
    /// What it said of itself before it went.
    name: String,
    total: Option<u64>,
    lookahead: usize,
    /// What happened since.
    told: Vec<Told>,
    /// Trials that it knows by another number: while it was away, a client's trial took theirs.
    aliases: Vec<(TrialId, TrialId)>,
    /// Numbers under which it knows a trial of its own, and that are a client's.
    taken: Vec<TrialId>,
}

impl Seat {
    pub(super) fn new(searcher: Box<dyn Searcher>) -> Self {
        let searcher = Some(Guarded::new(searcher));
        let (told, aliases, taken) = (Vec::new(), Vec::new(), Vec::new());
        Self { searcher, name: String::new(), total: None, lookahead: 1, told, aliases, taken }
    }

    fn part(&self) -> Option<&dyn Searcher> {
        self.searcher.as_ref().map(|searcher| &*searcher.part)
    }

    pub(super) fn is_away(&self) -> bool {
        self.searcher.is_none()
    }

    pub(super) fn name(&self) -> &str {
        self.part().map_or(&self.name, |part| part.name())
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.part().map_or(self.total, |part| part.total())
    }

    pub(super) fn lookahead(&self) -> usize {
        self.part().map_or(self.lookahead, |part| part.lookahead()).max(1)
    }

    pub(super) fn effort(&self) -> Effort {
        self.part().map_or(Effort::Light, |part| part.effort())
    }

    pub(super) fn suggest(&mut self, trial: TrialId) -> Option<Result<Suggestion, SearchError>> {
        self.searcher.as_mut()?.call(|searcher| searcher.suggest(trial))
    }

    pub(super) fn replay(&mut self, trial: TrialId, config: &Config) -> Option<Result<(), SearchError>> {
        self.searcher.as_mut()?.call(|searcher| searcher.replay(trial, config))
    }

    /// Its state, with its name. None while it is away, or if it knows trials by other numbers: it is told the past again then.
    pub(super) fn save(&mut self) -> Option<(String, PartState)> {
        let searcher = self.searcher.as_mut().filter(|_| self.aliases.is_empty() && self.taken.is_empty())?;
        searcher.call(|part| part.save().map(|state| (part.name().to_owned(), state))).flatten()
    }

    pub(super) fn restore(&mut self, state: PartState) -> Option<Result<(), StateError>> {
        self.searcher.as_mut()?.call(|searcher| searcher.restore(state))
    }

    pub(super) fn on_report(&mut self, trial: TrialId, report: &Report) {
        let Some(known) = self.known(trial) else { return };
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.on_report(known, report))),
            None => self.told.push(Told::Report(trial, report.clone())),
        }
    }

    pub(super) fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        let Some(known) = self.known(trial) else { return };
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.on_pause(known, last))),
            None => self.told.push(Told::Pause(trial, last.cloned())),
        }
    }

    pub(super) fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(known) = self.known(trial) else { return self.taken.retain(|taken| *taken != trial) };
        match &mut self.searcher {
            Some(searcher) => {
                searcher.call(|searcher| searcher.on_end(known, ending, last));
                self.aliases.retain(|(alias, _)| *alias != trial);
            }
            None => self.told.push(Told::End(trial, ending, last.cloned())),
        }
    }

    /// The number by which it knows a trial; none if it knows another trial by that number.
    fn known(&self, trial: TrialId) -> Option<TrialId> {
        if self.aliases.is_empty() && self.taken.is_empty() {
            return Some(trial);
        }
        match self.aliases.iter().find(|(alias, _)| *alias == trial) {
            Some((_, known)) => Some(*known),
            None => Some(trial).filter(|trial| !self.taken.contains(trial)),
        }
    }

    /// Sends it away with the question what `trial` shall be.
    pub(super) fn send(&mut self, trial: TrialId) -> Option<Errand> {
        (self.name, self.total, self.lookahead) = (self.name().to_owned(), self.total(), self.lookahead());
        let searcher = self.searcher.take_if(|searcher| searcher.is_sound())?;
        Some(Errand::new(trial, searcher.part))
    }

    /// It is back. `next` is the number that its trial will have. Answers its suggestion.
    pub(super) fn back(&mut self, errand: &Errand, next: TrialId) -> Option<Suggestion> {
        let Some(Task::Answered(part, answer)) = errand.task().take() else { return None };
        let mut searcher = Guarded::new(part);
        let suggestion = match answer {
            Ok(suggestion) => Some(suggestion),
            Err(message) => {
                searcher.fail(message);
                None
            }
        };
        self.searcher = Some(searcher);
        if matches!(suggestion, Some(Suggestion::Next(_))) && next != errand.trial {
            self.aliases.push((next, errand.trial));
            self.taken.push(errand.trial);
        }
        for told in std::mem::take(&mut self.told) {
            match told {
                Told::Report(trial, report) => self.on_report(trial, &report),
                Told::Pause(trial, last) => self.on_pause(trial, last.as_ref()),
                Told::End(trial, ending, last) => self.on_end(trial, ending, last.as_ref()),
            }
        }
        suggestion
    }

    pub(super) fn fail(&mut self, message: String) {
        self.searcher.iter_mut().for_each(|searcher| searcher.fail(message.clone()));
    }

    pub(super) fn failure(&mut self) -> Option<RunFailure> {
        self.searcher.as_mut()?.failure(Part::Searcher)
    }
}
