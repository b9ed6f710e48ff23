//! Gives trials more resources while others leave some free, and takes them back when they are wanted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::shares::{Share, Shares};
use super::{Cohort, ScheduleError, Scheduler};
use crate::logic::config::Config;
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::Ending;
use crate::logic::function::Function;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm};

mod shares;

const NAME: &str = "ResourceChanging";

/// Who gets what is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Growth {
    /// Its one bundle grows.
    #[default]
    InPlace,
    /// It gets more bundles, each of one unit: a trainable that spreads over several helpers.
    MoreBundles,
}

/// What a trial is to have from now on; none for no change.
type Rule = Function<dyn Fn(TrialId, &Report, &dyn Cohort) -> Option<ResourceRequest> + Send + Sync>;

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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResourceChanging {
    inner: Box<dyn Scheduler>,
    #[serde(default)]
    distribution: Distribution,
    #[serde(default)]
    growth: Growth,
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "Option<std::collections::BTreeMap<String, f64>>"))]
    unit: Option<Resources>,
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default)]
    #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, f64>"))]
    reserved: Resources,
    #[serde(skip)]
    rule: Option<Rule>,
    #[serde(skip)]
    objective: Option<Objective>,
    #[serde(skip)]
    run: Run,
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

/// What of it is kept between sessions.
#[derive(Serialize, Deserialize)]
struct State {
    shares: BTreeMap<TrialId, Share>,
    new: Vec<TrialId>,
    changed: VecDeque<TrialId>,
}

impl ResourceChanging {
    /// Around `inner`: evenly, in units of one GPU for trials that ask for GPUs and of one cpu for others, without a limit.
    pub fn new(inner: impl Scheduler + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            distribution: Distribution::default(),
            growth: Growth::default(),
            unit: None,
            limit: None,
            reserved: Resources::default(),
            rule: None,
            objective: None,
            run: Run::default(),
        }
    }

    setters! {
        /// Who gets what is free. Default [`Distribution::Even`].
        distribution(distribution: Distribution) => distribution = distribution;

        /// How a trial grows. Default [`Growth::InPlace`].
        growth(growth: Growth) => growth = growth;

        /// What is handed out at a time. By default one GPU or one cpu; with [`Growth::MoreBundles`] the last bundle that the
        /// trial asked for.
        unit(unit: Resources) => unit = Some(unit);

        /// How many units a trial gets at most on top of its own request; from 1. No limit by default.
        limit(units: u64) => limit = Some(units);

        /// What is never handed out. Nothing by default.
        reserved(reserved: Resources) => reserved = reserved;
    }

    /// A rule of your own in the place of both distributions: what the trial that reported is to have from now on; none
    /// for no change. With it the settings can't be [said as data](Scheduler::spec).
    #[must_use]
    pub fn rule(
        mut self,
        rule: impl Fn(TrialId, &Report, &dyn Cohort) -> Option<ResourceRequest> + Send + Sync + 'static,
    ) -> Self {
        self.rule = Some(Function(Arc::new(rule)));
        self
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let check = Check(NAME);
        let some = self.unit.as_ref().is_none_or(|unit| !unit.is_empty());
        check.require(some, "unit", "nothing", "some resources")?;
        Ok(check.require(self.limit != Some(0), "limit", "0", "at least 1")?)
    }

    /// What is handed out at a time to a trial that asked for `base`.
    fn unit_of(&self, base: &ResourceRequest) -> Resources {
        match (&self.unit, self.growth, base.as_bundles().last()) {
            (Some(unit), ..) => unit.clone(),
            (None, Growth::MoreBundles, Some(last)) => last.clone(),
            _ if base.total().get("gpu").parts() > 0 => Resources::new().with("gpu", 1.0),
            _ => Resources::cpus(1),
        }
    }

    /// A base request with units on top; none if that can't be asked for.
    fn with_units(&self, base: &ResourceRequest, unit: &Resources, units: u64) -> Option<ResourceRequest> {
        match (self.growth, base.as_bundles()) {
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
        let limit = self.limit.unwrap_or(u64::MAX);
        if free < 0 {
            let less = u64::try_from(-free).unwrap_or(u64::MAX);
            return (own.units.saturating_sub(less), "others need what it has beyond its own request");
        }
        let most = match self.distribution {
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
        let _ = all.take(&self.reserved);
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

    fn inner(&self) -> Option<&dyn Scheduler> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Scheduler> {
        Some(&mut self.inner)
    }

    fn on_add(&mut self, trial: TrialId, config: &Config) {
        self.run.new.push(trial);
        self.inner.on_add(trial, config);
    }

    fn on_revive(&mut self, trial: TrialId, config: &Config, last: Option<&Report>) {
        self.run.new.push(trial);
        self.inner.on_revive(trial, config, last);
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
        self.run.shares = Shares::new(self.limit);
        self.inner.prepare(objective)?;
        self.objective = objective.or_else(|| self.inner.objectives().first()).cloned();
        if self.distribution == Distribution::TopJob && self.objective.is_none() {
            return Err(ScheduleError::NoObjective { scheduler: NAME });
        }
        Ok(())
    }

    fn save(&self) -> Option<PartState> {
        let Run { shares, new, changed } = self.run.clone();
        let shares = shares.iter().map(|(trial, share)| (trial, share.clone())).collect();
        StateForm::new(NAME).pack_around(&State { shares, new, changed }, self.inner.save()?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (before, inner): (State, _) = StateForm::new(NAME).unpack_around(state)?;
        self.inner.restore(inner)?;
        let mut shares = Shares::new(self.limit);
        for (trial, share) in before.shares {
            let unit = self.unit_of(&share.base);
            shares.set(trial, share, &unit);
        }
        self.run = Run { shares, new: before.new, changed: before.changed };
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        if self.rule.is_some() { None } else { PartSpec::new(NAME, self) }
    }

    fn name(&self) -> &str {
        NAME
    }
}
