//! What the pure machines cost, from the smallest outwards: transition, trial, pool, scheduler, engine.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tryout::logic::decision::{Decision, Verdict};
use tryout::logic::engine::{Batching, Engine, EngineInput, EngineOutput, EngineSettings, History, Watched};
use tryout::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::metrics::{Counters, Metrics, Objective, Report};
use tryout::logic::pool::{Pool, PoolInput, PoolOutput, ResourceRequest, Resources};
use tryout::logic::schedule::{Asha, Fifo, Scheduler};
use tryout::logic::search::{Samples, Variants};
use tryout::logic::settings::Settings;
use tryout::logic::space::{Space, uniform};
use tryout::logic::stop;
use tryout::logic::time::Moment;
use tryout::logic::trial::{
    Arrival, AtRest, Batch, BatchEnd, Event, Keep, Phase, PoolFact, PoolOrder, State, TrialFact, TrialNews, transition,
};
use tryout::testing::Nobody;

const RUN: RunId = RunId::new(0xbe9c4);

fn trial(number: u32) -> TrialId {
    TrialId::new(RUN, number)
}

fn report(of: TrialId, iteration: u64, loss: f64) -> Report {
    let mut counters = Counters { training_iteration: iteration - 1, ..Counters::default() };
    counters.stamp(of, Metrics::from([("loss", loss)]), Duration::from_micros(1), 0.0)
}

fn machines(c: &mut Criterion) {
    let deciding = State::Running { phase: Phase::Deciding, order: Decision::Continue };
    let decide = Event::Decide(Decision::Continue, Keep::Nothing);
    c.bench_function("transition: decide", |b| b.iter(|| transition(black_box(deciding), black_box(decide))));

    for waiting in [0_u32, 10_000] {
        c.bench_function(&format!("pool: acquire, grant, release, reused; {waiting} waiting"), |b| {
            let (mut pool, request, mut out) = pool(waiting);
            let mut next = 1_000_000;
            b.iter(|| cycle(&mut pool, &request, &mut next, &mut out));
        });
    }

    for recorded in [100, 100_000] {
        c.bench_function(&format!("asha: a result on a rung; {recorded} recorded"), |b| {
            let mut asha = Asha::new().max_t(1_000).objective(Objective::min("loss"));
            asha.prepare(None).expect("the settings are fine");
            for number in 0..recorded {
                asha_result(&mut asha, number);
            }
            let mut next = recorded;
            b.iter(|| {
                next += 1;
                asha_result(&mut asha, next)
            });
        });
    }

    for finished in [100, 100_000] {
        c.bench_function(&format!("engine: a result; {finished} finished trials"), |b| {
            let mut engine = Bench::new(finished);
            b.iter(|| engine.one_result());
        });
    }
    c.bench_function("engine: a trial of one result, from suggestion to end", |b| {
        b.iter_batched_ref(|| Bench::new(100), |engine| engine.one_trial(), BatchSize::LargeInput);
    });
}

/// A pool of one worker, which a trial has, and so many requests waiting.
fn pool(waiting: u32) -> (Pool, Arc<ResourceRequest>, Vec<PoolOutput>) {
    let pool = Pool::new(Resources::cpus(1), Settings::default());
    let (mut pool, request, mut out) = (pool, Arc::new(ResourceRequest::default()), Vec::new());
    for number in 0..=waiting {
        let order = PoolOrder::Acquire { trial: trial(number), ticket: 1, request: request.clone() };
        pool.on(PoolInput::Order(order), Moment::START, &mut out);
    }
    (pool, request, out)
}

/// The trial that has the worker leaves it, and another asks for it.
fn cycle(pool: &mut Pool, request: &Arc<ResourceRequest>, next: &mut u32, out: &mut Vec<PoolOutput>) {
    let lease = out.iter().rev().find_map(|said| match said {
        PoolOutput::Tell(_, PoolFact::Granted { lease, .. }) => Some(*lease),
        _ => None,
    });
    out.clear();
    *next += 1;
    if let Some(lease) = lease {
        let order = PoolOrder::Release { lease, at_rest: AtRest::Yes };
        pool.on(PoolInput::Order(order), Moment::START, out);
    }
    let order = PoolOrder::Acquire { trial: trial(*next), ticket: 1, request: request.clone() };
    pool.on(PoolInput::Order(order), Moment::START, out);
}

fn asha_result(asha: &mut Asha, number: u32) -> Verdict {
    let loss = f64::from(number.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
    asha.on_report(trial(number), &report(trial(number), 1, loss), &Nobody)
}

/// An engine with one running trial, driven by hand.
struct Bench {
    engine: Engine,
    out: Vec<EngineOutput>,
    running: TrialId,
    iteration: u64,
}

impl Bench {
    fn new(finished: u32) -> Self {
        let experiment = Settings {
            objective: Some(Objective::min("loss")),
            batching: Batching::Single,
            concurrency: Some(1),
            staged: 1,
            history: History::None,
            ..Settings::new("bench")
        };
        let settings = EngineSettings {
            experiment: Arc::new(experiment),
            ..EngineSettings::new(RUN, "bench", Resources::cpus(8))
        };
        let space = Space::new().with("rate", uniform(0.0, 1.0));
        let searcher = Variants::new(space, 0).expect("the space is fine").passes(Samples::Infinite);
        let stop = stop::iterations(u64::MAX);
        let mut engine = Engine::new(settings, Box::new(searcher), Box::new(Fifo), Box::new(stop));
        engine.watched(Watched::No);
        let mut bench = Self { engine, out: Vec::new(), running: trial(0), iteration: 0 };
        bench.engine.on(EngineInput::Begin, Moment::START, &mut bench.out);
        bench.start(0);
        for _ in 0..finished {
            bench.one_trial();
        }
        bench
    }

    fn fact(&mut self, state: State, news: TrialNews) {
        let input = EngineInput::Trial(self.running, TrialFact { state, news });
        self.engine.on(input, Moment::START, &mut self.out);
        self.out.clear();
    }

    fn start(&mut self, number: u32) {
        self.running = trial(number);
        self.iteration = 0;
        let (worker, lease) = (WorkerId::new(0), LeaseId::new(0));
        self.fact(
            State::Starting,
            TrialNews::Granted { worker, lease, attempt: 1, slot: Arc::default(), arrival: Arrival::Spawned },
        );
        self.fact(State::Running { phase: Phase::Training, order: Decision::Continue }, TrialNews::Started);
    }

    fn result(&mut self, end: BatchEnd) {
        self.iteration += 1;
        let reports = vec![report(self.running, self.iteration, 0.5)];
        let batch = Batch { reports, end, handed_in: None, over: None };
        let news = TrialNews::Reported { lease: LeaseId::new(0), batch };
        self.fact(State::Running { phase: Phase::Deciding, order: Decision::Continue }, news);
    }

    fn one_result(&mut self) {
        self.result(BatchEnd::Limit);
    }

    fn one_trial(&mut self) {
        self.result(BatchEnd::Done);
        self.fact(State::Terminated, TrialNews::Moved);
        self.start(self.running.number() + 1);
    }
}

criterion_group!(benches, machines);
criterion_main!(benches);
