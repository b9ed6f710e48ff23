//! The searcher for whoever doesn't want to choose.

use serde::{Deserialize, Serialize};

use super::{SearchError, Searcher, Suggestion, Tpe};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Objective;
use crate::logic::space::{AxisKind, Frame, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "Auto";
/// Up to so many trials, with so many variables and so many at a time, a Gaussian process finds more than a density.
const FEW_TRIALS: u64 = 200;
const FEW_AXES: usize = 12;
const FEW_AT_A_TIME: u32 = 8;
/// From so many trials for each variable on an evolution strategy has time to learn their scales: it was better than a density in 2 and 5
/// dimensions with 50 and 40 for each, also with whole numbers, choices and noise, and worse in 10 with 20 (`benches/README.md`).
const MANY_TRIALS: u64 = 40;

/// A searcher that is chosen by what is to be searched, and with how many trials: for whoever doesn't want to choose.
///
/// | what is searched | the searcher |
/// |---|---|
/// | several objectives, constraints | [`Tpe`] |
/// | at most 200 trials, 12 variables and 8 trials at a time | `GaussianProcess` (feature `gp`) |
/// | at least 40 trials for each variable, none of them conditional | `CmaEs` (feature `cma-es`) |
/// | all else, and if the number of trials isn't known | [`Tpe`] |
///
/// [`choice`](Searcher::choice) says in words which it is and why, and so does the log. Where the one that would be chosen isn't in this
/// build, it says so and takes [`Tpe`].
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::{Auto, Searcher};
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0)).with("kind", choice(["a", "b"]));
/// let auto = Auto::new(space, 7)?;
/// let why = "Tpe: the first choice for 2 variables, not all of them numbers, and for a number of trials that isn't known";
/// assert_eq!(auto.choice().as_deref(), Some(why));
/// # let trainable = function("t", |config: Config, trial| {
/// #     trial.report([("loss", config.get::<f64>("x")?.powi(2))])?; Ok(()) });
/// # let auto = auto.samples(30);
/// let results =
///     Experiment::new("parabola", trainable).searcher(auto).samples(30).objective(Objective::min("loss")).run()?;
/// # assert_eq!(results.trials().len(), 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Auto {
    settings: Settings,
    inner: Box<dyn Searcher>,
    why: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    /// How many trials there will be, if that is known.
    #[serde(default)]
    samples: Option<u64>,
    /// How many of them at a time.
    #[serde(default = "one")]
    parallel: u32,
    #[serde(default)]
    objectives: Vec<Objective>,
    #[serde(default)]
    constraints: Vec<String>,
}

fn one() -> u32 {
    1
}

impl Auto {
    /// A searcher of `space`; all draws follow from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        let (samples, parallel, objectives, constraints) = (None, one(), Vec::new(), Vec::new());
        Self::from_settings(Settings { space, seed, samples, parallel, objectives, constraints })
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        let frame = Frame::new(settings.space.clone())?;
        let (inner, why) = settings.choose(&frame)?;
        Ok(Self { settings, inner, why })
    }

    /// How many trials there will be. Unknown by default.
    #[must_use]
    pub fn samples(self, samples: u64) -> Self {
        self.set(|settings| settings.samples = Some(samples))
    }

    /// How many trials run at a time; at least 1. Default 1.
    #[must_use]
    pub fn parallel(self, trials: u32) -> Self {
        self.set(|settings| settings.parallel = trials)
    }

    /// Several objectives, in the place of the experiment's. Default none.
    #[must_use]
    pub fn judged_by(self, objectives: &[Objective]) -> Self {
        self.set(|settings| settings.objectives = objectives.to_vec())
    }

    /// Metrics that must be at most 0, as [`Tpe::constraints`]. Default none.
    #[must_use]
    pub fn constraints(self, metrics: &[&str]) -> Self {
        self.set(|settings| settings.constraints = metrics.iter().map(|metric| (*metric).to_owned()).collect())
    }

    /// The space was found to be fine before, so that there is always a choice.
    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        if let Ok(changed) = Self::from_settings(self.settings.clone()) { changed } else { self }
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("choice", self.inner.name())
    }
}

impl Settings {
    /// The searcher, and why it is this one.
    fn choose(&self, frame: &Frame) -> Result<(Box<dyn Searcher>, String), SpaceError> {
        let axes = frame.axes().len();
        let numbers = frame.axes().iter().all(|axis| axis.kind() == AxisKind::Number);
        let variables = match (axes, numbers) {
            (1, true) => "one variable, a number".to_owned(),
            (1, false) => "one variable".to_owned(),
            (_, true) => format!("{axes} variables, all of them numbers"),
            (_, false) => format!("{axes} variables, not all of them numbers"),
        };
        let tpe = || Ok::<_, SpaceError>(Box::new(Tpe::new(self.space.clone(), self.seed)?));
        if self.objectives.len() > 1 || !self.constraints.is_empty() {
            let metrics: Vec<&str> = self.constraints.iter().map(String::as_str).collect();
            let tpe = Box::new(tpe()?.judged_by(&self.objectives).constraints(&metrics));
            return Ok((tpe, "it takes several objectives and constraints".to_owned()));
        }
        let Some(samples) = self.samples else {
            return Ok((
                tpe()?,
                format!("the first choice for {variables}, and for a number of trials that isn't known"),
            ));
        };
        let facts = format!("{samples} trials of {variables}");
        let enough = samples >= MANY_TRIALS.saturating_mul(axes.max(1) as u64);
        let few = samples <= FEW_TRIALS && axes <= FEW_AXES && self.parallel <= FEW_AT_A_TIME;
        let flat = frame.axes().iter().all(|axis| axis.when().is_empty());
        let (better, feature) = match (few, flat && enough) {
            (true, _) => (self.process()?, "GaussianProcess (feature `gp`)"),
            (_, true) => (self.evolution()?, "CmaEs (feature `cma-es`)"),
            _ => return Ok((tpe()?, format!("the first choice for {facts}"))),
        };
        Ok(match better {
            Some(better) => (better, format!("the best for {facts}")),
            None => (tpe()?, format!("for {facts} {feature} would be better, and isn't in this build")),
        })
    }

    /// None if it isn't in this build.
    fn evolution(&self) -> Result<Option<Box<dyn Searcher>>, SpaceError> {
        #[cfg(feature = "cma-es")]
        return Ok(Some(Box::new(super::CmaEs::new(self.space.clone(), self.seed)?)));
        #[cfg(not(feature = "cma-es"))]
        Ok(None)
    }

    fn process(&self) -> Result<Option<Box<dyn Searcher>>, SpaceError> {
        #[cfg(feature = "gp")]
        return Ok(Some(Box::new(super::GaussianProcess::new(self.space.clone(), self.seed)?)));
        #[cfg(not(feature = "gp"))]
        Ok(None)
    }
}

impl Searcher for Auto {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        self.inner.suggest(trial)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&*self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut *self.inner)
    }

    fn choice(&self) -> Option<String> {
        Some(format!("{}: {}", self.inner.name(), self.why))
    }

    /// One objective of its own is as good as the experiment's.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        Check(PART).require(self.settings.parallel > 0, "parallel", self.settings.parallel, "at least 1")?;
        self.inner.prepare(self.settings.objectives.first().or(objective))
    }

    fn save(&self) -> Option<PartState> {
        #[derive(Serialize)]
        struct Nothing {}
        self.state_form().pack_around(&Nothing {}, self.inner.save()?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        #[derive(Deserialize)]
        struct Nothing {}
        let (Nothing {}, inner) = self.state_form().unpack_around(state)?;
        self.inner.restore(inner)
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}
