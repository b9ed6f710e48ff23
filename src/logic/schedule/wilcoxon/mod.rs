//! Wilcoxon's signed-rank test: trials that are probably worse than the best one, step by step, stop.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use self::signed_rank::SignedRank;
use super::number::short;
use super::{Cohort, ScheduleError, Scheduler, scored, settle_objective, steps};
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, float};

mod signed_rank;

const PART: &str = "Wilcoxon";

/// Stops a trial that is probably worse than the best one so far: by a signed-rank test over the steps that both have.
///
/// The best is that of the completed trials, by their last scores; completed are those that ended by themselves or by a
/// stop rule. At each report the differences between the trial and the best one, step by step, are tested. If such
/// differences would come about by chance with a probability below [`p_threshold`](Wilcoxon::p_threshold), the trial
/// stops; unless its mean so far is as good as the best one's whole mean.
///
/// When to use it: if the steps of a trial are repetitions, as folds of a cross-validation or instances of a problem that
/// each trial solves in turn, and its score is their mean. Not for learning curves, whose steps aren't independent.
///
/// - Nobody is judged before [`startup_steps`](Wilcoxon::startup_steps) steps in common. Trials with steps that the best
///   one doesn't have are judged by the others.
/// - A trial that has reported NaN or an infinity isn't judged, nor is anybody while the best one has.
/// - The test is exact for up to 50 steps if no two differences are of one size, and for up to 13 in any case; else it
///   goes by the normal approximation.
/// - A report without the metric, or without the time attribute, changes nothing; nor does one at a time that the trial
///   had reached before.
///
/// A report costs O(k log k) with k steps of the trial. Reports are kept of the trials that haven't ended, and of the best.
///
/// ```
/// use tryout::prelude::*;
///
/// # let trainable = function("folds", |config: Config, trial| {
/// #     let (worse, mut sum) = (config.get::<f64>("worse")?, 0.0);
/// #     for fold in 1..=10 {
/// #         let error = worse + f64::from(fold * 7 % 10);
/// #         sum += error;
/// #         trial.report([("error", error), ("mean", sum / f64::from(fold))])?;
/// #     }
/// #     Ok(())
/// # });
/// // Each trial reports the error of one fold after the other.
/// let results = Experiment::new("folds", trainable)
///     .space(Space::new().with("worse", grid([0.0, 1.0])))
///     .concurrency(1)
///     .objective(Objective::min("error"))
///     .scheduler(Wilcoxon::new().p_threshold(0.1))
///     .run()?;
/// # let iterations: Vec<_> = results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect();
/// assert_eq!(iterations, [10, 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Optuna's `WilcoxonPruner`; Wilcoxon 1945, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Wilcoxon {
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    p_threshold: f64,
    startup_steps: u32,
    time_attr: String,
    objective: Option<Objective>,
    #[serde(skip)]
    run: Option<Run>,
}

/// What is known once the settings are fixed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Run {
    #[serde(skip)]
    test: SignedRank,
    best: Option<Curve>,
    live: HashMap<TrialId, Curve>,
}

/// What a trial reported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Curve {
    /// Times, ascending, and scores.
    #[serde(with = "float")]
    scores: Vec<(f64, f64)>,
}

impl Curve {
    /// Whether the report is new.
    fn record(&mut self, time: f64, score: f64) -> bool {
        let is_new = self.scores.last().is_none_or(|(last, _)| *last < time);
        if is_new {
            self.scores.push((time, score));
        }
        is_new
    }

    /// What the trial comes to in the end; none if that isn't a number.
    fn value(&self) -> Option<f64> {
        self.scores.last().map(|(_, score)| *score).filter(|score| !score.is_nan())
    }

    /// None unless all its scores are finite.
    fn mean(&self) -> Option<f64> {
        let sum: f64 = self.scores.iter().map(|(_, score)| score).sum();
        let all = self.scores.iter().all(|(_, score)| score.is_finite());
        (all && !self.scores.is_empty()).then(|| sum / self.scores.len() as f64)
    }

    /// How much worse it is than `best`, at each step that both have.
    fn behind(&self, best: &Curve) -> Vec<f64> {
        let mut theirs = best.scores.iter().peekable();
        let mut differences = Vec::new();
        for (time, score) in &self.scores {
            while theirs.next_if(|(other, _)| other < time).is_some() {}
            if let Some((_, best)) = theirs.next_if(|(other, _)| other == time) {
                differences.push(best - score);
            }
        }
        differences
    }
}

impl Default for Wilcoxon {
    fn default() -> Self {
        let time_attr = "training_iteration".to_owned();
        Self { p_threshold: 0.1, startup_steps: 2, time_attr, objective: None, run: None }
    }
}

impl Wilcoxon {
    /// With the defaults: `p_threshold` 0.1, from 2 steps on, by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// A trial stops if the differences would come about by chance with a probability below this; from 0 to 1. The lower,
        /// the fewer stop. Default 0.1.
        p_threshold(p_threshold: f64) => p_threshold = p_threshold;

        /// How many steps a trial and the best one must have in common before it is judged. Default 2.
        startup_steps(startup_steps: u32) => startup_steps = startup_steps;

        /// The name of the metric or automatic key that numbers a trial's steps; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let check = Check(PART);
        let holds = (0.0..=1.0).contains(&self.p_threshold);
        check.require(holds, "p_threshold", self.p_threshold, "a number from 0 to 1")?;
        Ok(check.time_attr(&self.time_attr)?)
    }
}

impl Run {
    /// How many steps a trial has in common with the best one, and how likely it would be as far behind by chance. None
    /// if it can't be judged.
    fn compare(&mut self, trial: TrialId, startup_steps: u32) -> Option<(usize, f64)> {
        let (own, best) = (self.live.get(&trial)?, self.best.as_ref()?);
        let (own_mean, best_mean) = (own.mean()?, best.mean()?);
        let behind = own.behind(best);
        if behind.len() < startup_steps.max(1) as usize || own_mean >= best_mean {
            return None;
        }
        Some((behind.len(), self.test.probability_of_greater(&behind)))
    }

    fn complete(&mut self, curve: Curve) {
        let best = self.best.as_ref().and_then(Curve::value);
        if curve.value().is_some_and(|value| best.is_none_or(|best| value > best)) {
            self.best = Some(curve);
        }
    }
}

impl Scheduler for Wilcoxon {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let read = steps::read(&self.time_attr, self.objective.as_ref(), report);
        let (Some((time, score)), Some(run)) = (read, &mut self.run) else { return Verdict::CONTINUE };
        if !run.live.entry(trial).or_default().record(time, score) {
            return Verdict::CONTINUE;
        }
        match run.compare(trial, self.startup_steps) {
            Some((common, p)) if p < self.p_threshold => Verdict::stop(format!(
                "{} {}: over {common} steps it is worse than the best trial so far (p {}, below {})",
                self.time_attr,
                short(time),
                short(p),
                short(self.p_threshold)
            )),
            _ => Verdict::CONTINUE,
        }
    }

    /// A trial that completed may be the best from now on, by its last report, which is new to this scheduler if a stop
    /// rule answered it.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        let last = last.and_then(|report| steps::read(&self.time_attr, self.objective.as_ref(), report));
        let Some(run) = &mut self.run else { return Vec::new() };
        let mut curve = run.live.remove(&trial).unwrap_or_default();
        if let Some((time, score)) = last {
            curve.record(time, score);
        }
        if matches!(ending, Ending::Done | Ending::StopRule) {
            run.complete(curve);
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
        scored(PART, &self.time_attr, self.objective.as_ref()).pack(self.run.as_ref()?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.run = Some(scored(PART, &self.time_attr, self.objective.as_ref()).unpack(state)?);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn name(&self) -> &str {
        PART
    }
}
