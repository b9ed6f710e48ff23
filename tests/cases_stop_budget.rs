//! Budgets of cpu-seconds and GPU-seconds: in words, and in a simulated run to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use tryout::extend::*;
use tryout::logic::engine::{Engine, EngineSettings, same_for_all};
use tryout::logic::pool::Pool;
use tryout::logic::schedule::Fifo;
use tryout::logic::search::Variants;
use tryout::logic::settings::Settings;
use tryout::logic::space::uniform;
use tryout::logic::stop::{self, cpu_seconds, gpu_seconds};
use tryout::logic::trial::TrialSettings;
use tryout::testing::{Script, Sim};

fn used(cpu_seconds: f64, cpus: f64, now: f64) -> Progress {
    Progress { now: Moment::from_secs_f64(now), cpu_seconds, cpus, ..Progress::default() }
}

#[test]
fn its_end_is_foreseen() {
    let mut rule = cpu_seconds(100.0);
    assert_eq!(
        (rule.check_experiment(&used(40.0, 4.0, 10.0)), rule.deadline()),
        (None, Some(Moment::from_secs_f64(25.0)))
    );
    assert_eq!((rule.check_experiment(&used(60.0, 0.0, 15.0)), rule.deadline()), (None, None), "nobody uses any");
    let reason = rule.check_experiment(&used(100.0, 4.0, 30.0)).expect("it is used up");
    assert_eq!(reason, "the experiment's 100 cpu-seconds are used up");
}

#[test]
fn what_was_used_before_counts() {
    let mut rule = gpu_seconds(10.0);
    let progress = Progress { gpu_seconds: 7.0, gpus: 1.0, ..Progress::default() };
    assert_eq!(rule.check_experiment(&progress), None);
    let mut later = gpu_seconds(12.0);
    later.restore(rule.save().expect("it gives its state")).expect("it is its own");
    assert_eq!(later.check_experiment(&Progress { gpu_seconds: 4.0, gpus: 2.0, ..Progress::default() }), None);
    assert_eq!(later.deadline(), Some(Moment::from_secs_f64(0.5)));
    assert!(cpu_seconds(10.0).restore(rule.save().expect("it gives its state")).is_err(), "another resource");
}

#[test]
fn a_limit_must_be_a_number_above_zero() {
    for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = cpu_seconds(limit).validate().expect_err("it is refused").to_string();
        assert!(error.starts_with("stop rule `budget`: the limit is "), "{error}");
    }
}

#[test]
fn a_run_ends_when_its_trials_have_used_their_cpus() {
    let cpus = Resources::cpus(4);
    let two = Arc::new(ResourceRequest::single(Resources::cpus(2)).expect("it asks for something"));
    let settings = EngineSettings {
        request: same_for_all(two),
        experiment: Arc::new(Settings { concurrency: Some(2), ..Settings::new("budget") }),
        ..EngineSettings::new(RunId::new(3), "budget", cpus.clone())
    };
    let searcher = Variants::new(Space::new().with("x", uniform(0.0, 1.0)), 1).expect("the space is fine").passes(2);
    let rule = stop::cpu_seconds(30.0);
    let engine = Engine::new(settings, Box::new(searcher), Box::new(Fifo), Box::new(rule));
    // Steps of an hour: no report comes in time to ask at.
    let hour = Duration::from_secs(3600);
    let script = Script::new(|_, _| Metrics::from([("loss", 1.0)])).times(Duration::ZERO, hour, Duration::ZERO);
    let sim = Sim::new(1, engine, Pool::new(cpus, Settings::default()), TrialSettings::default(), script);
    let end = sim.run().expect("it comes to its end");
    assert_eq!(end.outcome, Outcome::Stopped("the experiment's 30 cpu-seconds are used up".into()));
    let over = end.ledger.iter().filter_map(|record| record.ended).max().expect("they ended");
    // Four cpus for seven and a half seconds.
    assert!((over.since_start().as_secs_f64() - 7.5).abs() < 1e-3, "{over}");
}

/// How long a run of one trial takes, of twenty steps of a second, whose `loss` is its iteration.
fn length(rule: impl StopRule + 'static) -> f64 {
    let cpus = Resources::cpus(1);
    let settings = EngineSettings::new(RunId::new(3), "budget", cpus.clone());
    let searcher = Variants::new(Space::new().with("x", uniform(0.0, 1.0)), 1).expect("the space is fine");
    let engine = Engine::new(settings, Box::new(searcher), Box::new(Fifo), Box::new(rule));
    let script = Script::new(|_, iteration| Metrics::from([("loss", iteration as f64)]));
    let script = script.times(Duration::ZERO, Duration::from_secs(1), Duration::ZERO).done_at(20);
    let sim = Sim::new(1, engine, Pool::new(cpus, Settings::default()), TrialSettings::default(), script);
    let end = sim.run().expect("it comes to its end");
    let over = end.ledger.iter().filter_map(|record| record.ended).max().expect("it ended");
    over.since_start().as_secs_f64()
}

#[test]
fn case_o_11_the_first_limit_ends_the_run() {
    let within = |seconds| stop::experiment_time(Duration::from_secs(seconds));
    for (found, most) in [
        (length(within(5)), 5.0),
        (length(stop::at_least("loss", 3.0).or(within(7))), 3.0),
        (length(within(10).or(within(3))), 3.0),
    ] {
        assert!((found - most).abs() < 0.1, "{found} s instead of {most}");
    }
}
