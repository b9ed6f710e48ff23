//! A searcher that thinks for long never holds a run up: trials that are known go on, clients are answered.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tryout::extend::*;
use tryout::prelude::*;

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
