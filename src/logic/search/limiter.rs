//! Holds a searcher back while a number of its trials are live.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::setting::SearchSettingError;
use super::{Limiting, SearchError, Searcher, Suggestion};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};

/// When a limited searcher hears how its trials ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// As soon as each ends.
    #[default]
    Single,
    /// When all live ones have ended; until then they all count as live.
    Batch,
}

/// What a limiter knows, to carry over to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimiterState {
    limit: usize,
    feedback: Feedback,
    live: BTreeSet<TrialId>,
    held: Vec<Held>,
}

/// An end that the searcher hasn't heard of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    trial: TrialId,
    ending: Ending,
    last: Option<Report>,
}

/// Answers [`Suggestion::Wait`] while `limit` of its trials are live, whatever the searcher inside would say. A trial is
/// live from its suggestion to its end.
///
/// ```
/// use tryout::logic::ids::{RunId, TrialId};
/// use tryout::logic::search::{ConcurrencyLimiter, Points, Searcher, Suggestion};
/// use tryout::prelude::*;
///
/// let points = Points::new((0..5).map(|x| Config::new().with("x", x)));
/// let mut searcher = ConcurrencyLimiter::new(points, 1)?;
/// let trial = |number| TrialId::new(RunId::new(0), number);
/// assert!(matches!(searcher.suggest(trial(0))?, Suggestion::Next(_)));
/// assert_eq!(searcher.suggest(trial(1))?, Suggestion::Wait);
/// # Ok::<(), tryout::logic::search::SearchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLimiter<S> {
    inner: S,
    limiting: Limiting,
    state: LimiterState,
}

impl<S: Searcher> ConcurrencyLimiter<S> {
    /// At most `limit` live trials of `searcher`. If the searcher [limits itself](Searcher::limit), this does nothing but
    /// hand the limit on.
    ///
    /// # Errors
    /// If `limit` is 0.
    pub fn new(mut searcher: S, limit: usize) -> Result<Self, SearchSettingError> {
        if limit == 0 {
            return Err(SearchSettingError {
                searcher: "ConcurrencyLimiter",
                setting: "limit",
                value: limit.to_string(),
                expected: "at least 1",
            });
        }
        let limiting = searcher.limit(limit);
        let state = LimiterState { limit, feedback: Feedback::default(), live: BTreeSet::new(), held: Vec::new() };
        Ok(Self { inner: searcher, limiting, state })
    }

    /// When the searcher hears how its trials ended; as soon as each ends if not said.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.state.feedback = feedback;
        self
    }

    /// How many may be live.
    pub fn limit(&self) -> usize {
        self.state.limit
    }

    /// How many are live.
    pub fn live(&self) -> usize {
        self.state.live.len()
    }

    /// The searcher inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// What this limiter knows, without the searcher inside.
    pub fn state(&self) -> &LimiterState {
        &self.state
    }

    /// Goes on where another limiter was, with that one's limit.
    #[must_use]
    pub fn restored(mut self, state: LimiterState) -> Self {
        self.limiting = self.inner.limit(state.limit);
        self.state = state;
        self
    }

    /// Everything that was held back, once nothing is running any more.
    fn forward(&mut self) {
        if self.state.held.len() < self.state.live.len() {
            return;
        }
        for held in std::mem::take(&mut self.state.held) {
            self.state.live.remove(&held.trial);
            self.inner.on_end(held.trial, held.ending, held.last.as_ref());
        }
    }
}

impl<S: Searcher> Searcher for ConcurrencyLimiter<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.limiting == Limiting::Own {
            return self.inner.suggest(trial);
        }
        if self.state.live.len() >= self.state.limit {
            return Ok(Suggestion::Wait);
        }
        let suggestion = self.inner.suggest(trial)?;
        if let Suggestion::Next(_) = suggestion {
            self.state.live.insert(trial);
        }
        Ok(suggestion)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if self.limiting == Limiting::Own || self.state.live.contains(&trial) {
            self.inner.on_report(trial, report);
        }
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        if self.limiting == Limiting::Own {
            return self.inner.on_end(trial, ending, last);
        }
        if !self.state.live.contains(&trial) || self.state.held.iter().any(|held| held.trial == trial) {
            return;
        }
        match self.state.feedback {
            Feedback::Single => {
                self.state.live.remove(&trial);
                self.inner.on_end(trial, ending, last);
            }
            Feedback::Batch => {
                self.state.held.push(Held { trial, ending, last: last.cloned() });
                self.forward();
            }
        }
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.inner.prepare(objective)
    }

    fn objective(&self) -> Option<&Objective> {
        self.inner.objective()
    }

    fn total(&self) -> Option<u64> {
        self.inner.total()
    }

    /// The limit: whoever set it wants that many at once.
    fn lookahead(&self) -> usize {
        match self.limiting {
            Limiting::Own => self.inner.lookahead(),
            Limiting::Outside => self.state.limit,
        }
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
