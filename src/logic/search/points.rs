//! A plain list of configurations, one after the other.

use std::collections::VecDeque;

use super::variants::LOOKAHEAD;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;

/// Suggests the configurations it was given, in their order.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::{Points, Searcher};
///
/// let points = Points::new([Config::new().with("x", 1), Config::new().with("x", 2)]);
/// assert_eq!(points.total(), Some(2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Points {
    left: VecDeque<Config>,
    total: u64,
}

impl Points {
    /// These, and nothing more.
    pub fn new(configs: impl IntoIterator<Item = Config>) -> Self {
        let left: VecDeque<Config> = configs.into_iter().collect();
        Self { total: left.len() as u64, left }
    }
}

impl Searcher for Points {
    fn suggest(&mut self, _trial: TrialId) -> Result<Suggestion, SearchError> {
        Ok(self.left.pop_front().map_or(Suggestion::Exhausted, Suggestion::Next))
    }

    fn total(&self) -> Option<u64> {
        Some(self.total)
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn name(&self) -> &str {
        "Points"
    }
}
