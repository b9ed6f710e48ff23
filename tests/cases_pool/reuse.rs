//! Which worker serves which trial (C).

use std::time::Duration;

use tryout::event::StopCause;
use tryout::logic::ids::WorkerId;
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;

use crate::desk::{CLUSTER, Desk, amounts, cpus, request, reusing, settings, trial};

#[test]
fn case_c_01_one_trial_gets_one_worker() {
    let mut desk = Desk::new(settings(&CLUSTER, Reuse::No));
    desk.acquire(0, &cpus(1.0));
    assert_eq!((desk.spawned, desk.running()), (1, vec![0]));
    assert_eq!(desk.pool.free(), &amounts(&[("cpu", 3.0), ("gpu", 2.0), ("a", 2.0)]));
}

#[test]
fn case_c_04_and_c_15_a_worker_goes_straight_to_whoever_waits_for_its_kind() {
    let mut desk = reusing(1.0);
    desk.acquire(1, &cpus(1.0));
    desk.acquire(2, &cpus(1.0));
    let worker = desk.running[&1].worker;
    desk.said();
    desk.release(1);
    assert_eq!((desk.running[&2].worker, desk.running[&2].resets), (worker, 1));
    assert_eq!(desk.said().len(), 1, "granted, and nothing else");
    assert_eq!((desk.spawned, desk.pool.counts().stopping, desk.pool.counts().waiting), (1, 0, 0));
}

#[test]
fn case_c_09_and_c_13_one_that_another_kind_has_no_room_beside_is_not_kept() {
    let mut desk = reusing(2.0);
    desk.acquire(0, &cpus(2.0));
    desk.acquire(1, &cpus(1.0));
    desk.release(0);
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (0, 1));
    desk.end_stopping();
    assert_eq!((desk.running(), desk.spawned), (vec![1], 2));
}

#[test]
fn case_c_12_only_as_many_as_needed_are_evicted_the_longest_idle_first() {
    let mut desk = reusing(4.0);
    (0..3).for_each(|number| desk.acquire(number, &cpus(1.0)));
    let workers: Vec<WorkerId> = (0..3).map(|number| desk.running[&number].worker).collect();
    (0..3).rev().for_each(|number| desk.release(number));
    desk.acquire(3, &cpus(2.0));
    assert_eq!((&desk.stopping, desk.pool.counts().idle), (&vec![workers[2]], 2));
    assert_eq!([workers[2], workers[1]].map(|id| desk.pool.stop_cause(id)), [Some(StopCause::Evicted), None]);
    // While that one ends, the next request of the kind takes one of the others, and no further one is stopped.
    desk.acquire(4, &cpus(1.0));
    assert_eq!((desk.running[&4].worker, desk.stopping.len()), (workers[1], 1));
    desk.end_stopping();
    assert_eq!(desk.running(), [3, 4]);
    let totals = WorkerTotals { spawned: 4, reused: 1, evicted: 1, asked_to_stop: 1, ..WorkerTotals::default() };
    assert_eq!(desk.pool.totals(), totals);
}

#[test]
fn case_c_17_four_trials_that_need_everything_share_one_worker() {
    let mut desk = reusing(4.0);
    (0..4).for_each(|number| desk.acquire(number, &cpus(4.0)));
    desk.run_down();
    assert_eq!((desk.spawned, desk.resets(), desk.pool.counts().stopping), (1, vec![0, 1, 2, 3], 0));
    desk.tell(PoolInput::Close);
    assert_eq!((desk.stopping.len(), desk.closed), (1, 0));
    desk.end_stopping();
    assert_eq!((desk.pool.counts(), desk.closed), (PoolCounts::default(), 1));
}

#[test]
fn case_c_18_a_worker_may_go_to_a_later_request_of_its_kind() {
    let mut desk = reusing(5.0);
    desk.acquire(1, &cpus(1.0));
    let worker = desk.running[&1].worker;
    desk.acquire(11, &cpus(5.0));
    desk.release(1);
    // Nothing of its kind waits: it makes room for the large one. But if a small one comes first, it overtakes.
    assert_eq!(desk.stopping, [worker]);
    desk.end_stopping();
    desk.acquire(2, &cpus(1.0));
    desk.acquire(3, &cpus(1.0));
    desk.release(11);
    desk.end_stopping();
    desk.acquire(12, &cpus(5.0));
    desk.release(2);
    desk.acquire(4, &cpus(1.0));
    assert_eq!((desk.running(), desk.running[&4].resets), (vec![3, 4], 1), "overtakes, on a used worker");
    desk.run_down();
    assert_eq!(desk.starts.last(), Some(&(12, 0)));
}

#[test]
fn case_c_19_nothing_is_kept_when_nobody_can_come() {
    let mut desk = reusing(2.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.release(0);
    assert_eq!(desk.pool.counts().idle, 1);
    desk.tell(PoolInput::Demand(Demand::Closed));
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (0, 1));
    desk.release(1);
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (0, 2));
}

#[test]
fn case_c_19_what_waits_is_still_served_by_used_workers_when_nobody_else_can_come() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.tell(PoolInput::Demand(Demand::Closed));
    desk.release(0);
    assert_eq!((desk.resets(), desk.stopping.len()), (vec![0, 1], 0));
}

#[test]
fn case_c_20_a_worker_is_kept_as_long_as_somebody_may_come() {
    let mut desk = reusing(2.0);
    desk.acquire(0, &cpus(1.0));
    desk.release(0);
    desk.wait_secs(1e6);
    assert_eq!((desk.pool.counts().idle, desk.pool.free()), (1, &amounts(&[("cpu", 1.0)])), "it holds what it has");
    desk.acquire(1, &cpus(1.0));
    assert_eq!(desk.running[&1].resets, 1);
}

#[test]
fn case_c_20_an_idle_worker_has_a_time_to_live_if_the_settings_say_so() {
    let mut desk = Desk::new(Settings { idle_ttl: Some(Duration::from_secs(60)), ..settings(&CLUSTER, Reuse::Yes) });
    desk.acquire(0, &cpus(1.0));
    desk.release(0);
    desk.wait_secs(59.0);
    assert_eq!(desk.pool.counts().idle, 1);
    desk.wait_secs(1.0);
    assert_eq!((desk.pool.counts().idle, desk.stopping.len()), (0, 1));
}

#[test]
fn case_c_21_and_c_22_another_kind_evicts_it_and_it_is_forgotten_when_it_has_ended() {
    let mut desk = reusing(2.0);
    desk.acquire(0, &cpus(1.0));
    desk.release(0);
    desk.acquire(1, &cpus(2.0));
    assert_eq!((desk.pool.counts().stopping, desk.running().len()), (1, 0));
    desk.end_stopping();
    assert_eq!((desk.pool.counts().stopping, desk.running()), (0, vec![1]));
    assert_eq!(desk.pool.deadline(), None, "nothing is left to sweep");
}

#[test]
fn case_c_21_it_stays_if_there_is_room_beside_it() {
    let mut desk = reusing(3.0);
    desk.acquire(0, &cpus(1.0));
    desk.release(0);
    desk.acquire(1, &cpus(2.0));
    assert_eq!((desk.pool.counts().idle, desk.running()), (1, vec![1]));
}

#[test]
fn case_c_23_the_worker_of_a_failed_trial_is_never_reused() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.discard(0);
    assert_eq!((desk.running().len(), desk.stopping.len()), (0, 1));
    desk.end_stopping();
    assert_eq!((desk.running[&1].resets, desk.spawned), (0, 2));
}

/// Four trials on one cpu, each pausing after its first iteration and going on later.
fn pausing(reuse: Reuse) -> Desk {
    let mut desk = Desk::new(settings(&[("cpu", 1.0)], reuse));
    (0..4).for_each(|number| desk.acquire(number, &cpus(1.0)));
    for turn in 0..8 {
        let number = turn % 4;
        desk.release(number);
        if turn < 4 {
            desk.acquire(number, &cpus(1.0));
        }
        desk.end_stopping();
    }
    desk
}

#[test]
fn case_c_24_without_reuse_every_turn_has_a_fresh_worker() {
    let starts = pausing(Reuse::No).starts;
    assert_eq!(starts, [0, 1, 2, 3, 0, 1, 2, 3].map(|number| (number, 0)));
}

#[test]
fn case_c_25_with_reuse_all_turns_share_one() {
    let starts = pausing(Reuse::Yes).starts;
    assert_eq!(starts, [(0, 0), (1, 1), (2, 2), (3, 3), (0, 4), (1, 5), (2, 6), (3, 7)]);
}

#[test]
fn case_c_28_and_c_29_one_that_cannot_be_reset_is_replaced_by_a_fresh_one_before_anybody_else() {
    let mut desk = reusing(2.0);
    desk.acquire(0, &cpus(1.0));
    desk.acquire(9, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.acquire(2, &cpus(1.0));
    desk.release(0);
    let slot = desk.running[&1].slot.clone();
    desk.replace(1);
    assert_eq!(desk.pool.why_waiting(trial(1)).map(|why| why.waits_for), Some(WaitsFor::OldWorker));
    assert_eq!(desk.running(), [9], "the other one that waits doesn't get its place");
    desk.end_stopping();
    assert_eq!((desk.running(), desk.running[&1].resets, desk.spawned), (vec![1, 9], 0, 3));
    assert_eq!(desk.running[&1].slot, slot);
    desk.cancel(2);
    assert_eq!(desk.pool.counts().waiting, 0);
}

#[test]
fn case_c_29_one_that_leaves_while_it_waits_for_a_replacement_gets_none() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &cpus(1.0));
    desk.replace(0);
    desk.cancel(0);
    desk.acquire(1, &cpus(1.0));
    desk.end_stopping();
    assert_eq!((desk.running(), desk.spawned), (vec![1], 2));
}

#[test]
fn case_c_31_after_a_failure_the_count_begins_anew() {
    let mut desk = reusing(1.0);
    (0..4).for_each(|number| desk.acquire(number, &cpus(1.0)));
    desk.release(0);
    desk.discard(1);
    desk.end_stopping();
    desk.run_down();
    assert_eq!(desk.starts, [(0, 0), (1, 1), (2, 0), (3, 1)]);
}

#[test]
fn case_c_32_six_trials_one_at_a_time_see_zero_to_five_resets() {
    let mut desk = reusing(4.0);
    for number in 0..6 {
        desk.acquire(number, &cpus(1.0));
        desk.release(number);
    }
    assert_eq!((desk.resets(), desk.spawned), (vec![0, 1, 2, 3, 4, 5], 1));
}

#[test]
fn case_c_33_each_kind_is_served_to_its_end_by_one_worker() {
    // Whatever it takes of cpus, each needs the only seat: one runs at a time.
    let mut desk = Desk::new(settings(&[("cpu", 4.0), ("seat", 1.0)], Reuse::Yes));
    for (number, cpu) in [4.0, 2.0, 1.0, 2.0, 1.0, 4.0].into_iter().enumerate() {
        desk.acquire(number as u32, &request(&[("cpu", cpu), ("seat", 1.0)]));
    }
    desk.run_down();
    assert_eq!(desk.starts, [(0, 0), (5, 1), (1, 0), (3, 1), (2, 0), (4, 1)]);
    assert_eq!(desk.resets(), [0, 0, 0, 1, 1, 1]);
}

#[test]
fn case_c_35_equal_requests_are_one_kind_whoever_made_them() {
    let mut desk = reusing(1.0);
    desk.acquire(0, &request(&[("cpu", 1.0), ("gpu", 0.0)]));
    desk.acquire(1, &cpus(1.0));
    desk.release(0);
    assert_eq!(desk.running[&1].resets, 1);
}

#[test]
fn a_barrier_gets_the_room_of_idle_workers_that_others_behind_it_wait_for() {
    let mut desk = Desk::new(Settings { overtaking: 1, ..settings(&[("cpu", 2.0)], Reuse::Yes) });
    desk.acquire(0, &cpus(1.0));
    desk.acquire(1, &cpus(1.0));
    desk.acquire(2, &cpus(2.0));
    (3..6).for_each(|number| desk.acquire(number, &cpus(1.0)));
    desk.release(0);
    assert_eq!(desk.running(), [1, 3], "one may overtake");
    desk.release(1);
    assert_eq!((desk.running(), desk.pool.counts().idle), (vec![3], 1), "a second may not");
    desk.release(3);
    desk.end_stopping();
    assert_eq!(desk.running(), [2]);
}
