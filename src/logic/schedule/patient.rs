//! Patience: another scheduler may stop a trial only once it has got no better for a while.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::number::told_apart;
use super::{Buffering, Cohort, ScheduleError, Scheduler, from_spec, settle_objective};
use crate::logic::config::Config;
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{Float, PartState, StateError, common_run, float, nothing, pack, same, unpack};

const PART: &str = "Patient";

/// Lets another scheduler stop a trial only if its last [`patience`](Patient::new)` + 1` reports have brought nothing
/// better than those before; without [another](Patient::of), it stops such a trial itself.
///
/// A trial is out of patience if the best of those last reports is worse than the best of all before them, by more than
/// [`min_delta`](Patient::min_delta). As long as it isn't, a stop by the scheduler inside is passed over and the trial
/// goes on. The scheduler inside hears of every report all the same.
///
/// When to use it: around a scheduler that looks at one report at a time, such as [`Percentile`](super::Percentile),
/// [`Wilcoxon`](super::Wilcoxon), [`MedianStopping`](super::MedianStopping) or [`Asha`](super::Asha) in its stopping
/// form, when learning curves have bumps. Or alone, to stop trials that have converged without comparing them. A scheduler
/// that halves whole groups, as [`HyperBand`](super::HyperBand), ends others than the trial that reported; it has its way
/// with those.
///
/// - What is counted is reports that have the metric. Those of a trial that is tried again don't count until it is where
///   it was.
/// - NaN is never better; among reports that are nothing but NaN patience runs out.
/// - A stop at the `max_t` of the scheduler inside is passed over as well: a trial that still gets better runs on until it
///   doesn't. Set a stop rule where it has to end.
///
/// A report costs O(patience) and what the scheduler inside takes; nothing is kept of a trial that has ended.
///
/// ```
/// use tryout::prelude::*;
///
/// # let trainable = function("bump", |config: Config, trial| {
/// #     for step in 1..=20 { trial.report([("loss", (f64::from(step) - config.number("best").unwrap_or(0.0)).abs())])?; }
/// #     Ok(())
/// # });
/// // The loss falls until the iteration `best`, and rises from there.
/// let results = Experiment::new("bump", trainable)
///     .space(Space::new().with("best", grid([5.0, 30.0])))
///     .objective(Objective::min("loss"))
///     .scheduler(Patient::new(2))
///     .run()?;
/// # let iterations: Vec<_> = results.trials().iter().map(|trial| trial.last.as_ref().map_or(0, |last| last.iteration())).collect();
/// assert_eq!(iterations, [8, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Optuna's `PatientPruner`.
pub struct Patient {
    settings: Settings,
    inner: Option<Box<dyn Scheduler>>,
    /// Its own, and those of the scheduler inside.
    objectives: Vec<Objective>,
    live: HashMap<TrialId, Window>,
}

impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.as_deref().map(Scheduler::name);
        f.debug_struct(PART).field("settings", &self.settings).field("inner", &inner).finish_non_exhaustive()
    }
}

/// Its own settings, and those of the scheduler inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    patience: u32,
    #[serde(default, with = "float")]
    min_delta: f64,
    #[serde(default)]
    objective: Option<Objective>,
    #[serde(default)]
    inner: Option<PartSpec>,
}

/// The last reports of a trial, and the best before them.
#[derive(Clone, Debug, Default)]
struct Window {
    iteration: u64,
    /// None as long as there was none before; NaN if none was a number.
    before: Option<f64>,
    recent: VecDeque<f64>,
}

impl Window {
    /// The best before the last reports and the best of those, once there are enough.
    fn record(&mut self, iteration: u64, score: f64, patience: u32) -> Option<(f64, f64)> {
        if iteration > self.iteration {
            self.iteration = iteration;
            self.recent.push_back(score);
        }
        while self.recent.len() > patience as usize + 1 {
            let oldest = self.recent.pop_front().unwrap_or(f64::NAN);
            self.before = Some(self.before.unwrap_or(f64::NAN).max(oldest));
        }
        let best = self.recent.iter().copied().fold(f64::NAN, f64::max);
        self.before.map(|before| (before, best))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    objective: Objective,
    run: RunId,
    /// Trial, its last iteration, the best before its last reports, and those.
    live: Vec<(u32, u64, Option<Float>, Vec<Float>)>,
    inner: PartState,
}

impl Patient {
    /// Stops trials whose last `patience + 1` reports have brought nothing better.
    pub fn new(patience: u32) -> Self {
        let settings = Settings { patience, min_delta: 0.0, objective: None, inner: None };
        Self { settings, inner: None, objectives: Vec::new(), live: HashMap::new() }
    }

    /// The scheduler that stops trials; none if not said, so that all that are out of patience stop.
    #[must_use]
    pub fn of(mut self, scheduler: impl Scheduler + 'static) -> Self {
        self.inner = Some(Box::new(scheduler));
        self
    }

    /// How much worse than the best before them the last reports may be; a finite number from 0 on. Default 0.
    #[must_use]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.settings.min_delta = min_delta;
        self
    }

    /// What counts. Not needed if the experiment has an objective.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        self.settings.objective = Some(objective);
        self
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let mut settings: Settings = spec.read()?;
        let inner = settings.inner.take().map(|inner| from_spec(&inner)).transpose()?;
        Ok(Self { settings, inner, objectives: Vec::new(), live: HashMap::new() })
    }

    /// What the trial's reports come to, in words; none while it has patience.
    fn impatience(&mut self, trial: TrialId, report: &Report) -> Option<String> {
        let Settings { patience, min_delta, ref objective, .. } = self.settings;
        let objective = objective.as_ref()?;
        let score = objective.score(report.number(&objective.metric)?);
        let window = self.live.entry(trial).or_default();
        let (before, best) = window.record(report.iteration(), score, patience)?;
        let gets_better = best >= before - min_delta || (before.is_nan() && !best.is_nan());
        // Scoring is its own inverse.
        let (best, before) = told_apart(objective.score(best), objective.score(before));
        let reports = u64::from(patience) + 1;
        (!gets_better)
            .then(|| format!("the best of its last {reports} reports, {best}, is worse than {before} before them"))
    }
}

impl Scheduler for Patient {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        let impatience = self.impatience(trial, report);
        let Some(inner) = &mut self.inner else { return impatience.map_or(Verdict::CONTINUE, Verdict::stop) };
        let verdict = inner.on_report(trial, report, cohort);
        match (verdict.decision, impatience) {
            (Decision::Stop, None) => Verdict { directives: verdict.directives, ..Verdict::CONTINUE },
            _ => verdict,
        }
    }

    fn complete(&mut self, trial: TrialId, config: &mut Config) {
        if let Some(inner) = &mut self.inner {
            inner.complete(trial, config);
        }
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) {
        if let Some(inner) = &mut self.inner {
            inner.on_add(trial, config);
        }
    }

    fn on_retry(&mut self, trial: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        self.inner.as_mut().map(|inner| inner.on_retry(trial, cohort)).unwrap_or_default()
    }

    fn on_resume(&mut self, trial: TrialId) {
        if let Some(inner) = &mut self.inner {
            inner.on_resume(trial);
        }
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.live.remove(&trial);
        self.inner.as_mut().map(|inner| inner.on_end(trial, ending, last, cohort)).unwrap_or_default()
    }

    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        match &mut self.inner {
            Some(inner) => inner.choose(cohort),
            None => cohort.first_pending().or_else(|| cohort.first_paused()),
        }
    }

    /// Checks the settings, and those of the scheduler inside, which has the same objective.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        let min_delta = self.settings.min_delta;
        if !min_delta.is_finite() || min_delta < 0.0 {
            let (value, expected) = (min_delta.to_string(), "a finite number from 0 on");
            return Err(ScheduleError::Setting { scheduler: PART, setting: "min_delta", value, expected });
        }
        settle_objective(PART, &mut self.settings.objective, objective)?;
        let own = self.settings.objective.as_ref();
        self.objectives = own.cloned().into_iter().collect();
        if let Some(inner) = &mut self.inner {
            inner.prepare(own)?;
            let others = inner.objectives().iter().filter(|objective| Some(*objective) != own);
            self.objectives.extend(others.cloned());
        }
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn buffering(&self) -> Buffering {
        self.inner.as_ref().map_or(Buffering::Allowed, |inner| inner.buffering())
    }

    fn save(&self) -> Option<PartState> {
        let saved = |(trial, window): (&TrialId, &Window)| {
            let recent = window.recent.iter().copied().map(Float).collect();
            (trial.number(), window.iteration, window.before.map(Float), recent)
        };
        let mut live: Vec<_> = self.live.iter().map(saved).collect();
        live.sort_unstable_by_key(|(number, ..)| *number);
        let inner = match &self.inner {
            Some(inner) => inner.save()?,
            None => PartState::Null,
        };
        let (objective, run) = (self.settings.objective.clone()?, common_run(self.live.keys().copied())?);
        pack(PART, &Saved { objective, run, live, inner })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        let words = |objective: Option<&Objective>| objective.map_or_else(|| "none".to_owned(), super::in_words);
        same(PART, "objective", &words(Some(&saved.objective)), &words(self.settings.objective.as_ref()))?;
        match &mut self.inner {
            Some(inner) => inner.restore(saved.inner)?,
            None => nothing("the scheduler inside", &saved.inner)?,
        }
        let restored = |(number, iteration, before, recent): (u32, u64, Option<Float>, Vec<Float>)| {
            let recent = recent.into_iter().map(|score| score.0).collect();
            (TrialId::new(saved.run, number), Window { iteration, before: before.map(|score| score.0), recent })
        };
        self.live = saved.live.into_iter().map(restored).collect();
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        let inner = match &self.inner {
            Some(inner) => Some(inner.spec()?),
            None => None,
        };
        PartSpec::new(PART, &Settings { inner, ..self.settings.clone() })
    }

    fn name(&self) -> &str {
        PART
    }
}
