//! Searchers that know something before they begin: outcomes of earlier runs, points to try first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::Space;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "WarmStart";

/// Another searcher that is told outcomes of earlier runs before it suggests anything, and may have points tried first.
///
/// The searcher must be one that [learns](Searcher::observe). What the points bring is told to it as well, so that no trial
/// is in vain.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::{Nsga2, WarmStart};
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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WarmStart {
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "Vec<(Config, std::collections::BTreeMap<String, f64>)>"))]
    outcomes: Vec<(Config, Metrics)>,
    #[serde(default)]
    first: Vec<Config>,
    inner: Box<dyn Searcher>,
    #[serde(skip)]
    state: State,
    /// What was changed of the space.
    #[serde(skip)]
    changes: Space,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// How many of the points were suggested.
    given: usize,
    /// Points that are being tried, by their place.
    trying: BTreeMap<TrialId, usize>,
}

impl WarmStart {
    /// Around `inner`, which knows nothing yet.
    pub fn new(inner: impl Searcher + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            outcomes: Vec::new(),
            first: Vec::new(),
            state: State::default(),
            changes: Space::new(),
        }
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

impl WarmStart {
    /// The place of the next of the points: those that lie outside of a space that was changed are passed over.
    fn upcoming(&self) -> Option<usize> {
        let mut left = self.first.iter().enumerate().skip(self.state.given);
        left.find(|(_, point)| self.changes.shuts_out(point).is_none()).map(|(place, _)| place)
    }

    /// A state holds for these points, if `given` of them were suggested.
    fn state_form(&self, given: usize) -> StateForm {
        let given = self.first.get(..given).unwrap_or(&self.first);
        let points: Vec<String> = given.iter().map(ToString::to_string).collect();
        StateForm::new(PART).under("number of outcomes", self.outcomes.len()).under("first points", points.join(", "))
    }
}

impl Searcher for WarmStart {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let upcoming = self.upcoming().and_then(|place| Some((place, self.first.get(place)?)));
        let Some((place, config)) = upcoming else { return self.inner.suggest(trial) };
        self.state.trying.insert(trial, place);
        self.state.given = place + 1;
        Ok(Suggestion::Next(config.clone()))
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        if !self.state.trying.contains_key(&trial) {
            self.inner.on_report(trial, report);
        }
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        if !self.state.trying.contains_key(&trial) {
            self.inner.on_pause(trial, last);
        }
    }

    /// A point that isn't one of the searcher's space, or that brought nothing, is no outcome.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(place) = self.state.trying.remove(&trial) else { return self.inner.on_end(trial, ending, last) };
        if let (Some(config), Some(last), true) = (self.first.get(place), last, ending != Ending::Error) {
            let _ = self.inner.observe(config, &last.metrics);
        }
    }

    /// Tells the searcher what is known. A state that is taken up afterwards has all of it already.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.inner.prepare(objective)?;
        self.outcomes.iter().try_for_each(|(config, metrics)| self.inner.observe(config, metrics))
    }

    fn set_space(&mut self, changes: &Space) {
        self.changes = changes.clone();
        self.inner.set_space(changes);
    }

    fn effort(&self) -> Effort {
        if self.upcoming().is_some() { Effort::Light } else { self.inner.effort() }
    }

    fn total(&self) -> Option<u64> {
        Some(self.inner.total()?.saturating_add(self.first.len() as u64))
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        // In an earlier session other points may have come first.
        if self.upcoming().and_then(|place| self.first.get(place)) == Some(config) {
            return self.suggest(trial).map(|_| ());
        }
        self.inner.replay(trial, config)
    }

    fn save(&self) -> Option<PartState> {
        self.state_form(self.state.given).pack_around(&self.state, self.inner.save()?)
    }

    /// More points may have been added behind those that were suggested.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let given = state.get("given").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let (state, inner) = self.state_form(usize::try_from(given).unwrap_or(usize::MAX)).unpack_around(state)?;
        self.inner.restore(inner)?;
        self.state = state;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }
}
