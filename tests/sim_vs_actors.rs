//! The simulator is held against the real actors on real threads: the same script, the same settings, the same outcome.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tryout::logic::checkpoint::Retention;
use tryout::logic::engine::{AtEnd, Batching, Engine, EngineSettings, History, TrialRecord};
use tryout::logic::failure::{Budget, FailureKind, RetryPolicy};
use tryout::logic::ids::RunId;
use tryout::logic::metrics::{Metrics, Objective};
use tryout::logic::pool::{Pool, Resources, Reuse};
use tryout::logic::schedule::{Asha, Fifo, Scheduler};
use tryout::logic::search::Variants;
use tryout::logic::settings::Settings;
use tryout::logic::space::{Space, uniform};
use tryout::logic::stop::{self, StopRule};
use tryout::logic::trial::TrialSettings;
use tryout::prelude::{Config, Experiment};
use tryout::testing::{Chance, Script, Sim, scripted};

const SAMPLES: u64 = 12;
const ITERATIONS: u64 = 9;

#[derive(Clone, Copy, Debug)]
struct Setting {
    seed: u64,
    workers: u32,
    asha: bool,
    batching: Batching,
    at_end: AtEnd,
    reuse: Reuse,
    failures: u32,
}

fn script(setting: Setting) -> Script {
    let chance = Chance {
        error: 0.04,
        panic: 0.02,
        lost: 0.02,
        // Who comes first, the news of its end or the decision, is nobody's to say with real threads.
        vanish: 0.0,
        setup: 0.05,
        reset: 0.1,
        save: 0.03,
        restore: 0.1,
        wish: 0.1,
        hang: 0.0,
    };
    let reports = |config: &Config, iteration: u64| {
        Metrics::from([("loss", config.number("x").unwrap_or(0.0) + 1.0 / iteration as f64)])
    };
    Script::new(reports).done_at(ITERATIONS).chance(chance, setting.seed)
}

fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0))
}

fn retry(setting: Setting) -> RetryPolicy {
    RetryPolicy::new(Budget::Limited(setting.failures)).free(FailureKind::RestoreFailed, Budget::Limited(1))
}

fn asha() -> Asha {
    Asha::new().max_t(ITERATIONS).reduction_factor(2.0)
}

/// What must be the same of a trial. Messages of faults are, too; when and where things happened isn't.
fn of(record: &TrialRecord) -> String {
    let failures: Vec<String> = record
        .failures
        .iter()
        .map(|failure| format!("{} #{} @{}", failure.fault, failure.attempt, failure.iteration))
        .collect();
    let checkpoints: Vec<u64> = record.checkpoints.iter().map(|checkpoint| checkpoint.report.iteration()).collect();
    let last = record.last.as_ref().map(|last| (last.iteration(), last.metrics.clone(), last.done));
    format!(
        "{} {} {:?} {last:?} attempts {} failures {failures:?} checkpoints {checkpoints:?} {:?}",
        record.id.number(),
        record.status,
        record.ending,
        record.attempts,
        record.reason,
    )
}

fn simulated(setting: Setting) -> Vec<String> {
    let mut scheduler: Box<dyn Scheduler> = if setting.asha { Box::new(asha()) } else { Box::new(Fifo) };
    scheduler.prepare(Some(&Objective::min("loss"))).expect("the settings are fine");
    let experiment = Arc::new(Settings {
        seed: Some(setting.seed),
        objective: Some(Objective::min("loss")),
        reuse: setting.reuse,
        retry: retry(setting),
        checkpoint_every: Some(2),
        at_end: setting.at_end,
        retention: Retention::last(2),
        batching: setting.batching,
        history: History::None,
        ..Settings::new("both")
    });
    let settings = EngineSettings {
        experiment: experiment.clone(),
        ..EngineSettings::new(RunId::new(1), "both", Resources::cpus(8))
    };
    let searcher = Variants::new(space(), setting.seed).expect("the space is fine").passes(SAMPLES);
    let rules: Vec<Box<dyn StopRule>> = Vec::new();
    let engine = Engine::new(settings, Box::new(searcher), scheduler, Box::new(stop::any(rules)));
    let pool = Pool::new(Resources::cpus(setting.workers), experiment.clone());
    let trials = TrialSettings { experiment, ..TrialSettings::default() };
    let sim = Sim::new(setting.seed, engine, pool, trials, script(setting));
    // With one worker the order of the trials decides; with several only what each trial does by itself.
    let end = if setting.workers == 1 { sim.in_order() } else { sim };
    let end = end.run().expect("it ends");
    end.ledger.iter().map(of).collect()
}

fn acted(setting: Setting) -> Vec<String> {
    let experiment = Experiment::new("both", scripted(script(setting)))
        .space(space())
        .samples(SAMPLES)
        .seed(setting.seed)
        .objective(Objective::min("loss"))
        .workers(setting.workers)
        .batching(setting.batching)
        .at_end(setting.at_end)
        .reuse(setting.reuse)
        .retry(retry(setting))
        .retention(Retention::last(2))
        .checkpoint_every(2);
    let experiment = if setting.asha { experiment.scheduler(asha()) } else { experiment };
    let results = experiment.run().expect("it ends");
    results.trials().iter().map(of).collect()
}

fn compare(workers: u32, asha: bool) {
    let pair = NonZeroU32::new(2).expect("2 isn't 0");
    for seed in 0..40 {
        let setting = Setting {
            seed,
            workers,
            asha,
            batching: match seed % 2 {
                0 => Batching::Single,
                _ => Batching::Fixed { reports: pair, time: None },
            },
            at_end: if seed % 3 == 0 { AtEnd::Checkpoint } else { AtEnd::Nothing },
            reuse: if seed % 5 < 3 { Reuse::Yes } else { Reuse::No },
            failures: (seed % 4) as u32,
        };
        assert_eq!(simulated(setting), acted(setting), "{setting:?}");
    }
}

#[test]
fn one_worker_under_asha_decides_the_same_in_both() {
    compare(1, true);
}

#[test]
fn several_workers_reach_the_same_ends_in_both() {
    compare(4, false);
}

#[test]
fn ten_thousand_one_second_trials_on_32_workers_take_312_5_virtual_seconds() {
    let settings = EngineSettings {
        experiment: Arc::new(Settings { history: History::None, ..Settings::new("many") }),
        ..EngineSettings::new(RunId::new(1), "many", Resources::cpus(8))
    };
    let searcher = Variants::new(space(), 1).expect("the space is fine").passes(10_000);
    let rules: Vec<Box<dyn StopRule>> = Vec::new();
    let engine = Engine::new(settings, Box::new(searcher), Box::new(Fifo), Box::new(stop::any(rules)));
    let pool = Pool::new(Resources::cpus(32), Settings::default());
    let script = Script::new(|_, _| Metrics::from([("loss", 0.0)])).done_at(1);
    let end = Sim::new(3, engine, pool, TrialSettings::default(), script).run().expect("it ends");
    assert_eq!(end.ledger.len(), 10_000);
    let (took, ideal) = (end.now.since_start(), Duration::from_millis(312_500));
    // 10,000 trials are 312 full rounds of 32 and one more that is only half full: 313 seconds are the least there is.
    assert!(took >= Duration::from_secs(313) && took <= ideal.mul_f64(1.01), "it took {took:?}");
}
