//! Bayesian optimisation: a Gaussian process says where an improvement is to be expected.

use serde::{Deserialize, Serialize};

pub(crate) use self::model::{Kernel, Posterior};
use super::study::{Outcome, Point, Study};
use super::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::space::{AxisKind, Frame, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm};

mod candidates;
mod improvement;
mod model;

const PART: &str = "GaussianProcess";
/// The model is made of so many outcomes at most: the best, and the newest.
const MOST: usize = 250;
const BEST: usize = 50;

/// Bayesian optimisation: a Gaussian process is fitted to what was found, and tried next is the point where it expects
/// the largest improvement.
///
/// When to use it: when trials are expensive and few, up to two or three hundred, with up to about twenty variables,
/// numbers above all. It finds more in fewer trials than the other searchers, and takes up to some tenths of a second for a
/// suggestion, which is made beside the run.
///
/// - The first [`startup`](GaussianProcess::startup) points are drawn at random.
/// - Similarity falls off with distance by a Matérn kernel with smoothness 5/2 and a length for each variable. Lengths and noise are those under which
///   the values are likeliest; they are found anew when there is a tenth more of them.
/// - An option of a choice is a coordinate of its own. A conditional variable that isn't there is in its middle.
/// - A trial that failed, or whose last value is NaN, is as bad as the worst. One that still runs is taken to bring what is
///   expected of it, so that no two try the same.
/// - In a space of choices and steps alone nothing is tried twice, until all was tried.
/// - The model is made of the 50 best and the 200 newest outcomes.
/// - In a space that is changed while the run goes on, outcomes beyond a range are kept where they are. Those with an option that has
///   gone are left out. The kernel is fitted anew.
/// - Grids are refused: make them choices.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::GaussianProcess;
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0)).with("y", uniform(-10.0, 10.0));
/// # let trainable = function("t", |config: Config, trial| {
/// #     let (x, y) = (config.get::<f64>("x")?, config.get::<f64>("y")?);
/// #     trial.report([("loss", (x - 1.0).powi(2) + (y - x).powi(2))])?; Ok(()) });
/// let results = Experiment::new("bowl", trainable)
///     .searcher(GaussianProcess::new(space, 7)?)
///     .samples(30)
///     .objective(Objective::min("loss"))
///     .run()?;
/// # assert!(results.best()?.last.as_ref().and_then(|last| last.number("loss")).is_some_and(|loss| loss < 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Jones et al. 1998, "Efficient Global Optimization of Expensive Black-Box Functions"; Snoek et al. 2012,
/// "Practical Bayesian Optimization of Machine Learning Algorithms"; the logarithm of the improvement: Ament et al. 2023,
/// "Unexpected Improvements to Expected Improvement"; trials that run: Ginsbourger et al. 2010, "Kriging Is Well-Suited to
/// Parallelize Optimization".
#[derive(Clone, Debug)]
pub struct GaussianProcess {
    settings: Settings,
    study: Study,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    kernel: Kernel,
    /// How many outcomes there were when the kernel was fitted.
    fitted: usize,
    /// It isn't fitted to fewer: so many there were when the space was changed.
    #[serde(default)]
    first: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    #[serde(default = "ten")]
    startup: u32,
}

fn ten() -> u32 {
    10
}

impl GaussianProcess {
    /// A searcher of `space`; all draws follow from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        Self::from_settings(Settings { space, seed, startup: ten() })
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        let study = Study::new(settings.space.clone())?;
        let state = State { kernel: Kernel::new(size(study.frame())), fitted: 0, first: 0 };
        Ok(Self { settings, study, state })
    }

    setters! {
        /// How many points are drawn at random before anything is modelled; at least 2. Default 10.
        startup(points: u32) => settings.startup = points;
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    /// The coordinates that the model sees.
    fn seen(&self, point: &Point) -> Vec<f64> {
        let mut seen = Vec::with_capacity(self.state.kernel.lengths.len());
        for (axis, part) in self.study.frame().axes().iter().zip(point) {
            match axis.kind() {
                AxisKind::Options(count) => {
                    let taken = part.map(|part| option(part, count));
                    seen.extend((0..count).map(|number| if taken == Some(number) { 1.0 } else { 0.0 }));
                }
                _ => seen.push(part.unwrap_or(0.5)),
            }
        }
        seen
    }

    /// Whether the model can see a point: it has a coordinate, within its range or not, for each axis that counts there.
    fn is_placed(&self, point: &Point) -> bool {
        let within: Point = point.iter().map(|part| part.map(|part| part.clamp(0.0, 1.0))).collect();
        self.study.frame().holds(&within)
    }

    /// What the model sees of a draft, rounded to what the space can have.
    fn draft(&self, parts: &[f64]) -> Vec<f64> {
        let frame = self.study.frame();
        let axes = frame.axes().iter().enumerate();
        let point: Point = axes
            .map(|(number, axis)| {
                let part = parts.get(number).copied().filter(|_| frame.counts(number, parts))?;
                Some(match axis.kind() {
                    AxisKind::Steps(count) => (option(part, count as usize) as f64 + 0.5) / count as f64,
                    _ => part,
                })
            })
            .collect();
        self.seen(&point)
    }

    /// Of the first so many outcomes those that the model is made of, with the values made to lie around 0.
    fn known(&self, count: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let all = self.study.outcomes().get(..count).unwrap_or_default();
        let mut chosen: Vec<&Outcome> = all.iter().filter(|outcome| self.is_placed(&outcome.point)).collect();
        if chosen.len() > MOST {
            let newest = chosen.split_off(chosen.len() - (MOST - BEST));
            chosen.sort_by(|one, other| one.value.total_cmp(&other.value));
            chosen.truncate(BEST);
            chosen.extend(newest);
        }
        let worst =
            chosen.iter().map(|outcome| outcome.value).filter(|value| value.is_finite()).fold(f64::MIN, f64::max);
        let bounded = |value: f64| if value.is_finite() { value } else { worst.max(-f64::MAX / 4.0) };
        let mut values: Vec<f64> = chosen.iter().map(|outcome| bounded(outcome.value)).collect();
        standardize(&mut values);
        (chosen.iter().map(|outcome| self.seen(&outcome.point)).collect(), values)
    }

    /// Fits the kernel each time that there is a tenth more outcomes, whenever that is noticed: so a resumed run, in which nobody
    /// asked meanwhile, comes to the same.
    fn fit(&mut self) {
        loop {
            let State { fitted, first, .. } = self.state;
            let (due, rounds) = match fitted {
                0 => (first.max(self.settings.startup as usize), 24),
                _ => (fitted + (fitted / 10).max(1), 8),
            };
            if due > self.study.outcomes().len() {
                return;
            }
            let (points, values) = self.known(due);
            let kernel = &self.state.kernel;
            let kernel = if points.len() < 2 { kernel.clone() } else { kernel.fitted(&points, &values, rounds) };
            self.state = State { kernel, fitted: due, first };
        }
    }

    /// What is known, with what is expected of the trials that run.
    fn posterior(&self) -> Option<(Posterior, f64)> {
        let (mut points, mut values) = self.known(self.study.outcomes().len());
        let posterior = Posterior::new(self.state.kernel.clone(), points.clone(), &values)?;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let trying = self.study.trying().filter(|point| self.is_placed(point));
        let trying: Vec<Vec<f64>> = trying.map(|point| self.seen(point)).collect();
        if trying.is_empty() {
            return Some((posterior, least));
        }
        values.extend(trying.iter().map(|point| posterior.at(point).0));
        points.extend(trying);
        let posterior = Posterior::new(self.state.kernel.clone(), points, &values)?;
        Some((posterior, least))
    }
}

/// How many coordinates the model has.
fn size(frame: &Frame) -> usize {
    frame.axes().iter().map(|axis| width(axis.kind())).sum()
}

/// How many coordinates the model has for an axis.
fn width(kind: AxisKind) -> usize {
    match kind {
        AxisKind::Options(count) => count,
        _ => 1,
    }
}

fn option(part: f64, count: usize) -> usize {
    ((part * count as f64) as usize).min(count.saturating_sub(1))
}

/// Makes the mean 0 and the deviation 1; values far above the middle count less, so that one bad trial doesn't hide the
/// differences among the good.
fn standardize(values: &mut [f64]) {
    let count = values.len().max(1) as f64;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let least = sorted.first().copied().unwrap_or(0.0);
    let reach = (middle - least).max(f64::MIN_POSITIVE);
    for value in values.iter_mut() {
        let above = (*value - middle) / reach;
        *value = if above > 1.0 { 1.0 + above.ln() } else { above };
    }
    let mean = values.iter().sum::<f64>() / count;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt().max(1e-12);
    values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
}

impl Searcher for GaussianProcess {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let point = self.point();
        self.study.begin(trial, &point, self.settings.seed).map(Suggestion::Next)
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        if let Some(outcome) = self.study.end(trial, ending, last) {
            self.study.learn(outcome);
        }
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        let outcome = self.study.observe(config, metrics)?;
        self.study.learn(outcome);
        Ok(())
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        Check(PART).require(self.settings.startup >= 2, "startup", self.settings.startup, "at least 2")?;
        self.study.prepare(PART, objective)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        Study::space_with(&self.settings.space, changes)
    }

    fn set_space(&mut self, changes: &Space) {
        if self.study.set_space(&self.settings.space, changes).is_some() {
            let (frame, first) = (self.study.frame(), self.study.outcomes().len());
            self.state = State { kernel: Kernel::new(size(frame)), fitted: 0, first };
        }
    }

    fn objectives(&self) -> &[Objective] {
        self.study.objectives()
    }

    fn effort(&self) -> Effort {
        if self.study.outcomes().len() < self.settings.startup as usize { Effort::Light } else { Effort::Heavy }
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(PART).pack_around(&self.state, self.study.save(PART)?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let form = StateForm::new(PART);
        let (state, study): (State, _) = form.unpack_around(state)?;
        let (found, size) = (state.kernel.lengths.len(), self.state.kernel.lengths.len());
        if found != size {
            return Err(form.wrong("the number of coordinates", found, format_args!("{size}, as the space has")));
        }
        self.study.restore(PART, study)?;
        self.state = state;
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.study.replay(trial, config);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}
