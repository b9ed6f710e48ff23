//! Asynchronous successive halving: trials that are behind at a rung stop there, or wait until they aren't.

use serde::{Deserialize, Serialize};

pub(super) use self::bracket::milestones;
use self::bracket::{Bracket, Judgement};
use self::gate::Gate;
use self::promotion::{Answer, Promotion};
pub(super) use self::reason::share;
use self::run::Run;
pub use self::settings::AshaForm;
pub(super) use self::settings::ladder;
use super::{AtMaxT, Buffering, Cohort, ScheduleError, Scheduler, settle_objective};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, float};

mod bracket;
mod gate;
mod promotion;
mod reason;
mod run;
mod settings;
mod state;

/// A run, in either form.
#[derive(Clone, Debug)]
enum Going {
    Stopping(Run<Bracket>),
    Promotion(Promotion),
}

/// Stops the trials that are behind, or has them wait: asynchronous successive halving, in both its forms.
///
/// In the *stopping* form, the default, a trial is looked at when it reaches a *rung*: at the times `grace_period`, `grace_period * reduction_factor`,
/// `grace_period * reduction_factor²` and so on, up to `max_t`. If it is worse there than the best
/// `1 / reduction_factor` of those that were there before it, it stops. The first one at a rung always goes on; so does
/// one that reports NaN, which counts for nothing in what the others are compared with. Nobody is ever paused, and
/// nobody comes back.
///
/// In the *promotion* form it waits at the rung instead, and is promoted as soon as it is among the best
/// `1 / reduction_factor` of all that were there, NaN being worse than any number. Where there is room, the best one of
/// the highest rung at which somebody can be promoted goes on, else a new trial begins. Nobody waits at `max_t`. If
/// nothing runs any more and no other trial is to come, the rungs are closed: `n / reduction_factor` places are rounded
/// up, those who have one go on, and the others end.
///
/// When to use it: with many trials of which most show early that they are no good; it is the default choice then. The
/// stopping form needs no checkpoints and keeps the workers busy with trials that are there, but the first ones at a rung
/// go on however bad they are. The promotion form spends nothing on those, if a trial can be paused cheaply and there are
/// many times more trials than workers.
///
/// A trial that jumps over rungs is judged once, at the highest that it reached. A report without the metric, or without
/// the time attribute, changes nothing.
///
/// With several brackets, each has its own rungs: bracket `s` begins at `grace_period * reduction_factor^s`. Brackets
/// that would have no rung at all are left out. A new trial is put into a bracket of `K` rungs with a probability
/// proportional to `e^K`, drawn from [`seed`](Asha::seed).
///
/// A report costs O(log n) with n trials seen at its rung, and so does the choice of the next trial.
///
/// ```
/// use tryout::prelude::*;
///
/// let asha = Asha::new().max_t(81).grace_period(1).reduction_factor(3.0);
/// assert_eq!(asha.rungs(), [[1.0, 3.0, 9.0, 27.0, 81.0]]);
/// ```
///
/// ```
/// use tryout::prelude::*;
///
/// let asha = Asha::new().max_t(27).reduction_factor(3.0).form(AshaForm::Promotion);
/// ```
///
/// Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", MLSys, algorithm 2, for the promotion
/// form; the stopping form and the brackets are those of Ray Tune's `AsyncHyperBandScheduler`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Asha {
    max_t: u64,
    grace_period: u64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    reduction_factor: f64,
    brackets: u32,
    at_max_t: AtMaxT,
    time_attr: String,
    objective: Option<Objective>,
    seed: Option<u64>,
    form: AshaForm,
    #[serde(skip)]
    run: Option<Going>,
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
            seed: None,
            form: AshaForm::Stopping,
            run: None,
        }
    }
}

impl Asha {
    /// With the defaults: `max_t` 100, `grace_period` 1, `reduction_factor` 4, one bracket, by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The time at which a trial is over, and where the last rung may stand; from 1. Default 100.
        max_t(max_t: u64) => max_t = max_t;

        /// The time of the first rung: nobody stops before it. From 1 to `max_t`. Default 1.
        grace_period(grace_period: u64) => grace_period = grace_period;

        /// One in how many goes on at a rung, and the ratio of a rung's time to that of the one below. Above 1, and large
        /// enough to give no more than 1000 rungs. Default 4.
        reduction_factor(reduction_factor: f64) => reduction_factor = reduction_factor;

        /// How many brackets there are; from 1. Those that would have no rung are left out. Default 1.
        brackets(brackets: u32) => brackets = brackets;

        /// What becomes of a trial that reaches `max_t`. Default [`AtMaxT::Stop`].
        at_max_t(at_max_t: AtMaxT) => at_max_t = at_max_t;

        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);

        /// The seed of the draw of brackets; the same seed and the same order of trials give the same brackets. Without
        /// effect on a single bracket. Default: that of the experiment.
        seed(seed: u64) => seed = Some(seed);

        /// What becomes of those that aren't among the best at a rung. Default [`AshaForm::Stopping`].
        form(form: AshaForm) => form = form;
    }

    /// The bracket of a trial, from 0, until the trial is over.
    pub fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        match self.run.as_ref()? {
            Going::Stopping(run) => run.bracket_of(trial),
            Going::Promotion(promotion) => promotion.run.bracket_of(trial),
        }
    }

    /// Of each bracket the rungs that somebody has reached: the time, and how many were there.
    fn reached(&self) -> Vec<Vec<(f64, usize)>> {
        let of = |rungs: Vec<(f64, usize)>| rungs.into_iter().filter(|(_, seen)| *seen > 0).collect();
        match &self.run {
            None => Vec::new(),
            Some(Going::Stopping(run)) => run.brackets.iter().map(|bracket| of(bracket.seen())).collect(),
            Some(Going::Promotion(promotion)) => {
                let seen = |gates: &Vec<Gate>| gates.iter().map(|gate| (gate.milestone(), gate.seen())).collect();
                promotion.run.brackets.iter().map(|gates| of(seen(gates))).collect()
            }
        }
    }

    /// The time and the score (more is better) in `report`, if it has both.
    fn read(&self, report: &Report) -> Option<(f64, f64)> {
        let objective = self.objective.as_ref()?;
        Some((report.number(&self.time_attr)?, objective.score(report.number(&objective.metric)?)))
    }
}

impl Scheduler for Asha {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        let Some((time, score)) = self.read(report) else { return Verdict::CONTINUE };
        if self.at_max_t == AtMaxT::Stop && time >= self.max_t as f64 {
            return Verdict::stop(format!("{} {time} has reached max_t {}", self.time_attr, self.max_t));
        }
        match &mut self.run {
            None => Verdict::CONTINUE,
            Some(Going::Stopping(run)) => match run.judge(trial, time, score) {
                Judgement::Bad { milestone, cut_off, seen } => {
                    let values = self.values(score, cut_off);
                    Verdict::stop(reason::behind(milestone, values, self.reduction_factor, seen))
                }
                _ => Verdict::CONTINUE,
            },
            Some(Going::Promotion(promotion)) => {
                let verdict = match promotion.report(trial, time, score) {
                    Answer::GoOn => Verdict::CONTINUE,
                    Answer::Wait(standing) => self.waits(standing, score),
                };
                Verdict { directives: self.dismiss(trial, cohort), ..verdict }
            }
        }
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        match &mut self.run {
            None => {}
            Some(Going::Stopping(run)) => run.add(trial),
            Some(Going::Promotion(promotion)) => promotion.run.add(trial),
        }
    }

    fn on_revive(&mut self, trial: TrialId, _: &Config, last: Option<&Report>) {
        // Before it reported, it had reached nothing.
        let time = last.and_then(|report| report.number(&self.time_attr)).unwrap_or(f64::NEG_INFINITY);
        match &mut self.run {
            None => {}
            Some(Going::Stopping(run)) => run.rejoin(trial, |bracket| bracket.reached(time)),
            Some(Going::Promotion(promotion)) => promotion.rejoin(trial, time),
        }
    }

    /// `reached 1: 27, 3: 9, 9: 3`, with several brackets each by its number.
    fn progress(&self) -> Option<String> {
        reason::reached(&self.reached())
    }

    fn take_seed(&mut self, seed: u64) {
        self.seed.get_or_insert(seed);
    }

    /// Records the trial's last report at the rung it reached, if it isn't recorded there, and forgets the trial.
    ///
    /// The last report is new to this scheduler if a stop rule or `max_t` answered it. Of a trial that ends while it is
    /// pending or paused, it has been judged before, and recording it again changes nothing; hence only errors need
    /// telling apart. A trial that failed may be tried again by hand: its place is kept, so that it isn't counted twice.
    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        let failed = ending == Ending::Error;
        let last = last.and_then(|report| self.read(report)).filter(|_| !failed);
        match &mut self.run {
            None => {}
            Some(Going::Promotion(promotion)) if failed => promotion.let_go(trial),
            Some(Going::Promotion(promotion)) => promotion.end(trial, last),
            Some(Going::Stopping(_)) if failed => {}
            Some(Going::Stopping(run)) => {
                if let Some((time, score)) = last {
                    run.judge(trial, time, score);
                }
                run.forget(trial);
            }
        }
        self.dismiss(trial, cohort)
    }

    /// In the stopping form the first pending trial, else the one that was paused first. In the promotion form who is to
    /// be promoted, else the first pending trial.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        match &mut self.run {
            Some(Going::Promotion(promotion)) => promotion.choose(cohort),
            _ => cohort.first_pending().or_else(|| cohort.first_paused()),
        }
    }

    /// Checks the settings and sets the rungs up; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        settle_objective("Asha", &mut self.objective, objective)?;
        self.run = Some(self.begin());
        Ok(())
    }

    /// In the promotion form a trial must not run past its rung while its reports wait.
    fn buffering(&self) -> Buffering {
        match self.form {
            AshaForm::Stopping => Buffering::Allowed,
            AshaForm::Promotion => Buffering::Refused,
        }
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    fn time_attr(&self) -> Option<&str> {
        Some(&self.time_attr)
    }

    fn save(&self) -> Option<PartState> {
        self.state()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.load_state(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new("Asha", self)
    }

    fn name(&self) -> &str {
        "Asha"
    }
}
