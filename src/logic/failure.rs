//! What can go wrong with a trial, and when it is worth another attempt.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::ids::WorkerId;
pub use super::original::Original;
use super::same_words::same_words;
use super::settings::seconds;
use super::time::Moment;

/// The kinds of failure. Each can have its own free retries and backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
    /// The error itself, of a trainable in this process, under
    /// [`FailFast::Raise`](crate::logic::engine::FailFast::Raise).
    #[serde(skip)]
    pub original: Original,
    /// The names in the report that was refused for the lack of a metric; none otherwise.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub reported: Box<[String]>,
}

/// So many of the last lines are shown with the failure itself.
const SHOWN_LINES: usize = 5;

impl Fault {
    /// A fault without a place.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let (original, reported) = (Original::default(), Box::default());
        Self { kind, message: message.into(), place: None, trace: None, output: Vec::new(), original, reported }
    }

    /// Whether the other is the same but for what differs from worker to worker: see
    /// [`SameError`](crate::logic::engine::SameError).
    pub fn is_same(&self, other: &Fault) -> bool {
        self.kind == other.kind && self.place == other.place && self.words() == other.words()
    }

    /// The message without what differs from worker to worker.
    pub(super) fn words(&self) -> String {
        same_words(&self.message)
    }

    fn write_first_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        match &self.place {
            Some(place) => write!(f, " (at {place})"),
            None => Ok(()),
        }
    }

    /// The last of what the process printed, a line each. A failure that has words of its own needs none of it.
    fn write_output(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trace.is_some() || matches!(self.kind, FailureKind::UserError | FailureKind::Panic) {
            return Ok(());
        }
        let said: Vec<&String> = self.output.iter().filter(|line| !line.trim().is_empty()).collect();
        let shown = said.get(said.len().saturating_sub(SHOWN_LINES)..).unwrap_or_default();
        shown.iter().try_for_each(|line| write!(f, "\n| {line}"))
    }
}

/// The kind, the message and the place; of a process that ended without words of its own, the last lines that it printed.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_first_line(f)?;
        self.write_output(f)
    }
}

/// One failure of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
        self.fault.write_first_line(f)?;
        write!(f, " [attempt {}, after iteration {}", self.attempt, self.iteration)?;
        match self.worker {
            Some(worker) => write!(f, ", worker {worker}]")?,
            None => f.write_str("]")?,
        }
        self.fault.write_output(f)
    }
}

/// How many failures are borne. In JSON a number, or `"unlimited"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", expecting = "expected a number of failures, or \"unlimited\"")]
pub enum Budget {
    /// Any number.
    Unlimited,
    /// So many.
    #[serde(untagged)]
    Limited(u32),
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Backoff {
    /// Before the second attempt; in JSON a number of seconds.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    pub first: Duration,
    /// At least 1.
    pub factor: f64,
    /// Never longer than this; in JSON a number of seconds.
    #[serde(with = "seconds")]
    #[cfg_attr(feature = "cli", schemars(with = "crate::logic::settings::form::Time"))]
    pub longest: Duration,
}

impl Backoff {
    /// No waiting.
    pub const NONE: Backoff = Backoff { first: Duration::ZERO, factor: 1.0, longest: Duration::ZERO };

    /// The wait after the `nth` failure, from 1.
    pub fn after(&self, nth: u32) -> Duration {
        // Nothing stays nothing, however often it is multiplied.
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let seconds = self.first.as_secs_f64() * self.factor.max(1.0).powf(f64::from(nth.saturating_sub(1)));
        Duration::try_from_secs_f64(seconds).map_or(self.longest, |wait| wait.min(self.longest))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
struct KindPolicy {
    free: Budget,
    backoff: Backoff,
}

impl Default for KindPolicy {
    fn default() -> Self {
        Self { free: Budget::Limited(0), backoff: Backoff::NONE }
    }
}

/// How often a failed trial is tried again. A failure first uses up its kind's free retries; after those it counts
/// against `max_failures`, which all kinds share. Preemptions are free without limit, all others have no free retries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    max_failures: Budget,
    #[serde(deserialize_with = "kinds")]
    kinds: BTreeMap<FailureKind, KindPolicy>,
}

/// What isn't said of a kind is as in the default.
fn kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<FailureKind, KindPolicy>, D::Error> {
    let mut kinds = RetryPolicy::default().kinds;
    kinds.append(&mut BTreeMap::deserialize(deserializer)?);
    Ok(kinds)
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
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// Whether it makes sense: the value that doesn't, and what would be right.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        let wrong =
            self.kinds.iter().find(|(_, policy)| !(policy.backoff.factor >= 1.0 && policy.backoff.factor.is_finite()));
        match wrong {
            None => Ok(()),
            Some((kind, KindPolicy { backoff, .. })) => {
                let value = format!("with a backoff factor of {} after `{kind}`", backoff.factor);
                Err((value, "with finite factors of at least 1"))
            }
        }
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

/// Writes `Debug` of each of these errors as [`error_chain`] says it: so `main` shows what it returns.
macro_rules! debug_as_chain {
    ($($error:ty),+ $(,)?) => {
        $(
            impl std::fmt::Debug for $error {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(&$crate::logic::failure::error_chain(self))
                }
            }
        )+
    };
}
pub(crate) use debug_as_chain;
