//! Asynchronous successive halving by several metrics: who is dominated by too many at a rung stops there.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use self::rung::{Rung, Standing};
use super::asha::{ladder, milestones, share};
use super::number::short;
use super::{AtMaxT, Cohort, ScheduleError, Scheduler, in_words};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, pareto};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float};

mod rung;

const PART: &str = "MoAsha";

/// Stops the trials that are behind in several metrics at once: [`Asha`](super::Asha) for objectives that pull in different
/// directions, as accuracy and size do. Of trials that are good at different things each goes on.
///
/// When to use it: with many trials and two or three metrics of which none is the one that counts; with more of them hardly
/// any trial dominates another.
///
/// A trial is looked at when it reaches a *rung*: at the times `grace_period`, `grace_period * reduction_factor` and so on, up
/// to `max_t`. There it is compared with those that came before it, the last [`memory`](MoAsha::memory) of them (256 if not
/// said). They are sorted into fronts: nobody dominates those on the first (is nowhere worse and somewhere better), only those
/// on the first dominate the ones on the second, and so on. On the same front, whoever has more room around it is the
/// better one; both ends of a front have most. If `1 / reduction_factor` of all or more are better, the trial stops. The
/// first one at a rung always goes on; so does one that reports NaN, which counts for nothing in what the others are compared
/// with. Nobody is ever paused, and nobody comes back.
///
/// A trial that jumps over rungs is judged once, at the highest that it reached. A report without one of the metrics, or
/// without the time attribute, changes nothing.
///
/// A report between rungs costs O(log rungs). One at a rung costs O(m log m) with `m` the memory for one or two objectives,
/// and at most O(m²) for more; neither grows with the number of trials. With 256 random points it took 18 µs for
/// two objectives and 60 µs for three.
///
/// ```
/// use tryout::prelude::*;
///
/// let moasha = MoAsha::new([Objective::max("accuracy"), Objective::min("latency")]).max_t(81).reduction_factor(3.0);
/// assert_eq!(moasha.rungs(), [1.0, 3.0, 9.0, 27.0, 81.0]);
/// ```
///
/// Source: Schmucker, Donini, Zafar, Salinas and Archambeau 2021, "Multi-objective Asynchronous Successive Halving", in its
/// stopping form. Theirs fills the last front by an epsilon-net and compares with all trials; here it is the crowding distance
/// of NSGA-II, which needs no scale, and the memory bounds what a report costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MoAsha {
    objectives: Vec<Objective>,
    max_t: u64,
    grace_period: u64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    reduction_factor: f64,
    memory: u32,
    at_max_t: AtMaxT,
    time_attr: String,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    rungs: Vec<Rung>,
    /// How many rungs, from below, each trial that hasn't ended has behind it.
    passed: HashMap<TrialId, u32>,
}

impl Default for MoAsha {
    fn default() -> Self {
        Self {
            objectives: Vec::new(),
            max_t: 100,
            grace_period: 1,
            reduction_factor: 4.0,
            memory: 256,
            at_max_t: AtMaxT::Stop,
            time_attr: "training_iteration".to_owned(),
            state: State::default(),
        }
    }
}

impl MoAsha {
    /// By `objectives`, each of them a metric that every report must have; if there are none, by the experiment's alone. With
    /// the defaults: `max_t` 100, `grace_period` 1, `reduction_factor` 4, a `memory` of 256, by `training_iteration`.
    pub fn new(objectives: impl IntoIterator<Item = Objective>) -> Self {
        Self { objectives: objectives.into_iter().collect(), ..Self::default() }
    }

    setters! {
        /// The time at which a trial is over, and where the last rung may stand; from 1. Default 100.
        max_t(max_t: u64) => max_t = max_t;

        /// The time of the first rung: nobody stops before it. From 1 to `max_t`. Default 1.
        grace_period(grace_period: u64) => grace_period = grace_period;

        /// One in how many goes on at a rung, and the ratio of a rung's time to that of the one below. Above 1, and large
        /// enough to give no more than 1000 rungs. Default 4.
        reduction_factor(reduction_factor: f64) => reduction_factor = reduction_factor;

        /// With how many of those that were at a rung before it a trial is compared, the latest; from 2 to 10,000. Default 256.
        memory(memory: u32) => memory = memory;

        /// What becomes of a trial that reaches `max_t`. Default [`AtMaxT::Stop`].
        at_max_t(at_max_t: AtMaxT) => at_max_t = at_max_t;

        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();
    }

    /// The times of the rungs, ascending, as the settings stand.
    pub fn rungs(&self) -> Vec<f64> {
        milestones(self.grace_period, self.max_t, self.reduction_factor)
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let check = Check(PART);
        let named = self.objectives.iter().all(|objective| !objective.metric.is_empty());
        check.require(named, "objectives", "a metric without a name", "names, as in `loss` or `test/accuracy`")?;
        ladder(check, self.max_t, self.grace_period, self.reduction_factor)?;
        check.require((2..=10_000).contains(&self.memory), "memory", self.memory, "from 2 to 10,000")?;
        Ok(check.time_attr(&self.time_attr)?)
    }

    /// A run in which nobody has reported.
    fn begin(&self) -> State {
        State { rungs: self.rungs().into_iter().map(Rung::new).collect(), passed: HashMap::new() }
    }

    fn state_form(&self) -> StateForm {
        let objectives: Vec<String> = self.objectives.iter().map(in_words).collect();
        let form = StateForm::new(PART).under("time_attr", &self.time_attr).under("objectives", objectives.join(", "));
        form.under("grace_period", self.grace_period).under("reduction_factor", self.reduction_factor)
    }

    /// The time and the scores in `report`, if it has all of them.
    fn read(&self, report: &Report) -> Option<(f64, Vec<f64>)> {
        let time = report.number(&self.time_attr)?;
        let score = |objective: &Objective| Some(objective.score(report.number(&objective.metric)?));
        Some((time, self.objectives.iter().map(score).collect::<Option<Vec<f64>>>()?))
    }

    /// Records a trial at the highest rung that it has reached, if it hasn't passed that. Answers how many were recorded there
    /// before, and where it stands.
    fn judge(&mut self, trial: TrialId, time: f64, scores: Vec<f64>) -> Option<(f64, u64, Standing)> {
        let reached = self.state.rungs.partition_point(|rung| rung.milestone <= time);
        let passed = self.state.passed.entry(trial).or_insert(0);
        if reached <= *passed as usize {
            return None;
        }
        *passed = u32::try_from(reached).unwrap_or(u32::MAX);
        let rung = self.state.rungs.get_mut(reached.checked_sub(1)?)?;
        if !pareto::is_complete(&scores) {
            return None;
        }
        let (seen, standing) = (rung.seen, rung.place(&scores));
        rung.record(scores, self.memory as usize);
        Some((rung.milestone, seen, standing))
    }

    /// `rung 9: on front 3 of 5, in the worse three quarters (27 seen)`.
    fn behind(&self, milestone: f64, seen: u64, standing: Standing) -> String {
        let Standing { front, fronts, .. } = standing;
        let (rung, worse) = (short(milestone), share(self.reduction_factor));
        format!("rung {rung}: on front {front} of {fronts}, in the worse {worse} ({seen} seen)")
    }
}

impl Scheduler for MoAsha {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let Some((time, scores)) = self.read(report) else { return Verdict::CONTINUE };
        if self.at_max_t == AtMaxT::Stop && time >= self.max_t as f64 {
            return Verdict::stop(format!("{} {time} has reached max_t {}", self.time_attr, self.max_t));
        }
        match self.judge(trial, time, scores) {
            Some((milestone, seen, standing)) if standing.is_behind(self.reduction_factor) => {
                Verdict::stop(self.behind(milestone, seen, standing))
            }
            _ => Verdict::CONTINUE,
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        self.state.passed.entry(trial).or_insert(0);
    }

    /// The rungs that it has behind it are passed.
    fn on_revive(&mut self, trial: TrialId, _: &Config, last: Option<&Report>) {
        let time = last.and_then(|report| report.number(&self.time_attr)).unwrap_or(f64::NEG_INFINITY);
        let reached = self.state.rungs.partition_point(|rung| rung.milestone <= time);
        let passed = self.state.passed.entry(trial).or_insert(0);
        *passed = u32::try_from(reached).unwrap_or(u32::MAX).max(*passed);
    }

    /// Records the trial's last report at the rung it reached, if it isn't recorded there, and forgets the trial, but not one
    /// that failed: it may be tried again by hand, and isn't to be counted twice.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        if ending == Ending::Error {
            return Vec::new();
        }
        if let Some((time, scores)) = last.and_then(|report| self.read(report)) {
            self.judge(trial, time, scores);
        }
        self.state.passed.remove(&trial);
        Vec::new()
    }

    /// Checks the settings and sets the rungs up; before it, every report is answered with "go on". The experiment's objective
    /// only says which trial is its best, unless there are no objectives here.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        if self.objectives.is_empty() {
            self.objectives.extend(objective.cloned());
        }
        if self.objectives.is_empty() {
            return Err(ScheduleError::NoObjective { scheduler: PART });
        }
        self.state = self.begin();
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn time_attr(&self) -> Option<&str> {
        Some(&self.time_attr)
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    /// Another `max_t` moves the end of the ladder: the rungs that stand in both keep their points. With a smaller memory the
    /// latest are kept.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (form, before) = (self.state_form(), self.state_form().unpack::<State>(state)?);
        let mut state = State { passed: before.passed, ..self.begin() };
        for (rung, before) in state.rungs.iter_mut().zip(before.rungs) {
            for point in before.recent {
                if point.len() != self.objectives.len() {
                    let found = format!("{} scores", point.len());
                    return Err(form.wrong("a point at a rung", found, self.objectives.len()));
                }
                rung.record(point, self.memory as usize);
            }
            rung.seen = before.seen;
        }
        self.state = state;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }

    fn name(&self) -> &str {
        PART
    }
}
