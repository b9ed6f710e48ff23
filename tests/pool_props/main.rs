//! Whatever happens to a pool, in whatever order: slots and sums balance, nobody starves, everything ends.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tryout::logic::ids::{LeaseId, WorkerId};
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;
use tryout::logic::trial::{AtRest, PoolOrder};

mod checks;
mod elsewhere;
mod hears;
mod model;

use model::{At, Model, trial};

#[derive(Clone, Debug)]
enum Op {
    Acquire(u32, usize),
    Cancel(Index),
    Release(Index, bool),
    Discard(Index),
    Replace(Index),
    Rest(Index),
    End(Index),
    Crash(Index, bool),
    GiveUp(Index),
    Wait(u64),
    Demand(bool),
    Resize(u32, u32),
    Withdraw(u32),
    Hold(bool),
    /// Of any worker, whether it makes sense or not.
    Released(u64),
    Abandoned(u64),
    Gone(u64),
    /// An order under any lease, also one that is over.
    Late(u64, u8),
}

const KINDS: usize = 7;

fn kinds() -> Vec<ResourceRequest> {
    let of = |cpu: f64, gpu: f64| Resources::new().with("cpu", cpu).with("gpu", gpu);
    let single = |cpu, gpu| ResourceRequest::single(of(cpu, gpu)).unwrap();
    let pair = ResourceRequest::bundles(vec![of(0.5, 0.0), of(1.0, 0.0)]).unwrap();
    vec![
        single(1.0, 0.0),
        single(2.0, 0.0),
        single(4.0, 0.0),
        single(1.0, 1.0),
        single(0.0, 2.0),
        single(1.0, 0.4),
        pair,
    ]
}

fn daily() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..24_u32, 0..KINDS).prop_map(|(number, kind)| Op::Acquire(number, kind)),
        1 => any::<Index>().prop_map(Op::Cancel),
        6 => (any::<Index>(), any::<bool>()).prop_map(|(which, rest)| Op::Release(which, rest)),
        1 => any::<Index>().prop_map(Op::Discard),
        1 => any::<Index>().prop_map(Op::Replace),
        3 => any::<Index>().prop_map(Op::Rest),
        4 => any::<Index>().prop_map(Op::End),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(which, unborn)| Op::Crash(which, unborn)),
        2 => any::<Index>().prop_map(Op::GiveUp),
        1 => (0..40_u64).prop_map(Op::Wait),
        1 => any::<bool>().prop_map(Op::Demand),
    ]
}

fn hostile() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => daily(),
        1 => (1..7_u32, 0..4_u32).prop_map(|(cpu, gpu)| Op::Resize(cpu, gpu)),
        1 => (0..4_u32).prop_map(Op::Withdraw),
        1 => any::<bool>().prop_map(Op::Hold),
        1 => (0..40_u64).prop_map(Op::Released),
        1 => (0..40_u64).prop_map(Op::Abandoned),
        1 => (0..40_u64).prop_map(Op::Gone),
        1 => (0..40_u64, 0..5_u8).prop_map(|(lease, what)| Op::Late(lease, what)),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    let total = Resources::cpus(4).with("gpu", 2.0);
    (any::<bool>(), any::<bool>(), 0..4_u32, proptest::option::of(1..60_u64)).prop_map(
        move |(reuse, hold, overtaking, ttl)| Settings {
            reuse: if reuse { Reuse::Yes } else { Reuse::No },
            abandoned: if hold { AbandonPolicy::Hold } else { AbandonPolicy::GiveBack },
            overtaking,
            idle_ttl: ttl.map(Duration::from_secs),
            resources: Some(total.clone()),
            ..Settings::default()
        },
    )
}

fn one<T: Copy>(which: Index, of: &[T]) -> Option<T> {
    (!of.is_empty()).then(|| *which.get(of))
}

/// Does what the script says, with whichever trial or worker it means. None if there is none such.
fn perform(model: &mut Model, op: Op) -> Option<()> {
    let tenant = |which: Index, model: &Model| one(which, &model.leased()).map(|(number, ..)| number);
    match op {
        Op::Acquire(number, kind) => model.acquire(number, kind),
        Op::Cancel(which) => {
            let all: Vec<u32> = model.asks.keys().copied().collect();
            model.cancel(one(which, &all)?);
        }
        Op::Release(which, true) => model.release(tenant(which, model)?, AtRest::Yes),
        Op::Release(which, false) => model.release(tenant(which, model)?, AtRest::No),
        Op::Discard(which) => model.discard(tenant(which, model)?),
        Op::Replace(which) => model.replace(tenant(which, model)?),
        Op::Rest(which) => model.released(one(which, &model.at(&[At::Settling]))?),
        Op::End(which) => model.gone(one(which, &model.at(&[At::Stopping, At::Killed, At::Abandoned]))?, false),
        Op::Crash(which, unborn) => {
            let all: Vec<WorkerId> = model.workers.keys().copied().collect();
            model.gone(one(which, &all)?, unborn);
        }
        Op::GiveUp(which) => model.abandoned(one(which, &model.at(&[At::Killed]))?),
        Op::Wait(seconds) => model.wait(Duration::from_secs(seconds)),
        Op::Demand(open) => model.demand(if open { Demand::Open } else { Demand::Closed }),
        Op::Resize(cpu, gpu) => model.resize(Resources::cpus(cpu).with("gpu", f64::from(gpu))),
        Op::Withdraw(gpu) => model.withdraw(gpu),
        Op::Hold(hold) => model.hold(hold),
        Op::Released(worker) => model.released(WorkerId::new(worker)),
        Op::Abandoned(worker) => model.abandoned(WorkerId::new(worker)),
        Op::Gone(worker) => model.gone(WorkerId::new(worker), false),
        Op::Late(lease, what) => late(model, LeaseId::new(lease), what),
    }
    Some(())
}

/// An order that must change nothing.
fn late(model: &mut Model, lease: LeaseId, what: u8) {
    if model.leased().iter().any(|&(_, current, _)| current == lease) {
        return;
    }
    let stale = model.pool.stale();
    model.feed(PoolInput::Order(match what {
        0 => PoolOrder::Release { lease, at_rest: AtRest::Yes },
        1 => PoolOrder::Release { lease, at_rest: AtRest::No },
        2 => PoolOrder::Discard { lease },
        3 => PoolOrder::Replace { lease },
        _ => PoolOrder::Cancel { trial: trial(1000), ticket: 0 },
    }));
    assert_eq!(model.pool.stale(), stale + 1);
}

/// Lets everybody leave and every worker end.
fn wind_up(model: &mut Model) {
    model.close();
    for (number, ..) in model.leased() {
        model.release(number, if number % 2 == 0 { AtRest::Yes } else { AtRest::No });
    }
    for worker in model.at(&[At::Settling]) {
        model.released(worker);
    }
    for worker in model.at(&[At::Stopping, At::Killed, At::Abandoned]) {
        model.gone(worker, false);
    }
    assert_eq!(model.closed, 1);
    assert_eq!(model.pool.counts(), PoolCounts::default());
    assert_eq!(model.pool.free(), &model.total);
    assert_eq!(model.pool.deadline(), None);
}

proptest! {
    /// The model checks every step: sums, GPU indices, leases, places, work conservation, the bound on overtaking.
    #[test]
    fn everything_balances_whatever_comes(settings in settings(), script in prop::collection::vec(hostile(), 0..120)) {
        let mut model = Model::new(settings, kinds());
        for op in script {
            perform(&mut model, op);
        }
        wind_up(&mut model);
    }

    /// Every feasible request is granted after at most as many ends of leases as the line promises.
    #[test]
    fn nobody_starves(settings in settings(), script in prop::collection::vec(daily(), 0..200)) {
        let settings = Settings { abandoned: AbandonPolicy::GiveBack, ..settings };
        let mut model = Model::new(settings, kinds());
        for op in script {
            perform(&mut model, op);
            model.check_progress();
        }
        // Once nobody else comes, everybody is served.
        for _ in 0..400 {
            for worker in model.at(&[At::Stopping, At::Killed]) {
                model.gone(worker, false);
            }
            for worker in model.at(&[At::Settling]) {
                model.released(worker);
            }
            model.check_progress();
            if let Some(&(number, ..)) = model.leased().first() {
                model.release(number, AtRest::Yes);
            }
        }
        prop_assert_eq!((model.waiting(), model.leased().len()), (0, 0));
        wind_up(&mut model);
    }

    /// The same script gives the same outputs: no order of a hash map shows.
    #[test]
    fn equal_scripts_have_equal_outcomes(settings in settings(), script in prop::collection::vec(hostile(), 0..80)) {
        let run = || {
            let mut model = Model::new(settings.clone(), kinds());
            for op in script.iter().cloned() {
                perform(&mut model, op);
            }
            (format!("{:?}", model.workers), format!("{:?}", model.asks), model.leases.len(), model.pool.stale())
        };
        prop_assert_eq!(run(), run());
    }
}

/// A large request among a stream of small ones that never stops.
#[test]
fn a_stream_of_small_requests_does_not_starve_a_large_one() {
    for overtaking in [0, 1, 5] {
        for reuse in [Reuse::No, Reuse::Yes] {
            let settings = Settings {
                overtaking,
                reuse,
                resources: Some(Resources::cpus(4).with("gpu", 2.0)),
                ..Settings::default()
            };
            let mut model = Model::new(settings, kinds());
            (0..4).for_each(|number| model.acquire(number, 0));
            model.acquire(100, 2);
            let mut next = 4;
            while !model.leased().iter().any(|&(number, ..)| number == 100) {
                model.acquire(next, 0);
                next += 1;
                let (oldest, ..) = model.leased()[0];
                model.release(oldest, AtRest::Yes);
                for worker in model.at(&[At::Stopping]) {
                    model.gone(worker, false);
                }
                model.check_progress();
                assert!(next < 40, "the large one is never served");
            }
            assert_eq!(next, 4 + 4 + overtaking, "four leases ran, and {overtaking} overtook it");
        }
    }
}
