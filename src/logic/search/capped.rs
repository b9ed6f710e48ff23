//! The first so many suggestions of another searcher.

use serde::{Deserialize, Serialize};

use super::{Effort, Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, pack, unpack};

const PART: &str = "Capped";

/// Takes at most so many suggestions of a searcher.
///
/// When to use it: inside of another wrapper. Around all of them `.samples(n)` of an experiment means the same.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::{Capped, Points, Searcher};
///
/// let points = Points::new((0..5).map(|x| Config::new().with("x", x)));
/// assert_eq!(Capped::new(Box::new(points), 3).total(), Some(3));
/// ```
pub struct Capped {
    inner: Box<dyn Searcher>,
    most: u64,
    given: u64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    given: u64,
    inner: PartState,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) most: u64,
    pub(super) inner: PartSpec,
}

impl std::fmt::Debug for Capped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capped").field("inner", &self.inner.name()).field("most", &self.most).finish_non_exhaustive()
    }
}

impl Capped {
    /// At most `most` suggestions of `searcher`.
    pub fn new(searcher: Box<dyn Searcher>, most: u64) -> Self {
        Self { inner: searcher, most, given: 0 }
    }
}

impl Searcher for Capped {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.given >= self.most {
            return Ok(Suggestion::Exhausted);
        }
        let suggestion = self.inner.suggest(trial)?;
        self.given += u64::from(matches!(suggestion, Suggestion::Next(_)));
        Ok(suggestion)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.inner.on_report(trial, report);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.inner.on_end(trial, ending, last);
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
        Some(self.inner.total().map_or(self.most, |total| total.min(self.most)))
    }

    fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }

    fn limit(&mut self, live: usize) -> Limiting {
        self.inner.limit(live)
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &Saved { given: self.given, inner: self.inner.save()? })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        self.inner.restore(saved.inner)?;
        self.given = saved.given;
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.given += 1;
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { most: self.most, inner: self.inner.spec()? })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
