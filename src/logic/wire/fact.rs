//! The worker's frames: facts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::logic::metrics::Metrics;

/// A frame from a worker to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FromWorker {
    /// The lease of the order that it answers; 0 for none.
    pub lease: u64,
    /// What is so.
    pub fact: Fact,
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The first of all.
    Hello(Hello),
    /// The trainable is there.
    Ready {},
    /// The checkpoint is loaded.
    Restored {},
    /// Work done.
    Results {
        /// In their order; empty only at the trial's end.
        list: Vec<Row>,
        /// Why it ends here, if not by a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<ResultsEnd>,
        /// A directory below the trial's own with a checkpoint that belongs to the last result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<PathBuf>,
    },
    /// The checkpoint is written.
    Saved {
        /// Whether there was anything to keep.
        kept: bool,
    },
    /// The final product is written.
    Exported {},
    /// The worker is at rest.
    Drained {},
    /// It failed.
    Failed {
        /// How.
        kind: FaultKind,
        /// The error's words.
        message: String,
        /// Where: `src/model.rs:31:9`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<String>,
        /// The calls that led there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<Box<str>>,
    },
    /// For people.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// The words.
        message: String,
        /// How many before it were dropped for want of credit.
        #[serde(default)]
        dropped: u64,
    },
    /// A sign of life.
    Heartbeat {
        /// Steps taken since the trial's start.
        steps: u64,
    },
}

impl Fact {
    /// Its name in a frame.
    pub fn name(&self) -> &'static str {
        match self {
            Fact::Hello(_) => "hello",
            Fact::Ready {} => "ready",
            Fact::Restored {} => "restored",
            Fact::Results { .. } => "results",
            Fact::Saved { .. } => "saved",
            Fact::Exported {} => "exported",
            Fact::Drained {} => "drained",
            Fact::Failed { .. } => "failed",
            Fact::Log { .. } => "log",
            Fact::Heartbeat { .. } => "heartbeat",
        }
    }
}

/// How a worker introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// The implementation's name.
    #[serde(default)]
    pub name: String,
    /// Its process.
    #[serde(default)]
    pub pid: u32,
    /// The name of the machine that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What it can do.
    #[serde(default)]
    pub abilities: Vec<Ability>,
}

/// Something that not every worker can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ability {
    /// Write and load checkpoints.
    Save,
    /// Become another trial.
    Reset,
    /// Write a final product.
    Export,
    /// Be at rest between two orders: a trial that leaves then needn't be drained.
    Steps,
    /// Send heartbeats.
    Heartbeat,
    /// Send log messages.
    Log,
    /// Something that a newer worker can do.
    #[serde(other)]
    Unknown,
}

/// One result of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What the trainable reported.
    pub metrics: Metrics,
    /// Seconds of work in this result.
    #[serde(default)]
    pub seconds: f64,
    /// When it was made, in seconds since 1970.
    #[serde(default)]
    pub at: f64,
}

/// Why a batch of results ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultsEnd {
    /// There is nothing more to do.
    Done,
    /// This is a good moment for a checkpoint.
    Save,
}

/// What kind of failure a worker can tell of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The trainable returned or threw an error.
    Error,
    /// The trainable panicked.
    Panic,
    /// It couldn't be set up.
    Setup,
    /// It couldn't become another trial.
    Reset,
    /// It couldn't load a checkpoint.
    Restore,
    /// It couldn't write a checkpoint.
    Save,
    /// It couldn't write its final product.
    Export,
    /// It couldn't get the memory that it wanted.
    OutOfMemory,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something is worth knowing.
    Info,
    /// Something is worth knowing for whoever looks for a fault.
    Debug,
}
