//! How workers and their resources come and go (M).

use std::time::Duration;

use tryout::logic::failure::{FailureKind, Fault};
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;
use tryout::logic::trial::PoolOrder;

use crate::desk::{CLUSTER, Desk, amounts, cpus, request, reusing, settings, trial};

#[test]
fn case_m_01_what_ends_makes_room_for_the_next() {
    for kill in [false, true] {
        let mut desk = Desk::new(settings(&CLUSTER, Reuse::No));
        desk.acquire(0, &cpus(4.0));
        desk.acquire(1, &cpus(4.0));
        desk.release(0);
        assert_eq!(desk.running().len(), 0);
        if kill {
            desk.said();
            desk.wait_secs(30.0);
            assert_eq!(desk.said(), [PoolOutput::Kill(desk.stopping[0])]);
        }
        desk.end_stopping();
        assert_eq!(desk.running(), [1]);
    }
}

#[test]
fn case_m_04_a_worker_that_could_not_be_spawned_is_refused_to_its_trial_only() {
    let mut desk = Desk::new(settings(&[("cpu", 1.0)], Reuse::No));
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    let worker = desk.running[&0].worker;
    desk.tell(PoolInput::SpawnFailed(worker, Fault::new(FailureKind::SetupFailed, "no fork")));
    assert_eq!((desk.refused[&0].as_str(), desk.refused.len(), desk.running.contains_key(&1)), ("no fork", 1, true));
    // A trial that left in the meantime isn't told.
    let worker = desk.running[&1].worker;
    desk.cancel(1);
    desk.tell(PoolInput::SpawnFailed(worker, Fault::new(FailureKind::SetupFailed, "no fork")));
    assert_eq!((desk.refused.len(), desk.pool.free()), (1, &amounts(&[("cpu", 1.0)])));
}

#[test]
fn case_m_06_one_that_hangs_while_it_is_spawned_can_be_left_and_is_killed() {
    let mut desk = Desk::new(settings(&[("cpu", 1.0)], Reuse::Yes));
    desk.acquire(0, &cpus(1.0));
    let worker = desk.running[&0].worker;
    desk.cancel(0);
    desk.wait_secs(30.0);
    assert_eq!(desk.said().last(), Some(&PoolOutput::Kill(worker)));
    desk.tell(PoolInput::Gone(worker));
    assert_eq!((desk.pool.counts(), desk.pool.free()), (PoolCounts::default(), &amounts(&[("cpu", 1.0)])));
}

#[test]
fn case_m_19_to_m_20_only_what_fits_is_granted() {
    let mut desk = Desk::new(settings(&[("cpu", 4.0)], Reuse::No));
    assert_eq!(desk.pool.counts(), PoolCounts::default());
    desk.acquire(0, &cpus(2.0));
    desk.acquire(1, &cpus(4.0));
    assert_eq!(desk.running(), [0]);
    desk.release(0);
    desk.end_stopping();
    assert_eq!(desk.running(), [1]);
}

#[test]
fn case_m_21_three_times_a_third_of_ninety_nine_leaves_nothing() {
    let mut desk = Desk::new(settings(&[("cpu", 0.99), ("b", 0.99), ("c", 0.99)], Reuse::No));
    (0..3).for_each(|number| desk.acquire(number, &request(&[("cpu", 0.33), ("b", 0.33), ("c", 0.33)])));
    assert_eq!((desk.running(), desk.pool.free()), (vec![0, 1, 2], &Resources::new()));
}

#[test]
fn case_m_23_and_m_24_a_slot_has_the_bundles_of_the_request_also_an_empty_first_one() {
    let mut desk = Desk::new(settings(&CLUSTER, Reuse::No));
    for (number, head) in [(0, 1), (1, 0)] {
        let bundles = vec![Resources::cpus(head), amounts(&[("cpu", 1.0), ("gpu", 1.0)])];
        desk.acquire(number, &ResourceRequest::bundles(bundles.clone()).unwrap());
        assert_eq!(desk.running[&number].slot.bundles, bundles);
        assert_eq!(desk.running[&number].slot.gpus, [vec![], vec![number]]);
    }
    assert_eq!(desk.pool.free(), &amounts(&[("cpu", 1.0), ("a", 2.0)]));
}

#[test]
fn case_m_25_to_m_27_a_cancelled_request_leaves_nothing_behind() {
    let mut desk = Desk::new(settings(&[("cpu", 4.0)], Reuse::No));
    (0..3).for_each(|number| desk.acquire(number, &cpus(2.0)));
    assert_eq!((desk.running(), desk.pool.counts().waiting), (vec![0, 1], 1));
    desk.cancel(2);
    assert_eq!((desk.pool.counts().waiting, desk.pool.why_waiting(trial(2))), (0, None));
    desk.release(0);
    desk.end_stopping();
    assert_eq!((desk.spawned, desk.pool.free()), (2, &amounts(&[("cpu", 2.0)])), "a new request is needed");
}

#[test]
fn case_m_30_new_totals_hold_at_once() {
    let mut desk = Desk::new(settings(&[("cpu", 2.0)], Reuse::No));
    (0..4).for_each(|number| desk.acquire(number, &cpus(1.0)));
    assert!(desk.pool.feasible(&cpus(3.0)).is_err());
    desk.tell(PoolInput::Resize(Resources::cpus(3)));
    assert_eq!((desk.running(), desk.pool.feasible(&cpus(3.0))), (vec![0, 1, 2], Ok(())));
    desk.said();
    desk.tell(PoolInput::Resize(Resources::cpus(1)));
    assert_eq!(desk.said(), [], "nothing is killed");
    for number in 0..2 {
        desk.release(number);
        desk.end_stopping();
        assert!(!desk.running.contains_key(&3));
    }
    desk.release(2);
    desk.end_stopping();
    assert_eq!(desk.running(), [3]);
}

#[test]
fn case_m_30_a_request_that_has_become_impossible_is_refused() {
    let mut desk = Desk::new(settings(&[("cpu", 4.0)], Reuse::Yes));
    desk.acquire(0, &cpus(4.0));
    desk.acquire(1, &cpus(3.0));
    desk.acquire(2, &cpus(1.0));
    desk.tell(PoolInput::Resize(Resources::cpus(2)));
    assert_eq!(desk.refused[&1], "asked for cpu 3, but there is only cpu 2");
    desk.release(0);
    assert_eq!(desk.pool.counts().idle, 0, "a worker that is too large is not handed on");
    desk.end_stopping();
    assert_eq!(desk.running(), [2]);
}

#[test]
fn case_m_31_a_worker_is_killed_when_its_grace_is_over_and_not_before() {
    let mut desk = Desk::new(Settings { grace: Duration::from_millis(200), ..settings(&CLUSTER, Reuse::No) });
    desk.acquire(0, &cpus(1.0));
    desk.release(0);
    desk.said();
    for _ in 0..3 {
        desk.wait(Duration::from_millis(50));
        assert_eq!(desk.said(), []);
    }
    desk.wait(Duration::from_millis(50));
    assert_eq!((desk.said(), desk.pool.deadline()), (vec![PoolOutput::Kill(desk.stopping[0])], None));
}

#[test]
fn case_m_32_the_resources_of_a_worker_that_hangs_come_back_or_are_held_as_the_settings_say() {
    for (abandoned, served) in [(AbandonPolicy::GiveBack, 1), (AbandonPolicy::Hold, 0)] {
        let base = settings(&[("cpu", 1.0)], Reuse::Yes);
        let mut desk = Desk::new(Settings { abandoned, grace: Duration::from_secs(1), ..base });
        desk.acquire(0, &cpus(1.0));
        desk.acquire(1, &cpus(1.0));
        let worker = desk.leave_at_work(0);
        desk.wait_secs(1.0);
        assert_eq!(desk.said().last(), Some(&PoolOutput::Kill(worker)));
        desk.tell(PoolInput::Abandoned(worker));
        assert_eq!(desk.running().len(), served);
        // Should it end after all, the slot is not given back twice.
        desk.tell(PoolInput::Gone(worker));
        desk.tell(PoolInput::Gone(worker));
        assert_eq!((desk.running(), desk.pool.free()), (vec![1], &Resources::new()));
    }
}

#[test]
fn case_m_32_one_that_comes_to_rest_in_time_is_handed_on() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    let worker = desk.leave_at_work(0);
    assert_eq!((desk.running().len(), desk.pool.counts().settling), (0, 1));
    desk.tell(PoolInput::Released(worker));
    assert_eq!((desk.running[&1].worker, desk.running[&1].resets), (worker, 1));
    desk.wait_secs(31.0);
    assert!(!desk.said().contains(&PoolOutput::Kill(worker)));
}

#[test]
fn invariant_3_a_crash_frees_the_slot_once_and_ends_the_lease() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    let crashed = desk.running[&0].clone();
    desk.tell(PoolInput::Gone(crashed.worker));
    assert!(desk.running.contains_key(&1));
    desk.order(PoolOrder::Discard { lease: crashed.lease });
    desk.tell(PoolInput::Gone(crashed.worker));
    assert_eq!((desk.pool.stale(), desk.pool.counts().leased, desk.pool.free()), (2, 1, &Resources::new()));
}

#[test]
fn a_closed_pool_with_nobody_in_it_says_so_at_once_and_once() {
    let mut desk = reusing(1.0);
    desk.tell(PoolInput::Close);
    desk.tell(PoolInput::Close);
    desk.tell(PoolInput::Tick);
    assert_eq!(desk.said(), [PoolOutput::Closed]);
    desk.acquire(0, &cpus(1.0));
    assert_eq!((desk.said(), desk.pool.stale()), (vec![], 1));
}
