//! What agent and engine say to each other.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::Process;
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::pool::{ResourceRequest, units};
use crate::logic::trial::{WorkerFact, WorkerOrder};

/// A text message: a frame with its number, and how far the other end was heard. Without a frame it is a sign of life.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<T> {
    /// The frame's number, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) n: Option<u64>,
    /// How many frames of the other end were heard.
    #[serde(default)]
    pub(super) ack: u64,
    /// The frame.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) say: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// How an agent introduces itself: the first message of each connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    /// Drawn by the agent, for each of its workers anew.
    pub(super) agent: String,
    /// How many of the engine's frames it has heard.
    pub(super) heard: u64,
    /// Which session of the engine that was; none if it was none.
    #[serde(default)]
    pub(super) session: Option<String>,
    /// The requests that it can meet; none: those of a trial that asks for nothing particular.
    #[serde(default, with = "units", skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<Arc<ResourceRequest>>,
    /// The job that it is a part of, if somebody was asked for it.
    #[serde(default)]
    pub(super) job: Option<u64>,
    pub(super) process: Process,
    /// Names the boot of its machine, where the system says it.
    #[serde(default)]
    pub(super) boot: Option<String>,
    /// The version of tryout.
    pub(super) version: String,
    /// In how many seconds its allocation ends, if it knows.
    #[serde(default)]
    pub(super) ends_in: Option<u64>,
    /// The trial that its worker still has from a session of the engine that is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keeps: Option<TrialId>,
    /// It only asks whether it could join.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) probe: bool,
}

/// The engine's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Come in.
    Welcome(Box<Welcome>),
    /// Not you.
    Refused(Refusal),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Answer::Refused(refusal)
    }
}

/// Why somebody isn't let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) may: Again,
}

/// What somebody who isn't let in may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Again {
    /// Nothing.
    Never,
    /// The engine is another one than it was: it may join as a new worker, with the trial that it still has.
    Anew,
    /// This very engine has given it up: it may join as a new worker, without its trial.
    Afresh,
    /// The run is over: nobody is needed any more.
    Over,
}

/// What an agent is told of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Welcome {
    /// The engine's session, drawn anew each time that the run is started or gone on with.
    pub session: String,
    /// How many of the agent's frames the engine has heard.
    pub heard: u64,
    /// The run's name.
    pub name: String,
    /// The engine's clock: seconds since 1970.
    #[serde(default)]
    pub now: f64,
    /// Seconds between two signs of life.
    pub heartbeat: f64,
    /// For how many seconds a broken connection may be healed.
    pub reconnect_for: f64,
    /// For how many seconds an engine that is gone is waited for.
    pub orphan_for: f64,
    /// What the agent's worker has.
    #[serde(with = "units")]
    pub shape: Option<Arc<ResourceRequest>>,
    /// What runs the trials, if the engine says it: the parts `worker` or `command`, `process` and `limits` of an experiment file.
    pub program: Option<Value>,
    /// The directory from which paths in `program` are read.
    pub home: Option<PathBuf>,
    /// The run's directory, to be used if the agent sees the same one.
    pub files: Option<SharedFiles>,
}

/// A directory that both may see: it is the same one if the file of this name has this content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SharedFiles {
    /// The run's directory.
    pub run: PathBuf,
    /// Where checkpoints lie.
    pub checkpoints: PathBuf,
    /// The file, in the run's directory.
    pub proof: String,
    /// What is in it.
    pub nonce: String,
}

/// From the engine to an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Down {
    /// To its worker.
    Order { lease: LeaseId, order: WorkerOrder },
    /// End the worker the hard way.
    Kill {},
    /// The worker is about to end: whether another one may take its place.
    Ends { again: bool },
    /// Nobody needs the worker.
    Unneeded {},
    /// Whether a lease still counts.
    Counts { ask: u64, yes: bool },
    /// How far an upload has come, or what became of it.
    Took(Took),
    /// A download.
    Gives(Gives),
}

/// From an agent to the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Up {
    /// What its worker said.
    Said { lease: LeaseId, fact: WorkerFact },
    /// Where its worker is.
    Placed(Process),
    /// Its worker has ended; the agent's last word.
    Gone {},
    /// Its machine is taken away.
    Evicted { why: String },
    /// Whether a lease still counts.
    Counts { ask: u64, lease: LeaseId },
    /// An upload.
    Gives { lease: LeaseId, what: Content, gives: Gives },
    /// Content is wanted.
    Wants { transfer: u64, what: Content },
    /// How far a download has come.
    Took(Took),
}

/// What is sent as files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Content {
    Checkpoint(CheckpointId),
    Export { trial: TrialId, format: String },
}

impl Content {
    pub(super) fn checkpoint(&self) -> Option<CheckpointId> {
        match self {
            Content::Checkpoint(id) => Some(*id),
            Content::Export { .. } => None,
        }
    }
}

/// From whoever sends files. Their bytes follow in binary messages: the transfer's number and the offset, eight bytes each, the
/// CRC-32 of the piece in four, then the piece.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Gives {
    /// These files, one behind the other.
    Files { transfer: u64, files: Vec<FileAbout> },
    /// It isn't there any more.
    Missing { transfer: u64 },
    /// It can't be read.
    Failed { transfer: u64, why: String },
}

/// From whoever gets files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Took {
    /// Everything before this offset.
    UpTo { transfer: u64, offset: u64 },
    /// All of it; the size of what is kept.
    All { transfer: u64, bytes: u64 },
    /// It can't be kept.
    Failed { transfer: u64, why: String },
}

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileAbout {
    /// Its path below the directory, its parts in order.
    pub(super) path: Vec<String>,
    /// None for a directory.
    pub(super) bytes: Option<u64>,
}

/// How many bytes a piece has before its content.
pub(super) const PIECE_HEAD: usize = 20;

/// A piece with its head.
pub(super) fn piece(transfer: u64, offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut piece = Vec::with_capacity(PIECE_HEAD + bytes.len());
    piece.extend(transfer.to_be_bytes());
    piece.extend(offset.to_be_bytes());
    piece.extend(crc32fast::hash(bytes).to_be_bytes());
    piece.extend(bytes);
    piece
}

/// A piece's transfer, offset and content; none if it isn't whole.
pub(super) fn read_piece(piece: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (transfer, rest) = piece.split_first_chunk::<8>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (sum, bytes) = rest.split_first_chunk::<4>()?;
    let whole = crc32fast::hash(bytes) == u32::from_be_bytes(*sum);
    whole.then_some((u64::from_be_bytes(*transfer), u64::from_be_bytes(*offset), bytes))
}
