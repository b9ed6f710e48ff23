//! Patience: another scheduler may stop a trial only once it has got no better for a while.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::number::told_apart;
use super::{Cohort, ScheduleError, Scheduler, in_words, settle_objective};
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm, float, nothing};

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
/// #     for step in 1..=20 { trial.report([("loss", (f64::from(step) - config.get::<f64>("best")?).abs())])?; }
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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Patient {
    patience: u32,
    #[serde(default, with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    min_delta: f64,
    #[serde(default)]
    objective: Option<Objective>,
    #[serde(default)]
    inner: Option<Box<dyn Scheduler>>,
    /// Its own, and those of the scheduler inside.
    #[serde(skip)]
    objectives: Vec<Objective>,
    #[serde(skip)]
    state: State,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    live: HashMap<TrialId, Window>,
}

/// The last reports of a trial, and the best before them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Window {
    iteration: u64,
    /// None as long as there was none before; NaN if none was a number.
    #[serde(with = "float")]
    before: Option<f64>,
    #[serde(with = "float")]
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

impl Patient {
    /// Stops trials whose last `patience + 1` reports have brought nothing better.
    pub fn new(patience: u32) -> Self {
        let (objectives, state) = (Vec::new(), State::default());
        Self { patience, min_delta: 0.0, objective: None, inner: None, objectives, state }
    }

    setters! {
        /// The scheduler that stops trials. By default there is none, and all trials that are out of patience stop.
        of(scheduler: impl Scheduler + 'static) => inner = Some(Box::new(scheduler));

        /// How much worse than the best before them the last reports may be; a finite number from 0 on. Default 0.
        min_delta(min_delta: f64) => min_delta = min_delta;

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    fn state_form(&self) -> StateForm {
        let objective = self.objective.as_ref().map_or_else(|| "none".to_owned(), in_words);
        StateForm::new(PART).under("objective", objective)
    }

    /// What the trial's reports come to, in words; none while it has patience.
    fn impatience(&mut self, trial: TrialId, report: &Report) -> Option<String> {
        let Self { patience, min_delta, ref objective, .. } = *self;
        let objective = objective.as_ref()?;
        let score = objective.score(report.number(&objective.metric)?);
        let window = self.state.live.entry(trial).or_default();
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

    fn inner(&self) -> Option<&dyn Scheduler> {
        self.inner.as_deref()
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Scheduler> {
        match &mut self.inner {
            Some(inner) => Some(&mut **inner),
            None => None,
        }
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.state.live.remove(&trial);
        self.inner.as_mut().map(|inner| inner.on_end(trial, ending, last, cohort)).unwrap_or_default()
    }

    /// Checks the settings, and those of the scheduler inside, which has the same objective.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        Check(PART).not_negative("min_delta", self.min_delta)?;
        settle_objective(PART, &mut self.objective, objective)?;
        let own = self.objective.as_ref();
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

    fn save(&self) -> Option<PartState> {
        let inner = self.inner.as_ref().map_or(Some(PartState::Null), |inner| inner.save())?;
        self.state_form().pack_around(&self.state, inner)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (state, inner) = self.state_form().unpack_around(state)?;
        match &mut self.inner {
            Some(part) => part.restore(inner)?,
            None => nothing("the scheduler inside", &inner)?,
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
