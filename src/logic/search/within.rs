//! A searcher whose suggestions are held against a space.

use serde::{Deserialize, Serialize};

use super::{Effort, Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{Outside, Space};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError};

/// Another searcher; if it suggests something that isn't in a space, the run ends with an error that says what.
///
/// `.space(..)` and `.searcher(..)` of an experiment together mean this.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::{Points, Within};
///
/// let space = Space::new().with("x", uniform(0.0, 1.0));
/// let points = Points::new([Config::new().with("x", 3.0)]);
/// # let trainable = function("t", |_: Config, trial| { trial.report([("loss", 1.0)])?; Ok(()) });
/// let error = Experiment::new("within", trainable).searcher(Within::new(space, points)).run().unwrap_err();
/// assert!(error.to_string().contains("`x` is 3.0, but must be a number from 0 to 1"), "{error}");
/// ```
pub struct Within<S = Box<dyn Searcher>> {
    space: Space,
    inner: S,
}

/// A suggestion outside of the space.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it suggests {config}, where {outside}")]
pub struct OutOfSpace {
    /// What was suggested, as JSON.
    pub config: String,
    /// Which value, and what it must be.
    pub outside: Outside,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) space: Space,
    pub(super) inner: PartSpec,
}

impl<S: Searcher> std::fmt::Debug for Within<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Within").field("space", &self.space).field("inner", &self.inner.name()).finish()
    }
}

impl<S: Searcher> Within<S> {
    /// Around `inner`, whose suggestions must be in `space`.
    pub fn new(space: Space, inner: S) -> Self {
        Self { space, inner }
    }
}

impl<S: Searcher> Searcher for Within<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let suggestion = self.inner.suggest(trial)?;
        if let Suggestion::Next(config) = &suggestion {
            let outside = |outside| SearchError::new(OutOfSpace { config: config.to_string(), outside });
            self.space.contains(config).map_err(outside)?;
        }
        Ok(suggestion)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.inner.on_report(trial, report);
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        self.inner.on_pause(trial, last);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.inner.on_end(trial, ending, last);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.inner.observe(config, metrics)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.space.check().map_err(SearchError::new)?;
        self.inner.prepare(objective)
    }

    fn objectives(&self) -> &[Objective] {
        self.inner.objectives()
    }

    fn effort(&self) -> Effort {
        self.inner.effort()
    }

    fn total(&self) -> Option<u64> {
        self.inner.total()
    }

    fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }

    fn limit(&mut self, live: usize) -> Limiting {
        self.inner.limit(live)
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
        PartSpec::new("Within", &Settings { space: self.space.clone(), inner: self.inner.spec()? })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
