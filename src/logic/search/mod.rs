//! Searchers: they say what to try next, and hear what became of it. One algorithm a file.

use super::config::Config;
use super::event::Ending;
use super::ids::TrialId;
use super::metrics::{Metrics, Objective, Report};
use super::space::{Space, SpaceError};
use super::spec::{PartSpec, Refused};
use super::state::{PartState, StateError};

mod auto;
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
mod ranking;
mod repeater;
mod spec;
mod study;
mod tpe;
mod tried;
mod variants;
mod warm_start;
mod within;

#[cfg(test)]
mod tests;

pub use auto::Auto;
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
#[cfg(feature = "cli")]
pub(crate) use spec::KINDS;
pub use spec::from_spec;
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
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct SearchError(Box<dyn std::error::Error + Send + Sync>);

crate::logic::failure::debug_as_chain!(SearchError);

impl SearchError {
    /// Any error, or a text.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl From<SpaceError> for SearchError {
    fn from(error: SpaceError) -> Self {
        Self::new(error)
    }
}

impl From<Refused> for SearchError {
    fn from(refused: Refused) -> Self {
        Self::new(refused)
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

    /// The searcher that this one stands around, if there is one. Whatever is told to a searcher or asked of it goes to that
    /// one by default, so that a wrapper says only what it changes. Its state, its settings and its past
    /// ([`save`](Searcher::save), [`restore`](Searcher::restore), [`spec`](Searcher::spec), [`replay`](Searcher::replay)) are
    /// its own.
    fn inner(&self) -> Option<&dyn Searcher> {
        None
    }

    /// The same, to be told something.
    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        None
    }

    /// One of its trials reported and goes on. The report that ends a trial arrives with [`on_end`](Searcher::on_end) only.
    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if let Some(inner) = self.inner_mut() {
            inner.on_report(trial, report);
        }
    }

    /// The scheduler has paused one of its trials; `last` is its last report. It may be resumed later, or not.
    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        if let Some(inner) = self.inner_mut() {
            inner.on_pause(trial, last);
        }
    }

    /// One of its trials ended; called exactly once for each. `last` is its last report, if there was one.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        if let Some(inner) = self.inner_mut() {
            inner.on_end(trial, ending, last);
        }
    }

    /// An outcome that it didn't suggest, such as one of an earlier run: what was tried, and what came out. By default
    /// it is refused: whoever doesn't learn has no use for it.
    ///
    /// # Errors
    /// If it learns nothing from results, or can't from this one.
    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        if let Some(inner) = self.inner_mut() {
            return inner.observe(config, metrics);
        }
        Err(SearchError::new(format!("{} doesn't learn: it has no use for earlier results", self.name())))
    }

    /// Takes over the experiment's objective, before anything runs.
    ///
    /// # Errors
    /// If it can't work with it.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.inner_mut().map_or(Ok(()), |inner| inner.prepare(objective))
    }

    /// The space that it would draw from if the one that it was made with were [changed](Space::changed) so: a client wants to
    /// change it while the run goes on. Nothing changes yet. One that takes its time over suggestions isn't asked while it is away
    /// with one: then what it said of no changes at all counts, changed and checked.
    ///
    /// # Errors
    /// If it can't draw from that, or from another space than its first (the default); then nothing changes.
    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        match self.inner() {
            Some(inner) => inner.space_with(changes),
            None => Err(SearchError::new(format!("{} can't take up another space while the run goes on", self.name()))),
        }
    }

    /// From now on it draws from the space that [`space_with`](Searcher::space_with) answers to these changes, all that there are:
    /// what it drew from before is of no account, and no changes mean the space that it was made with. Every suggestion
    /// from now on lies within. Trials that were suggested and not begun end as [`Ending::Withdrawn`] if they don't: others
    /// are to be suggested in their places.
    fn set_space(&mut self, changes: &Space) {
        if let Some(inner) = self.inner_mut() {
            inner.set_space(changes);
        }
    }

    /// A client changed how many trials there are to be; none: what it was made with. By default nothing changes: whoever was given no
    /// number by the experiment has none of its own, and no more is asked of it than is wanted.
    fn set_samples(&mut self, _samples: Option<Samples>) {}

    /// What it judges by: metrics that every report must have for its sake.
    fn objectives(&self) -> &[Objective] {
        self.inner().map_or(&[], |inner| inner.objectives())
    }

    /// What a suggestion costs. Where it is much, the engine has it made on a thread of its own, and goes on meanwhile.
    fn effort(&self) -> Effort {
        self.inner().map_or(Effort::Light, |inner| inner.effort())
    }

    /// How many trials it will suggest in all, if that is known.
    fn total(&self) -> Option<u64> {
        self.inner()?.total()
    }

    /// Whether it would suggest for ever. Of one that would, an experiment without `samples` takes one suggestion, or as many as
    /// there is time for. By default it ends by itself.
    fn is_endless(&self) -> bool {
        self.inner().is_some_and(|inner| inner.is_endless())
    }

    /// How many suggestions the engine may hold that aren't running yet, at least 1; it never holds more than the experiment's
    /// `staged`. One that learns says 1; one whose suggestions don't depend on results can say more, so that no worker waits,
    /// up to `usize::MAX`.
    fn lookahead(&self) -> usize {
        self.inner().map_or(1, |inner| inner.lookahead())
    }

    /// Asks it to keep at most `live` of its trials live by itself. One that can do so, better than by being held back,
    /// takes the limit and says [`Limiting::Own`].
    fn limit(&mut self, live: usize) -> Limiting {
        self.inner_mut().map_or(Limiting::Outside, |inner| inner.limit(live))
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

    /// Which searcher it has chosen, and why, if it is one that [chooses](Auto). The log says so when a run begins.
    fn choice(&self) -> Option<String> {
        self.inner()?.choice()
    }

    /// Its name in messages.
    fn name(&self) -> &str {
        self.inner().map_or_else(|| std::any::type_name::<Self>(), |inner| inner.name())
    }
}

impl std::fmt::Debug for dyn Searcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// So that a searcher chosen at run time can stand inside another.
impl Searcher for Box<dyn Searcher> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        (**self).suggest(trial)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&**self)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut **self)
    }

    fn set_samples(&mut self, samples: Option<Samples>) {
        (**self).set_samples(samples);
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
}
