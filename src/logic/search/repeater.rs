//! Gives each suggestion to several trials, and tells the searcher their mean: for noisy objectives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::setting::SearchSettingError;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};

/// What a repeater knows, to carry over to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeaterState {
    repeat: u32,
    index_key: Option<String>,
    /// The suggestion that hasn't been given to enough trials yet, and to how many it was.
    filling: Option<Filling>,
    groups: BTreeMap<TrialId, Group>,
    /// The first trial of each live trial's group.
    leaders: BTreeMap<TrialId, TrialId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Filling {
    leader: TrialId,
    config: Config,
    given: u32,
}

/// The trials of one suggestion that have ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Group {
    ended: Vec<(Ending, Option<Report>)>,
}

/// Gives each suggestion of a searcher to `repeat` trials. The searcher knows the first of them only, and hears of its end
/// when all have ended, with the mean of every metric; NaN, missing
/// values and failed trials are left out. Reports on the way are not
/// passed on. Trials are counted, not suggestions: a limit around it counts repeats, one inside it groups of them.
///
/// ```
/// use tryout::logic::ids::{RunId, TrialId};
/// use tryout::logic::search::{Points, Repeater, Searcher, Suggestion};
/// use tryout::prelude::*;
///
/// let points = Points::new([Config::new().with("x", 1)]);
/// let mut searcher = Repeater::new(points, 2)?.index("seed");
/// let trial = |number| TrialId::new(RunId::new(0), number);
/// assert_eq!(searcher.suggest(trial(0))?, Suggestion::Next(Config::new().with("seed", 0).with("x", 1)));
/// assert_eq!(searcher.suggest(trial(1))?, Suggestion::Next(Config::new().with("seed", 1).with("x", 1)));
/// assert_eq!(searcher.suggest(trial(2))?, Suggestion::Exhausted);
/// # Ok::<(), tryout::logic::search::SearchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repeater<S> {
    inner: S,
    objective: Option<Objective>,
    state: RepeaterState,
}

impl<S: Searcher> Repeater<S> {
    /// Each suggestion of `searcher` for `repeat` trials.
    ///
    /// # Errors
    /// If `repeat` is 0.
    pub fn new(searcher: S, repeat: u32) -> Result<Self, SearchSettingError> {
        if repeat == 0 {
            return Err(SearchSettingError {
                searcher: "Repeater",
                setting: "repeat",
                value: repeat.to_string(),
                expected: "at least 1",
            });
        }
        let (filling, groups, leaders) = (None, BTreeMap::new(), BTreeMap::new());
        let state = RepeaterState { repeat, index_key: None, filling, groups, leaders };
        Ok(Self { inner: searcher, objective: None, state })
    }

    /// Writes which repeat it is, from 0, into each configuration under `key`.
    #[must_use]
    pub fn index(mut self, key: impl Into<String>) -> Self {
        self.state.index_key = Some(key.into());
        self
    }

    /// How many trials share a suggestion.
    pub fn repeat(&self) -> u32 {
        self.state.repeat
    }

    /// The searcher inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// What this repeater knows, without the searcher inside.
    pub fn state(&self) -> &RepeaterState {
        &self.state
    }

    /// Goes on where another repeater was, with as many repeats as that one.
    #[must_use]
    pub fn restored(self, state: RepeaterState) -> Self {
        Self { state, ..self }
    }

    /// One more copy of the suggestion at hand, if it isn't used up.
    fn copy(&mut self, trial: TrialId) -> Option<Config> {
        let repeat = self.state.repeat;
        let filling = self.state.filling.as_mut()?;
        let index = filling.given;
        filling.given += 1;
        self.state.leaders.insert(trial, filling.leader);
        let mut config = filling.config.clone();
        if filling.given == repeat {
            self.state.filling = None;
        }
        if let Some(key) = &self.state.index_key {
            config = config.with(key, index);
        }
        Some(config)
    }

    /// The group's common report: the last one's, with the means of all.
    fn mean(&self, group: &Group) -> Option<Report> {
        let reports = || group.ended.iter().filter_map(|(_, report)| report.as_ref());
        let mut mean = reports().next_back()?.clone();
        let own = reports().flat_map(|report| report.metrics.iter()).filter(|(_, value)| value.as_f64().is_some());
        let mut names: Vec<_> = own.map(|(name, _)| name.clone()).collect();
        let objective = self.inner.objective().or(self.objective.as_ref());
        names.extend(objective.map(|objective| objective.metric.clone().into()));
        names.sort_unstable();
        names.dedup();
        for name in names {
            let numbers: Vec<f64> =
                reports().filter_map(|report| report.number(&name)).filter(|number| !number.is_nan()).collect();
            let value = if numbers.is_empty() { f64::NAN } else { numbers.iter().sum::<f64>() / numbers.len() as f64 };
            mean.metrics.insert(name, value);
        }
        Some(mean)
    }
}

impl Group {
    /// How the group as a whole ended: it failed only if every repeat did, else as the last one that didn't.
    fn ending(&self) -> Ending {
        let endings = self.ended.iter().rev().map(|(ending, _)| *ending);
        endings.into_iter().find(|ending| *ending != Ending::Error).unwrap_or(Ending::Error)
    }
}

impl<S: Searcher> Searcher for Repeater<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.state.filling.is_none() {
            match self.inner.suggest(trial)? {
                Suggestion::Next(config) => self.state.filling = Some(Filling { leader: trial, config, given: 0 }),
                other => return Ok(other),
            }
        }
        Ok(self.copy(trial).map_or(Suggestion::Wait, Suggestion::Next))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(leader) = self.state.leaders.remove(&trial) else { return };
        let group = self.state.groups.entry(leader).or_default();
        // What a failed repeat reported on its way is no result.
        group.ended.push((ending, last.filter(|_| ending != Ending::Error).cloned()));
        if group.ended.len() < self.state.repeat as usize {
            return;
        }
        if let Some(group) = self.state.groups.remove(&leader) {
            let mean = self.mean(&group);
            self.inner.on_end(leader, group.ending(), mean.as_ref());
        }
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.objective = objective.cloned();
        self.inner.prepare(objective)
    }

    fn objective(&self) -> Option<&Objective> {
        self.inner.objective()
    }

    fn total(&self) -> Option<u64> {
        self.inner.total()?.checked_mul(u64::from(self.state.repeat))
    }

    fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
