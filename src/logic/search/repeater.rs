//! Gives each suggestion to several trials, and tells the searcher their mean: for noisy objectives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::space::Space;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "Repeater";

/// The suggestion that hasn't been given to enough trials yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Filling {
    leader: TrialId,
    config: Config,
}

/// The trials of one suggestion.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    /// To how many it was given.
    given: u32,
    ended: Vec<(Ending, Option<Report>)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    filling: Option<Filling>,
    /// By their first trials.
    groups: BTreeMap<TrialId, Group>,
    /// The first trial of each live trial's group.
    leaders: BTreeMap<TrialId, TrialId>,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) repeat: u32,
    #[serde(default)]
    pub(super) index: Option<String>,
    #[cfg_attr(feature = "cli", schemars(with = "Box<dyn crate::logic::search::Searcher>"))]
    pub(super) inner: PartSpec,
}

/// Gives each suggestion of a searcher to `repeat` trials. The searcher knows the first of them only, and hears of its end
/// when all have ended, with the mean of every metric; NaN, missing
/// values and failed trials are left out. Reports on the way are not
/// passed on. Trials are counted, not suggestions: a limit around it counts repeats, one inside it groups of them.
///
/// When to use it: where results are noisy, as with random starts of a network or few episodes of a game, so that a lucky draw
/// would lead a searcher astray.
///
/// ```
/// use tryout::event::{RunId, TrialId};
/// use tryout::search::{Points, Repeater, Searcher, Suggestion};
/// use tryout::prelude::*;
///
/// let points = Points::new([Config::new().with("x", 1)]);
/// let mut searcher = Repeater::new(points, 2)?.index("seed");
/// let trial = |number| TrialId::new(RunId::new(0), number);
/// assert_eq!(searcher.suggest(trial(0))?, Suggestion::Next(Config::new().with("seed", 0).with("x", 1)));
/// assert_eq!(searcher.suggest(trial(1))?, Suggestion::Next(Config::new().with("seed", 1).with("x", 1)));
/// assert_eq!(searcher.suggest(trial(2))?, Suggestion::Exhausted);
/// # Ok::<(), tryout::search::SearchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Repeater<S> {
    inner: S,
    objective: Option<Objective>,
    repeat: u32,
    index: Option<String>,
    state: State,
}

impl<S: Searcher> Repeater<S> {
    /// Each suggestion of `searcher` for `repeat` trials.
    ///
    /// # Errors
    /// If `repeat` is 0.
    pub fn new(searcher: S, repeat: u32) -> Result<Self, SearchError> {
        Check(PART).require(repeat > 0, "repeat", repeat, "at least 1")?;
        Ok(Self { inner: searcher, objective: None, repeat, index: None, state: State::default() })
    }

    setters! {
        /// Writes which repeat it is, from 0, into each configuration under `key`.
        index(key: impl Into<String>) => index = Some(key.into());
    }

    /// How many trials share a suggestion.
    pub fn repeat(&self) -> u32 {
        self.repeat
    }

    /// The searcher inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// One more copy of the suggestion at hand, if it isn't used up.
    fn copy(&mut self, trial: TrialId) -> Option<Config> {
        let filling = self.state.filling.as_ref()?;
        let (leader, mut config) = (filling.leader, filling.config.clone());
        let group = self.state.groups.entry(leader).or_default();
        if let Some(key) = &self.index {
            config = config.with(key, group.given);
        }
        group.given += 1;
        self.state.leaders.insert(trial, leader);
        self.close_full();
        Some(config)
    }

    /// Ends the filling of a group that has as many trials as it is to have.
    fn close_full(&mut self) {
        let given = |filling: &Filling| self.state.groups.get(&filling.leader).map_or(0, |group| group.given);
        if self.state.filling.as_ref().is_some_and(|filling| given(filling) >= self.repeat) {
            self.state.filling = None;
        }
    }

    /// Tells the searcher of a group all of whose trials have ended.
    fn tell_complete(&mut self, leader: TrialId) {
        let filled = self.state.filling.as_ref().is_none_or(|filling| filling.leader != leader);
        let complete = self.state.groups.get(&leader).is_some_and(|group| group.ended.len() >= group.given as usize);
        if filled
            && complete
            && let Some(group) = self.state.groups.remove(&leader)
        {
            let mean = self.mean(&group);
            self.inner.on_end(leader, group.ending(), mean.as_ref());
        }
    }

    /// The group's common report: the last one's, with the means of all.
    fn mean(&self, group: &Group) -> Option<Report> {
        let reports = || group.ended.iter().filter_map(|(_, report)| report.as_ref());
        let mut mean = reports().next_back()?.clone();
        let own = reports().flat_map(|report| report.metrics.iter()).filter(|(_, value)| value.as_f64().is_some());
        let mut names: Vec<_> = own.map(|(name, _)| name.clone()).collect();
        let objectives = self.inner.objectives().iter().chain(&self.objective);
        names.extend(objectives.map(|objective| objective.metric.clone().into()));
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
    /// How the group as a whole ended: it was withdrawn only if every repeat was, and failed only if all the others did; else as
    /// the last one that didn't.
    fn ending(&self) -> Ending {
        let tried = self.ended.iter().rev().map(|(ending, _)| *ending).filter(|ending| *ending != Ending::Withdrawn);
        let mut endings = tried.peekable();
        if endings.peek().is_none() {
            return Ending::Withdrawn;
        }
        endings.find(|ending| *ending != Ending::Error).unwrap_or(Ending::Error)
    }
}

impl<S: Searcher> Searcher for Repeater<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.state.filling.is_none() {
            match self.inner.suggest(trial)? {
                Suggestion::Next(config) => self.state.filling = Some(Filling { leader: trial, config }),
                other => return Ok(other),
            }
        }
        Ok(self.copy(trial).map_or(Suggestion::Wait, Suggestion::Next))
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
    }

    fn on_report(&mut self, _: TrialId, _: &Report) {}

    fn on_pause(&mut self, _: TrialId, _: Option<&Report>) {}

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let Some(leader) = self.state.leaders.remove(&trial) else { return };
        let group = self.state.groups.entry(leader).or_default();
        // What a failed repeat reported on its way is no result.
        group.ended.push((ending, last.filter(|_| ending != Ending::Error).cloned()));
        self.tell_complete(leader);
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.objective = objective.cloned();
        self.inner.prepare(objective)
    }

    /// What has been given to some of its trials only, and lies outside now, is given to no more of them.
    fn set_space(&mut self, changes: &Space) {
        self.inner.set_space(changes);
        if let Some(filling) = self.state.filling.take_if(|filling| changes.shuts_out(&filling.config).is_some()) {
            self.tell_complete(filling.leader);
        }
    }

    fn total(&self) -> Option<u64> {
        self.inner.total()?.checked_mul(u64::from(self.repeat))
    }

    /// A limit counts repeats, and the searcher inside groups of them.
    fn limit(&mut self, _: usize) -> Limiting {
        Limiting::Outside
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(PART).pack_around(&self.state, self.inner.save()?)
    }

    /// Suggestions that were given to enough trials stay as they were; how many are enough goes for the others.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (state, inner) = StateForm::new(PART).unpack_around(state)?;
        self.inner.restore(inner)?;
        self.state = state;
        let filling = self.state.filling.as_ref().map(|filling| filling.leader);
        self.close_full();
        filling.into_iter().for_each(|leader| self.tell_complete(leader));
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        if self.state.filling.is_none() {
            let mut config = config.clone();
            if let Some(key) = &self.index {
                config.as_map_mut().remove(key);
            }
            self.inner.replay(trial, &config)?;
            self.state.filling = Some(Filling { leader: trial, config });
        }
        self.copy(trial);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        let settings = Settings { repeat: self.repeat, index: self.index.clone(), inner: self.inner.spec()? };
        PartSpec::new(PART, &settings)
    }
}
