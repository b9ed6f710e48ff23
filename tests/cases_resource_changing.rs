//! Resource changing, case by case, on a machine of 8 cpus and 8 GPUs with four trials; and in whole runs.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::{report, trial};
use tryout::extend::*;
use tryout::logic::schedule::{Distribution, Fifo, Growth, ResourceChanging};
use tryout::prelude::{Asha, Experiment, Reuse, RunError, function};

/// Who has what, as far as the cohort is asked.
struct Machine {
    all: Resources,
    requests: BTreeMap<TrialId, Arc<ResourceRequest>>,
}

impl Cohort for Machine {
    fn status(&self, trial: TrialId) -> Option<Status> {
        self.requests.contains_key(&trial).then_some(Status::Running)
    }

    fn last_report(&self, _: TrialId) -> Option<&Report> {
        None
    }

    fn count(&self, _: Status) -> usize {
        0
    }

    fn first_pending(&self) -> Option<TrialId> {
        None
    }

    fn first_paused(&self) -> Option<TrialId> {
        None
    }

    fn request(&self, trial: TrialId) -> Option<&Arc<ResourceRequest>> {
        self.requests.get(&trial)
    }

    fn resources(&self) -> Option<&Resources> {
        Some(&self.all)
    }
}

fn amounts(cpu: f64, gpu: f64) -> Resources {
    Resources::new().with("cpu", cpu).with("gpu", gpu)
}

struct Run {
    scheduler: ResourceChanging,
    machine: Machine,
    iteration: u64,
}

impl Run {
    /// Four trials that ask for this.
    fn of(scheduler: ResourceChanging, base: Resources) -> Self {
        Self::of_bundles(scheduler, ResourceRequest::single(base).expect("it asks for something"))
    }

    fn of_bundles(mut scheduler: ResourceChanging, base: ResourceRequest) -> Self {
        scheduler.prepare(Some(&Objective::max("score"))).expect("the settings are fine");
        let mut machine = Machine { all: amounts(8.0, 8.0), requests: BTreeMap::new() };
        for number in 1..=4 {
            scheduler.on_add(trial(number), &Config::new());
            machine.requests.insert(trial(number), Arc::new(base.clone()));
        }
        Self { scheduler, machine, iteration: 0 }
    }

    /// What it has after its report: cpus, GPUs.
    fn reports(&mut self, number: u32, score: f64) -> (f64, f64) {
        self.iteration += 1;
        let id = trial(number);
        let verdict = self.scheduler.on_report(id, &report(id, self.iteration, "score", score), &self.machine);
        match verdict.directives.as_slice() {
            [] => assert_eq!(verdict, Verdict::CONTINUE),
            [Directive::Resize { trial, request, .. }] => {
                assert_eq!((verdict.decision, *trial), (Decision::Pause, id));
                assert!(verdict.reason.is_some_and(|reason| reason.starts_with("is to have ")));
                self.machine.requests.insert(id, request.clone());
            }
            other => panic!("it doesn't say {other:?}"),
        }
        let total = self.machine.requests[&id].total();
        (total.get("cpu").as_f64(), total.get("gpu").as_f64())
    }

    fn ends(&mut self, number: u32) {
        self.machine.requests.remove(&trial(number));
        assert!(self.scheduler.on_end(trial(number), Ending::Done, None, &self.machine).is_empty());
    }
}

fn even() -> ResourceChanging {
    ResourceChanging::new(Fifo)
}

fn top() -> ResourceChanging {
    even().distribution(Distribution::TopJob)
}

#[test]
fn case_q_01_what_is_free_is_shared_evenly() {
    let mut run = Run::of(even(), amounts(1.0, 0.0));
    assert_eq!((run.reports(1, 0.0).0, run.reports(2, 0.0).0), (2.0, 2.0));
    for (ends, cpus) in [(4, 3.0), (3, 4.0), (2, 8.0)] {
        run.ends(ends);
        assert_eq!(run.reports(1, 0.0).0, cpus);
    }
}

#[test]
fn case_q_02_units_of_cpus_and_gpus() {
    let mut run = Run::of(even().unit(amounts(2.0, 2.0)), amounts(2.0, 2.0));
    assert_eq!(run.reports(1, 0.0), (2.0, 2.0));
    for (ends, reports, both) in [(4, 1, 4.0), (3, 2, 4.0), (2, 1, 8.0)] {
        run.ends(ends);
        assert_eq!(run.reports(reports, 0.0), (both, both));
    }
}

#[test]
fn case_q_03_at_most_so_many_units() {
    let mut run = Run::of(even().unit(amounts(0.0, 2.0)).limit(2), amounts(1.0, 2.0));
    assert_eq!(run.reports(1, 0.0), (1.0, 2.0));
    for (ends, reports, gpus) in [(4, 1, 4.0), (3, 2, 4.0), (2, 1, 6.0)] {
        run.ends(ends);
        assert_eq!(run.reports(reports, 0.0), (1.0, gpus));
    }
}

#[test]
fn case_q_04_what_others_need_is_given_back() {
    let mut run = Run::of(even().unit(amounts(0.0, 2.0)), amounts(1.0, 2.0));
    run.ends(4);
    assert_eq!(run.reports(1, 0.0), (1.0, 4.0));
    run.scheduler.on_add(trial(5), &Config::new());
    let base = ResourceRequest::single(amounts(1.0, 2.0)).expect("it asks for something");
    run.machine.requests.insert(trial(5), Arc::new(base));
    assert_eq!(run.reports(1, 0.0), (1.0, 2.0));
    assert_eq!(run.reports(1, 0.0), (1.0, 2.0), "its own request is never touched");
}

#[test]
fn case_q_07_the_top_job_gets_all_that_is_free() {
    let mut run = Run::of(top(), amounts(1.0, 0.0));
    assert_eq!(run.reports(2, 5.0).0, 5.0, "it is the best so far");
    assert_eq!(run.reports(1, 1.0).0, 1.0, "another is better");
    run.ends(4);
    assert_eq!((run.reports(1, 1.0).0, run.reports(2, 5.0).0), (1.0, 6.0));
    assert_eq!(run.reports(1, f64::NAN).0, 1.0);

    let mut run = Run::of(top().limit(2), amounts(1.0, 0.0));
    assert_eq!((run.reports(2, 5.0).0, run.reports(1, 1.0).0), (3.0, 3.0), "the next best has its turn");
}

#[test]
fn case_q_08_every_change_is_made() {
    let mut run = Run::of(even(), amounts(1.0, 0.0));
    assert_eq!([1, 2, 3, 4].map(|number| run.reports(number, 0.0).0), [2.0; 4]);
}

#[test]
fn bundles_can_be_added_instead() {
    let base = ResourceRequest::bundles(vec![amounts(0.0, 0.0), amounts(1.0, 1.0)]).expect("it asks for something");
    let mut run = Run::of_bundles(even().growth(Growth::MoreBundles), base.clone());
    assert_eq!(run.reports(1, 0.0), (2.0, 2.0));
    assert_eq!(run.machine.requests[&trial(1)].as_bundles().len(), 3);
    let mut run = Run::of_bundles(even(), base);
    assert_eq!(run.reports(1, 0.0), (1.0, 1.0), "several bundles can't grow in place");
}

/// The reference refuses reused workers; here a worker belongs to whoever holds it, with what that one holds.
#[test]
fn case_q_09_workers_that_are_reused_are_no_error() -> Result<(), RunError> {
    let trainable = function("short", |_: Config, trial| {
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |saved| saved.json("state"))?;
        for iteration in from + 1..=4 {
            trial.report_with([("loss", 1.0)], |writer| Ok(writer.json("state", &iteration)?))?;
        }
        Ok(())
    });
    let results = Experiment::new("reused", trainable)
        .seed(0)
        .points((0..6).map(|x| Config::new().with("x", x)))
        .resources(Resources::cpus(4))
        .reuse(Reuse::Yes)
        .scheduler(ResourceChanging::new(Fifo))
        .objective(Objective::min("loss"))
        .run()?;
    assert!(results.trials().iter().all(|trial| trial.last.as_ref().is_some_and(|last| last.iteration() == 4)));
    Ok(())
}

/// The reference refuses a second trial that asks for something else; here each grows from what it asks for itself.
#[test]
fn case_q_10_trials_may_ask_for_different_things() {
    let mut run = Run::of(even(), amounts(1.0, 0.0));
    let three = ResourceRequest::single(amounts(3.0, 0.0)).expect("it asks for something");
    run.machine.requests.insert(trial(2), Arc::new(three));
    // Two cpus are free: one for each of the first two who report.
    assert_eq!((run.reports(2, 0.0).0, run.reports(1, 0.0).0, run.reports(3, 0.0).0), (4.0, 2.0, 1.0));
}

#[test]
fn what_is_reserved_is_never_handed_out() {
    let mut run = Run::of(even().reserved(Resources::cpus(4)), amounts(1.0, 0.0));
    assert_eq!(run.reports(1, 0.0).0, 1.0);
}

#[test]
fn a_rule_of_one_s_own() {
    let double = |_: TrialId, _: &Report, _: &dyn Cohort| ResourceRequest::single(amounts(7.0, 0.0)).ok();
    let mut run = Run::of(even().rule(double), amounts(1.0, 0.0));
    assert_eq!((run.reports(1, 0.0).0, run.reports(1, 0.0).0), (7.0, 7.0));
    assert!(run.scheduler.spec().is_none());
    assert!(even().spec().is_some());
}

#[test]
fn settings_out_of_range_are_refused() {
    let error = even().limit(0).prepare(None).expect_err("none is no limit");
    assert_eq!(error.to_string(), "ResourceChanging: `limit` is 0, but must be at least 1");
    assert!(even().unit(Resources::new()).prepare(None).is_err());
    assert!(matches!(top().prepare(None), Err(ScheduleError::NoObjective { .. })));
}

#[test]
fn case_r_06_a_trial_goes_on_with_what_it_was_given() -> Result<(), RunError> {
    let seen: Arc<Mutex<Vec<(String, f64)>>> = Arc::default();
    let notes = seen.clone();
    let trainable = function("grows", move |config: Config, trial| {
        let cpus = trial.info().slot.bundles.iter().map(|bundle| bundle.get("cpu").as_f64()).sum();
        let name = config.value("name").map(ToString::to_string).unwrap_or_default();
        notes.lock().expect("not poisoned").push((name, cpus));
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |saved| saved.json("state"))?;
        for iteration in from + 1..=6 {
            trial.report_with([("loss", 1.0 / iteration as f64)], |writer| Ok(writer.json("state", &iteration)?))?;
        }
        Ok(())
    });
    let results = Experiment::new("grows", trainable)
        .seed(0)
        .points([Config::new().with("name", 1)])
        .resources(Resources::cpus(4))
        .scheduler(ResourceChanging::new(Asha::new().max_t(100)))
        .objective(Objective::min("loss"))
        .run()?;
    let record = &results.trials()[0];
    assert_eq!(record.last.as_ref().map(|last| last.iteration()), Some(6));
    assert_eq!(*seen.lock().expect("not poisoned"), [("1".to_owned(), 1.0), ("1".to_owned(), 4.0)]);
    assert_eq!(record.resized.as_ref().map(|request| request.total().get("cpu").as_f64()), Some(4.0));
    Ok(())
}
