//! Searchers: they say what to try next, and hear what became of it. One algorithm a file.

use super::config::Config;
use super::event::Ending;
use super::ids::TrialId;
use super::metrics::{Metrics, Objective, Report};
use super::spec::PartSpec;
use super::state::{PartState, StateError};

mod capped;
#[cfg(feature = "cma-es")]
mod cma;
mod distinct;
#[cfg(feature = "gp")]
mod gp;
mod limiter;
mod nsga2;
mod points;
#[cfg(feature = "sobol")]
mod quasi_random;
mod repeater;
mod setting;
mod spec;
#[cfg(any(feature = "tpe", feature = "cma-es", feature = "gp"))]
mod study;
#[cfg(feature = "tpe")]
mod tpe;
mod variants;
mod warm_start;
mod within;

#[cfg(test)]
mod tests;

pub use capped::Capped;
#[cfg(feature = "cma-es")]
pub use cma::CmaEs;
pub use distinct::Distinct;
#[cfg(feature = "gp")]
pub use gp::GaussianProcess;
#[cfg(feature = "gp")]
pub(crate) use gp::{Kernel, Posterior};
pub use limiter::{ConcurrencyLimiter, Feedback};
pub use nsga2::{Crossover, Nsga2};
pub use points::Points;
#[cfg(feature = "sobol")]
pub use quasi_random::QuasiRandom;
pub use repeater::Repeater;
pub use setting::SearchSettingError;
pub use spec::from_spec;
#[cfg(feature = "tpe")]
pub use tpe::{Model, Tpe};
pub use variants::{PresetWarning, Redraw, Samples, Variants};
pub use warm_start::WarmStart;
pub use within::{OutOfSpace, Within};

/// A searcher's answer to "what next?".
#[derive(Clone, Debug, PartialEq)]
pub enum Suggestion {
    /// Try this.
    Next(Config),
    /// Nothing yet: ask again when something has changed.
    Wait,
    /// Nothing more will come.
    Exhausted,
}

/// Why a searcher can't go on. It ends the run.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SearchError(Box<dyn std::error::Error + Send + Sync>);

impl SearchError {
    /// Any error, or a text.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Who sees to it that no more trials of a searcher are live than were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiting {
    /// The searcher, which took the limit over.
    Own,
    /// Whoever stands around it.
    Outside,
}

/// What a suggestion costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Microseconds: it is made on the spot.
    #[default]
    Light,
    /// Milliseconds to minutes: it is made beside the engine.
    Heavy,
}

/// Suggests configurations. Only [`suggest`](Searcher::suggest) is required:
///
/// ```
/// use tryout::extend::*;
///
/// /// Counts down.
/// #[derive(Debug)]
/// struct Countdown(u32);
///
/// impl Searcher for Countdown {
///     fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
///         let Some(next) = self.0.checked_sub(1) else { return Ok(Suggestion::Exhausted) };
///         self.0 = next;
///         Ok(Suggestion::Next(Config::new().with("x", next)))
///     }
/// }
/// ```
pub trait Searcher: Send {
    /// What `trial` shall be. The id is used up only by [`Suggestion::Next`].
    ///
    /// # Errors
    /// If it can't go on; the run ends with that error, which names the searcher.
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError>;

    /// One of its trials reported and goes on. The report that ends a trial arrives with [`on_end`](Searcher::on_end) only.
    fn on_report(&mut self, _trial: TrialId, _report: &Report) {}

    /// The scheduler has paused one of its trials; `last` is its last report. It may be resumed later, or not.
    fn on_pause(&mut self, _trial: TrialId, _last: Option<&Report>) {}

    /// One of its trials ended; called exactly once for each. `last` is its last report, if there was one.
    fn on_end(&mut self, _trial: TrialId, _ending: Ending, _last: Option<&Report>) {}

    /// An outcome that it didn't suggest, such as one of an earlier run: what was tried, and what came out. By default
    /// it is refused: whoever doesn't learn has no use for it.
    ///
    /// # Errors
    /// If it learns nothing from results, or can't from this one.
    fn observe(&mut self, _config: &Config, _metrics: &Metrics) -> Result<(), SearchError> {
        Err(SearchError::new(format!("{} doesn't learn: it has no use for earlier results", self.name())))
    }

    /// Takes over the experiment's objective, before anything runs.
    ///
    /// # Errors
    /// If it can't work with it.
    fn prepare(&mut self, _objective: Option<&Objective>) -> Result<(), SearchError> {
        Ok(())
    }

    /// What it judges by: metrics that every report must have for its sake.
    fn objectives(&self) -> &[Objective] {
        &[]
    }

    /// What a suggestion costs. Where it is much, the engine has it made on a thread of its own, and goes on meanwhile.
    fn effort(&self) -> Effort {
        Effort::Light
    }

    /// How many trials it will suggest in all, if that is known.
    fn total(&self) -> Option<u64> {
        None
    }

    /// How many suggestions the engine may hold that aren't running yet, at least 1. One that learns says 1; one whose
    /// suggestions don't depend on results can say more, so that no worker waits.
    fn lookahead(&self) -> usize {
        1
    }

    /// Asks it to keep at most `live` of its trials live by itself. One that can do so, better than by being held back,
    /// takes the limit and says [`Limiting::Own`].
    fn limit(&mut self, _live: usize) -> Limiting {
        Limiting::Outside
    }

    /// Its whole state, to be taken up by [`restore`](Searcher::restore) in a later session; `null` if it keeps nothing. None
    /// (the default): it can't give its state, and a resumed run rebuilds it by telling it again what happened.
    fn save(&self) -> Option<PartState> {
        None
    }

    /// Takes up a state that [`save`](Searcher::save) gave, in place of its own, under the settings that it has itself.
    /// Called after [`prepare`](Searcher::prepare), before anything else.
    ///
    /// # Errors
    /// If it can't. Then it is what it was before, and is told again what happened.
    fn restore(&mut self, _state: PartState) -> Result<(), StateError> {
        Err(StateError::Unsupported { part: self.name().to_owned() })
    }

    /// What it is and how it is set, from which [`from_spec`] makes its like. None (the default): it can't be said in data,
    /// as with functions and parts of your own. What [`prepare`](Searcher::prepare) took over is part of it from then on.
    fn spec(&self) -> Option<PartSpec> {
        None
    }

    /// A trial of its own that an earlier session suggested, told again in order when there is no state to take up. By
    /// default it is asked once more and its answer is thrown away: right if its suggestions follow from what it is told.
    ///
    /// # Errors
    /// If it can't go on; the run ends with that error.
    fn replay(&mut self, trial: TrialId, _config: &Config) -> Result<(), SearchError> {
        self.suggest(trial).map(|_| ())
    }

    /// Its name in messages.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
}

/// So that a searcher chosen at run time can stand inside another.
impl<S: Searcher + ?Sized> Searcher for Box<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        (**self).suggest(trial)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        (**self).on_report(trial, report);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        (**self).on_end(trial, ending, last);
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        (**self).on_pause(trial, last);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        (**self).observe(config, metrics)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        (**self).prepare(objective)
    }

    fn effort(&self) -> Effort {
        (**self).effort()
    }

    fn objectives(&self) -> &[Objective] {
        (**self).objectives()
    }

    fn total(&self) -> Option<u64> {
        (**self).total()
    }

    fn lookahead(&self) -> usize {
        (**self).lookahead()
    }

    fn limit(&mut self, live: usize) -> Limiting {
        (**self).limit(live)
    }

    fn save(&self) -> Option<PartState> {
        (**self).save()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        (**self).restore(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        (**self).spec()
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        (**self).replay(trial, config)
    }

    fn name(&self) -> &str {
        (**self).name()
    }
}
