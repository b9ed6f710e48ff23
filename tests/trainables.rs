//! What authors of trainables can rely on: the checker, what a trial may ask of itself, resources by configuration.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tryout::backend::with_resources;
use tryout::prelude::*;
use tryout::store::MemoryStore;
use tryout::testing::{Supported, TrainableFault, check_trainable};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Which promise the counter below breaks.
#[derive(Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Flaw {
    None,
    /// It forgets half of its state.
    ForgetsSum,
    /// To save changes it.
    SavesWithCare,
    /// A reset leaves something behind.
    KeepsSum,
    /// It is as many ways as there are.
    Random,
    CannotRestore,
    Fails,
}

#[derive(serde::Deserialize)]
struct Settings {
    by: u64,
    flaw: Flaw,
    #[serde(default)]
    most: Option<u64>,
}

struct Counter {
    settings: Settings,
    count: u64,
    sum: u64,
}

impl Trainable for Counter {
    type Config = Settings;

    fn setup(settings: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { settings, count: 0, sum: 0 })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.count += self.settings.by;
        self.sum += self.count;
        if self.settings.flaw == Flaw::Random {
            static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
            self.sum += CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        if self.settings.flaw == Flaw::Fails && self.count > 3 {
            return Err(TrialError::new("no more paper"));
        }
        let metrics = Metrics::new().with("sum", self.sum).with("nan", f64::NAN).with("seconds", self.count % 7);
        Ok(if self.settings.most.is_some_and(|most| self.count >= most) { Step::done(metrics) } else { metrics.into() })
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        to.json("state", &(self.count, self.sum))?;
        if self.settings.flaw == Flaw::SavesWithCare {
            self.sum += 1;
        }
        Ok(())
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        if self.settings.flaw == Flaw::CannotRestore {
            return Err(tryout::extend::Unsupported("restore").into());
        }
        (self.count, self.sum) = from.json("state")?;
        if self.settings.flaw == Flaw::ForgetsSum {
            self.sum = 0;
        }
        Ok(())
    }

    fn reset(&mut self, settings: Settings, _: &TrialInfo) -> Result<(), TrialError> {
        let sum = if settings.flaw == Flaw::KeepsSum { self.sum } else { 0 };
        *self = Self { settings, count: 0, sum };
        Ok(())
    }
}

fn check(flaw: Flaw, most: Option<u64>) -> Result<Supported, TrainableFault> {
    let config = |by: u64| Config::new().with("by", by).with("flaw", serde_json::json!(flaw)).with("most", most);
    check_trainable::<Counter>(&MemoryStore::new(), &config(1), &config(3), &[])
}

#[test]
fn a_sound_trainable_is_found_sound_also_if_it_ends_early() -> Outcome {
    let all = Supported { saves: true, resets: true };
    for most in [None, Some(1), Some(3), Some(100)] {
        assert_eq!(check(Flaw::None, most)?, all, "{most:?}");
    }
    Ok(())
}

#[test]
fn each_flaw_is_found_and_named() {
    for (flaw, says) in [
        (Flaw::ForgetsSum, "one that was restored: step 5 was [sum 5,"),
        (Flaw::SavesWithCare, "one that has saved: step 5 was [sum 16,"),
        (Flaw::KeepsSum, "one that was reset: step 1 was [sum 31,"),
        (Flaw::Random, "a second one, new with the same configuration: step 1 was"),
        (Flaw::CannotRestore, "it saves, but has no `restore`"),
        (Flaw::Fails, "`step` failed with {"),
    ] {
        let words = check(flaw, None).expect_err("it has a flaw").to_string();
        assert!(words.contains(says), "expected {says}, found {words}");
    }
}

/// What two attempts of a trial saw of themselves: one that is new, one that goes on.
#[test]
fn a_trial_knows_its_directory_its_iteration_and_whether_it_was_restored() -> Outcome {
    type Seen = Vec<(u32, u64, bool, Option<PathBuf>)>;
    let (seen, dir) = (Arc::new(Mutex::new(Seen::new())), tempfile::tempdir()?);
    let noted = seen.clone();
    let fails_once = function("fails-once", move |_: Config, trial| {
        let info = trial.info();
        let saw = (info.attempt, info.iteration, info.restored, info.directory.clone());
        noted.lock().expect("nobody panics").push(saw);
        if let Some(own) = &trial.info().directory {
            std::fs::create_dir_all(own)?;
            std::fs::write(own.join("notes.txt"), "mine")?;
        }
        let from = trial.info().iteration;
        for step in from..4 {
            trial.report_with([("step", step)], |to| Ok(to.json("step", &step)?))?;
            if (from, step) == (0, 1) {
                return Err(TrialError::new("once"));
            }
        }
        Ok(())
    });
    let results =
        Experiment::new("own", fails_once).points([Config::new()]).dir(dir.path()).max_failures(1).seed(1).run()?;
    let trial = results.of(results.trials()[0].id).expect("it is there");
    let own = trial.dir().expect("the run has a directory");
    assert_eq!(std::fs::read_to_string(own.join("notes.txt"))?, "mine");
    let expected = [(1, 0, false, Some(own.clone())), (2, 2, true, Some(own))];
    assert_eq!(*seen.lock().expect("nobody panics"), expected);
    Ok(())
}

#[test]
fn a_closure_asks_for_resources_by_its_configuration() -> Outcome {
    let slots = Arc::new(Mutex::new(Vec::new()));
    let noted = slots.clone();
    let sized = function("sized", move |config: Config, trial| {
        let cpus = trial.info().slot.bundles.iter().map(|bundle| bundle.get("cpu").as_f64()).sum::<f64>();
        noted.lock().expect("nobody panics").push((config.number("threads"), cpus));
        Ok(())
    });
    let sized = with_resources(sized, |config| {
        let threads = config.number("threads")?;
        ResourceRequest::single(Resources::new().with("cpu", threads)).ok()
    });
    let points = [Config::new().with("threads", 3), Config::new(), Config::new().with("threads", 9)];
    let results = Experiment::new("sized", sized).points(points).workers(4).run();
    let mut slots = slots.lock().expect("nobody panics").clone();
    slots.sort_by(|a, b| a.1.total_cmp(&b.1));
    // The last can never run, and says so.
    let words = results.expect_err("nine are too many").to_string();
    assert!(words.contains('9') && words.contains("can never run"), "{words}");
    assert!(slots.iter().all(|(threads, cpus)| threads.unwrap_or(1.0) == *cpus), "{slots:?}");
    Ok(())
}
