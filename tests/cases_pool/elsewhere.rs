//! Workers that join from elsewhere: who gets them, what is wanted, and in whose way nobody is.

use std::sync::Arc;
use std::time::Duration;

use tryout::logic::ids::JoinId;
use tryout::logic::pool::*;
use tryout::logic::trial::Arrival;

use crate::desk::{Desk, cpus, request, settings, trial};

fn desk(total: &[(&str, f64)], reuse: Reuse) -> Desk {
    let mut desk = Desk::new(settings(total, reuse));
    desk.pool = crate::desk::pool(settings(total, reuse)).with_elsewhere();
    desk
}

fn slot(shape: &ResourceRequest) -> Arc<Slot> {
    Arc::new(Slot { bundles: shape.as_bundles().to_vec(), gpus: vec![vec![]; shape.as_bundles().len()] })
}

fn join(desk: &mut Desk, number: u64, shape: &ResourceRequest) {
    join_with(desk, number, shape, None);
}

/// A worker joins that still has a trial of the session before.
fn join_with(desk: &mut Desk, number: u64, shape: &ResourceRequest, keeps: Option<u32>) {
    let (join, shape, keeps) = (JoinId::new(number), Arc::new(shape.clone()), keeps.map(trial));
    let slot = slot(&shape);
    desk.tell(PoolInput::Joined { join, shape, slot, stays: Stays::WhileNeeded, keeps });
}

fn gpu() -> ResourceRequest {
    request(&[("gpu", 1.0)])
}

#[test]
fn a_request_that_nobody_here_can_meet_waits_for_a_worker_of_its_shape() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    desk.acquire(0, &gpu());
    assert_eq!((desk.running.len(), desk.refused.len(), desk.wanted.get(&gpu())), (0, 0, Some(&1)));
    let why = desk.pool.why_waiting(trial(0)).unwrap();
    assert_eq!(why.waits_for, WaitsFor::Elsewhere);
    assert!(why.to_string().contains("waits for a worker from elsewhere"), "{why}");
    join(&mut desk, 0, &cpus(2.0));
    assert_eq!(desk.running.len(), 0, "another shape won't do");
    join(&mut desk, 1, &gpu());
    assert_eq!((desk.running.len(), desk.admitted.len()), (1, 2));
    assert_eq!(desk.pool.free(), &Resources::cpus(1), "it takes nothing of what there is here");
}

#[test]
fn it_is_in_nobodys_way() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    desk.acquire(0, &gpu());
    for number in 1..40 {
        desk.acquire(number, &cpus(1.0));
        assert!(desk.running.contains_key(&number), "{number} is overtaken by nobody");
        desk.release(number);
    }
    assert_eq!((desk.spawned, desk.wanted.get(&gpu())), (1, Some(&1)));
}

#[test]
fn a_worker_that_has_joined_is_handed_on_and_let_go_when_nobody_can_come() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    desk.acquire(0, &gpu());
    desk.acquire(1, &gpu());
    assert_eq!(desk.wanted.get(&gpu()), Some(&2));
    join(&mut desk, 0, &gpu());
    desk.release(0);
    assert_eq!(desk.running.keys().collect::<Vec<_>>(), [&1]);
    desk.release(1);
    assert_eq!((desk.pool.counts().idle, desk.wanted.get(&gpu())), (1, Some(&0)));
    desk.tell(PoolInput::Demand(Demand::Closed));
    assert_eq!(desk.stopping.len(), 1);
    join(&mut desk, 1, &gpu());
    assert_eq!(desk.rejected, [JoinId::new(1)]);
}

#[test]
fn one_that_nobody_was_asked_for_stays_to_the_end() {
    let mut desk = desk(&[], Reuse::Yes);
    desk.tell(PoolInput::Demand(Demand::Closed));
    let (shape, join) = (Arc::new(gpu()), JoinId::new(0));
    desk.tell(PoolInput::Joined { join, slot: slot(&shape), shape, stays: Stays::ToTheEnd, keeps: None });
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (1, 0));
    desk.acquire(0, &gpu());
    assert_eq!(desk.running.len(), 1);
    desk.tell(PoolInput::Close);
    desk.release(0);
    assert_eq!(desk.stopping.len(), 1);
    desk.end_stopping();
    assert_eq!(desk.closed, 1);
}

#[test]
fn a_barrier_of_this_machine_holds_up_no_worker_from_elsewhere() {
    let mut desk = desk(&[("cpu", 2.0)], Reuse::No);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(2.0));
    // It is overtaken until it is a barrier.
    let mut number = 2;
    while desk.running.len() < 2 || number < 40 {
        desk.acquire(number, &cpus(1.0));
        if desk.running.contains_key(&number) {
            desk.release(number);
            desk.end_stopping();
        }
        number += 1;
        if number > 60 {
            break;
        }
    }
    let waits = (2..number).rev().find(|number| !desk.running.contains_key(number)).unwrap();
    assert_eq!(desk.pool.why_waiting(trial(waits)).map(|why| why.waits_for), Some(WaitsFor::EarlierRequests));
    let had = desk.starts.len();
    join(&mut desk, 0, &cpus(1.0));
    assert_eq!(desk.starts.len(), had + 1);
}

#[test]
fn one_that_can_not_be_reset_is_followed_by_a_fresh_one() {
    let mut desk = desk(&[], Reuse::Yes);
    desk.acquire(0, &gpu());
    join(&mut desk, 0, &gpu());
    desk.release(0);
    desk.acquire(1, &gpu());
    desk.replace(1);
    desk.end_stopping();
    assert_eq!((desk.running.len(), desk.wanted.get(&gpu())), (0, Some(&1)));
    join(&mut desk, 1, &gpu());
    assert_eq!(desk.starts.last(), Some(&(1, 0)));
    // What it held is given back to nobody here.
    desk.discard(1);
    desk.end_stopping();
    assert_eq!((desk.pool.free(), desk.pool.counts()), (&Resources::new(), PoolCounts::default()));
}

#[test]
fn a_shape_that_nobody_can_give_is_refused_with_both_reasons() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    desk.acquire(0, &gpu());
    desk.acquire(1, &cpus(1.0));
    desk.acquire(2, &cpus(1.0));
    let never = |shape: ResourceRequest| PoolInput::Never { shape: Arc::new(shape), words: "no node has a GPU".into() };
    desk.tell(never(gpu()));
    let words = desk.refused.get(&0).unwrap();
    assert!(words.starts_with("no node has a GPU; and on this machine: asked for"), "{words}");
    desk.tell(never(cpus(1.0)));
    assert_eq!((desk.refused.len(), desk.wanted.get(&cpus(1.0))), (1, Some(&0)), "this machine serves it");
    desk.acquire(3, &gpu());
    assert!(desk.refused.contains_key(&3));
}

#[test]
fn nobody_is_granted_one_while_the_run_is_held() {
    let mut desk = desk(&[], Reuse::Yes);
    desk.tell(PoolInput::Hold);
    desk.acquire(0, &gpu());
    join(&mut desk, 0, &gpu());
    assert_eq!(desk.running.len(), 0);
    desk.tell(PoolInput::Proceed);
    assert_eq!(desk.running.len(), 1);
}

#[test]
fn totals_that_grow_bring_a_request_back_to_this_machine() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    desk.acquire(0, &cpus(2.0));
    assert_eq!(desk.running.len(), 0);
    desk.tell(PoolInput::Resize(Resources::cpus(2)));
    assert_eq!((desk.running.len(), desk.spawned), (1, 1));
}

#[test]
fn a_worker_that_comes_back_goes_to_the_trial_that_it_has() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    let until = desk.now + Duration::from_secs(15);
    desk.tell(PoolInput::Expect { trials: [trial(1), trial(2)].into(), until });
    for number in 0..3 {
        desk.acquire(number, &gpu());
    }
    desk.acquire(3, &cpus(1.0));
    assert_eq!(desk.running.len(), 0, "nobody is granted a worker meanwhile, not even here");
    let why = desk.pool.why_waiting(trial(3)).unwrap();
    assert!(why.waits_for == WaitsFor::Returning && why.to_string().contains("may come back"), "{why}");
    assert_eq!(desk.pool.deadline(), Some(until));
    join_with(&mut desk, 0, &gpu(), Some(2));
    assert_eq!(desk.arrivals(), [(2, Arrival::CameBack)]);
    // All are here: the others are served too, by whoever joins.
    join_with(&mut desk, 1, &gpu(), Some(1));
    join(&mut desk, 2, &gpu());
    let expected = [(2, Arrival::CameBack), (1, Arrival::CameBack), (3, Arrival::Spawned), (0, Arrival::Joined)];
    assert_eq!(desk.arrivals(), expected);
    assert_eq!(desk.pool.deadline(), None);
}

#[test]
fn workers_that_do_not_come_back_are_waited_for_no_longer_than_was_said() {
    let mut desk = desk(&[("cpu", 1.0)], Reuse::Yes);
    let until = desk.now + Duration::from_secs(15);
    desk.tell(PoolInput::Expect { trials: [trial(0), trial(1)].into(), until });
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &gpu());
    desk.cancel(0);
    assert_eq!(desk.running.len(), 0);
    desk.acquire(0, &cpus(1.0));
    desk.now = until;
    desk.tell(PoolInput::Tick);
    assert_eq!(desk.arrivals(), [(0, Arrival::Spawned)]);
    // One that comes too late is a worker as others are, and goes to whoever waits: that one can't use it.
    join_with(&mut desk, 0, &gpu(), Some(7));
    assert_eq!(desk.arrivals(), [(0, Arrival::Spawned), (1, Arrival::Joined)]);
}

#[test]
fn a_trial_that_asks_late_finds_its_worker_idle_and_others_leave_it_alone() {
    let mut desk = desk(&[], Reuse::Yes);
    join_with(&mut desk, 0, &gpu(), Some(1));
    join(&mut desk, 1, &gpu());
    desk.acquire(0, &gpu());
    assert_eq!(desk.running[&0].worker, desk.admitted[1].0, "rather the one that has nobody else's trial");
    desk.acquire(1, &gpu());
    assert_eq!(desk.arrivals(), [(0, Arrival::Joined), (1, Arrival::CameBack)]);
}

#[test]
fn nobody_is_asked_for_while_the_run_is_on_hold() {
    let mut desk = desk(&[], Reuse::Yes);
    desk.acquire(0, &gpu());
    assert_eq!(desk.wanted.get(&gpu()), Some(&1));
    desk.tell(PoolInput::Hold);
    assert_eq!(desk.wanted.get(&gpu()), Some(&0));
    desk.tell(PoolInput::Proceed);
    assert_eq!(desk.wanted.get(&gpu()), Some(&1));
}
