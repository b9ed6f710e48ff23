//! What an engine and a worker process say to each other: frames, one a line. `docs/worker-protocol.md` tells the rules.
//!
//! | file | what is in it |
//! |---|---|
//! | `order` | the engine's frames |
//! | `fact` | the worker's frames |
//! | `state` | what may come from a worker, and when |
//! | `lines` | bytes that become lines, bounded |

mod fact;
mod lines;
mod order;
mod state;

pub use fact::{Ability, Fact, FaultKind, FromWorker, Hello, LogLevel, ResultsEnd, Row};
pub use lines::{LineTooLong, Lines};
pub use order::{About, Begin, Order, StepOrder, ToWorker, Welcome};
pub use state::{Awaited, Heard, ProtocolError, ProtocolState, lease_number};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// How long a frame may be, in bytes, unless it is said: 16 MiB.
pub const MAX_FRAME: usize = 16 << 20;

/// The variable that names the descriptor that a local worker writes its facts to.
pub const FACTS_VARIABLE: &str = "TRYOUT_FACTS";

/// A line that isn't a frame. Its words are few, however long the line is: they go into the journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` isn't a frame: {why}", excerpt(line, 80))]
pub struct NotAFrame {
    /// How the line begins.
    line: Vec<u8>,
    /// What serde said, which may have quoted all of the line.
    why: String,
}

/// Reads a line as a frame.
///
/// # Errors
/// If it isn't one; the error shows how the line begins.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, NotAFrame> {
    serde_json::from_slice(line).map_err(|error| NotAFrame {
        line: line[..line.len().min(400)].to_vec(),
        why: excerpt(error.to_string().as_bytes(), 400),
    })
}

/// Appends a frame to `to`, with its line's end. What can't be said in JSON leaves `to` as it was.
///
/// # Errors
/// If it can't be said in JSON: a configuration can, so this is for metrics of unusual kinds.
pub fn encode(frame: &impl Serialize, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let before = to.len();
    let written = serde_json::to_writer(&mut *to, frame);
    match written {
        Ok(()) => to.push(b'\n'),
        Err(_) => to.truncate(before),
    }
    written
}

/// The beginning of a text, at most so many characters, as a person can read it.
fn excerpt(text: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let mut chars = text.chars();
    let readable = |c: char| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() };
    let begin: String = chars.by_ref().take(most).map(readable).collect();
    if chars.next().is_some() { format!("{begin}...") } else { begin }
}
