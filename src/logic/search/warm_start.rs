//! Searchers that know something before they begin: outcomes of earlier runs, points to try first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Effort, Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, common_run, pack, same, unpack};

const PART: &str = "WarmStart";

/// Another searcher that is told outcomes of earlier runs before it suggests anything, and may have points tried first.
///
/// The searcher must be one that [learns](Searcher::observe). What the points bring is told to it as well, so that no trial
/// is in vain.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::{Nsga2, WarmStart};
///
/// let space = Space::new().with("x", uniform(0.0, 1.0));
/// let nsga = Nsga2::new(space, &[Objective::min("loss")], 7)?;
/// let searcher = WarmStart::new(nsga)
///     .outcome(Config::new().with("x", 0.4), [("loss", 0.2)])
///     .first(Config::new().with("x", 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// (Ray Tune's `evaluated_rewards` and `points_to_evaluate`.)
pub struct WarmStart<S = Box<dyn Searcher>> {
    inner: S,
    outcomes: Vec<(Config, Metrics)>,
    first: Vec<Config>,
    /// How many of the points were suggested.
    given: usize,
    /// Points that are being tried, by their place.
    trying: BTreeMap<TrialId, usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    #[serde(default)]
    pub(super) outcomes: Vec<(Config, Metrics)>,
    #[serde(default)]
    pub(super) first: Vec<Config>,
    pub(super) inner: PartSpec,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    /// The points that were suggested.
    given: Vec<Config>,
    /// How many outcomes the inner searcher was told.
    told: usize,
    run: RunId,
    trying: Vec<(u32, usize)>,
    inner: PartState,
}

impl<S: Searcher> std::fmt::Debug for WarmStart<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(PART).field("inner", &self.inner.name()).field("given", &self.given).finish_non_exhaustive()
    }
}

impl<S: Searcher> WarmStart<S> {
    /// Around `inner`, which knows nothing yet.
    pub fn new(inner: S) -> Self {
        Self { inner, outcomes: Vec::new(), first: Vec::new(), given: 0, trying: BTreeMap::new() }
    }

    /// What came of a configuration elsewhere.
    #[must_use]
    pub fn outcome(mut self, config: Config, metrics: impl Into<Metrics>) -> Self {
        self.outcomes.push((config, metrics.into()));
        self
    }

    /// Several outcomes, such as those of an earlier run.
    #[must_use]
    pub fn outcomes(mut self, outcomes: impl IntoIterator<Item = (Config, Metrics)>) -> Self {
        self.outcomes.extend(outcomes);
        self
    }

    /// A configuration to be tried before the searcher's own.
    #[must_use]
    pub fn first(mut self, config: Config) -> Self {
        self.first.push(config);
        self
    }
}

impl<S: Searcher> Searcher for WarmStart<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let Some(config) = self.first.get(self.given) else { return self.inner.suggest(trial) };
        self.trying.insert(trial, self.given);
        self.given += 1;
        Ok(Suggestion::Next(config.clone()))
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if !self.trying.contains_key(&trial) {
            self.inner.on_report(trial, report);
        }
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        if !self.trying.contains_key(&trial) {
            self.inner.on_pause(trial, last);
        }
    }

    /// A point that isn't one of the searcher's space, or that brought nothing, is no outcome.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(place) = self.trying.remove(&trial) else { return self.inner.on_end(trial, ending, last) };
        if let (Some(config), Some(last), true) = (self.first.get(place), last, ending != Ending::Error) {
            let _ = self.inner.observe(config, &last.metrics);
        }
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.inner.observe(config, metrics)
    }

    /// Tells the searcher what is known. A state that is taken up afterwards has all of it already.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.inner.prepare(objective)?;
        self.outcomes.iter().try_for_each(|(config, metrics)| self.inner.observe(config, metrics))
    }

    fn objectives(&self) -> &[Objective] {
        self.inner.objectives()
    }

    fn effort(&self) -> Effort {
        if self.given < self.first.len() { Effort::Light } else { self.inner.effort() }
    }

    fn total(&self) -> Option<u64> {
        Some(self.inner.total()? + self.first.len() as u64)
    }

    fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }

    fn limit(&mut self, live: usize) -> Limiting {
        self.inner.limit(live)
    }

    fn save(&self) -> Option<PartState> {
        let run = common_run(self.trying.keys().copied())?;
        let trying = self.trying.iter().map(|(trial, place)| (trial.number(), *place)).collect();
        let given = self.first.get(..self.given).unwrap_or_default().to_vec();
        pack(PART, &Saved { given, told: self.outcomes.len(), run, trying, inner: self.inner.save()? })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "number of outcomes", &saved.told, &self.outcomes.len())?;
        let words = |points: &[Config]| points.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let still = self.first.get(..saved.given.len()).unwrap_or(&self.first);
        same(PART, "first points", &words(&saved.given), &words(still))?;
        self.inner.restore(saved.inner)?;
        self.given = saved.given.len();
        self.trying =
            saved.trying.into_iter().map(|(number, place)| (TrialId::new(saved.run, number), place)).collect();
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        // In an earlier session other points may have come first.
        if self.first.get(self.given) == Some(config) {
            return self.suggest(trial).map(|_| ());
        }
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        let (outcomes, first) = (self.outcomes.clone(), self.first.clone());
        PartSpec::new(PART, &Settings { outcomes, first, inner: self.inner.spec()? })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
