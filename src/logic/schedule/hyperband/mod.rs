//! HyperBand: brackets of trials that are halved together, from many short ones to a few long ones.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use self::bracket::{Bracket, Leaver, Standing, Why};
use self::plan::Plan;
use self::run::{Answer, Run};
pub use self::settings::Filling;
use super::number::{short, told_apart};
use super::{AtMaxT, Buffering, Cohort, ScheduleError, Scheduler, settle_objective, steps};
use crate::logic::config::Config;
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, float};

mod bracket;
mod plan;
mod run;
mod settings;
mod state;

/// Halves groups of trials together, and hedges over how early they may be judged: synchronous HyperBand.
///
/// Trials are put into *brackets* in the order in which they come. All trials of a bracket run to its first milestone;
/// who arrives there is paused until the others have. Then the best `1 / reduction_factor` run on to the next milestone,
/// which is `reduction_factor` times as late, and the others end. After its last halving a bracket's trials run to its
/// last milestone, `max_t` or a little less, and end there together.
///
/// The brackets of a *band* differ in how early they begin to judge: the first has few trials and never halves, the last
/// has many and judges soonest. When a bracket is full the next one is opened, and after the last of a band a new band.
/// [`band`](HyperBand::band) shows the plan.
///
/// When to use it: if early results may mislead, so that you don't know how soon to judge, and a pause is cheap. Its
/// trials must be able to save and restore; else they begin anew after each milestone. Where one slow trial must not
/// hold up others, or pausing is dear, take [`Asha`](super::Asha).
///
/// - A trial that ends early or fails leaves its bracket; if the others waited for it alone, they go on.
/// - A bracket that isn't full is halved once all the trials it has are at the milestone, to the size that a full one
///   would have; it takes new trials as long as it has room, also after a halving. So trials should be added well ahead
///   of those that run. With one trial at a time, each would be a bracket of its own.
/// - NaN is worse than any number. Of equal scores, the one of the trial that was added later is the better.
/// - A report without the metric, or without the time attribute, changes nothing.
///
/// A report costs O(log n) with n trials in the bracket, and a halving O(n log n).
///
/// [`for_bohb`](HyperBand::for_bohb) makes the form for a searcher that models; it differs in no more than the order in
/// which brackets are filled and what a halving waits for, hence it is a [setting](Filling).
///
/// ```
/// use tryout::prelude::*;
///
/// let hyperband = HyperBand::new().max_t(9).reduction_factor(3.0);
/// // Of each bracket: so many trials, until this time.
/// assert_eq!(hyperband.band(), [vec![(3, 9)], vec![(5, 3), (2, 9)], vec![(9, 1), (3, 3), (1, 9)]]);
/// ```
///
/// Source: Li et al. 2017, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR 18; with the
/// bracket sizes, the order of brackets and the choice of the next trial of Ray Tune's `HyperBandScheduler`. The form for
/// searchers that model: Falkner et al. 2018, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML,
/// and Ray Tune's `HyperBandForBOHB`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HyperBand {
    max_t: u64,
    #[serde(with = "float")]
    #[cfg_attr(feature = "cli", schemars(with = "f64"))]
    reduction_factor: f64,
    at_max_t: AtMaxT,
    filling: Filling,
    time_attr: String,
    objective: Option<Objective>,
    #[serde(skip)]
    run: Option<Run>,
}

impl Default for HyperBand {
    fn default() -> Self {
        Self {
            max_t: 81,
            reduction_factor: 3.0,
            at_max_t: AtMaxT::Stop,
            filling: Filling::SmallestFirst,
            time_attr: "training_iteration".to_owned(),
            objective: None,
            run: None,
        }
    }
}

impl HyperBand {
    /// With the defaults: `max_t` 81, `reduction_factor` 3, by `training_iteration`.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a searcher that models by budget, as BOHB does: brackets are filled [from the
    /// largest](Filling::LargestFirst). The searcher hears of every pause with the report that led to it
    /// ([`on_pause`](crate::logic::search::Searcher::on_pause)); the time in that is the budget.
    pub fn for_bohb() -> Self {
        Self::new().filling(Filling::LargestFirst)
    }

    setters! {
        /// The time at which the last trials of a bracket are over; from 1. Default 81.
        max_t(max_t: u64) => max_t = max_t;

        /// One in how many goes on at a milestone, and the ratio of a milestone to the one before; Li's *eta*. Above 1, and
        /// large enough to give no more than 1000 halvings. Default 3.
        reduction_factor(reduction_factor: f64) => reduction_factor = reduction_factor;

        /// What becomes of the trials that reach the last milestone. With [`AtMaxT::RunOn`] those that got over the last
        /// halving are never paused again. Default [`AtMaxT::Stop`].
        at_max_t(at_max_t: AtMaxT) => at_max_t = at_max_t;

        /// In which order brackets are filled, and when one may be halved. Default [`Filling::SmallestFirst`].
        filling(filling: Filling) => filling = filling;

        /// The name of the metric or automatic key that is a trial's time, in whatever unit; it must never fall. Default
        /// `training_iteration`.
        time_attr(time_attr: impl Into<String>) => time_attr = time_attr.into();

        /// What counts. Not needed if the experiment has an objective.
        objective(objective: Objective) => objective = Some(objective);
    }

    /// The brackets of a band as the settings stand, in the order in which they are filled; of each its rounds: how many
    /// trials, until what time. Brackets whose first milestone would be before time 1 are left out.
    pub fn band(&self) -> Vec<Vec<(u64, u64)>> {
        let plan = self.plan();
        plan.band(self.filling).into_iter().map(|start| plan.rounds(start)).collect()
    }

    /// The bracket, counted over all bands, of a trial that was added and hasn't left it.
    pub fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        self.run.as_ref()?.bracket_of(trial)
    }

    fn plan(&self) -> Plan {
        Plan { max_t: self.max_t, factor: self.reduction_factor }
    }

    /// The time and the score (more is better) in `report`, if it has both.
    fn read(&self, report: &Report) -> Option<(f64, f64)> {
        steps::read(&self.time_attr, self.objective.as_ref(), report)
    }

    fn reason(&self, leaver: Leaver) -> Cow<'static, str> {
        // Scoring is its own inverse.
        let value = |score: f64| self.objective.as_ref().map_or(score, |objective| objective.score(score));
        match leaver.why {
            Why::Behind { milestone, kept, of, least } => {
                let (own, least) = told_apart(value(leaver.member.score), value(least));
                format!(
                    "milestone {milestone}: {own} isn't among the best {kept} of {of} (the last of them has {least})"
                )
            }
            Why::Over { milestone } => {
                let time = short(leaver.member.time);
                format!("{} {time} has reached {milestone}, the end of its bracket", self.time_attr)
            }
        }
        .into()
    }

    fn directives(&self, leavers: Vec<Leaver>) -> Vec<Directive> {
        leavers.into_iter().map(|leaver| Directive::StopBecause(leaver.member.trial, self.reason(leaver))).collect()
    }
}

impl Scheduler for HyperBand {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let Some((time, score)) = self.read(report) else { return Verdict::CONTINUE };
        let Some(run) = &mut self.run else { return Verdict::CONTINUE };
        let (answer, others) = run.report(trial, time, score);
        let verdict = match answer {
            Answer::GoOn => Verdict::CONTINUE,
            Answer::Wait(Standing { milestone, behind: 0, missing, .. }) => {
                Verdict::pause(format!("milestone {milestone}: waits until {missing} more have joined its bracket"))
            }
            Answer::Wait(Standing { milestone, members, behind, .. }) => {
                Verdict::pause(format!("milestone {milestone}: waits for {behind} of the {members} in its bracket"))
            }
            Answer::Leave(leaver) => Verdict::stop(self.reason(leaver)),
        };
        debug_assert!(verdict.decision == Decision::Continue || verdict.reason.is_some());
        Verdict { directives: self.directives(others), ..verdict }
    }

    /// `3 brackets; 2: 9 trials up to 3, 4 of them not there yet`: of the last few that have trials.
    fn progress(&self) -> Option<String> {
        const MOST: usize = 4;
        let run = self.run.as_ref().filter(|run| !run.brackets.is_empty())?;
        let open: Vec<String> = run
            .brackets
            .iter()
            .map(Bracket::standing)
            .enumerate()
            .filter(|(_, standing)| standing.members > 0)
            .map(|(number, Standing { milestone, members, behind, .. })| {
                format!("; {number}: {members} up to {milestone}, {behind} of them not there yet")
            })
            .collect();
        let count = run.brackets.len();
        let noun = if count == 1 { "bracket" } else { "brackets" };
        let last = open.get(open.len().saturating_sub(MOST)..).unwrap_or_default();
        Some(format!("{count} {noun}{}", last.concat()))
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) {
        if let Some(run) = &mut self.run {
            run.join(trial);
        }
    }

    fn on_retry(&mut self, trial: TrialId, _: &dyn Cohort) -> Vec<Directive> {
        let leavers = self.run.as_mut().map(|run| run.retry(trial)).unwrap_or_default();
        self.directives(leavers)
    }

    /// The trial leaves its bracket; the losers among those that waited for it alone are stopped.
    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        let leavers = self.run.as_mut().map(|run| run.end(trial)).unwrap_or_default();
        self.directives(leavers)
    }

    /// Of the first band in which a trial can be launched, the first one of the bracket with the least work done; if
    /// there is none, a pending trial that a client has put back into the line. If there is nobody at all, and nothing
    /// runs, a bracket that waited to be full is halved as it is.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let run = self.run.as_mut()?;
        run.choose(cohort).or_else(|| cohort.first_pending()).or_else(|| run.choose_at_rest(cohort))
    }

    /// Checks the settings and plans the bands; before it, every report is answered with "go on".
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        settle_objective("HyperBand", &mut self.objective, objective)?;
        self.run = Some(Run::new(self.plan(), self.at_max_t, self.filling));
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        self.objective.as_slice()
    }

    /// A trial must not run past its milestone while its reports wait.
    fn buffering(&self) -> Buffering {
        Buffering::Refused
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
        PartSpec::new("HyperBand", self)
    }

    fn name(&self) -> &str {
        "HyperBand"
    }
}
