//! The searcher: at the engine's side, or away with the task of making its next suggestion.
//!
//! One whose suggestions take long is sent away with the question, and the run goes on with the trials that are known.
//! What happens meanwhile is told to it when it is back.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::guard::{Guarded, guarded};
use super::slow::Stopwatch;
use crate::logic::config::Config;
use crate::logic::event::{Ending, Part, RunFailure};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::search::{Effort, Samples, SearchError, Searcher, Suggestion};
use crate::logic::space::Space;
use crate::logic::state::{PartState, StateError};

/// A searcher with a question, to be [run](SuggestTask::run) on any thread and brought back to the engine.
#[derive(Clone)]
pub struct SuggestTask {
    trial: TrialId,
    task: Arc<Mutex<Option<Task>>>,
}

enum Task {
    Asked(Box<dyn Searcher>),
    Answered(Box<dyn Searcher>, Result<Suggestion, String>),
}

impl SuggestTask {
    fn new(trial: TrialId, searcher: Box<dyn Searcher>) -> Self {
        Self { trial, task: Arc::new(Mutex::new(Some(Task::Asked(searcher)))) }
    }

    /// Has the searcher make its suggestion, however long that takes. A panic there is its failure.
    pub fn run(&self) {
        let Some(Task::Asked(mut searcher)) = self.task().take() else { return };
        let answer = guarded(|| searcher.suggest(self.trial).map_err(|error| error_chain(&error))).flatten();
        *self.task() = Some(Task::Answered(searcher, answer));
    }

    fn task(&self) -> MutexGuard<'_, Option<Task>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SuggestTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuggestTask").field("trial", &self.trial).finish_non_exhaustive()
    }
}

/// The same task, not an equal one.
impl PartialEq for SuggestTask {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task)
    }
}

/// What happened while the searcher was away.
#[derive(Debug)]
enum Missed {
    Report(TrialId, Report),
    Pause(TrialId, Option<Report>),
    End(TrialId, Ending, Option<Report>),
    Space(Arc<Space>),
    Samples(Option<Samples>),
}

/// The searcher, if it isn't away.
#[derive(Debug)]
pub(super) struct SearcherSlot {
    /// None while it is away.
    searcher: Option<Guarded<dyn Searcher>>,
    /// What it said of itself before it went.
    name: String,
    total: Option<u64>,
    lookahead: usize,
    /// The space that it was made with, or why it takes up no other.
    space: Result<Space, String>,
    /// What happened since.
    missed: Vec<Missed>,
    /// Trials that it knows by another number: while it was away, a client's trial took theirs.
    aliases: Vec<(TrialId, TrialId)>,
    /// Numbers under which it knows a trial of its own, and that are a client's.
    taken: Vec<TrialId>,
    /// What its calls are timed by.
    watch: Stopwatch,
}

impl SearcherSlot {
    pub(super) fn new(searcher: Box<dyn Searcher>) -> Self {
        let searcher = Some(Guarded::new(searcher));
        let (missed, aliases, taken) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            searcher,
            name: String::new(),
            total: None,
            lookahead: 1,
            space: Ok(Space::new()),
            missed,
            aliases,
            taken,
            watch: Stopwatch::default(),
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.searcher.is_none()
    }

    pub(super) fn name(&self) -> &str {
        self.searcher.as_ref().map_or(&self.name, Guarded::name)
    }

    /// Has its calls timed from now on.
    pub(super) fn time_by(&mut self, watch: Stopwatch) {
        self.searcher.iter_mut().for_each(|searcher| searcher.time_by(watch.clone()));
        self.watch = watch;
    }

    /// How long its calls took since this was last asked; what it thinks while it is away holds nobody up.
    pub(super) fn take_spent(&self) -> Duration {
        self.searcher.as_ref().map_or(Duration::ZERO, Guarded::take_spent)
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.searcher.as_ref().map_or(self.total, |part| part.ask(|part| part.total()).flatten())
    }

    pub(super) fn lookahead(&self) -> usize {
        let searcher = self.searcher.as_ref();
        searcher.map_or(self.lookahead, |part| part.ask(|part| part.lookahead()).unwrap_or(1)).max(1)
    }

    pub(super) fn effort(&self) -> Effort {
        let effort = self.searcher.as_ref().and_then(|part| part.ask(|part| part.effort()));
        effort.unwrap_or(Effort::Light)
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
        let state = searcher.call(|part| part.save()).flatten()?;
        Some((searcher.name().to_owned(), state))
    }

    pub(super) fn restore(&mut self, state: PartState) -> Option<Result<(), StateError>> {
        self.searcher.as_mut()?.call(|searcher| searcher.restore(state))
    }

    pub(super) fn on_report(&mut self, trial: TrialId, report: &Report) {
        let Some(known) = self.known(trial) else { return };
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.on_report(known, report))),
            None => self.missed.push(Missed::Report(trial, report.clone())),
        }
    }

    pub(super) fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        let Some(known) = self.known(trial) else { return };
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.on_pause(known, last))),
            None => self.missed.push(Missed::Pause(trial, last.cloned())),
        }
    }

    pub(super) fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(known) = self.known(trial) else { return self.taken.retain(|taken| *taken != trial) };
        match &mut self.searcher {
            Some(searcher) => {
                searcher.call(|searcher| searcher.on_end(known, ending, last));
                self.aliases.retain(|(alias, _)| *alias != trial);
            }
            None => self.missed.push(Missed::End(trial, ending, last.cloned())),
        }
    }

    /// The space that it would have with these changes.
    pub(super) fn space_with(&self, changes: &Space) -> Result<Space, String> {
        match &self.searcher {
            Some(searcher) => {
                let with = searcher.ask(|part| part.space_with(changes).map_err(|error| error_chain(&error)));
                with.unwrap_or_else(|| Err("the searcher has failed".to_owned()))
            }
            None => self.space.clone()?.changed(changes).map_err(|error| error.to_string()),
        }
    }

    pub(super) fn set_space(&mut self, changes: &Arc<Space>) {
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.set_space(changes))),
            None => self.missed.push(Missed::Space(changes.clone())),
        }
    }

    pub(super) fn set_samples(&mut self, samples: Option<Samples>) {
        match &mut self.searcher {
            Some(searcher) => drop(searcher.call(|searcher| searcher.set_samples(samples))),
            None => self.missed.push(Missed::Samples(samples)),
        }
    }

    /// Whether it has still to hear of another space.
    pub(super) fn missed_space(&self) -> bool {
        self.missed.iter().any(|missed| matches!(missed, Missed::Space(_)))
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
    pub(super) fn send(&mut self, trial: TrialId) -> Option<SuggestTask> {
        (self.name, self.total, self.lookahead) = (self.name().to_owned(), self.total(), self.lookahead());
        self.space = self.space_with(&Space::new());
        let searcher = self.searcher.take_if(|searcher| searcher.is_sound())?;
        Some(SuggestTask::new(trial, searcher.into_part()))
    }

    /// It is back, and is told what happened meanwhile. `next` is the number that its trial will have. Answers its
    /// suggestion; none after a failure, or if it would wait or has no more without having known what happened: ask it again.
    pub(super) fn back(&mut self, task: &SuggestTask, next: TrialId) -> Option<Suggestion> {
        let Some(Task::Answered(part, answer)) = task.task().take() else { return None };
        let mut searcher = Guarded::new(part);
        searcher.time_by(self.watch.clone());
        let suggestion = match answer {
            Ok(suggestion) => Some(suggestion),
            Err(message) => {
                searcher.fail(message);
                None
            }
        };
        self.searcher = Some(searcher);
        if matches!(suggestion, Some(Suggestion::Next(_))) && next != task.trial {
            self.aliases.push((next, task.trial));
            self.taken.push(task.trial);
        }
        let missed = std::mem::take(&mut self.missed);
        let changed = missed.iter().any(|told| matches!(told, Missed::Space(_) | Missed::Samples(_)));
        let suggestion = suggestion.filter(|suggestion| match suggestion {
            Suggestion::Next(_) => true,
            Suggestion::Wait => missed.is_empty(),
            // A client may have asked for more meanwhile.
            Suggestion::Exhausted => !changed,
        });
        for told in missed {
            match told {
                Missed::Report(trial, report) => self.on_report(trial, &report),
                Missed::Pause(trial, last) => self.on_pause(trial, last.as_ref()),
                Missed::End(trial, ending, last) => self.on_end(trial, ending, last.as_ref()),
                Missed::Space(changes) => self.set_space(&changes),
                Missed::Samples(samples) => self.set_samples(samples),
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
