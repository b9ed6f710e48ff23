//! What scripted trials do: how long things take, what they report, and what goes wrong, all from a seed.

use std::sync::Arc;
use std::time::Duration;

use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{TrialId, WorkerId};
use crate::logic::metrics::Metrics;
use crate::logic::mix::mix;
use crate::logic::trial::Keep;

/// What a trial reports, from its configuration and the iteration.
type Reports = Arc<dyn Fn(&Config, u64) -> Metrics + Send + Sync>;

/// Whether a scripted trainable can write checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Saves {
    /// It can.
    #[default]
    Supported,
    /// It has none to give.
    Unsupported,
}

/// What becomes of a worker that is to be killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Killed {
    /// It is left behind, and nothing is heard of it any more: a thread that hangs.
    #[default]
    Silent,
    /// It is left behind, comes to the end of what it does, says so, and is gone then: a thread that is late.
    Late,
    /// It is gone: a process.
    Gone,
}

/// Which kinds of failure a scripted error has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// It is an error of the trainable.
    #[default]
    UserError,
    /// It is any that a step in a process can end with.
    Any,
}

/// How likely things are to go wrong, each between 0 and 1. What goes wrong depends on the seed, the trial, the attempt
/// and the iteration alone, never on the order in which things happen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chance {
    /// A step returns an error.
    pub error: f64,
    /// A step panics.
    pub panic: f64,
    /// The worker is gone in the middle of a step, without a word.
    pub lost: f64,
    /// The worker is gone right after it handed in a batch, while the engine decides.
    pub vanish: f64,
    /// A step never returns, or a checkpoint is never written.
    pub hang: f64,
    /// The set-up fails.
    pub setup: f64,
    /// A reset fails.
    pub reset: f64,
    /// A checkpoint can't be written.
    pub save: f64,
    /// A checkpoint can't be loaded.
    pub restore: f64,
    /// The trainable asks for a checkpoint.
    pub wish: f64,
}

/// What every trial of an experiment does.
#[derive(Clone)]
pub struct Script {
    reports: Reports,
    pub(super) done_at: Option<u64>,
    pub(super) over_at: Option<(u64, Keep)>,
    pub(super) broken_gpu: Option<u32>,
    pub(super) setup: Duration,
    pub(super) step: Duration,
    pub(super) save: Duration,
    pub(super) saves: Saves,
    pub(super) killed: Killed,
    kinds: Kinds,
    unspawned: f64,
    chance: Chance,
    seed: u64,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("chance", &self.chance).field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Script {
    /// Trials that report `reports(config, iteration)` after every step of one second, and do nothing wrong.
    pub fn new(reports: impl Fn(&Config, u64) -> Metrics + Send + Sync + 'static) -> Self {
        Self {
            reports: Arc::new(reports),
            done_at: None,
            over_at: None,
            broken_gpu: None,
            setup: Duration::ZERO,
            step: Duration::from_secs(1),
            save: Duration::ZERO,
            saves: Saves::Supported,
            killed: Killed::default(),
            kinds: Kinds::default(),
            unspawned: 0.0,
            chance: Chance::default(),
            seed: 0,
        }
    }

    /// Trials are done at this iteration; never, unless it is said.
    #[must_use]
    pub fn done_at(mut self, iteration: u64) -> Self {
        self.done_at = Some(iteration);
        self
    }

    /// The worker itself ends trials at this iteration, as one does that watches over a limit; with a checkpoint first, if
    /// `keep` says so.
    #[must_use]
    pub fn over_at(mut self, iteration: u64, keep: Keep) -> Self {
        self.over_at = Some((iteration, keep));
        self
    }

    /// Every step on this GPU fails.
    #[must_use]
    pub fn broken_gpu(mut self, gpu: u32) -> Self {
        self.broken_gpu = Some(gpu);
        self
    }

    /// How long a set-up, a step and a save take.
    #[must_use]
    pub fn times(mut self, setup: Duration, step: Duration, save: Duration) -> Self {
        (self.setup, self.step, self.save) = (setup, step, save);
        self
    }

    /// Whether checkpoints can be written.
    #[must_use]
    pub fn saves(mut self, saves: Saves) -> Self {
        self.saves = saves;
        self
    }

    /// What becomes of a worker that is to be killed.
    #[must_use]
    pub fn killed(mut self, killed: Killed) -> Self {
        self.killed = killed;
        self
    }

    /// Which kinds of failure a scripted error has.
    #[must_use]
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// How likely it is that a worker can't be had, between 0 and 1.
    #[must_use]
    pub fn unspawned(mut self, chance: f64) -> Self {
        self.unspawned = chance;
        self
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&mut self) {
        (self.chance, self.broken_gpu, self.unspawned) = (Chance::default(), None, 0.0);
    }

    /// What goes wrong.
    #[must_use]
    pub fn chance(mut self, chance: Chance, seed: u64) -> Self {
        (self.chance, self.seed) = (chance, seed);
        self
    }

    pub(super) fn report(&self, config: &Config, iteration: u64) -> Metrics {
        (self.reports)(config, iteration)
    }

    /// Whether this happens here.
    pub(super) fn happens(&self, what: Happening, at: Place) -> bool {
        let chance = match what {
            Happening::Error => self.chance.error,
            Happening::Panic => self.chance.panic,
            Happening::Lost => self.chance.lost,
            Happening::Vanish => self.chance.vanish,
            Happening::Hang | Happening::HangInSave => self.chance.hang,
            Happening::Setup => self.chance.setup,
            Happening::Reset => self.chance.reset,
            Happening::Save => self.chance.save,
            Happening::Restore => self.chance.restore,
            Happening::Wish => self.chance.wish,
        };
        let Place { trial, attempt, iteration } = at;
        self.draw(chance, [what as u64, u64::from(trial.number()), u64::from(attempt), iteration]).is_some()
    }

    /// Whether this worker can't be had.
    pub(super) fn fails_to_spawn(&self, worker: WorkerId) -> bool {
        self.draw(self.unspawned, [u64::MAX, worker.number(), 0, 0]).is_some()
    }

    /// Random bits, if a draw with this chance comes out.
    fn draw(&self, chance: f64, words: [u64; 4]) -> Option<u64> {
        if chance <= 0.0 {
            return None;
        }
        let bits = std::iter::once(self.seed).chain(words).fold(0x9e37_79b9_7f4a_7c15, |bits, word| mix(bits ^ word));
        // The upper 53 bits as a number between 0 and 1.
        (((bits >> 11) as f64) / ((1_u64 << 53) as f64) < chance).then(|| mix(bits))
    }

    pub(super) fn fault(&self, what: Happening, at: Place) -> Option<Fault> {
        let kind = match what {
            Happening::Error if self.kinds == Kinds::Any => {
                let Place { trial, attempt, iteration } = at;
                let bits = mix(self.seed ^ u64::from(trial.number())) ^ mix(iteration ^ (u64::from(attempt) << 32));
                ANY_KIND.get(bits as usize % ANY_KIND.len()).copied().unwrap_or(FailureKind::UserError)
            }
            Happening::Error => FailureKind::UserError,
            Happening::Panic => FailureKind::Panic,
            Happening::Setup | Happening::Reset => FailureKind::SetupFailed,
            Happening::Save => FailureKind::SaveFailed,
            Happening::Restore => FailureKind::RestoreFailed,
            Happening::Lost | Happening::Vanish | Happening::Hang | Happening::HangInSave | Happening::Wish => {
                return None;
            }
        };
        self.happens(what, at).then(|| Fault::new(kind, format!("scripted {what:?} at {}", at.iteration)))
    }
}

/// How a step in a process can end.
const ANY_KIND: [FailureKind; 7] = [
    FailureKind::UserError,
    FailureKind::Timeout,
    FailureKind::Exited,
    FailureKind::Signalled,
    FailureKind::OutOfMemory,
    FailureKind::Protocol,
    FailureKind::HeartbeatLost,
];

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Error,
    Panic,
    Lost,
    Vanish,
    Hang,
    Setup,
    Reset,
    Save,
    Restore,
    Wish,
    HangInSave,
}

/// Where it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) trial: TrialId,
    pub(super) attempt: u32,
    pub(super) iteration: u64,
}
