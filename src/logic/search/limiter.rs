//! Holds a searcher back while a number of its trials are live.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "ConcurrencyLimiter";

/// When a limited searcher hears how its trials ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// As soon as each ends.
    #[default]
    Single,
    /// When all live ones have ended; until then they all count as live.
    Batch,
}

/// An end that the searcher hasn't heard of.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    trial: TrialId,
    ending: Ending,
    last: Option<Report>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    live: BTreeSet<TrialId>,
    held: Vec<Held>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) limit: usize,
    #[serde(default)]
    pub(super) feedback: Feedback,
    #[cfg_attr(feature = "cli", schemars(with = "Box<dyn crate::logic::search::Searcher>"))]
    pub(super) inner: PartSpec,
}

/// Answers [`Suggestion::Wait`] while `limit` of its trials are live, whatever the searcher inside would say. A trial is
/// live from its suggestion to its end.
///
/// When to use it: around a searcher that learns, if there are so many workers that most of its suggestions would be made
/// before the results that they should follow from. For the run as a whole `.concurrency(n)` is the shorter way.
///
/// ```
/// use tryout::event::{RunId, TrialId};
/// use tryout::search::{ConcurrencyLimiter, Points, Searcher, Suggestion};
/// use tryout::prelude::*;
///
/// let points = Points::new((0..5).map(|x| Config::new().with("x", x)));
/// let mut searcher = ConcurrencyLimiter::new(points, 1)?;
/// let trial = |number| TrialId::new(RunId::new(0), number);
/// assert!(matches!(searcher.suggest(trial(0))?, Suggestion::Next(_)));
/// assert_eq!(searcher.suggest(trial(1))?, Suggestion::Wait);
/// # Ok::<(), tryout::search::SearchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConcurrencyLimiter<S> {
    inner: S,
    limiting: Limiting,
    limit: usize,
    feedback: Feedback,
    state: State,
}

impl<S: Searcher> ConcurrencyLimiter<S> {
    /// At most `limit` live trials of `searcher`. If the searcher [limits itself](Searcher::limit), this does nothing but
    /// hand the limit on.
    ///
    /// # Errors
    /// If `limit` is 0.
    pub fn new(mut searcher: S, limit: usize) -> Result<Self, SearchError> {
        Check(PART).require(limit > 0, "limit", limit, "at least 1")?;
        let limiting = searcher.limit(limit);
        Ok(Self { inner: searcher, limiting, limit, feedback: Feedback::default(), state: State::default() })
    }

    setters! {
        /// When the searcher hears how its trials ended. Default [`Feedback::Single`].
        feedback(feedback: Feedback) => feedback = feedback;
    }

    /// How many may be live.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are live.
    pub fn live(&self) -> usize {
        self.state.live.len()
    }

    /// The searcher inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Tells everything that was held back, once nothing is running any more or nothing is to be held back.
    fn forward(&mut self) {
        if self.feedback == Feedback::Batch && self.state.held.len() < self.state.live.len() {
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
        // Asked again under the same number: what was suggested before was nobody's, and has ended for good.
        if let Some(place) = self.state.held.iter().position(|held| held.trial == trial) {
            let held = self.state.held.remove(place);
            self.state.live.remove(&trial);
            self.inner.on_end(trial, held.ending, held.last.as_ref());
        }
        if self.state.live.len() >= self.limit {
            return Ok(Suggestion::Wait);
        }
        let suggestion = self.inner.suggest(trial)?;
        if let Suggestion::Next(_) = suggestion {
            self.state.live.insert(trial);
        }
        Ok(suggestion)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
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
        match self.feedback {
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

    /// The limit: whoever set it wants that many at once.
    fn lookahead(&self) -> usize {
        match self.limiting {
            Limiting::Own => self.inner.lookahead(),
            Limiting::Outside => self.limit,
        }
    }

    /// Whoever stands around this one limits something else.
    fn limit(&mut self, _: usize) -> Limiting {
        Limiting::Outside
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(PART).pack_around(&self.state, self.inner.save()?)
    }

    /// More may be live than the limit allows now; then it suggests nothing until enough of them have ended.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (state, inner) = StateForm::new(PART).unpack_around(state)?;
        self.inner.restore(inner)?;
        self.state = state;
        self.forward();
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.inner.replay(trial, config)?;
        if self.limiting == Limiting::Outside {
            self.state.live.insert(trial);
        }
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { limit: self.limit, feedback: self.feedback, inner: self.inner.spec()? })
    }
}
