//! A searcher whose suggestions are held against a space.

use serde::{Deserialize, Serialize};

use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Objective;
use crate::logic::space::{Outside, Space};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError};

/// Another searcher; if it suggests something that isn't in a space, the run ends with an error that says what.
///
/// `.space(..)` and `.searcher(..)` of an experiment together mean this.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::{Points, Within};
///
/// let space = Space::new().with("x", uniform(0.0, 1.0));
/// let points = Points::new([Config::new().with("x", 3.0)]);
/// # let trainable = function("t", |_: Config, trial| { trial.report([("loss", 1.0)])?; Ok(()) });
/// let error = Experiment::new("within", trainable).searcher(Within::new(space, points)).run().unwrap_err();
/// assert!(error.to_string().contains("`x` is 3.0, but must be a number from 0 to 1"), "{error}");
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Within {
    space: Space,
    inner: Box<dyn Searcher>,
    /// The space with what was changed of it, if anything was.
    #[serde(skip)]
    changed: Option<Space>,
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

impl Within {
    /// Around `inner`, whose suggestions must be in `space`.
    pub fn new(space: Space, inner: impl Searcher + 'static) -> Self {
        Self { space, inner: Box::new(inner), changed: None }
    }
}

impl Searcher for Within {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let suggestion = self.inner.suggest(trial)?;
        if let Suggestion::Next(config) = &suggestion {
            let outside = |outside| SearchError::new(OutOfSpace { config: config.to_string(), outside });
            self.changed.as_ref().unwrap_or(&self.space).contains(config).map_err(outside)?;
        }
        Ok(suggestion)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.space.check().map_err(SearchError::new)?;
        self.inner.prepare(objective)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        self.inner.space_with(changes)?;
        Ok(self.space.changed(changes)?)
    }

    fn set_space(&mut self, changes: &Space) {
        self.changed = self.space.changed(changes).ok();
        self.inner.set_space(changes);
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
        PartSpec::new("Within", self)
    }
}
