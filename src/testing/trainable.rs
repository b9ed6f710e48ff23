//! What every trainable must do, whatever it computes.

use std::collections::BTreeSet;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::failure::error_chain;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::Value;
use crate::logic::worker::Wish;
use crate::ports::error::{TrialError, Unsupported};
use crate::ports::store::{CheckpointReader, CheckpointWriter, Store, StoreError};
use crate::ports::trainable::{Trainable, TrialInfo};

/// So many steps are taken before and after each thing that is checked, or half of all there are.
const STEPS: usize = 4;
const TRIAL: TrialId = TrialId::new(RunId::new(0xc_4ec4), 0);

/// What a trainable that was found sound can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supported {
    /// Whether it saves and restores.
    pub saves: bool,
    /// Whether it can be reset.
    pub resets: bool,
}

/// What is wrong with a trainable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainableFault {
    /// A method failed.
    #[error("`{method}` failed with {config}: {why}")]
    Failed {
        /// Which.
        method: &'static str,
        /// The configuration.
        config: String,
        /// The error and its sources.
        why: String,
    },
    /// It saves, and leaves `restore` out.
    #[error("it saves, but has no `restore`: a trial that goes on from its checkpoint would fail")]
    CannotRestore,
    /// Two that must take the same steps don't.
    #[error("{which}: step {step} was {found}, but must be {expected}, as of a new one that goes its way undisturbed")]
    Differs {
        /// What was done with the one that differs.
        which: &'static str,
        /// In which step, from 1.
        step: usize,
        /// What it was.
        found: String,
        /// What it must be.
        expected: String,
    },
}

/// Checks a trainable's promises, with two configurations that are to differ in as much as they can:
///
/// - two that are new, with the same configuration and seed, take the same steps: without that, nothing else can be checked;
/// - saving changes nothing, and one that is restored goes on as the one that saved: save, restore, step equals step;
/// - one that did something else and was reset is as a new one, and can be restored like one.
///
/// Metrics in `left_out`, such as times, aren't compared. All others are, to the last bit. What an author leaves out (`save`,
/// `reset`) is no fault; the answer says what there is.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::store::MemoryStore;
/// use tryout::testing::check_trainable;
///
/// struct Descent { x: f64, rate: f64 }
///
/// impl Trainable for Descent {
///     type Config = Config;
///     fn setup(config: Config, _: &TrialInfo) -> Result<Self, TrialError> {
///         Ok(Self { x: 10.0, rate: config.number("rate").unwrap_or(0.1) })
///     }
///     fn step(&mut self) -> Result<Step, TrialError> {
///         self.x -= self.rate * 2.0 * self.x;
///         Ok(Step::next([("loss", self.x * self.x)]))
///     }
///     fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
///         Ok(to.json("x.json", &self.x)?)
///     }
///     fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
///         self.x = from.json("x.json")?;
///         Ok(())
///     }
/// }
///
/// let (one, other) = (Config::new().with("rate", 0.1), Config::new().with("rate", 0.3));
/// let found = check_trainable::<Descent>(&MemoryStore::new(), &one, &other, &[])?;
/// assert!(found.saves && !found.resets);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first promise that isn't kept. A panic of the trainable is passed on.
pub fn check_trainable<T: Trainable>(
    store: &dyn Store,
    config: &Config,
    other: &Config,
    left_out: &[&str],
) -> Result<Supported, TrainableFault> {
    let check = Check { store, config, left_out: left_out.iter().copied().collect() };
    let whole = check.make::<T>(config)?.steps(2 * STEPS)?;
    let half = whole.len() / 2;
    check.make::<T>(config)?.same("a second one, new with the same configuration", &whole, 0)?;
    let saved = check.save::<T>(&whole, half)?;
    if saved {
        let mut restored = check.make::<T>(config)?;
        restored.restore()?;
        restored.same("one that was restored", &whole, half)?;
    }
    let resets = check.used_and_reset::<T>(other)?.map(|mut reset| reset.same("one that was reset", &whole, 0));
    let resets = resets.transpose()?.is_some();
    if resets
        && saved
        && let Some(mut reset) = check.used_and_reset::<T>(other)?
    {
        reset.restore()?;
        reset.same("one that was reset, then restored", &whole, half)?;
    }
    Ok(Supported { saves: saved, resets })
}

struct Check<'a> {
    store: &'a dyn Store,
    config: &'a Config,
    left_out: BTreeSet<&'a str>,
}

/// A trainable at work.
struct Run<'a, T: Trainable> {
    check: &'a Check<'a>,
    config: &'a Config,
    trainable: T,
}

impl<'a> Check<'a> {
    fn make<T: Trainable>(&'a self, config: &'a Config) -> Result<Run<'a, T>, TrainableFault> {
        let made = config.parse().map_err(TrialError::from).and_then(|config| T::setup(config, &info()));
        let trainable = made.map_err(failed("setup", config))?;
        Ok(Run { check: self, config, trainable })
    }

    /// Saves half way; whether it can. The one that saved then goes on as if it hadn't.
    fn save<T: Trainable>(&'a self, whole: &[String], half: usize) -> Result<bool, TrainableFault> {
        let mut saver = self.make::<T>(self.config)?;
        saver.steps(half)?;
        let begun = self.store.begin(checkpoint()).map(CheckpointWriter::new);
        let mut writer = begun.map_err(stored(self.config))?;
        match saver.trainable.save(&mut writer) {
            Err(error) if error.downcast_ref::<Unsupported>().is_some() => return Ok(false),
            saved => saved.map_err(failed("save", self.config))?,
        }
        writer.commit().map_err(stored(self.config))?;
        saver.same("one that has saved", whole, half)?;
        Ok(true)
    }

    /// One that has done something else, and then became this; none if it has no `reset`.
    fn used_and_reset<T: Trainable>(&'a self, other: &'a Config) -> Result<Option<Run<'a, T>>, TrainableFault> {
        let mut used = self.make::<T>(other)?;
        used.steps(STEPS)?;
        used.config = self.config;
        let parsed = self.config.parse().map_err(TrialError::from);
        match parsed.and_then(|config| used.trainable.reset(config, &info())) {
            Err(error) if error.downcast_ref::<Unsupported>().is_some() => Ok(None),
            reset => reset.map(|()| Some(used)).map_err(failed("reset", self.config)),
        }
    }
}

impl<T: Trainable> Run<'_, T> {
    /// At most so many steps, in words that differ if anything does.
    fn steps(&mut self, most: usize) -> Result<Vec<String>, TrainableFault> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let step = self.trainable.step().map_err(failed("step", self.config))?;
            let compared = step.metrics.iter().filter(|(name, _)| !self.check.left_out.contains(name.as_ref()));
            let words: Vec<String> = compared.map(|(name, value)| format!("{name} {}", exactly(value))).collect();
            let wish = if step.wish == Wish::GoOn { String::new() } else { format!(" {:?}", step.wish) };
            taken.push(format!("[{}]{wish}", words.join(", ")));
            if step.wish == Wish::End {
                break;
            }
        }
        Ok(taken)
    }

    fn restore(&mut self) -> Result<(), TrainableFault> {
        let opened = self.check.store.open(checkpoint()).map(CheckpointReader::new);
        match self.trainable.restore(&mut opened.map_err(stored(self.config))?) {
            Err(error) if error.downcast_ref::<Unsupported>().is_some() => Err(TrainableFault::CannotRestore),
            restored => restored.map_err(failed("restore", self.config)),
        }
    }

    /// Whether it goes on as `whole` does from a step on; then it ends.
    fn same(&mut self, which: &'static str, whole: &[String], from: usize) -> Result<(), TrainableFault> {
        let expected = whole.get(from..).unwrap_or_default();
        let found = self.steps(expected.len())?;
        for (index, expected) in expected.iter().enumerate() {
            let found = found.get(index).map_or("none: it was done", String::as_str);
            if found != expected {
                let (found, expected) = (found.to_owned(), expected.clone());
                return Err(TrainableFault::Differs { which, step: from + index + 1, found, expected });
            }
        }
        self.trainable.stop();
        Ok(())
    }
}

/// A value so that two with the same text are the same.
fn exactly(value: &Value) -> String {
    match value {
        Value::Float(value) => format!("{value:?}"),
        Value::Int(_) | Value::Bool(_) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
    }
}

fn info() -> TrialInfo {
    TrialInfo::new(TRIAL, "check", 7)
}

fn checkpoint() -> CheckpointId {
    CheckpointId { trial: TRIAL, index: 0 }
}

fn failed(method: &'static str, config: &Config) -> impl FnOnce(TrialError) -> TrainableFault {
    let config = config.to_string();
    move |error| TrainableFault::Failed { method, config, why: error.to_string() }
}

fn stored(config: &Config) -> impl FnOnce(StoreError) -> TrainableFault {
    let config = config.to_string();
    move |error| TrainableFault::Failed { method: "save", config, why: error_chain(&error) }
}
