//! Holds a searcher back while a number of its trials are live.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::setting::SearchSettingError;
use super::{Effort, Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, common_run, pack, unpack};

const PART: &str = "ConcurrencyLimiter";

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

/// An end that the searcher hasn't heard of.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    trial: TrialId,
    ending: Ending,
    last: Option<Report>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    run: RunId,
    live: BTreeSet<u32>,
    held: Vec<Held>,
    inner: PartState,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) limit: usize,
    #[serde(default)]
    pub(super) feedback: Feedback,
    pub(super) inner: PartSpec,
}

/// Answers [`Suggestion::Wait`] while `limit` of its trials are live, whatever the searcher inside would say. A trial is
/// live from its suggestion to its end.
///
/// When to use it: around a searcher that learns, if there are so many workers that most of its suggestions would be made
/// before the results that they should follow from. For the run as a whole `.concurrency(n)` is the shorter way.
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
    limit: usize,
    feedback: Feedback,
    live: BTreeSet<TrialId>,
    held: Vec<Held>,
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
                searcher: PART,
                setting: "limit",
                value: limit.to_string(),
                expected: "at least 1",
            });
        }
        let limiting = searcher.limit(limit);
        let (feedback, live, held) = (Feedback::default(), BTreeSet::new(), Vec::new());
        Ok(Self { inner: searcher, limiting, limit, feedback, live, held })
    }

    /// When the searcher hears how its trials ended; as soon as each ends if not said.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = feedback;
        self
    }

    /// How many may be live.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many are live.
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// The searcher inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Tells everything that was held back, once nothing is running any more or nothing is to be held back.
    fn forward(&mut self) {
        if self.feedback == Feedback::Batch && self.held.len() < self.live.len() {
            return;
        }
        for held in std::mem::take(&mut self.held) {
            self.live.remove(&held.trial);
            self.inner.on_end(held.trial, held.ending, held.last.as_ref());
        }
    }
}

impl<S: Searcher> Searcher for ConcurrencyLimiter<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.limiting == Limiting::Own {
            return self.inner.suggest(trial);
        }
        if self.live.len() >= self.limit {
            return Ok(Suggestion::Wait);
        }
        let suggestion = self.inner.suggest(trial)?;
        if let Suggestion::Next(_) = suggestion {
            self.live.insert(trial);
        }
        Ok(suggestion)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if self.limiting == Limiting::Own || self.live.contains(&trial) {
            self.inner.on_report(trial, report);
        }
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        if self.limiting == Limiting::Own {
            return self.inner.on_end(trial, ending, last);
        }
        if !self.live.contains(&trial) || self.held.iter().any(|held| held.trial == trial) {
            return;
        }
        match self.feedback {
            Feedback::Single => {
                self.live.remove(&trial);
                self.inner.on_end(trial, ending, last);
            }
            Feedback::Batch => {
                self.held.push(Held { trial, ending, last: last.cloned() });
                self.forward();
            }
        }
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        self.inner.on_pause(trial, last);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.inner.observe(config, metrics)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
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

    /// The limit: whoever set it wants that many at once.
    fn lookahead(&self) -> usize {
        match self.limiting {
            Limiting::Own => self.inner.lookahead(),
            Limiting::Outside => self.limit,
        }
    }

    fn save(&self) -> Option<PartState> {
        let run = common_run(self.live.iter().copied())?;
        let live = self.live.iter().map(|trial| trial.number()).collect();
        pack(PART, &Saved { run, live, held: self.held.clone(), inner: self.inner.save()? })
    }

    /// More may be live than the limit allows now; then it suggests nothing until enough of them have ended.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        self.inner.restore(saved.inner)?;
        self.live = saved.live.into_iter().map(|number| TrialId::new(saved.run, number)).collect();
        self.held = saved.held;
        self.forward();
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.inner.replay(trial, config)?;
        if self.limiting == Limiting::Outside {
            self.live.insert(trial);
        }
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { limit: self.limit, feedback: self.feedback, inner: self.inner.spec()? })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
