//! The percentile rule: trials whose best is behind what completed trials had at the same step stop.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::number::{Ordered, short, told_apart};
use super::quantile::Quantile;
use super::steps::{self, Steps};
use super::{Cohort, ScheduleError, Scheduler, scored, settle_objective};
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

const PART: &str = "Percentile";

/// Stops a trial whose best score so far isn't among the best [`percentile`](Percentile::percentile) of the scores that
/// completed trials had at the same step.
///
/// Completed are those that ended by themselves or by a stop rule, not those that were stopped by a scheduler or a
/// client, or failed. Nobody is judged before [`startup_trials`](Percentile::startup_trials) of them have completed,
/// before the [`warm_up`](Percentile::warm_up), or where fewer than [`min_trials`](Percentile::min_trials) of them
/// reported at exactly that step; from the warm-up on a trial is judged once in each [`interval`](Percentile::interval).
///
/// When to use it: if trials report at the same steps and you know how hard to cut; 50 is the median rule of Optuna. It
/// learns from completed trials only, so it stops nobody as long as all run side by side: take [`Asha`](super::Asha) or
/// [`MedianStopping`](super::MedianStopping) then.
///
/// - The best of all reports counts for the trial itself, those in the warm-up included. NaN is never the best; a trial
///   that reported nothing but NaN stops when it is judged.
/// - NaN isn't counted among the scores at a step.
/// - A trial that is tried again isn't judged at steps that it had reached before.
/// - A report without the metric, or without the time attribute, changes nothing.
///
/// A report costs O(log n), with n trials, and a trial's completion that for each of its reports. Each report of a
/// completed trial takes 8 bytes until the run ends.
///
/// ```
/// use tryout::prelude::*;
///
/// # let trainable = function("slope", |config: Config, trial| {
/// #     for step in 1..=10 { trial.report([("score", config.get::<f64>("slope")? * f64::from(step))])?; }
/// #     Ok(())
/// # });
/// let results = Experiment::new("slopes", trainable)
///     .space(Space::new().with("slope", grid([3.0, 2.0, 1.0])))
///     .concurrency(1)
///     .objective(Objective::max("score"))
///     .scheduler(Percentile::new().percentile(50.0).startup_trials(1).warm_up(3.0))
///     .run()?;
/// # let iterations: Vec<_> = results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect();
/// assert_eq!(iterations, [10, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Optuna's `PercentilePruner`, after Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization".
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Percentile {
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    percentile: f64,
    startup_trials: u32,
    min_trials: u32,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    warm_up: f64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    interval: f64,
    time_attr: String,
    objective: Option<Objective>,
    #[serde(skip)]
    run: Option<Run>,
}

/// What is known once the settings are fixed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Run {
    completed: u32,
    /// At each step the scores of the trials that have completed.
    #[serde(with = "float")]
    steps: BTreeMap<Ordered, Quantile>,
    live: HashMap<TrialId, History>,
}

/// A trial that hasn't ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct History {
    #[serde(with = "float")]
    best: f64,
    #[serde(with = "float")]
    last: f64,
    #[serde(with = "float")]
    scores: Vec<(f64, f64)>,
}

impl Default for History {
    fn default() -> Self {
        Self { best: f64::NAN, last: f64::NEG_INFINITY, scores: Vec::new() }
    }
}

impl History {
    /// Records a report; the time of the one before if it goes beyond that.
    fn record(&mut self, time: f64, score: f64) -> Option<f64> {
        self.best = self.best.max(score); // NaN only if both are
        let before = self.last;
        self.last = before.max(time);
        (time > before).then(|| self.scores.push((time, score)))?;
        Some(before)
    }
}

impl Default for Percentile {
    fn default() -> Self {
        Self {
            percentile: 25.0,
            startup_trials: 5,
            min_trials: 1,
            warm_up: 0.0,
            interval: 1.0,
            time_attr: "training_iteration".to_owned(),
            objective: None,
            run: None,
        }
    }
}

impl Percentile {
    /// With the defaults: the best 25 %, after 5 completed trials, by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How many percent of the completed trials are good enough, from 0 to 100. Default 25.
        percentile(percentile: f64) => percentile = percentile;

        /// How many trials must have completed before anybody is judged. Default 5.
        startup_trials(startup_trials: u32) => startup_trials = startup_trials;

        /// How many completed trials must have reported at a step for a trial to be judged there; from 1. Default 1.
        min_trials(min_trials: u32) => min_trials = min_trials;

        /// The time before which nobody is judged; from 0. Default 0.
        warm_up(warm_up: f64) => warm_up = warm_up;

        /// A trial is judged once in each interval of this length from the warm-up on; above 0. Default 1.
        interval(interval: f64) => interval = interval;

        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    fn steps(&self) -> Steps {
        Steps { warm_up: self.warm_up, interval: self.interval }
    }

    /// So many percent of the scores lie below the cut-off, more being better.
    fn below(&self) -> f64 {
        100.0 - self.percentile
    }

    fn state_form(&self) -> StateForm {
        scored(PART, &self.time_attr, self.objective.as_ref()).under("percentile", self.percentile)
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let check = Check(PART);
        let holds = (0.0..=100.0).contains(&self.percentile);
        check.require(holds, "percentile", self.percentile, "a number from 0 to 100")?;
        check.require(self.min_trials > 0, "min_trials", self.min_trials, "at least 1")?;
        self.steps().check(check)?;
        Ok(check.time_attr(&self.time_attr)?)
    }

    /// `training_iteration 5: the best, 0.41, isn't among the best 25 % (cut-off 0.37, 12 trials)`.
    fn behind(&self, time: f64, best: f64, cut_off: f64, seen: usize) -> String {
        // Scoring is its own inverse.
        let value = |score: f64| self.objective.as_ref().map_or(score, |objective| objective.score(score));
        let (best, cut_off) = told_apart(value(best), value(cut_off));
        let (attr, time, percentile) = (&self.time_attr, short(time), short(self.percentile));
        format!(
            "{attr} {time}: the best, {best}, isn't among the best {percentile} % (cut-off {cut_off}, {seen} trials)"
        )
    }
}

impl Scheduler for Percentile {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let read = steps::read(&self.time_attr, self.objective.as_ref(), report);
        let (Some((time, score)), Some(run)) = (read, &mut self.run) else { return Verdict::CONTINUE };
        let history = run.live.entry(trial).or_default();
        let (previous, best) = (history.record(time, score), history.best);
        let Some(previous) = previous.filter(|_| run.completed >= self.startup_trials.max(1)) else {
            return Verdict::CONTINUE;
        };
        let run = self.run.as_ref();
        if !self.steps().judges(previous, time) {
            return Verdict::CONTINUE;
        }
        if best.is_nan() {
            return Verdict::stop(format!("{} {}: it has reported nothing but NaN", self.time_attr, short(time)));
        }
        let column = run.and_then(|run| run.steps.get(&Ordered(time)));
        let Some(column) = column.filter(|column| column.seen() >= self.min_trials as usize) else {
            return Verdict::CONTINUE;
        };
        match column.cut_off() {
            Some(cut_off) if best < cut_off => Verdict::stop(self.behind(time, best, cut_off, column.seen())),
            _ => Verdict::CONTINUE,
        }
    }

    /// The scores of a trial that completed count from now on, its last report included, which is new to this scheduler if
    /// a stop rule answered it.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        let last = last.and_then(|report| steps::read(&self.time_attr, self.objective.as_ref(), report));
        let below = self.below();
        let Some(run) = &mut self.run else { return Vec::new() };
        let mut history = run.live.remove(&trial).unwrap_or_default();
        if matches!(ending, Ending::Done | Ending::StopRule) {
            if let Some((time, score)) = last {
                history.record(time, score);
            }
            run.completed = run.completed.saturating_add(1);
            for (time, score) in history.scores {
                run.steps.entry(Ordered(time)).or_insert_with(|| Quantile::new(below)).record(score);
            }
        }
        Vec::new()
    }

    /// Checks the settings; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        settle_objective(PART, &mut self.objective, objective)?;
        self.run = Some(Run::default());
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn time_attr(&self) -> Option<&str> {
        Some(&self.time_attr)
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(self.run.as_ref()?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.run = Some(self.state_form().unpack(state)?);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn name(&self) -> &str {
        PART
    }
}
