//! Where two rules meet: replacement, workers that can't be killed, totals that shrink, and room that is already coming.

use std::time::Duration;

use tryout::logic::pool::*;
use tryout::logic::settings::Settings;

use crate::desk::{Desk, cpus, request, settings};

/// One cpu, but of another kind.
fn other(cpu: f64) -> ResourceRequest {
    request(&[("cpu", cpu), ("b", 1.0)])
}

fn desk(cpu: f64, abandoned: AbandonPolicy) -> Desk {
    let settings = settings(&[("cpu", cpu), ("b", 10.0)], Reuse::Yes);
    Desk::new(Settings { abandoned, grace: Duration::from_secs(1), ..settings })
}

#[test]
fn an_heir_whose_old_worker_keeps_its_place_gets_a_fresh_one_elsewhere_and_first() {
    let mut desk = desk(2.0, AbandonPolicy::Hold);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    let old = desk.running[&1].worker;
    desk.replace(1);
    desk.wait_secs(1.0);
    desk.release(0);
    assert_eq!(desk.pool.counts().idle, 1);
    desk.stopping.clear();
    desk.tell(PoolInput::Abandoned(old));
    // A used one is there, but it needs a fresh one: the used one makes room.
    assert_eq!((desk.running().len(), desk.pool.counts().idle, desk.stopping.len()), (0, 0, 1));
    desk.acquire(2, &other(1.0));
    desk.end_stopping();
    assert_eq!((desk.running(), desk.running[&1].resets, desk.spawned), (vec![1], 0, 3));
    desk.tell(PoolInput::Gone(old));
    assert_eq!(desk.running(), [1, 2]);
}

#[test]
fn room_that_is_coming_spares_an_idle_worker_also_when_an_heir_has_left() {
    let mut desk = desk(2.0, AbandonPolicy::GiveBack);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.release(0);
    desk.replace(1);
    desk.cancel(1);
    desk.acquire(2, &other(1.0));
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (1, 1));
    desk.end_stopping();
    assert_eq!(desk.running(), [2]);
}

#[test]
fn room_that_will_never_come_is_not_counted_on() {
    let mut desk = desk(2.0, AbandonPolicy::Hold);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.release(0);
    let hung = desk.leave_at_work(1);
    desk.wait_secs(1.0);
    desk.tell(PoolInput::Abandoned(hung));
    desk.acquire(2, &other(1.0));
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (0, 1));
    desk.end_stopping();
    assert_eq!(desk.running(), [2]);
}

#[test]
fn after_a_shrink_a_place_is_neither_inherited_nor_handed_on_until_it_fits() {
    let mut desk = desk(2.0, AbandonPolicy::GiveBack);
    (0..3).for_each(|number| desk.acquire(number, &cpus(1.0)));
    desk.tell(PoolInput::Resize(Resources::cpus(1)));
    desk.replace(0);
    desk.end_stopping();
    assert_eq!((desk.running(), desk.spawned), (vec![1], 2));
    desk.release(1);
    desk.end_stopping();
    assert_eq!((desk.running(), desk.running[&0].resets), (vec![0], 0), "it kept its place before the other");
}

#[test]
fn after_a_shrink_a_worker_too_many_is_not_handed_on() {
    let mut desk = desk(3.0, AbandonPolicy::GiveBack);
    (0..5).for_each(|number| desk.acquire(number, &cpus(1.0)));
    desk.tell(PoolInput::Resize(Resources::cpus(2)));
    desk.release(0);
    assert_eq!((desk.running(), desk.stopping.len()), (vec![1, 2], 1));
    // That one is enough: the next is handed on.
    desk.release(1);
    assert_eq!((desk.running(), desk.running[&3].resets), (vec![2, 3], 1));
}

#[test]
fn a_large_idle_worker_that_suffices_spares_an_older_small_one() {
    let mut desk = desk(3.0, AbandonPolicy::GiveBack);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(2.0));
    let large = desk.running[&1].worker;
    desk.release(0);
    desk.release(1);
    desk.acquire(2, &other(2.0));
    assert_eq!((&desk.stopping, desk.pool.counts().idle), (&vec![large], 1));
}

#[test]
fn workers_for_several_requests_are_evicted_at_once() {
    let mut desk = desk(4.0, AbandonPolicy::GiveBack);
    (0..4).for_each(|number| desk.acquire(number, &cpus(1.0)));
    (0..4).for_each(|number| desk.release(number));
    (4..7).for_each(|number| desk.acquire(number, &other(1.0)));
    assert_eq!((desk.stopping.len(), desk.pool.counts().idle), (3, 1));
    desk.end_stopping();
    assert_eq!(desk.running(), [4, 5, 6]);
}
