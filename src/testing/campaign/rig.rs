//! Engine, pool, trials and script of a run, as its plan says.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use super::dice::Dice;
use super::parts::{Made, Parts};
use super::plan::{Plan, RUN};
use super::trouble::Trouble;
use crate::logic::checkpoint::Retention;
use crate::logic::config::Config;
use crate::logic::engine::{
    AtEnd, Batching, Engine, EngineSettings, FailFast, History, OnSameError, SameError, same_for_all,
};
use crate::logic::failure::{Backoff, Budget, FailureKind, RetryPolicy};
use crate::logic::gate::{Ahead, GateSettings};
use crate::logic::limit::{OnLimit, TimeLimit};
use crate::logic::metrics::{Metrics, Objective};
use crate::logic::mix::mix;
use crate::logic::pool::shares::Cap;
use crate::logic::pool::{AbandonPolicy, Pool, ResourceRequest, Resources, Reuse};
use crate::logic::search::Searcher;
use crate::logic::settings::Settings;
use crate::logic::stop::{self, StopRule};
use crate::logic::time::Moment;
use crate::logic::trial::{Export, Keep, Rests, TrialSettings};
use crate::testing::{Chance, Killed, Kinds, Saves, Script, SimJournal, SimLauncher};

/// What a step takes.
const STEP: Duration = Duration::from_millis(700);

/// How many GPUs there are, if trials need them.
fn gpus(plan: &Plan) -> Option<u32> {
    let mut dice = Dice::new(plan.seed, "gpus");
    let some = dice.chance(0.3);
    let count = dice.small(1, 3);
    (some || plan.has(Trouble::BrokenGpu)).then_some(count)
}

fn cpus(plan: &Plan) -> u32 {
    if plan.calm { 1 } else { Dice::new(plan.seed, "cpus").small(1, 4) }
}

fn resources(plan: &Plan) -> Resources {
    if plan.has(Trouble::Elsewhere) && Dice::new(plan.seed, "here").chance(0.5) {
        return Resources::new();
    }
    let cpus = Resources::cpus(cpus(plan));
    gpus(plan).map_or(cpus.clone(), |gpus| cpus.with("gpu", f64::from(gpus)))
}

/// What other runs of the host leave to this one, from when on; in the end all.
pub(super) fn caps(plan: &Plan) -> Vec<(Duration, Option<Cap>)> {
    let mut dice = Dice::new(plan.seed, "caps");
    if plan.calm || !dice.chance(0.3) {
        return Vec::new();
    }
    let all = resources(plan);
    let mut cap = || {
        let mut cap = Cap::all(&all);
        cap.amounts = Resources::cpus(dice.small(0, 3));
        let gpus = dice.small(0, 2);
        cap.gpus = cap.gpus.map(|all| all.into_iter().take(gpus as usize).collect());
        cap
    };
    let times = [1, 4, 9, 16].map(Duration::from_secs);
    let capped: Vec<_> = times.into_iter().map(|time| (time, Some(cap()))).collect();
    capped.into_iter().chain([(Duration::from_secs(25), None)]).collect()
}

fn request(plan: &Plan) -> ResourceRequest {
    let gpu = if gpus(plan).is_some() { 1.0 } else { 0.0 };
    ResourceRequest::single(Resources::cpus(1).with("gpu", gpu)).unwrap_or_default()
}

/// What an experiment would be told by its user.
pub(super) fn settings(plan: &Plan) -> Settings {
    let mut dice = Dice::new(plan.seed, "settings");
    let several = Batching::Fixed {
        reports: NonZeroU32::MIN.saturating_add(dice.small(1, 6)),
        time: Some(Duration::from_secs(dice.between(1, 3))),
    };
    let mut settings = Settings {
        objective: Some(Objective::min("loss")),
        seed: Some(plan.seed),
        batching: dice.pick([Batching::Single, Batching::Adaptive, several]),
        concurrency: Some(dice.small(1, 4)).filter(|_| dice.chance(0.3) && !plan.calm),
        staged: dice.small(1, 5),
        checkpoint_every: Some(dice.small(1, 3)).filter(|_| dice.chance(0.5)),
        at_end: if dice.chance(0.3) { AtEnd::Checkpoint } else { AtEnd::Nothing },
        history: dice.pick([History::None, History::None, History::Last(3)]),
        retention: dice.pick([Retention::last(1), Retention::last(2), Retention::all()]),
        export: if dice.chance(0.2) { Export::AtEnd } else { Export::No },
        reuse: dice.pick([Reuse::No, Reuse::Yes]),
        grace: Duration::from_secs(dice.between(1, 5)),
        overtaking: dice.pick([0, 2, 16]),
        idle_ttl: Some(Duration::from_secs(dice.between(1, 5))).filter(|_| dice.chance(0.3)),
        retry: retry(&mut dice),
        ..Settings::new("campaign")
    };
    trouble(plan, &mut settings);
    settings
}

fn retry(dice: &mut Dice) -> RetryPolicy {
    let wait = Duration::from_millis(dice.between(1, 3_000));
    let longer = Backoff { first: wait, factor: 2.0, longest: wait * 4 };
    RetryPolicy::new(Budget::Limited(dice.small(0, 4)))
        .free(FailureKind::RestoreFailed, Budget::Limited(dice.small(0, 2)))
        .backoff_all(if dice.chance(0.5) { longer } else { Backoff::NONE })
}

/// Settings under which things end early, or are held up.
fn trouble(plan: &Plan, settings: &mut Settings) {
    let mut dice = Dice::new(plan.seed, "troubled settings");
    let room = dice.between(8, 80);
    let fail_fast = dice.pick([FailFast::Stop, FailFast::Raise]);
    let then = dice.pick([OnSameError::Hold, OnSameError::Hold, OnSameError::End]);
    let same = SameError { workers: dice.small(2, 3), then };
    let then = dice.pick([OnLimit::FinishStep, OnLimit::SaveThenStop, OnLimit::Kill]);
    let limit = TimeLimit { after: Duration::from_secs(dice.between(1, 20)), then };
    let (bad, abandoned) = (dice.small(2, 3), dice.pick([AbandonPolicy::GiveBack, AbandonPolicy::Hold]));
    settings.checkpoint_budget = plan.has(Trouble::FullStores).then_some(room);
    settings.same_error = plan.has(Trouble::Holds).then_some(same);
    settings.withdraw_gpus_after = plan.has(Trouble::BrokenGpu).then_some(bad);
    settings.time_limit = plan.has(Trouble::TimeLimits).then_some(limit);
    if plan.has(Trouble::FailFast) {
        settings.fail_fast = fail_fast;
    }
    if plan.has(Trouble::Resets) {
        settings.reuse = Reuse::Yes;
    }
    // One that can't be killed and never ends holds what it has for ever.
    settings.abandoned = if plan.has(Trouble::LateThreads) { abandoned } else { AbandonPolicy::GiveBack };
}

/// The searcher with all that stands around it. It never gives more trials than it is to.
fn searcher(plan: &Plan, parts: &Parts) -> Made<dyn Searcher> {
    let setup = plan.setup();
    let mut dice = Dice::new(plan.seed, "searcher");
    let base = parts.searchers.get(plan.searcher).ok_or("there is no such searcher")?;
    let mut searcher = (base.make)(&setup)?;
    for wrapper in &plan.wrappers {
        searcher = wrapper.around(searcher, &mut dice, setup.trials)?;
    }
    if searcher.total().is_none_or(|total| total > setup.trials) {
        searcher = super::parts::Wrapper::Capped.around(searcher, &mut dice, setup.trials)?;
    }
    searcher.prepare(Some(&Objective::min("loss")))?;
    Ok(searcher)
}

fn rule(plan: &Plan, parts: &Parts) -> Made<dyn StopRule> {
    match plan.rule.and_then(|rule| parts.rules.get(rule)) {
        Some(rule) => (rule.make)(&plan.setup()),
        None => Ok(Box::new(stop::any(Vec::<Box<dyn StopRule>>::new()))),
    }
}

pub(super) fn engine(plan: &Plan, parts: &Parts) -> Result<Engine, Box<dyn std::error::Error>> {
    let part = parts.schedulers.get(plan.scheduler).ok_or("there is no such scheduler")?;
    let mut scheduler = (part.make)(&plan.setup())?;
    scheduler.prepare(Some(&Objective::min("loss")))?;
    let request = same_for_all(Arc::new(request(plan)));
    let experiment = Arc::new(settings(plan));
    let elsewhere = plan.has(Trouble::Elsewhere);
    let settings =
        EngineSettings { experiment, request, elsewhere, ..EngineSettings::new(RUN, "campaign", resources(plan)) };
    Ok(Engine::new(settings, searcher(plan, parts)?, scheduler, rule(plan, parts)?))
}

/// How the journal behaves.
pub(super) fn journal(plan: &Plan, now: Moment) -> SimJournal {
    let mut dice = Dice::new(plan.seed, "journal");
    let ahead = dice.pick([Ahead::Allowed, Ahead::Forbidden]);
    let most_unwritten = dice.pick([3, 30, 200_000]);
    let mut millis = |most| Duration::from_millis(dice.below(most));
    let (write, sync, snapshot) = (millis(400), millis(400), millis(100));
    let stall = (now + millis(9_000), millis(4_000));
    let grows_after = NonZeroU64::new(dice.between(5, 60)).filter(|_| dice.chance(0.5));
    if !plan.has(Trouble::SlowJournals) {
        return SimJournal::prompt();
    }
    let stalls = if dice.chance(0.5) { vec![stall] } else { Vec::new() };
    SimJournal { gate: GateSettings { ahead, most_unwritten }, write, sync, stalls, grows_after, snapshot }
}

pub(super) fn pool(plan: &Plan) -> Pool {
    let pool = Pool::new(resources(plan), settings(plan));
    if plan.has(Trouble::Elsewhere) { pool.with_elsewhere() } else { pool }
}

/// Who is asked for workers from elsewhere.
pub(super) fn launcher(plan: &Plan) -> SimLauncher {
    let mut dice = Dice::new(plan.seed, "launcher");
    let delay = Duration::from_millis(dice.pick([100, 2_000, 12_000]));
    let mut rate = || dice.share() * dice.pick([0.0, 0.1, 0.5]);
    let (forgets, lies, preempts, leaves) = (rate(), rate(), rate(), rate());
    SimLauncher { delay, forgets, lies, preempts, leaves }
}

pub(super) fn trials(plan: &Plan) -> TrialSettings {
    let rests = Dice::new(plan.seed, "rests").pick([Rests::AtOnce, Rests::WhenReleased]);
    TrialSettings { experiment: Arc::new(settings(plan)), rests, ..TrialSettings::default() }
}

pub(super) fn script(plan: &Plan) -> Script {
    let mut dice = Dice::new(plan.seed, "script");
    let (seed, missing) = (plan.seed, plan.has(Trouble::MissingMetrics));
    let (strange, ties) = (plan.has(Trouble::StrangeNumbers), plan.has(Trouble::Ties));
    let reports = move |config: &Config, iteration: u64| {
        let x = config.number("x").unwrap_or(0.0);
        let bits = mix(seed ^ x.to_bits() ^ mix(iteration));
        let loss = match bits % 32 {
            0 if missing => return Metrics::from([("other", x)]),
            1 if strange => f64::NAN,
            2 if strange => f64::INFINITY,
            3 if strange => f64::NEG_INFINITY,
            _ if ties => (x * 4.0).floor(),
            _ => x + 1.0 / iteration as f64,
        };
        Metrics::from([("loss", loss)])
    };
    let mut rate = |trouble| {
        let rate = dice.share() * dice.pick([0.05, 0.2]);
        if plan.has(trouble) { rate } else { 0.0 }
    };
    let chance = Chance {
        error: rate(Trouble::Errors).max(rate(Trouble::ProcessFaults)),
        panic: rate(Trouble::Panics),
        lost: rate(Trouble::LostWorkers),
        vanish: rate(Trouble::Vanishing),
        hang: rate(Trouble::Hangs),
        setup: rate(Trouble::Setups),
        reset: rate(Trouble::Resets),
        save: rate(Trouble::Saves),
        restore: rate(Trouble::Restores),
        wish: rate(Trouble::Wishes),
    };
    let unspawned = rate(Trouble::Spawns);
    let killed = match (plan.has(Trouble::Processes), plan.has(Trouble::LateThreads)) {
        (true, _) => Killed::Gone,
        (false, true) => Killed::Late,
        (false, false) => Killed::Silent,
    };
    let mut dice = Dice::new(plan.seed, "times");
    let millis = |dice: &mut Dice, most| Duration::from_millis(dice.below(most));
    let script = Script::new(reports).done_at(plan.iterations).chance(chance, plan.seed).killed(killed);
    let script = script.unspawned(unspawned).times(millis(&mut dice, 400), STEP, millis(&mut dice, 400));
    let script = script.kinds(if plan.has(Trouble::ProcessFaults) { Kinds::Any } else { Kinds::UserError });
    let saves = if plan.has(Trouble::Unsaving) { Saves::Unsupported } else { Saves::Supported };
    let script = script.saves(saves);
    let script = if plan.has(Trouble::BrokenGpu) { script.broken_gpu(dice.small(0, 1)) } else { script };
    let keep = dice.pick([Keep::Nothing, Keep::Checkpoint]);
    let over = dice.between(1, plan.iterations);
    if plan.has(Trouble::WorkerLimits) { script.over_at(over, keep) } else { script }
}
