//! What can go wrong with a trial, and when it is worth another attempt.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::WorkerId;
use super::time::Moment;

/// The kinds of failure. Each can have its own free retries and backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The trainable returned an error, or a report lacks a metric that somebody needs.
    UserError,
    /// The trainable panicked.
    Panic,
    /// A limit on time was passed.
    Timeout,
    /// The worker is gone without a word.
    WorkerLost,
    /// The worker's process ended with an exit code, although nobody had asked it to.
    Exited,
    /// The worker's process was ended by a signal.
    Signalled,
    /// What the worker's process said isn't the protocol.
    Protocol,
    /// The worker's process gave no sign of life for too long.
    HeartbeatLost,
    /// The worker was taken away by its platform.
    Preempted,
    /// The worker ran out of memory.
    OutOfMemory,
    /// A checkpoint couldn't be loaded.
    RestoreFailed,
    /// The trainable couldn't be set up, or no worker could be had.
    SetupFailed,
    /// A checkpoint couldn't be written.
    SaveFailed,
    /// The final export failed.
    ExportFailed,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::UserError => "error",
            FailureKind::Panic => "panic",
            FailureKind::Timeout => "timeout",
            FailureKind::WorkerLost => "worker lost",
            FailureKind::Exited => "exit code",
            FailureKind::Signalled => "signal",
            FailureKind::Protocol => "protocol error",
            FailureKind::HeartbeatLost => "heartbeat lost",
            FailureKind::Preempted => "preempted",
            FailureKind::OutOfMemory => "out of memory",
            FailureKind::RestoreFailed => "restore failed",
            FailureKind::SetupFailed => "set-up failed",
            FailureKind::SaveFailed => "save failed",
            FailureKind::ExportFailed => "export failed",
        })
    }
}

/// What a worker says of a failure: the kind, the words, and the place if it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind it is.
    pub kind: FailureKind,
    /// The error's words, its sources included.
    pub message: String,
    /// Where it happened: `src/model.rs:31:9` for a panic.
    pub place: Option<String>,
    /// The calls that led there, as the trainable's language prints them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<str>>,
    /// The last lines that the trial's process printed, at most 100; none of a trial that runs in this process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

impl Fault {
    /// A fault without a place.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None, trace: None, output: Vec::new() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        match &self.place {
            Some(place) => write!(f, " (at {place})"),
            None => Ok(()),
        }
    }
}

/// One failure of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    #[serde(flatten)]
    pub fault: Fault,
    /// In which attempt, from 1.
    pub attempt: u32,
    /// The last iteration that was reported before it; 0 if there was none.
    pub iteration: u64,
    /// On which worker, if there was one.
    pub worker: Option<WorkerId>,
    /// When.
    pub at: Moment,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [attempt {}, after iteration {}", self.fault, self.attempt, self.iteration)?;
        match self.worker {
            Some(worker) => write!(f, ", worker {worker}]"),
            None => f.write_str("]"),
        }
    }
}

/// How many failures are borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// So many.
    Limited(u32),
    /// Any number.
    Unlimited,
}

impl Budget {
    fn covers(self, count: u32) -> bool {
        match self {
            Budget::Limited(limit) => count <= limit,
            Budget::Unlimited => true,
        }
    }
}

/// How long a trial waits before its next attempt: `first`, then `factor` times longer each time, at most `longest`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// Before the second attempt.
    pub first: Duration,
    /// At least 1.
    pub factor: f64,
    /// Never longer than this.
    pub longest: Duration,
}

impl Backoff {
    /// No waiting.
    pub const NONE: Backoff = Backoff { first: Duration::ZERO, factor: 1.0, longest: Duration::ZERO };

    /// The wait after the `nth` failure, from 1.
    pub fn after(&self, nth: u32) -> Duration {
        let seconds = self.first.as_secs_f64() * self.factor.max(1.0).powf(f64::from(nth.saturating_sub(1)));
        Duration::try_from_secs_f64(seconds).map_or(self.longest, |wait| wait.min(self.longest))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct KindPolicy {
    free: Budget,
    backoff: Backoff,
}

/// How often a failed trial is tried again. A failure first uses up its kind's free retries; after those it counts
/// against `max_failures`, which all kinds share. Preemptions are free without limit, all others have no free retries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    max_failures: Budget,
    kinds: BTreeMap<FailureKind, KindPolicy>,
}

impl Default for RetryPolicy {
    /// No retries, but for preemptions.
    fn default() -> Self {
        Self::new(Budget::Limited(0))
    }
}

impl RetryPolicy {
    /// At most `max_failures` counted failures, all kinds together, without waiting.
    pub fn new(max_failures: Budget) -> Self {
        Self { max_failures, kinds: BTreeMap::new() }.free(FailureKind::Preempted, Budget::Unlimited)
    }

    fn kind(&self, kind: FailureKind) -> KindPolicy {
        self.kinds.get(&kind).copied().unwrap_or(KindPolicy { free: Budget::Limited(0), backoff: Backoff::NONE })
    }

    /// Lets so many failures of `kind` pass uncounted. Free restore failures are counted afresh after a restore that works.
    #[must_use]
    pub fn free(mut self, kind: FailureKind, free: Budget) -> Self {
        let policy = KindPolicy { free, ..self.kind(kind) };
        self.kinds.insert(kind, policy);
        self
    }

    /// Waits before an attempt that follows a failure of `kind`.
    #[must_use]
    pub fn backoff(mut self, kind: FailureKind, backoff: Backoff) -> Self {
        let policy = KindPolicy { backoff, ..self.kind(kind) };
        self.kinds.insert(kind, policy);
        self
    }

    /// The same backoff after every kind of failure.
    #[must_use]
    pub fn backoff_all(self, backoff: Backoff) -> Self {
        use FailureKind::*;
        let all = [
            UserError,
            Panic,
            Timeout,
            WorkerLost,
            Exited,
            Signalled,
            Protocol,
            HeartbeatLost,
            Preempted,
            OutOfMemory,
            RestoreFailed,
            SetupFailed,
            SaveFailed,
            ExportFailed,
        ];
        all.into_iter().fold(self, |policy, kind| policy.backoff(kind, backoff))
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Another attempt, after a wait that may be zero.
    Retry {
        /// How long.
        wait: Duration,
    },
    /// The trial ends in error.
    GiveUp,
}

/// The failures of one trial, counted by a [`RetryPolicy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailureCounts {
    counted: u32,
    by_kind: BTreeMap<FailureKind, u32>,
}

impl FailureCounts {
    /// Those that count against `max_failures`.
    pub fn counted(&self) -> u32 {
        self.counted
    }

    /// Counts one more failure and says what follows.
    pub fn add(&mut self, kind: FailureKind, policy: &RetryPolicy) -> Recovery {
        let of_kind = self.by_kind.entry(kind).or_default();
        *of_kind += 1;
        let kind_policy = policy.kind(kind);
        let wait = kind_policy.backoff.after(*of_kind);
        if kind_policy.free.covers(*of_kind) {
            return Recovery::Retry { wait };
        }
        self.counted += 1;
        if policy.max_failures.covers(self.counted) { Recovery::Retry { wait } } else { Recovery::GiveUp }
    }

    /// A restore worked: its free retries are there again.
    pub fn restored(&mut self) {
        self.by_kind.remove(&FailureKind::RestoreFailed);
    }
}

/// The words of an error and of its sources, joined with `: `. A source whose words were said already is left out.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        next = source.source();
    }
    said
}
