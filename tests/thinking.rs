//! A searcher that thinks for long never holds a run up: trials that are known go on, clients are answered. A part that does hold
//! it up is named.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::live::{Gate, Script as Mock, Watch, end, numbered, wait};
use tryout::extend::*;
use tryout::logic::engine::{CallClock, Engine, EngineSettings};
use tryout::logic::pool::Pool;
use tryout::logic::search::Variants;
use tryout::logic::settings::Settings;
use tryout::logic::trial::TrialSettings;
use tryout::prelude::*;
use tryout::testing::{Script, Sim, SimJournal};

/// Long enough for a machine that is busy with other things; nobody waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

/// Its second suggestion takes until the first trial has made so many reports.
struct Ponderous {
    given: u32,
    heard: Receiver<u64>,
    wait_for: u64,
}

impl Searcher for Ponderous {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        self.given += 1;
        match self.given {
            1 => Ok(Suggestion::Next(Config::new().with("name", "first"))),
            2 => {
                while self.heard.recv_timeout(LONG).map_err(SearchError::new)? < self.wait_for {}
                Ok(Suggestion::Next(Config::new().with("name", "second")))
            }
            _ => Ok(Suggestion::Exhausted),
        }
    }

    fn effort(&self) -> Effort {
        Effort::Heavy
    }

    fn lookahead(&self) -> usize {
        2
    }
}

fn reporter(
    say: Sender<u64>,
    until: u64,
) -> impl Fn(Config, &mut Session) -> Result<(), TrialError> + Clone + Send + Sync {
    let say = Arc::new(Mutex::new(say));
    move |_, trial| {
        for iteration in 1..=until {
            trial.report([("loss", 1.0 / iteration as f64)])?;
            // Nobody listens any more once the suggestion is made.
            let _ = say.lock().expect("not poisoned").send(iteration);
        }
        Ok(())
    }
}

#[test]
fn trials_that_are_known_go_on_while_it_thinks() {
    let (say, heard) = channel();
    let results = Experiment::new("thinking", function("reporter", reporter(say, 20)))
        .searcher(Ponderous { given: 0, heard, wait_for: 20 })
        .concurrency(2)
        .run()
        .expect("it runs");
    let names: Vec<_> = results.trials().iter().map(|trial| trial.config.to_string()).collect();
    assert_eq!(names, [r#"{"name":"first"}"#, r#"{"name":"second"}"#]);
    assert!(results.trials().iter().all(|trial| trial.status == Status::Terminated));
}

#[test]
fn a_run_that_is_stopped_doesn_t_wait_for_its_thought() {
    let (say, heard) = channel();
    let never = say.clone();
    let results = Experiment::new("stopped", function("reporter", reporter(say, 20)))
        .searcher(Ponderous { given: 0, heard, wait_for: u64::MAX })
        .concurrency(2)
        .stop(stop::best_reached(Objective::min("loss"), 0.1))
        .run()
        .expect("it runs");
    assert_eq!(results.trials().len(), 1);
    drop(never);
}

#[test]
fn a_thought_that_panics_ends_the_run_with_its_name() {
    struct Rash;
    impl Searcher for Rash {
        fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
            panic!("no idea")
        }

        fn effort(&self) -> Effort {
            Effort::Heavy
        }

        fn name(&self) -> &str {
            "Rash"
        }
    }
    let (say, _heard) = channel();
    let error =
        Experiment::new("rash", function("reporter", reporter(say, 1))).searcher(Rash).run().expect_err("it fails");
    let text = error.to_string();
    assert!(text.contains("searcher Rash") && text.contains("no idea"), "{text}");
}

/// What it throws panics when it is dropped: that ends the run just as well.
#[test]
fn a_thought_that_throws_a_bomb_ends_the_run() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("and again");
        }
    }
    struct Bomber;
    impl Searcher for Bomber {
        fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
            std::panic::panic_any(Bomb)
        }

        fn effort(&self) -> Effort {
            Effort::Heavy
        }
    }
    let (say, _heard) = channel();
    let experiment = Experiment::new("bomber", function("reporter", reporter(say, 1))).searcher(Bomber);
    let text = experiment.run().expect_err("it fails").to_string();
    assert!(text.contains("a panic without words"), "{text}");
}

/// Has one trial at a time. Its thoughts take until the trial has ended, of which it hears only when it is back.
struct OneAtATime {
    given: u32,
    live: u32,
    ended: Receiver<()>,
}

impl Searcher for OneAtATime {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        if self.live > 0 {
            self.ended.recv_timeout(LONG).map_err(SearchError::new)?;
            return Ok(Suggestion::Wait);
        }
        if self.given == 3 {
            return Ok(Suggestion::Exhausted);
        }
        (self.given, self.live) = (self.given + 1, 1);
        Ok(Suggestion::Next(Config::new().with("number", self.given)))
    }

    fn on_end(&mut self, _: TrialId, _: Ending, _: Option<&Report>) {
        self.live = 0;
    }

    fn effort(&self) -> Effort {
        Effort::Heavy
    }
}

struct EndSpy(Sender<()>);

impl Observer for EndSpy {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Ended { .. } = &event.kind {
            let _ = self.0.send(());
        }
        Ok(())
    }
}

#[test]
fn a_wait_that_didn_t_know_of_the_end_is_asked_about_again() {
    let (say, ended) = channel();
    let one = function("one", |_: Config, trial| Ok(trial.report([("loss", 1.0)])?));
    let results = Experiment::new("one_at_a_time", one)
        .searcher(OneAtATime { given: 0, live: 0, ended })
        .observer(EndSpy(say))
        .concurrency(2)
        .run()
        .expect("it isn't stuck");
    assert_eq!(results.trials().len(), 3);
}

/// A scheduler that takes its time over one trial, by a clock of its own.
struct Slow(Arc<AtomicU64>);

impl Scheduler for Slow {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let millis = if trial.number() == 1 && report.iteration().is_multiple_of(10) { 700 } else { 1 };
        self.0.fetch_add(millis, Ordering::Relaxed);
        Verdict::CONTINUE
    }

    fn name(&self) -> &str {
        "Slow"
    }
}

/// The part that holds the run up is named, with the time and the trial, and once a minute.
#[test]
fn a_part_that_holds_the_run_up_is_named() {
    let cpus = Resources::cpus(4);
    let settings = EngineSettings::new(RunId::new(3), "slow", cpus.clone());
    let searcher = Variants::new(Space::new().with("x", uniform(0.0, 1.0)), 1).expect("the space is fine").samples(2);
    let millis = Arc::new(AtomicU64::new(0));
    let scheduler = Box::new(Slow(millis.clone()));
    let mut engine = Engine::new(settings, Box::new(searcher), scheduler, Box::new(stop::iterations(1_000)));
    let clock: CallClock = Arc::new(move || Duration::from_millis(millis.load(Ordering::Relaxed)));
    engine.time_calls(&clock);
    let script = Script::new(|_, _| Metrics::from([("loss", 1.0)]));
    let script = script.times(Duration::ZERO, Duration::from_secs(1), Duration::ZERO).done_at(100);
    let pool = Pool::new(cpus, Settings::default());
    let sim = Sim::new(1, engine, pool, TrialSettings::default(), script).journal(SimJournal::prompt());
    let end = sim.run().expect("it comes to its end");
    let warnings = end.events.iter().filter_map(|event| match &event.kind {
        EventKind::Warning { message } => Some(message.as_str()),
        _ => None,
    });
    let warnings: Vec<_> = warnings.collect();
    let trial = TrialId::new(RunId::new(3), 1);
    let first = format!("the scheduler Slow held the whole run up for 0.70 s over trial {trial}");
    assert_eq!(warnings, [first.clone(), first + "; 5 more times since this was last said"]);
}

/// In a real run too: scheduler, searcher, stop rule, store and observer, by a limit that everything exceeds.
#[test]
fn whoever_is_slow_is_named() {
    let gate = Gate::new();
    let (watcher, mut watch) = Watch::new();
    let experiment = Mock::gated(&gate).experiment("whoever").points(numbered(1)).stop(stop::iterations(u64::MAX));
    let handle =
        experiment.checkpoint_every(1).slow_after(Duration::ZERO).observer(watcher).start().expect("it starts");
    let mut awaited = vec![
        "the scheduler Fifo held the whole run up for ",
        "the searcher Points held the whole run up for ",
        "the stop rule of this experiment held the whole run up for ",
        "the store MemoryStore took ",
        "observer `",
    ];
    watch.until(|kind| {
        // An observer's own slowness is told with what happens next.
        gate.let_pass(1);
        if let EventKind::Warning { message } = kind {
            awaited.retain(|beginning| !message.starts_with(beginning));
        }
        awaited.is_empty()
    });
    gate.open();
    wait(handle.stop()).expect("it goes on until then");
    end(handle).expect("it comes to its end");
}
