//! A plain list of configurations, one after the other.

use serde::{Deserialize, Serialize};

use super::variants::LOOKAHEAD;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "Points";

/// Suggests the configurations it was given, in their order.
///
/// When to use it: for configurations that are known beforehand. `.points(..)` of an experiment without a space means this.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::{Points, Searcher};
///
/// let points = Points::new([Config::new().with("x", 1), Config::new().with("x", 2)]);
/// assert_eq!(points.total(), Some(2));
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Points {
    configs: Vec<Config>,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The number of the one that comes next.
    next: usize,
}

impl Points {
    /// These, and nothing more.
    pub fn new(configs: impl IntoIterator<Item = Config>) -> Self {
        Self { configs: configs.into_iter().collect(), state: State::default() }
    }
}

impl Searcher for Points {
    fn suggest(&mut self, _trial: TrialId) -> Result<Suggestion, SearchError> {
        let Some(config) = self.configs.get(self.state.next) else { return Ok(Suggestion::Exhausted) };
        self.state.next += 1;
        Ok(Suggestion::Next(config.clone()))
    }

    fn total(&self) -> Option<u64> {
        Some(self.configs.len() as u64)
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(PART).pack(&self.state)
    }

    /// The list may have become longer meanwhile, or shorter.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = StateForm::new(PART).unpack(state)?;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn name(&self) -> &str {
        PART
    }
}
