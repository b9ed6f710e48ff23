//! A part that dies and comes back again and again while it is used, beside one that doesn't.

use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::schedule::{Cohort, ScheduleError, Scheduler};
use crate::logic::search::{Limiting, Samples, SearchError, Searcher, Suggestion};
use crate::logic::space::Space;
use crate::logic::state::{PartState, StateError};
use crate::logic::stop::{Progress, StopReason, StopRule};
use crate::logic::time::Moment;

/// Two equal parts that are told the same: one lives through it, the other is replaced by a fresh one now and then, which
/// takes up its state by way of JSON text. Both must always answer the same.
///
/// A part that gives no state is never replaced.
///
/// ```
/// use tryout::extend::*;
/// use tryout::search::Points;
/// use tryout::testing::Renewed;
///
/// let points = || -> Box<dyn Searcher> { Box::new(Points::new((0..9).map(|x| Config::new().with("x", x)))) };
/// let mut renewed = Renewed::new(points(), (0..3).map(|_| points()), 7);
/// let trial = TrialId::new(RunId::new(0), 0);
/// while renewed.suggest(trial)? != Suggestion::Exhausted {}
/// # Ok::<(), tryout::search::SearchError>(())
/// ```
///
/// # Panics
/// When it is used, if the answers differ or a state can't be taken up; the message says after how many calls.
#[derive(Debug)]
pub struct Renewed<T: ?Sized> {
    kept: Box<T>,
    renewed: Option<Box<T>>,
    spares: Vec<Box<T>>,
    calls: u64,
    next: u64,
    seed: u64,
}

/// What it takes to be replaced.
trait Replaceable {
    fn state(&self) -> Option<PartState>;
    fn load_state(&mut self, state: PartState) -> Result<(), StateError>;
}

macro_rules! replaceable {
    ($($part:ident),+) => {
        $(impl Replaceable for dyn $part {
            fn state(&self) -> Option<PartState> {
                self.save()
            }

            fn load_state(&mut self, state: PartState) -> Result<(), StateError> {
                self.restore(state)
            }
        })+
    };
}
replaceable!(Searcher, Scheduler, StopRule);

impl<T: ?Sized> Renewed<T> {
    /// `part`, and as many equal ones as it is to be replaced by; `seed` says when.
    pub fn new(part: Box<T>, spares: impl IntoIterator<Item = Box<T>>, seed: u64) -> Self {
        Self { kept: part, renewed: None, spares: spares.into_iter().collect(), calls: 0, next: seed % 5, seed }
    }

    /// All parts that there are.
    fn all(&mut self) -> impl Iterator<Item = &mut Box<T>> {
        std::iter::once(&mut self.kept).chain(&mut self.renewed).chain(&mut self.spares)
    }
}

#[allow(private_bounds, reason = "the three kinds of part are all there are")]
impl<T: ?Sized + Replaceable> Renewed<T> {
    /// Calls both.
    fn call<R: PartialEq + std::fmt::Debug>(&mut self, mut call: impl FnMut(&mut T) -> R) -> R {
        self.calls += 1;
        if self.calls > self.next {
            self.renew();
            // Ever rarer, so that few replacements are spread over a long life.
            self.next += self.next + 1 + (self.next + self.seed) % (self.next + 2);
        }
        let answer = call(&mut self.kept);
        if let Some(renewed) = &mut self.renewed {
            let other = call(renewed);
            assert_eq!(other, answer, "call {}: what took up a state answers what the other one does", self.calls);
        }
        answer
    }

    /// Asks both.
    fn ask<R: PartialEq + std::fmt::Debug>(&self, ask: impl Fn(&T) -> R) -> R {
        let answer = ask(&self.kept);
        if let Some(renewed) = &self.renewed {
            assert_eq!(ask(renewed), answer, "call {}: what took up a state says what the other one does", self.calls);
        }
        answer
    }

    fn renew(&mut self) {
        let Some(state) = self.renewed.as_ref().unwrap_or(&self.kept).state() else { return };
        let Some(mut fresh) = self.spares.pop() else { return };
        let text = state.to_string();
        let state = serde_json::from_str(&text).expect("JSON is JSON");
        if let Err(error) = fresh.load_state(state) {
            panic!("call {}: a state that was given is taken up: {error}; it was {text}", self.calls);
        }
        self.renewed = Some(fresh);
    }
}

impl Scheduler for Renewed<dyn Scheduler> {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        self.call(|part| part.on_report(trial, report, cohort))
    }

    fn inner(&self) -> Option<&dyn Scheduler> {
        Some(&*self.kept)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) {
        self.call(|part| part.on_add(trial, config));
    }

    fn on_revive(&mut self, trial: TrialId, config: &Config, last: Option<&Report>) {
        self.call(|part| part.on_revive(trial, config, last));
    }

    fn complete(&mut self, trial: TrialId, config: &mut Config) {
        let given = config.clone();
        *config = self.call(|part| {
            let mut completed = given.clone();
            part.complete(trial, &mut completed);
            completed
        });
    }

    fn on_resume(&mut self, trial: TrialId) {
        self.call(|part| part.on_resume(trial));
    }

    fn on_retry(&mut self, trial: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        self.call(|part| part.on_retry(trial, cohort))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.call(|part| part.on_end(trial, ending, last, cohort))
    }

    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        self.call(|part| part.choose(cohort))
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.all().try_for_each(|part| part.prepare(objective))
    }

    fn set_space(&mut self, changes: &Space) {
        self.all().for_each(|part| part.set_space(changes));
    }
}

impl Searcher for Renewed<dyn Searcher> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        self.call(|part| part.suggest(trial).map_err(|error| error.to_string())).map_err(SearchError::new)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&*self.kept)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.call(|part| part.on_report(trial, report));
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.call(|part| part.on_end(trial, ending, last));
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        self.call(|part| part.on_pause(trial, last));
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.call(|part| part.observe(config, metrics).map_err(|error| error.to_string())).map_err(SearchError::new)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.all().try_for_each(|part| part.prepare(objective))
    }

    fn set_space(&mut self, changes: &Space) {
        self.all().for_each(|part| part.set_space(changes));
    }

    fn set_samples(&mut self, samples: Option<Samples>) {
        self.all().for_each(|part| part.set_samples(samples));
    }

    fn total(&self) -> Option<u64> {
        self.ask(|part| part.total())
    }

    fn lookahead(&self) -> usize {
        self.ask(|part| part.lookahead())
    }

    /// Whatever the last of them says: they are equal.
    fn limit(&mut self, live: usize) -> Limiting {
        self.all().fold(Limiting::Outside, |_, part| part.limit(live))
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.call(|part| part.replay(trial, config).map_err(|error| error.to_string())).map_err(SearchError::new)
    }
}

impl StopRule for Renewed<dyn StopRule> {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        self.call(|rule| rule.check(trial, report))
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        self.call(|rule| rule.check_experiment(progress))
    }

    fn last_iteration(&self) -> Option<u64> {
        self.ask(|rule| rule.last_iteration())
    }

    fn deadline(&self) -> Option<Moment> {
        self.ask(|rule| rule.deadline())
    }

    fn forget(&mut self, trial: TrialId) {
        self.call(|rule| rule.forget(trial));
    }

    fn warning(&mut self) -> Option<String> {
        self.call(StopRule::warning)
    }
}
