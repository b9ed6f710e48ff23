//! Several runs of one process on one host, through the public interface: they never hold more than there is together, each goes
//! on, and what one gives up the others get.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tryout::actors::messages::Panic;
use tryout::logic::pool::WaitsFor;
use tryout::prelude::*;

#[path = "common/live/mod.rs"]
mod live;

use live::{Gate, end, pool_until, wait};

/// Counts who is at work, and remembers the most.
#[derive(Clone, Debug, Default)]
struct Meter {
    now: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
}

impl Meter {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::SeqCst)
    }
}

/// So many trials that wait at the gate, one a trial.
fn gated(name: &str, trials: u32, gate: &Gate, meter: &Meter) -> Experiment {
    let (gate, meter) = (gate.clone(), meter.clone());
    let trainable = function(name, move |_: Config, trial| {
        meter.enter();
        gate.pass();
        meter.leave();
        trial.report([("loss", 0.0)])?;
        Ok(())
    });
    Experiment::new(name, trainable).points((0..trials).map(|n| Config::new().with("n", n))).seed(1)
}

fn opened() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

fn gpu_each() -> ResourceRequest {
    ResourceRequest::single(Resources::new().with("gpu", 1.0)).unwrap()
}

#[test]
fn a_run_alone_has_all_and_no_cap() {
    let host = HostBudget::new(Resources::cpus(3)).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let run = gated("alone", 6, &gate, &meter).host_budget(&host).start().unwrap();
    gate.wait_for(3);
    let status = wait(run.control().pool(None)).unwrap();
    assert_eq!((status.cap, status.total, host.runs()), (None, Resources::cpus(3), 1));
    gate.open();
    assert_eq!(end(run).unwrap().count(Status::Terminated), 6);
    assert_eq!((meter.most(), host.runs()), (3, 0));
}

#[test]
fn two_runs_come_to_have_half_each_and_never_more_than_there_is() {
    let host = HostBudget::new(Resources::cpus(4)).unwrap();
    let (one, other, meter) = (Gate::new(), Gate::new(), Meter::default());
    let first = gated("first", 40, &one, &meter).host_budget(&host).start().unwrap();
    one.wait_for(4);
    let second = gated("second", 40, &other, &meter).host_budget(&host).start().unwrap();
    // It has one in any case.
    other.wait_for(1);
    let leased = |run: &ExperimentHandle, count| {
        pool_until(&run.control(), |counts| counts.leased == count && counts.stopping == 0 && counts.settling == 0);
    };
    // Two of the first end: one pays for what the second has beyond its cap.
    one.let_pass(2);
    leased(&first, 2);
    leased(&second, 2);
    assert!(meter.most() <= 5, "{} at once", meter.most());
    let before = meter.clone();
    for _ in 0..5 {
        one.let_pass(1);
        other.let_pass(1);
    }
    leased(&first, 2);
    leased(&second, 2);
    assert!(before.most() <= 5);
    let status = wait(second.control().pool(None)).unwrap();
    assert_eq!(status.cap.map(|cap| cap.to_string()).as_deref(), Some("cpu 2"));
    other.open();
    assert_eq!(end(second).unwrap().count(Status::Terminated), 40);
    // The first has all again, without a trial that ends.
    leased(&first, 4);
    one.open();
    assert_eq!(end(first).unwrap().count(Status::Terminated), 40);
}

#[test]
fn no_gpu_is_had_by_two() {
    let host = HostBudget::new(Resources::cpus(4).with_gpus([0, 2])).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let start = |name| gated(name, 30, &gate, &meter).per_trial(gpu_each()).host_budget(&host).start().unwrap();
    let runs: Vec<ExperimentHandle> = ["one", "two", "three"].into_iter().map(start).collect();
    gate.wait_for(2);
    let on = |run: &ExperimentHandle| {
        let all = wait(run.control().trials(0, 30)).unwrap();
        let gpus = all.into_iter().filter_map(|trial| trial.runs_on);
        gpus.flat_map(|on| on.slot.gpus.iter().flatten().copied().collect::<Vec<_>>()).collect::<Vec<u32>>()
    };
    let mut gpus: Vec<u32> = runs.iter().flat_map(on).collect();
    gpus.sort_unstable();
    assert!(gpus.iter().all(|gpu| [0, 2].contains(gpu)) && gpus.windows(2).all(|two| two[0] != two[1]), "{gpus:?}");
    gate.open();
    for run in runs {
        assert_eq!(end(run).unwrap().count(Status::Terminated), 30);
    }
    assert_eq!((meter.most(), host.runs()), (2, 0));
}

#[test]
fn who_waits_for_another_run_says_so_and_goes_on_when_that_is_dropped() {
    let host = HostBudget::new(Resources::cpus(2).with_gpus([0])).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let first = gated("holds", 1, &gate, &meter).per_trial(gpu_each()).host_budget(&host).start().unwrap();
    gate.wait_for(1);
    let next = Gate::new();
    let second = gated("waits", 1, &next, &meter).per_trial(gpu_each()).host_budget(&host).start().unwrap();
    pool_until(&second.control(), |counts| counts.waiting == 1);
    let trial = live::ids(&second.control())[0];
    let why = wait(second.control().pool(Some(trial))).unwrap().why.expect("it waits");
    assert_eq!(why.waits_for, WaitsFor::OtherRuns);
    wait(first.control().stop()).unwrap();
    gate.open();
    end(first).unwrap();
    next.wait_for(1);
    next.open();
    assert_eq!(end(second).unwrap().count(Status::Terminated), 1);
}

#[test]
fn what_is_more_than_the_host_has_is_refused_at_once() {
    let host = HostBudget::new(Resources::cpus(2)).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let eight = ResourceRequest::single(Resources::cpus(8)).unwrap();
    let error = gated("large", 1, &gate, &meter).per_trial(eight).host_budget(&host).start().err().unwrap();
    assert!(error.to_string().contains("only cpu 2"), "{error}");
    let error = gated("wide", 1, &gate, &meter).workers(8).host_budget(&host).start().err().unwrap();
    assert!(error.to_string().contains("doesn't fit in the budget"), "{error}");
}

#[test]
fn a_run_can_always_run_one_trial_that_needs_only_cores() {
    let host = HostBudget::new(Resources::cpus(1)).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let first = gated("holds", 1, &gate, &meter).host_budget(&host).start().unwrap();
    gate.wait_for(1);
    let second = gated("goes on", 3, &opened(), &meter).host_budget(&host).start().unwrap();
    assert_eq!(end(second).unwrap().count(Status::Terminated), 3);
    gate.open();
    end(first).unwrap();
}

#[test]
fn detected_totals_share_the_process_and_given_ones_do_not() {
    let all = HostBudget::of_process().resources().clone();
    let cores = all.get("cpu").as_f64() as u32;
    let meter = Meter::default();
    let open = opened();
    let runs: Vec<ExperimentHandle> =
        ["one", "two"].into_iter().map(|name| gated(name, 30, &open, &meter).start().unwrap()).collect();
    let totals: Vec<Resources> =
        runs.iter().filter_map(|run| Some(wait(run.control().pool(None)).ok()?.total)).collect();
    assert!(totals.iter().all(|total| *total == all), "{totals:?}");
    for run in runs {
        assert_eq!(end(run).unwrap().count(Status::Terminated), 30);
    }
    // Each may have one beyond its cap.
    assert!(meter.most() <= cores + 1, "{} at once on {cores} cores", meter.most());
    for own in [gated("own", 9, &Gate::new(), &meter).workers(2), gated("own", 9, &Gate::new(), &meter).own_host()] {
        let run = own.start().unwrap();
        assert_eq!(wait(run.control().pool(None)).unwrap().cap, None);
        drop(run);
    }
}

#[test]
fn a_run_whose_actor_panics_gives_back_what_it_has() {
    let host = HostBudget::new(Resources::cpus(2).with_gpus([0])).unwrap();
    let (gate, meter) = (Gate::new(), Meter::default());
    let first = gated("breaks", 1, &gate, &meter).per_trial(gpu_each()).host_budget(&host).start().unwrap();
    gate.wait_for(1);
    let next = Gate::new();
    let second = gated("waits", 1, &next, &meter).per_trial(gpu_each()).host_budget(&host).start().unwrap();
    pool_until(&second.control(), |counts| counts.waiting == 1);
    wait(first.control().controller().send(Panic::Supervisor)).unwrap();
    gate.open();
    assert!(end(first).is_err());
    next.wait_for(1);
    assert_eq!(host.runs(), 1);
    next.open();
    end(second).unwrap();
    assert_eq!(host.runs(), 0);
}
