//! Gives trials more resources while others leave some free, and takes them back when they are wanted.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::shares::{Share, Shares};
use super::{Buffering, Cohort, ScheduleError, Scheduler};
use crate::logic::config::Config;
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError};

mod saved;
mod shares;

const NAME: &str = "ResourceChanging";

/// Who gets what is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// All equally.
    #[default]
    Even,
    /// The trial with the best last score, up to the limit; then the next best. Needs an objective.
    TopJob,
}

/// How a trial grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// Its one bundle grows.
    #[default]
    InPlace,
    /// It gets more bundles, each of one unit: a trainable that spreads over several helpers.
    MoreBundles,
}

/// What a trial is to have from now on; none for no change.
type Rule = Arc<dyn Fn(TrialId, &Report, &dyn Cohort) -> Option<ResourceRequest> + Send + Sync>;

/// Another scheduler, and around it: a trial that goes on gets more resources if some are free, or gives back what it
/// has beyond its own request if they aren't.
///
/// When to use it: with trainables that become faster with more cpus or GPUs, and searches in which trials end early, so
/// that in the end the few that are left have the whole machine. The trainable must be able to save and restore: a change
/// is a pause, and the trial goes on with a worker of the new size. It learns its resources from
/// [`TrialInfo::slot`](crate::ports::trainable::TrialInfo).
///
/// - Only a trial that the other scheduler lets go on is changed, at its own report; others in their turn.
/// - Resources are handed out in [units](ResourceChanging::unit), on top of what a trial asked for itself, which it never
///   loses, and at most [`limit`](ResourceChanging::limit) of them to each trial.
/// - [Evenly](Distribution::Even), a trial gets what is free up to its share of all that is left above the trials' own
///   requests, counted in whole units. The [top job](Distribution::TopJob) gets all that is free.
/// - Trials that wait count with what they asked for: nobody grows at their cost.
/// - A trial that was changed comes first when there is room.
///
/// Costs O(log n) a report on top of the other scheduler's.
///
/// ```
/// use tryout::prelude::*;
///
/// let scheduler = ResourceChanging::new(Asha::new().max_t(100)).unit(Resources::cpus(1)).limit(3);
/// # let trainable = function("t", |_: Config, trial| { trial.report([("loss", 1.0)])?; Ok(()) });
/// let experiment = Experiment::new("growing", trainable)
///     .space(Space::new().with("x", uniform(0.0, 1.0)))
///     .samples(4)
///     .resources(Resources::cpus(8))
///     .objective(Objective::min("loss"))
///     .scheduler(scheduler);
/// # experiment.run()?;
/// # Ok::<(), RunError>(())
/// ```
///
/// Source: Ray Tune's `ResourceChangingScheduler` with `DistributeResources` and `DistributeResourcesToTopJob`. Unlike
/// there, every change that was decided is made, trials may ask for different resources, and workers may be reused.
pub struct ResourceChanging {
    inner: Box<dyn Scheduler>,
    settings: Settings,
    rule: Option<Rule>,
    objective: Option<Objective>,
    run: Run,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    distribution: Distribution,
    growth: Growth,
    unit: Option<Resources>,
    limit: Option<u64>,
    reserved: Resources,
}

/// What changes in the course of a run.
#[derive(Clone, Debug, Default)]
struct Run {
    shares: Shares,
    /// Added since the last report: what they ask for isn't known yet.
    new: Vec<TrialId>,
    /// Changed and not chosen since, in their order.
    changed: VecDeque<TrialId>,
}

impl fmt::Debug for ResourceChanging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(NAME);
        debug.field("inner", &self.inner.name()).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl ResourceChanging {
    /// Around `inner`: evenly, in units of one GPU for trials that ask for GPUs and of one cpu for others, without a limit.
    pub fn new(inner: impl Scheduler + 'static) -> Self {
        Self::from_settings(Box::new(inner), Settings::default())
    }

    pub(super) fn from_settings(inner: Box<dyn Scheduler>, settings: Settings) -> Self {
        let run = Run { shares: Shares::new(settings.limit), ..Run::default() };
        Self { inner, settings, rule: None, objective: None, run }
    }

    /// Who gets what is free. Default [`Distribution::Even`].
    #[must_use]
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.settings.distribution = distribution;
        self
    }

    /// How a trial grows. Default [`Growth::InPlace`].
    #[must_use]
    pub fn growth(mut self, growth: Growth) -> Self {
        self.settings.growth = growth;
        self
    }

    /// What is handed out at a time. By default one GPU or one cpu; with [`Growth::MoreBundles`] the last bundle that the
    /// trial asked for.
    #[must_use]
    pub fn unit(mut self, unit: Resources) -> Self {
        self.settings.unit = Some(unit);
        self
    }

    /// How many units a trial gets at most on top of its own request; from 1. No limit by default.
    #[must_use]
    pub fn limit(mut self, units: u64) -> Self {
        self.settings.limit = Some(units);
        self.run.shares = Shares::new(self.settings.limit);
        self
    }

    /// What is never handed out. Nothing by default.
    #[must_use]
    pub fn reserved(mut self, reserved: Resources) -> Self {
        self.settings.reserved = reserved;
        self
    }

    /// A rule of your own in the place of both distributions: what the trial that reported is to have from now on; none
    /// for no change. With it the settings can't be [said as data](Scheduler::spec).
    #[must_use]
    pub fn rule(
        mut self,
        rule: impl Fn(TrialId, &Report, &dyn Cohort) -> Option<ResourceRequest> + Send + Sync + 'static,
    ) -> Self {
        self.rule = Some(Arc::new(rule));
        self
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let refuse = |setting, value: String, expected| {
            Err(ScheduleError::Setting { scheduler: NAME, setting, value, expected })
        };
        match (&self.settings.unit, self.settings.limit) {
            (Some(unit), _) if unit.is_empty() => refuse("unit", "nothing".to_owned(), "some resources"),
            (_, Some(0)) => refuse("limit", "0".to_owned(), "at least 1"),
            _ => Ok(()),
        }
    }

    /// What is handed out at a time to a trial that asked for `base`.
    fn unit_of(&self, base: &ResourceRequest) -> Resources {
        match (&self.settings.unit, self.settings.growth, base.as_bundles().last()) {
            (Some(unit), ..) => unit.clone(),
            (None, Growth::MoreBundles, Some(last)) => last.clone(),
            _ if base.total().get("gpu").parts() > 0 => Resources::new().with("gpu", 1.0).unwrap_or_default(),
            _ => Resources::cpus(1),
        }
    }

    /// A base request with units on top; none if that can't be asked for.
    fn with_units(&self, base: &ResourceRequest, unit: &Resources, units: u64) -> Option<ResourceRequest> {
        match (self.settings.growth, base.as_bundles()) {
            (Growth::InPlace, [bundle]) => ResourceRequest::single(bundle.grown(unit, units)).ok(),
            (Growth::InPlace, _) => None,
            (Growth::MoreBundles, bundles) => {
                let more = std::iter::repeat_n(unit.clone(), usize::try_from(units).ok()?);
                ResourceRequest::bundles(bundles.iter().cloned().chain(more).collect()).ok()
            }
        }
    }

    /// Learns what the trials ask for that were added since.
    fn meet(&mut self, cohort: &dyn Cohort) {
        for trial in std::mem::take(&mut self.run.new) {
            if let Some(base) = cohort.request(trial).filter(|_| self.run.shares.get(trial).is_none()) {
                let unit = self.unit_of(base);
                let share = Share { base: base.clone(), units: 0, score: None };
                self.run.shares.set(trial, share, &unit);
            }
        }
    }

    /// How many units the trial is to have, and why.
    fn share(&self, trial: TrialId, own: &Share, unit: &Resources, all: &Resources) -> (u64, &'static str) {
        let shares = &self.run.shares;
        let free = shares.free(all, unit);
        let limit = self.settings.limit.unwrap_or(u64::MAX);
        if free < 0 {
            let less = u64::try_from(-free).unwrap_or(u64::MAX);
            return (own.units.saturating_sub(less), "others need what it has beyond its own request");
        }
        let most = match self.settings.distribution {
            Distribution::Even => shares.even(all, unit).min(limit),
            Distribution::TopJob if shares.is_best(trial) => limit,
            Distribution::TopJob => own.units,
        };
        let more = u64::try_from(free).unwrap_or(u64::MAX);
        (own.units.saturating_add(more).min(most).max(own.units), "some are free")
    }

    fn change(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Option<(ResourceRequest, String)> {
        if report.iteration() < 1 {
            return None;
        }
        let now = cohort.request(trial)?.clone();
        if let Some(rule) = &self.rule {
            let wanted = rule(trial, report, cohort).filter(|wanted| *wanted != *now)?;
            let reason = format!("is to have {wanted} instead of {now}");
            return Some((wanted, reason));
        }
        let own = self.run.shares.get(trial)?.clone();
        let unit = self.unit_of(&own.base);
        let mut all = cohort.resources()?.clone();
        let _ = all.take(&self.settings.reserved);
        let (units, why) = self.share(trial, &own, &unit, &all);
        let wanted = self.with_units(&own.base, &unit, units).filter(|wanted| units != own.units && *wanted != *now)?;
        self.run.shares.set(trial, Share { units, ..own }, &unit);
        let reason = format!("is to have {wanted} instead of {now}: {why}");
        Some((wanted, reason))
    }

    fn follow(&mut self, trial: TrialId, report: &Report) {
        let Some(own) = self.run.shares.get(trial).cloned() else { return };
        let objective = self.objective.as_ref();
        let score = objective.and_then(|objective| Some(objective.score(report.number(&objective.metric)?)));
        let unit = self.unit_of(&own.base);
        self.run.shares.set(trial, Share { score: score.filter(|score| !score.is_nan()), ..own }, &unit);
    }
}

impl Scheduler for ResourceChanging {
    fn on_report(&mut self, trial: TrialId, report: &Report, cohort: &dyn Cohort) -> Verdict {
        let verdict = self.inner.on_report(trial, report, cohort);
        // It runs: its turn has come, by whatever way.
        self.run.changed.retain(|changed| *changed != trial);
        self.meet(cohort);
        self.follow(trial, report);
        if verdict.decision != Decision::Continue {
            return verdict;
        }
        let Some((request, reason)) = self.change(trial, report, cohort) else { return verdict };
        self.run.changed.push_back(trial);
        let resize = Directive::Resize { trial, request: Arc::new(request), reason: None };
        Verdict { decision: Decision::Pause, reason: Some(reason.into()), ..verdict.with(resize) }
    }

    fn complete(&mut self, trial: TrialId, config: &mut Config) {
        self.inner.complete(trial, config);
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) {
        self.run.new.push(trial);
        self.inner.on_add(trial, config);
    }

    fn on_retry(&mut self, trial: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        self.inner.on_retry(trial, cohort)
    }

    fn on_resume(&mut self, trial: TrialId) {
        self.inner.on_resume(trial);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>, cohort: &dyn Cohort) -> Vec<Directive> {
        self.run.new.retain(|new| *new != trial);
        self.run.changed.retain(|changed| *changed != trial);
        if let Some(own) = self.run.shares.get(trial) {
            let unit = self.unit_of(&own.base);
            self.run.shares.remove(trial, &unit);
        }
        self.inner.on_end(trial, ending, last, cohort)
    }

    /// One that was changed, else whom the other scheduler chooses.
    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        if let Some(place) = self.run.changed.iter().position(|trial| cohort.can_launch(*trial)) {
            return self.run.changed.remove(place);
        }
        self.inner.choose(cohort)
    }

    /// Checks the settings.
    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), ScheduleError> {
        self.check()?;
        self.inner.prepare(objective)?;
        self.objective = objective.or_else(|| self.inner.objectives().first()).cloned();
        if self.settings.distribution == Distribution::TopJob && self.objective.is_none() {
            return Err(ScheduleError::NoObjective { scheduler: NAME });
        }
        Ok(())
    }

    fn objectives(&self) -> &[Objective] {
        self.inner.objectives()
    }

    fn buffering(&self) -> Buffering {
        self.inner.buffering()
    }

    fn save(&self) -> Option<PartState> {
        self.saved()
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.take_up(state)
    }

    fn spec(&self) -> Option<PartSpec> {
        if self.rule.is_some() { None } else { saved::spec(&self.settings, self.inner.spec()?) }
    }

    fn name(&self) -> &str {
        NAME
    }
}
