//! What has to hold of the worker protocol's reader whatever a worker says. The fuzzer runs it too.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tryout::logic::failure::error_chain;
use tryout::logic::ids::LeaseId;
use tryout::logic::wire::{
    Awaited, Fact, FromWorker, Heard, Lines, MAX_FRAME, ProtocolState, ResultsEnd, ToWorker, decode, encode,
};

/// A frame may be so long here.
pub(crate) const MOST: usize = 4096;
/// No error's words are longer than this: they go into the journal.
const LONGEST_ERROR: usize = 2000;

/// What is asked next when nothing is awaited: all that there is, in a plausible order.
const ASKED: [Awaited; 6] = [
    Awaited::Ready,
    Awaited::Results { most: 2 },
    Awaited::Saved,
    Awaited::Exported,
    Awaited::Restored,
    Awaited::Results { most: 3 },
];

/// The engine's side, as a supervisor has it.
struct Engine {
    talk: ProtocolState,
    lease: u64,
    asked: usize,
}

impl Engine {
    fn new() -> Self {
        Self { talk: ProtocolState::new(), lease: 0, asked: 0 }
    }

    /// A line that begins with `!` is the engine's own move. All others are the worker's.
    fn moves(&mut self, line: &[u8]) -> bool {
        match line {
            b"!trial" => {
                self.talk.begin(LeaseId::new(self.lease));
                self.talk.ask(Awaited::Ready);
                (self.lease, self.asked) = (self.lease + 1, 1);
            }
            b"!leave" => self.talk.leave(),
            b"!credit" => self.talk.credit(1),
            _ => return false,
        }
        true
    }

    fn asks(&mut self) {
        if self.talk.hello().is_some() && self.talk.awaited().is_none() {
            self.talk.ask(ASKED[self.asked % ASKED.len()]);
            self.asked += 1;
        }
    }

    /// Hears a line, and holds what comes of it against what was asked.
    fn hears(&mut self, line: &[u8]) {
        let (awaited, logs, greeted) = (self.talk.awaited(), self.talk.logs(), self.talk.hello().is_some());
        let lease = self.talk.lease();
        let heard = match self.talk.hear(line) {
            Ok(heard) => heard,
            Err(error) => {
                let words = error_chain(&error);
                assert!(words.len() <= LONGEST_ERROR, "{} bytes of {words:.200}", words.len());
                assert_eq!((self.talk.awaited(), self.talk.logs()), (awaited, logs), "a refusal changes nothing");
                return;
            }
        };
        let frame: FromWorker = decode(line).expect("what is heard is a frame");
        assert_eq!(greeted, !matches!(heard, Heard::Hello), "`hello` comes first, and once");
        let answers = match &heard {
            Heard::Hello | Heard::Stale | Heard::Heartbeat { .. } => None,
            Heard::Log { .. } => {
                assert_eq!(self.talk.logs() + 1, logs, "a message costs credit");
                None
            }
            Heard::Failed { .. } => {
                assert_eq!((frame.lease, self.talk.awaited()), (lease, None), "nothing is owed after a failure");
                return;
            }
            Heard::Done(done) => Some(*done),
            Heard::Saved { .. } => Some(Awaited::Saved),
            Heard::Results { list, end, .. } => {
                let Some(Awaited::Results { most }) = awaited else { panic!("results, but {awaited:?} was asked") };
                assert!(list.len() <= most as usize && (!list.is_empty() || *end == Some(ResultsEnd::Done)));
                assert!(list.iter().all(|row| row.seconds >= 0.0 && row.seconds.is_finite() && row.at.is_finite()));
                awaited
            }
        };
        assert!(answers.is_none() || (answers == awaited && frame.lease == lease), "{heard:?} answers {awaited:?}");
        if answers.is_none() {
            assert_eq!(self.talk.awaited(), awaited, "what answers nothing changes nothing");
        }
        assert!(matches!(frame.fact, Fact::Log { .. }) || self.talk.logs() == logs);
    }
}

/// Whatever is read can be written, and is then read as the same.
fn same_again<T: DeserializeOwned + Serialize>(line: &[u8]) {
    let Ok(frame) = decode::<T>(line) else { return };
    let mut written = Vec::new();
    encode(&frame, &mut written).expect("what was read can be written");
    let again: T = decode(&written[..written.len() - 1]).expect("what was written can be read");
    let mut twice = Vec::new();
    encode(&again, &mut twice).expect("the same once more");
    assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&written));
}

/// Whatever the bytes are, in whatever pieces they come: nothing panics, nothing grows, and what is accepted was asked for.
pub(crate) fn talks(bytes: &[u8], piece: usize) {
    let (mut lines, mut engine) = (Lines::new(MOST), Engine::new());
    for piece in bytes.chunks(piece.max(1)) {
        lines.push(piece);
        loop {
            let line = match lines.next_line() {
                Ok(None) => break,
                Ok(Some(line)) => line.to_vec(),
                // Its worker is ended here.
                Err(_) => return,
            };
            assert!(line.len() <= MOST);
            same_again::<FromWorker>(&line);
            same_again::<ToWorker>(&line);
            if !engine.moves(&line) {
                engine.asks();
                engine.hears(&line);
            }
        }
        assert!(lines.rest().len() <= MOST, "what has no end is noticed");
    }
    const { assert!(MOST < MAX_FRAME) };
}

/// The same, for an input that says in its first byte in what pieces the others come.
pub(crate) fn input(bytes: &[u8]) {
    if let Some((piece, words)) = bytes.split_first() {
        talks(words, usize::from(*piece));
    }
}
