//! Random experiments: settings, a script with faults, and orders of clients, all drawn by proptest.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tryout::logic::checkpoint::Retention;
use tryout::logic::config::Config;
use tryout::logic::engine::{
    AtEnd, Batching, ClientOrder, Engine, EngineSettings, FailFast, History, SameError, same_for_all,
};
use tryout::logic::failure::{Backoff, Budget, FailureKind, RetryPolicy};
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::limit::TimeLimit;
use tryout::logic::metrics::{Metrics, Objective};
use tryout::logic::pool::{AbandonPolicy, Pool, ResourceRequest, Resources, Reuse};
use tryout::logic::schedule::{Asha, Cohort, Fifo, Scheduler};
use tryout::logic::search::{ConcurrencyLimiter, Searcher, Variants};
use tryout::logic::settings::Settings;
use tryout::logic::space::{Space, uniform};
use tryout::logic::stop::{self, StopRule};
use tryout::logic::time::Moment;
use tryout::logic::trial::{Keep, Rests, TrialSettings};
use tryout::testing::{Chance, Saves, Script, Sim};

pub(crate) const RUN: RunId = RunId::new(7);

/// What a step takes.
pub(crate) const STEP: Duration = Duration::from_millis(700);

/// Pauses every trial at every other report.
#[derive(Debug)]
pub(crate) struct Pausing;

impl Scheduler for Pausing {
    fn on_report(
        &mut self,
        _: TrialId,
        report: &tryout::logic::metrics::Report,
        _: &dyn Cohort,
    ) -> tryout::logic::decision::Verdict {
        match report.iteration() % 2 {
            0 => tryout::logic::decision::Verdict::pause("every other report"),
            _ => tryout::logic::decision::Verdict::CONTINUE,
        }
    }
}

/// Tells others what to do, whatever their state, and answers its reporter at random.
#[derive(Debug)]
pub(crate) struct Meddling(u64);

impl Scheduler for Meddling {
    fn on_report(
        &mut self,
        trial: TrialId,
        _: &tryout::logic::metrics::Report,
        _: &dyn Cohort,
    ) -> tryout::logic::decision::Verdict {
        use tryout::logic::decision::{Directive, Verdict};
        // A linear congruential generator (Knuth's MMIX) is random enough to meddle.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = self.0 >> 33;
        // One that is there, or is yet to come.
        let other = TrialId::new(RUN, trial.number() + (draw % 5) as u32);
        let verdict = match draw / 5 % 8 {
            0 => Verdict::pause("at random"),
            1 => Verdict::stop("at random"),
            _ => Verdict::CONTINUE,
        };
        match draw / 40 % 10 {
            0 => verdict.with(Directive::Stop(other)),
            1 => verdict.with(Directive::Pause(other)),
            2 => verdict.with(Directive::Resume(other)),
            3 => verdict.with(Directive::Save(if draw & 256 == 0 { trial } else { other })),
            4 | 5 => {
                let donor = TrialId::new(RUN, (draw / 1_000 % 8) as u32);
                let config = Config::new().with("x", (draw % 10) as f64);
                let trial = if draw & 256 == 0 { trial } else { other };
                verdict.with(Directive::Exploit { trial, donor, config, reason: None })
            }
            6 => {
                let half = ResourceRequest::single(Resources::new().with("cpu", 0.5)).unwrap_or_default();
                let request = if draw & 256 == 0 { half } else { ResourceRequest::default() };
                verdict.with(Directive::Resize { trial: other, request: request.into(), reason: None })
            }
            _ => verdict,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) seed: u64,
    pub(crate) samples: u64,
    pub(crate) cpus: u32,
    pub(crate) scheduler: u8,
    pub(crate) limiter: Option<usize>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) staged: u32,
    pub(crate) batching: Batching,
    pub(crate) checkpoint_every: Option<u32>,
    pub(crate) checkpoint_budget: Option<u64>,
    pub(crate) keep: usize,
    pub(crate) at_end: AtEnd,
    pub(crate) fail_fast: FailFast,
    pub(crate) same_error: Option<SameError>,
    pub(crate) time_limit: Option<TimeLimit>,
    /// How many GPUs there are, of which each trial has one; and which one is broken.
    pub(crate) gpus: Option<(u32, u32)>,
    pub(crate) withdraw_after: Option<u32>,
    pub(crate) max_failures: u32,
    pub(crate) backoff: u64,
    pub(crate) reuse: Reuse,
    pub(crate) rests: Rests,
    pub(crate) hold: AbandonPolicy,
    pub(crate) saves: Saves,
    pub(crate) chance: Chance,
    pub(crate) iterations: u64,
    /// Where the worker itself ends a trial.
    pub(crate) over: Option<(u64, Keep)>,
    pub(crate) budget: Option<u64>,
    pub(crate) orders: Vec<(u64, u8, u32)>,
}

pub(crate) fn script(rig: &Rig) -> Script {
    let reports = |config: &Config, iteration: u64| {
        Metrics::from([("loss", config.number("x").unwrap_or(0.0) + 1.0 / iteration as f64)])
    };
    let script = Script::new(reports);
    let script = rig.gpus.iter().fold(script, |script, (_, broken)| script.broken_gpu(*broken));
    let script = rig.over.iter().fold(script, |script, (iteration, keep)| script.over_at(*iteration, *keep));
    script
        .done_at(rig.iterations)
        .times(Duration::from_millis(300), STEP, Duration::from_millis(200))
        .saves(rig.saves)
        .chance(rig.chance, rig.seed)
}

pub(crate) fn retry(rig: &Rig) -> RetryPolicy {
    let wait = Duration::from_millis(rig.backoff);
    let backoff = Backoff { first: wait, factor: 2.0, longest: wait * 4 };
    RetryPolicy::new(Budget::Limited(rig.max_failures))
        .free(FailureKind::RestoreFailed, Budget::Limited(1))
        .backoff_all(if rig.backoff == 0 { Backoff::NONE } else { backoff })
}

pub(crate) fn scheduler(rig: &Rig) -> Box<dyn Scheduler> {
    let objective = Objective::min("loss");
    let mut scheduler: Box<dyn Scheduler> = match rig.scheduler {
        0 => Box::new(Fifo),
        1 => Box::new(Asha::new().max_t(rig.iterations.max(1)).reduction_factor(2.0)),
        2 => Box::new(Pausing),
        _ => Box::new(Meddling(rig.seed)),
    };
    scheduler.prepare(Some(&objective)).expect("the settings are fine");
    scheduler
}

/// Cpus, and GPUs if there are any.
fn gpus(rig: &Rig, cpus: u32, gpus: u32) -> Resources {
    let gpus = if rig.gpus.is_some() { gpus } else { 0 };
    Resources::cpus(cpus).with("gpu", f64::from(gpus))
}

fn resources(rig: &Rig) -> Resources {
    gpus(rig, rig.cpus, rig.gpus.map_or(0, |(gpus, _)| gpus))
}

fn settings(rig: &Rig) -> Settings {
    Settings {
        seed: Some(rig.seed),
        objective: Some(Objective::min("loss")),
        concurrency: rig.concurrency.filter(|most| *most > 0),
        staged: rig.staged.max(1),
        reuse: rig.reuse,
        grace: Duration::from_secs(5),
        abandoned: rig.hold,
        retry: retry(rig),
        fail_fast: rig.fail_fast,
        same_error: rig.same_error,
        time_limit: rig.time_limit,
        withdraw_gpus_after: rig.withdraw_after,
        checkpoint_every: rig.checkpoint_every.filter(|every| *every > 0),
        at_end: rig.at_end,
        retention: Retention::last(rig.keep),
        checkpoint_budget: rig.checkpoint_budget,
        batching: rig.batching,
        history: History::None,
        ..Settings::new("rig")
    }
}

pub(crate) fn engine(rig: &Rig, scheduler: Box<dyn Scheduler>, searcher: Box<dyn Searcher>) -> Engine {
    let settings = EngineSettings {
        experiment: Arc::new(settings(rig)),
        request: same_for_all(Arc::new(ResourceRequest::single(gpus(rig, 1, 1)).expect("one of each"))),
        ..EngineSettings::new(RUN, "props", resources(rig))
    };
    let budget = rig.budget.map(|seconds| stop::experiment_time(Duration::from_secs(seconds)));
    let rules: Vec<Box<dyn StopRule>> = budget.into_iter().map(|rule| Box::new(rule) as Box<dyn StopRule>).collect();
    Engine::new(settings, searcher, scheduler, Box::new(stop::any(rules)))
}

pub(crate) fn searcher(rig: &Rig) -> Box<dyn Searcher> {
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let variants = Variants::new(space, rig.seed).expect("the space is fine").passes(rig.samples);
    match rig.limiter {
        Some(limit) => Box::new(ConcurrencyLimiter::new(variants, limit).expect("the limit is fine")),
        None => Box::new(variants),
    }
}

pub(crate) fn pool(rig: &Rig) -> Pool {
    Pool::new(resources(rig), settings(rig))
}

pub(crate) fn trials(rig: &Rig) -> TrialSettings {
    TrialSettings { experiment: Arc::new(settings(rig)), rests: rig.rests, ..TrialSettings::default() }
}

fn order(kind: u8, number: u32) -> ClientOrder {
    let trial = TrialId::new(RUN, number);
    match kind {
        0 => ClientOrder::Stop(trial),
        1 => ClientOrder::Pause(trial),
        2 => ClientOrder::Resume(trial),
        3 => ClientOrder::Save(trial),
        4 => ClientOrder::Add(Config::new().with("x", 0.5)),
        5 => ClientOrder::Prioritise(trial, i32::try_from(number).unwrap_or(0) - 3),
        6 => ClientOrder::Concurrency(NonZeroU32::new(number % 4)),
        7 => ClientOrder::StopAll,
        _ => ClientOrder::Drain { by: Moment::new(Duration::from_secs(u64::from(number) * 2)) },
    }
}

impl Rig {
    /// The simulation, with all client orders. At the end all that a client paused is resumed, so that it can end.
    pub(crate) fn sim(&self, scheduler: Box<dyn Scheduler>, searcher: Box<dyn Searcher>) -> Sim {
        let mut sim = Sim::new(self.seed, engine(self, scheduler, searcher), pool(self), trials(self), script(self));
        for (at, kind, number) in &self.orders {
            sim = sim.order(Moment::new(Duration::from_millis(*at)), order(*kind, *number));
        }
        self.later_orders(sim)
    }

    /// Later than anything else can happen by then, all that a client paused is resumed, again and again, because a pause
    /// may take effect late.
    pub(crate) fn later_orders(&self, mut sim: Sim) -> Sim {
        // Whatever may hold it is let go, as often as there may be failures to hold it again.
        for round in 0..self.same_error.map_or(0, |_| 100) {
            sim = sim.order(Moment::new(Duration::from_secs(400 + 50 * round)), ClientOrder::Proceed);
        }
        for round in 0..3_u64 {
            for number in 0..40 {
                let at = Moment::new(Duration::from_secs(500 + 500 * round));
                sim = sim.order(at, ClientOrder::Resume(TrialId::new(RUN, number)));
            }
        }
        sim
    }
}

fn chance() -> impl Strategy<Value = Chance> {
    let rare = || prop_oneof![3 => Just(0.0), 1 => 0.0..0.2];
    (rare(), rare(), rare(), rare(), rare(), rare(), rare(), rare(), rare()).prop_map(
        |(error, panic, lost, vanish, setup, reset, save, restore, wish)| Chance {
            error,
            panic,
            lost,
            vanish,
            setup,
            reset,
            save,
            restore,
            wish,
            hang: 0.0,
        },
    )
}

pub(crate) fn rig() -> impl Strategy<Value = Rig> {
    let batching = prop_oneof![
        Just(Batching::Single),
        Just(Batching::Adaptive),
        (1_u32..8).prop_map(|reports| Batching::Fixed {
            reports: NonZeroU32::new(reports).unwrap_or(NonZeroU32::MIN),
            time: Some(Duration::from_secs(2)),
        }),
    ];
    let engine = (any::<u64>(), 1_u64..12, 1_u32..5, 0_u8..4, prop::option::of(1_usize..4), prop::option::of(1_u32..5));
    let more = (
        1_u32..6,
        batching,
        prop::option::of(1_u32..4),
        prop::option::weighted(0.3, 1_u64..80),
        prop_oneof![Just(AtEnd::Nothing), Just(AtEnd::Checkpoint)],
        prop_oneof![4 => Just(FailFast::No), 1 => Just(FailFast::Stop), 1 => Just(FailFast::Raise)],
        0_u32..4,
        prop_oneof![Just(0_u64), 1_u64..3_000],
    );
    let world = (
        prop_oneof![Just(Reuse::No), Just(Reuse::Yes)],
        prop_oneof![Just(Rests::AtOnce), Just(Rests::WhenReleased)],
        prop_oneof![3 => Just(Saves::Supported), 1 => Just(Saves::Unsupported)],
        chance(),
        1_u64..9,
        prop::option::weighted(0.2, (1_u64..9, prop_oneof![Just(Keep::Nothing), Just(Keep::Checkpoint)])),
        prop::option::weighted(0.2, 1_u64..20),
        prop::collection::vec((0_u64..15_000, prop_oneof![9 => 0_u8..7, 1 => 7_u8..9], 0_u32..12), 0..6),
    );
    (engine, more, world).prop_map(|(engine, more, world)| {
        let (seed, samples, cpus, scheduler, limiter, concurrency) = engine;
        let (staged, batching, checkpoint_every, checkpoint_budget, at_end, fail_fast, max_failures, backoff) = more;
        let (reuse, rests, saves, chance, iterations, over, budget, orders) = world;
        // A trial that is paused and can't save begins again each time: it never ends by pausing alone.
        let scheduler = if scheduler >= 2 && saves == Saves::Unsupported { 0 } else { scheduler };
        Rig {
            seed,
            samples,
            cpus,
            scheduler,
            limiter,
            concurrency,
            staged,
            batching,
            checkpoint_every,
            checkpoint_budget,
            keep: 2,
            at_end,
            fail_fast,
            same_error: None,
            time_limit: None,
            gpus: None,
            withdraw_after: None,
            max_failures,
            backoff,
            reuse,
            rests,
            hold: AbandonPolicy::GiveBack,
            saves,
            chance,
            iterations,
            over,
            budget,
            orders,
        }
    })
}
