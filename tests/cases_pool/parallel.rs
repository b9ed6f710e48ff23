//! Who runs beside whom (R), and what can never run.

use tryout::logic::pool::*;

use crate::desk::{CLUSTER, Desk, amounts, cpus, pool, request, settings, trial};

#[test]
fn case_r_04_both_run_when_both_fit() {
    let mut desk = Desk::new(settings(&CLUSTER, Reuse::No));
    desk.acquire(0, &request(&[("cpu", 1.0)]));
    desk.acquire(1, &request(&[("gpu", 1.0)]));
    assert_eq!(desk.running(), [0, 1]);
}

#[test]
fn case_r_06_a_trial_that_comes_back_may_ask_for_more() {
    let mut desk = Desk::new(settings(&CLUSTER, Reuse::Yes));
    desk.acquire(0, &cpus(2.0));
    desk.release(0);
    desk.acquire(0, &cpus(4.0));
    desk.end_stopping();
    assert_eq!(desk.running[&0].slot.bundles, [Resources::cpus(4)]);
}

#[test]
fn case_r_08_a_small_one_may_overtake_a_large_one_that_does_not_fit() {
    let mut desk = Desk::new(settings(&[("cpu", 2.0)], Reuse::No));
    for (number, cpu) in [1.0, 1.0, 2.0, 1.0].into_iter().enumerate() {
        desk.acquire(number as u32, &cpus(cpu));
    }
    desk.release(0);
    desk.end_stopping();
    assert_eq!(desk.running(), [1, 3]);
    desk.run_down();
    assert_eq!(desk.starts.last(), Some(&(2, 0)));
}

#[test]
fn case_r_09_never_more_workers_than_fit_and_all_are_given_back() {
    for reuse in [Reuse::No, Reuse::Yes] {
        let mut desk = Desk::new(settings(&[("cpu", 8.0), ("custom", 4.0)], reuse));
        (0..10).for_each(|number| desk.acquire(number, &request(&[("cpu", 4.0), ("custom", 2.0)])));
        assert_eq!(desk.running(), [0, 1]);
        desk.run_down();
        assert_eq!(desk.spawned, if reuse == Reuse::Yes { 2 } else { 10 });
        desk.tell(PoolInput::Close);
        desk.end_stopping();
        assert_eq!((desk.pool.free(), desk.closed), (desk.pool.total(), 1));
    }
}

#[test]
fn case_r_11_what_can_never_be_met_is_said_at_once_naming_what_was_asked_and_what_there_is() {
    let mut desk = Desk::new(settings(&CLUSTER, Reuse::No));
    let too_much = request(&[("cpu", 5.0), ("gpu", 3.0)]);
    let words = "asked for cpu 5, gpu 3, but there is only a 2, cpu 4, gpu 2";
    assert_eq!(desk.pool.feasible(&too_much).unwrap_err().to_string(), words);
    desk.acquire(0, &too_much);
    assert_eq!((desk.refused[&0].as_str(), desk.pool.counts()), (words, PoolCounts::default()));
}

#[test]
fn case_r_11_pieces_of_gpus_that_fit_in_sum_only_can_never_be_met() {
    let pool = pool(settings(&CLUSTER, Reuse::No));
    let shares = |share: f64| ResourceRequest::bundles(vec![amounts(&[("gpu", share)]); 3]).unwrap();
    assert_eq!(pool.feasible(&shares(0.5)), Ok(()));
    let words = pool.feasible(&shares(0.6)).unwrap_err().to_string();
    let expected =
        "asked for 1.8 of `gpu` in pieces of 0.6 + 0.6 + 0.6, which don't fit on 2 GPUs: a piece can't be split";
    assert_eq!(words, expected);
}

#[test]
fn case_r_12_what_fits_but_has_to_wait_can_say_why() {
    let mut desk = Desk::new(settings(&[("cpu", 4.0)], Reuse::No));
    desk.acquire(0, &cpus(3.0));
    desk.acquire(1, &cpus(2.0));
    desk.acquire(2, &cpus(2.0));
    let why = desk.pool.why_waiting(trial(1)).unwrap();
    assert_eq!((&*why.needs, &why.has, why.waits_for), (&cpus(2.0), &Resources::cpus(1), WaitsFor::Resources));
    assert_eq!(desk.pool.why_waiting(trial(2)).unwrap().waits_for, WaitsFor::EarlierRequests);
    assert_eq!(desk.pool.why_waiting(trial(0)), None);
    assert!(desk.refused.is_empty());
}

#[test]
fn case_r_14_a_trial_with_an_empty_first_bundle_waits_for_its_gpu() {
    let mut desk = Desk::new(settings(&[("cpu", 1.0), ("gpu", 1.0)], Reuse::Yes));
    let wants = ResourceRequest::bundles(vec![Resources::new(), amounts(&[("gpu", 1.0)])]).unwrap();
    desk.acquire(0, &wants);
    desk.acquire(1, &wants);
    desk.release(0);
    assert_eq!(desk.running[&1].slot.gpus, [vec![], vec![0]]);
}

#[test]
fn settings_with_a_part_of_a_gpu_or_with_nothing_are_refused() {
    let check = |total: &[(&str, f64)]| amounts(total).check_pool();
    assert_eq!(check(&[("gpu", 1.5)]), Err(PoolError::PartialGpus { value: 1.5 }));
    assert_eq!(check(&[]), Err(PoolError::Nothing));
    assert_eq!(check(&[("gpu", 2.0), ("cpu", 0.5)]), Ok(()));
}
