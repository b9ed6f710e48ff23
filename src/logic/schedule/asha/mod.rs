//! Asynchronous successive halving: trials that are behind at a rung stop there; nobody waits for anybody.

use serde::{Deserialize, Serialize};

use self::bracket::{Bracket, Judgement};
pub(super) use self::bracket::{MOST_RUNGS, milestones};
pub(super) use self::reason::share;
use self::run::Run;
use super::{AtMaxT, Cohort, ScheduleError, Scheduler, settle_objective};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, float};

mod bracket;
mod reason;
mod run;
mod rung;
mod saved;

/// Stops the trials that are behind: asynchronous successive halving, in its stopping form.
///
/// A trial is looked at when it reaches a *rung*: at the times `grace_period`, `grace_period * reduction_factor`,
/// `grace_period * reduction_factor²` and so on, up to `max_t`. If it is worse there than the best
/// `1 / reduction_factor` of those that were there before it, it stops. The first one at a rung always goes on; so does
/// one that reports NaN, which counts for nothing in what the others are compared with. Nobody is ever paused, and
/// nobody comes back.
///
/// A trial that jumps over rungs is judged once, at the highest that it reached. A report without the metric, or without
/// the time attribute, changes nothing.
///
/// With several brackets, each has its own rungs: bracket `s` begins at `grace_period * reduction_factor^s`. Brackets
/// that would have no rung at all are left out. A new trial is put into a bracket of `K` rungs with a probability
/// proportional to `e^K`, drawn from [`seed`](Asha::seed).
///
/// A report costs O(log n) with n trials seen at its rung.
///
/// ```
/// use tryout::prelude::*;
///
/// let asha = Asha::new().max_t(81).grace_period(1).reduction_factor(3.0);
/// assert_eq!(asha.rungs(), [[1.0, 3.0, 9.0, 27.0, 81.0]]);
/// ```
///
/// Source: Li et al. 2018, "A System for Massively Parallel Hyperparameter Tuning"; the stopping form and the brackets
/// are those of Ray Tune's `AsyncHyperBandScheduler`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asha {
    max_t: u64,
    grace_period: u64,
    #[serde(with = "float")]
    reduction_factor: f64,
    brackets: u32,
    at_max_t: AtMaxT,
    time_attr: String,
    objective: Option<Objective>,
    seed: u64,
    #[serde(skip)]
    run: Option<Run>,
}

impl Default for Asha {
    fn default() -> Self {
        Self {
            max_t: 100,
            grace_period: 1,
            reduction_factor: 4.0,
            brackets: 1,
            at_max_t: AtMaxT::Stop,
            time_attr: "training_iteration".to_owned(),
            objective: None,
            seed: 0,
            run: None,
        }
    }
}

impl Asha {
    /// With the defaults: `max_t` 100, `grace_period` 1, `reduction_factor` 4, one bracket, by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time at which a trial is over, and where the last rung may stand; from 1. Default 100.
    #[must_use]
    pub fn max_t(mut self, max_t: u64) -> Self {
        self.max_t = max_t;
        self
    }

    /// The time of the first rung: nobody stops before it. From 1 to `max_t`. Default 1.
    #[must_use]
    pub fn grace_period(mut self, grace_period: u64) -> Self {
        self.grace_period = grace_period;
        self
    }

    /// One in how many goes on at a rung, and the ratio of a rung's time to that of the one below. Above 1, and large
    /// enough to give no more than 1000 rungs. Default 4.
    #[must_use]
    pub fn reduction_factor(mut self, reduction_factor: f64) -> Self {
        self.reduction_factor = reduction_factor;
        self
    }

    /// How many brackets there are; from 1. Those that would have no rung are left out. Default 1.
    #[must_use]
    pub fn brackets(mut self, brackets: u32) -> Self {
        self.brackets = brackets;
        self
    }

    /// What becomes of a trial that reaches `max_t`. Default [`AtMaxT::Stop`].
    #[must_use]
    pub fn at_max_t(mut self, at_max_t: AtMaxT) -> Self {
        self.at_max_t = at_max_t;
        self
    }

    /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
    /// `training_iteration`.
    #[must_use]
    pub fn time_attr(mut self, time_attr: impl Into<String>) -> Self {
        self.time_attr = time_attr.into();
        self
    }

    /// What counts. Not needed if the experiment has an objective.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.objective = Some(objective);
        self
    }

    /// The seed of the draw of brackets; the same seed and the same order of trials give the same brackets. Without
    /// effect on a single bracket. Default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The times of the rungs of each bracket, ascending, as the settings stand.
    pub fn rungs(&self) -> Vec<Vec<f64>> {
        let all = milestones(self.grace_period, self.max_t, self.reduction_factor);
        (0..all.len().min(self.brackets as usize)).map(|first| all[first..].to_vec()).collect()
    }

    /// The probability of each bracket to get a new trial, as the settings stand; they sum to 1.
    pub fn bracket_odds(&self) -> Vec<f64> {
        // Relative to the largest power, which is the first, so that many rungs don't overflow.
        let weights: Vec<f64> = self.rungs().iter().enumerate().map(|(fewer, _)| (-(fewer as f64)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// The bracket of a trial, from 0, until the trial is over.
    pub fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        self.run.as_ref()?.bracket_of(trial)
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let refuse = |setting, value: String, expected| {
            Err(ScheduleError::Setting { scheduler: "Asha", setting, value, expected })
        };
        if self.max_t == 0 {
            return refuse("max_t", self.max_t.to_string(), "at least 1");
        }
        if self.grace_period == 0 || self.grace_period > self.max_t {
            return refuse("grace_period", self.grace_period.to_string(), "at least 1 and at most `max_t`");
        }
        if !self.reduction_factor.is_finite() || self.reduction_factor <= 1.0 {
            return refuse("reduction_factor", self.reduction_factor.to_string(), "a finite number above 1");
        }
        if milestones(self.grace_period, self.max_t, self.reduction_factor).len() > MOST_RUNGS {
            let expected = "so far above 1 that there are no more than 1000 rungs up to `max_t`";
            return refuse("reduction_factor", self.reduction_factor.to_string(), expected);
        }
        if self.brackets == 0 {
            return refuse("brackets", self.brackets.to_string(), "at least 1");
        }
        if self.time_attr.is_empty() {
            return refuse("time_attr", "empty".to_owned(), "the name of a metric, as in `training_iteration`");
        }
        Ok(())
    }

    /// A run in which nobody has reported.
    fn begin(&self) -> Run {
        let brackets = self.rungs().iter().map(|times| Bracket::new(times, self.reduction_factor)).collect();
        Run::new(brackets, self.bracket_odds(), self.seed)
    }

    /// The time and the score (more is better) in `report`, if it has both.
    fn read(&self, report: &Report) -> Option<(f64, f64)> {
        let objective = self.objective.as_ref()?;
        Some((report.number(&self.time_attr)?, objective.score(report.number(&objective.metric)?)))
    }

    fn judge(&mut self, trial: TrialId, time: f64, score: f64) -> Judgement {
        self.run.as_mut().map_or(Judgement::NoRung, |run| run.judge(trial, time, score))
    }
}

impl Scheduler for Asha {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let Some((time, score)) = self.read(report) else { return Verdict::CONTINUE };
        if self.at_max_t == AtMaxT::Stop && time >= self.max_t as f64 {
            return Verdict::stop(format!("{} {time} has reached max_t {}", self.time_attr, self.max_t));
        }
        match (self.judge(trial, time, score), &self.objective) {
            (Judgement::Bad { milestone, cut_off, seen }, Some(objective)) => Verdict::stop(reason::behind(
                milestone,
                // Scoring is its own inverse.
                (objective.score(score), objective.score(cut_off)),
                self.reduction_factor,
                seen,
            )),
            _ => Verdict::CONTINUE,
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        if let Some(run) = &mut self.run {
            run.add(trial);
        }
    }

    /// Records the trial's last report at the rung it reached, if it isn't recorded there, and forgets the trial.
    ///
    /// The last report is new to this scheduler if a stop rule or `max_t` answered it. Of a trial that ends while it is
    /// pending or paused, it has been judged before, and recording it again changes nothing; hence only errors need
    /// telling apart. A trial that failed may be tried again by hand: its place is kept, so that it isn't counted twice.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        if ending == Ending::Error {
            return Vec::new();
        }
        if let Some((time, score)) = last.and_then(|report| self.read(report)) {
            self.judge(trial, time, score);
        }
        if let Some(run) = &mut self.run {
            run.forget(trial);
        }
        Vec::new()
    }

    /// Checks the settings and sets the rungs up; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        settle_objective("Asha", &mut self.objective, objective)?;
        self.run = Some(self.begin());
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn save(&self) -> Option<PartState> {
        self.saved()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.take_up(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("Asha", self)
    }

    fn name(&self) -> &str {
        "Asha"
    }
}
