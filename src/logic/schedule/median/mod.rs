//! The median stopping rule: trials whose best is worse than what is usual by that time stop.

use serde::{Deserialize, Serialize};

use self::run::{Others, Run};
use super::number::{short, told_apart};
use super::{Cohort, ScheduleError, Scheduler, scored, settle_objective, steps};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};
use crate::logic::trial::Status;

mod history;
mod middle;
mod run;

/// What becomes of a trial that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhenBehind {
    /// It is stopped.
    #[default]
    Stop,
    /// It is paused once; when its turn comes again it runs to its end. (Ray Tune: `hard_stop=False`.)
    PauseOnce,
}

/// Stops a trial whose best score so far is worse than the median of the others' means: the median stopping rule.
///
/// A trial is judged at each report from [`grace_period`](MedianStopping::grace_period) on. The others are all trials
/// that have reached its time, whether they still run or not; of each counts the mean of the scores that it reported from
/// the end of the grace period up to that time. A mean that isn't finite is left out. If fewer than
/// [`min_samples`](MedianStopping::min_samples) are left, nobody is stopped; but the trial makes room for those that
/// wait, if there are any and it had its [`min_time_slice`](MedianStopping::min_time_slice).
///
/// When to use it: with scores that get better by and by and whose level tells the trials apart, if there are no natural
/// milestones. It judges at any time, has no ladder to be set up, and stops about half at most. Where you can afford to
/// stop more, take [`Asha`](super::Asha).
///
/// - The best of all reports counts for the trial itself, those in the grace period included. NaN is never the best; a
///   trial that reported nothing but NaN is behind.
/// - A trial that was paused because it was behind isn't judged again, and what it reports isn't recorded, but for its
///   last report.
/// - The last report of a trial that ends by it counts in its mean when it was judged and when the trial ends: twice if
///   both happen, as with a stop by this rule. That is as in Ray Tune, whose recorded decisions depend on it.
/// - A trial that falls back behind a time it had reached, because it is tried again, keeps what it reported before;
///   what it repeats counts for its best only.
/// - A paused trial's turn comes after all pending ones, in the order in which the trials were added.
/// - A report without the metric, or without the time attribute, changes nothing.
///
/// Costs, with n trials: if trials report at the same times, as they do by `training_iteration`, O(log n) a report, plus
/// O(n) once for each of these times. A report at a time of its own, as by `time_total_s`, is compared with everybody
/// that has got there, which costs O(n log k) with k reports a trial. Each report takes up to 100 bytes until the run
/// ends: every trial may yet be compared with every other.
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
///     .scheduler(MedianStopping::new().grace_period(3.0).min_samples(1))
///     .run()?;
/// # let iterations: Vec<_> = results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect();
/// assert_eq!(iterations, [10, 3, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2; the grace period,
/// the time slices and the trials that are compared are those of Ray Tune's `MedianStoppingRule`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MedianStopping {
    time_attr: String,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    grace_period: f64,
    min_samples: u32,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    min_time_slice: f64,
    when_behind: WhenBehind,
    objective: Option<Objective>,
    #[serde(skip)]
    run: Option<Run>,
}

impl Default for MedianStopping {
    fn default() -> Self {
        Self {
            time_attr: "training_iteration".to_owned(),
            grace_period: 1.0,
            min_samples: 3,
            min_time_slice: 0.0,
            when_behind: WhenBehind::Stop,
            objective: None,
            run: None,
        }
    }
}

impl MedianStopping {
    /// With the defaults: `grace_period` 1, by `training_iteration`, with at least 3 others.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// The time from which on trials are judged and their scores count in their means; from 0. Default 1.
        grace_period(grace_period: f64) => grace_period = grace_period;

        /// How many others must have got as far for a trial to be judged; from 1. Default 3.
        min_samples(min_samples: u32) => min_samples = min_samples;

        /// The time that a trial runs at least before it makes room again; from 0. Default 0.
        min_time_slice(min_time_slice: f64) => min_time_slice = min_time_slice;

        /// What becomes of a trial that is behind. Default [`WhenBehind::Stop`].
        when_behind(when_behind: WhenBehind) => when_behind = when_behind;

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    /// The means begin where the grace period ended when they were made.
    fn state_form(&self) -> StateForm {
        scored("MedianStopping", &self.time_attr, self.objective.as_ref()).under("grace_period", self.grace_period)
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let check = Check("MedianStopping");
        check.not_negative("grace_period", self.grace_period)?;
        check.not_negative("min_time_slice", self.min_time_slice)?;
        check.require(self.min_samples > 0, "min_samples", self.min_samples, "at least 1")?;
        Ok(check.time_attr(&self.time_attr)?)
    }

    /// The time and the score (more is better) in `report`, if it has both.
    fn read(&self, report: &Report) -> Option<(f64, f64)> {
        steps::read(&self.time_attr, self.objective.as_ref(), report)
    }

    /// `time_total_s 90: the best, 0.41, is worse than 0.37, the median of 12 running means`.
    fn behind(&self, time: f64, best: f64, median: f64, count: usize) -> String {
        // Scoring is its own inverse.
        let value = |score: f64| self.objective.as_ref().map_or(score, |objective| objective.score(score));
        let (best, median) = told_apart(value(best), value(median));
        let (attr, time) = (&self.time_attr, short(time));
        format!("{attr} {time}: the best, {best}, is worse than {median}, the median of {count} running means")
    }
}

impl Scheduler for MedianStopping {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        let Some((time, score)) = self.read(report) else { return Verdict::CONTINUE };
        let Some(run) = &mut self.run else { return Verdict::CONTINUE };
        let place = run.join(trial);
        run.unpause(place);
        if run.history(place).condemned {
            return Verdict::CONTINUE;
        }
        if time < self.grace_period {
            run.record(place, time, score);
            return Verdict::CONTINUE;
        }
        // Asked before the report is recorded: as a rule it isn't among those at its time yet, and needn't be taken out.
        let Others { median, count } = run.others(place, time);
        run.record(place, time, score);
        let history = run.history(place);
        let Some(median) = median.filter(|_| count >= self.min_samples as usize) else {
            let waits = || cohort.count(Status::Pending) > 0 || cohort.first_paused().is_some();
            if history.yielded.is_none_or(|yielded| time - yielded > self.min_time_slice) && waits() {
                history.yielded = Some(time);
                run.pause(place);
                let (attr, time, needed) = (&self.time_attr, short(time), self.min_samples);
                return Verdict::pause(format!(
                    "{attr} {time}: makes room, as {count} of {needed} others got this far"
                ));
            }
            return Verdict::CONTINUE;
        };
        let best = history.best;
        if best >= median {
            return Verdict::CONTINUE;
        }
        if self.when_behind == WhenBehind::PauseOnce {
            history.condemned = true;
            run.pause(place);
        }
        let reason = self.behind(time, best, median, count);
        match self.when_behind {
            WhenBehind::Stop => Verdict::stop(reason),
            WhenBehind::PauseOnce => Verdict::pause(reason),
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        if let Some(run) = &mut self.run {
            run.join(trial);
        }
    }

    /// Records the trial's last report, which is new to this scheduler if a stop rule answered it or the trial called it
    /// its last. A trial that failed keeps its place: it may be tried again by hand.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        let last = last.and_then(|report| self.read(report));
        let Some(run) = &mut self.run else { return Vec::new() };
        let place = run.join(trial);
        run.unpause(place);
        if ending == Ending::Error {
            return Vec::new();
        }
        if let Some((time, score)) = last {
            let ended_by_it = matches!(ending, Ending::Done | Ending::StopRule | Ending::Scheduler);
            if time > run.history(place).last {
                run.record(place, time, score);
            } else if ended_by_it && time == run.history(place).last {
                run.count_again(place, score);
            }
        }
        run.forget(trial);
        Vec::new()
    }

    /// The first pending trial, else the first paused one in the order in which they were added.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let paused = || self.run.as_ref().and_then(|run| run.first_paused(cohort));
        cohort.first_pending().or_else(paused).or_else(|| cohort.first_paused())
    }

    /// Checks the settings; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        settle_objective("MedianStopping", &mut self.objective, objective)?;
        self.run = Some(Run::new(self.grace_period));
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
        let before: Run = self.state_form().unpack(state)?;
        let count = before.histories.len();
        if let Some(place) = before.paused.last().filter(|place| **place >= count) {
            return Err(self.state_form().wrong("the last of `paused`", place, format_args!("less than {count}")));
        }
        self.run = Some(Run::new(self.grace_period).since(before));
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("MedianStopping", self)
    }

    fn name(&self) -> &str {
        "MedianStopping"
    }
}
