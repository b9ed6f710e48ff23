//! The conversation with one worker, from the engine's side: what may come, and when.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::fact::{Ability, Fact, FaultKind, FromWorker, Hello, LogLevel, ResultsEnd, Row};
use super::{LineTooLong, NotAFrame, PROTOCOL, decode};
use crate::logic::ids::LeaseId;

/// What a worker said that it mustn't.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A line that isn't a frame.
    #[error("a line of the worker: {0}")]
    NotAFrame(#[from] NotAFrame),
    /// A line without end.
    #[error("a frame of the worker has no end: {0}")]
    TooLong(#[from] LineTooLong),
    /// Something came before `hello`.
    #[error("the worker's first frame is `{found}`, not `hello`")]
    NoHello {
        /// What came.
        found: &'static str,
    },
    /// A second `hello`.
    #[error("the worker says `hello` a second time")]
    HelloAgain,
    /// Another version.
    #[error("the worker speaks version {found} of the protocol, the engine version {PROTOCOL}")]
    Version {
        /// The worker's.
        found: u32,
    },
    /// An answer that nobody waits for.
    #[error("the worker says `{found}`, but {}", awaited_words(*.awaited))]
    Unasked {
        /// What came.
        found: &'static str,
        /// What is awaited, if anything is.
        awaited: Option<Awaited>,
    },
    /// More results than were asked for.
    #[error("the worker hands in {found} results, of {most} at most")]
    TooMany {
        /// How many came.
        found: usize,
        /// How many were asked for.
        most: u32,
    },
    /// Results without any.
    #[error("the worker hands in no results, and isn't done")]
    Empty,
    /// More log messages than there was credit for.
    #[error("the worker sends log messages without credit for them")]
    NoCredit,
    /// Time or work that can't be.
    #[error("a result of the worker took {seconds} s: that isn't a span of time")]
    Span {
        /// What it says.
        seconds: f64,
    },
}

fn awaited_words(awaited: Option<Awaited>) -> String {
    awaited.map_or_else(|| "nothing was asked".to_owned(), |awaited| format!("`{}` is awaited", awaited.name()))
}

/// An answer that a worker owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// To `start` or `reset`.
    Ready,
    /// To `restore`.
    Restored,
    /// To `step`.
    Results {
        /// How many there may be.
        most: u32,
    },
    /// To `save`.
    Saved,
    /// To `export`.
    Exported,
    /// To `drain`.
    Drained,
}

impl Awaited {
    fn name(self) -> &'static str {
        match self {
            Awaited::Ready => "ready",
            Awaited::Restored => "restored",
            Awaited::Results { .. } => "results",
            Awaited::Saved => "saved",
            Awaited::Exported => "exported",
            Awaited::Drained => "drained",
        }
    }
}

/// What a worker's frame comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It is there.
    Hello,
    /// An answer that says nothing but that it is so.
    Done(Awaited),
    /// Work done.
    Results {
        /// In their order.
        list: Vec<Row>,
        /// Why it ends here, if not by a limit.
        end: Option<ResultsEnd>,
        /// Where a checkpoint lies that belongs to the last result.
        checkpoint: Option<PathBuf>,
    },
    /// A checkpoint is written, or there is nothing to keep.
    Saved {
        /// Whether there was anything to keep.
        kept: bool,
    },
    /// It failed.
    Failed {
        /// How.
        kind: FaultKind,
        /// The error's words.
        message: String,
        /// Where it happened.
        place: Option<String>,
        /// The calls that led there.
        trace: Option<Box<str>>,
    },
    /// For people.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// The words.
        message: String,
        /// How many before it were dropped.
        dropped: u64,
    },
    /// A sign of life.
    Heartbeat {
        /// Steps since the trial's start.
        steps: u64,
    },
    /// An answer under a lease that is over, or of a trial that has left: it moves nothing.
    Stale,
}

/// The state of the conversation with one worker. Leases are numbered from 1 in frames: 0 is none.
#[derive(Debug, Default)]
pub struct ProtocolState {
    hello: Option<Hello>,
    lease: u64,
    awaited: VecDeque<Awaited>,
    /// How many log messages the worker may send.
    logs: u32,
}

/// A lease as frames have it.
pub fn lease_number(lease: LeaseId) -> u64 {
    lease.number() + 1
}

impl ProtocolState {
    /// A conversation that begins with `hello`.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the worker said of itself, once it has.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Whether the worker can do that, as far as it has said.
    pub fn can(&self, ability: Ability) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.abilities.contains(&ability))
    }

    /// The lease that frames have now.
    pub fn lease(&self) -> u64 {
        self.lease
    }

    /// A new trial begins.
    pub fn begin(&mut self, lease: LeaseId) {
        self.lease = lease_number(lease);
        self.awaited.clear();
    }

    /// Something is asked.
    pub fn ask(&mut self, awaited: Awaited) {
        self.awaited.push_back(awaited);
    }

    /// What the worker owes an answer to first.
    pub fn awaited(&self) -> Option<Awaited> {
        self.awaited.front().copied()
    }

    /// The trial leaves: nothing that the worker still says of it moves anything, but for that it is at rest.
    pub fn leave(&mut self) {
        self.awaited.clear();
        self.awaited.push_back(Awaited::Drained);
    }

    /// Lets it send so many more log messages.
    pub fn credit(&mut self, logs: u32) {
        self.logs += logs;
    }

    /// How many log messages it may still send.
    pub fn logs(&self) -> u32 {
        self.logs
    }

    /// Takes a line of the worker.
    ///
    /// # Errors
    /// If it isn't a frame, or not one that may come now.
    pub fn hear(&mut self, line: &[u8]) -> Result<Heard, ProtocolError> {
        let FromWorker { lease, fact } = decode(line)?;
        let name = fact.name();
        if let Fact::Hello(hello) = fact {
            return self.introduced(hello);
        }
        if self.hello.is_none() {
            return Err(ProtocolError::NoHello { found: name });
        }
        match fact {
            Fact::Log { level, message, dropped } => {
                self.logs = self.logs.checked_sub(1).ok_or(ProtocolError::NoCredit)?;
                return Ok(Heard::Log { level, message, dropped });
            }
            Fact::Heartbeat { steps } => return Ok(Heard::Heartbeat { steps }),
            _ => {}
        }
        let leaving = self.awaited() == Some(Awaited::Drained) && !matches!(fact, Fact::Drained {});
        if lease < self.lease || leaving {
            return Ok(Heard::Stale);
        }
        let awaited = self.awaited().filter(|_| lease == self.lease);
        let unasked = || ProtocolError::Unasked { found: name, awaited };
        let heard = match (fact, awaited) {
            (Fact::Failed { kind, message, place, trace }, _) if lease == self.lease => {
                self.awaited.clear();
                return Ok(Heard::Failed { kind, message, place, trace });
            }
            (Fact::Results { list, end, checkpoint }, Some(Awaited::Results { most })) => {
                check(&list, end, most)?;
                Heard::Results { list, end, checkpoint }
            }
            (Fact::Saved { kept }, Some(Awaited::Saved)) => Heard::Saved { kept },
            (Fact::Ready {}, Some(done @ Awaited::Ready))
            | (Fact::Restored {}, Some(done @ Awaited::Restored))
            | (Fact::Exported {}, Some(done @ Awaited::Exported))
            | (Fact::Drained {}, Some(done @ Awaited::Drained)) => Heard::Done(done),
            _ => return Err(unasked()),
        };
        self.awaited.pop_front();
        Ok(heard)
    }

    fn introduced(&mut self, hello: Hello) -> Result<Heard, ProtocolError> {
        if self.hello.is_some() {
            return Err(ProtocolError::HelloAgain);
        }
        if hello.protocol != PROTOCOL {
            return Err(ProtocolError::Version { found: hello.protocol });
        }
        self.hello = Some(hello);
        Ok(Heard::Hello)
    }
}

fn check(list: &[Row], end: Option<ResultsEnd>, most: u32) -> Result<(), ProtocolError> {
    if list.len() > most as usize {
        return Err(ProtocolError::TooMany { found: list.len(), most });
    }
    if list.is_empty() && end != Some(ResultsEnd::Done) {
        return Err(ProtocolError::Empty);
    }
    let span = |seconds: f64| (0.0..=1e12).contains(&seconds);
    match list.iter().find(|row| !span(row.seconds) || !row.at.is_finite()) {
        Some(row) => Err(ProtocolError::Span { seconds: row.seconds }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> ProtocolState {
        let mut talk = ProtocolState::new();
        let hello = br#"{"lease":0,"fact":{"hello":{"protocol":1,"abilities":["save","fly"]}}}"#;
        assert_eq!(talk.hear(hello).ok(), Some(Heard::Hello));
        talk.begin(LeaseId::new(6));
        talk
    }

    fn refusal(talk: &mut ProtocolState, line: &str) -> String {
        talk.hear(line.as_bytes()).map_or_else(|error| error.to_string(), |heard| format!("{heard:?}"))
    }

    #[test]
    fn an_answer_is_heard_once_and_only_when_it_was_asked_for() {
        let mut talk = talk();
        talk.ask(Awaited::Ready);
        talk.ask(Awaited::Results { most: 2 });
        assert_eq!(talk.hear(br#"{"lease":7,"fact":{"ready":{}}}"#).ok(), Some(Heard::Done(Awaited::Ready)));
        assert_eq!(
            refusal(&mut talk, r#"{"lease":7,"fact":{"ready":{}}}"#),
            "the worker says `ready`, but `results` is awaited"
        );
        let three = r#"{"lease":7,"fact":{"results":{"list":[{"metrics":{}},{"metrics":{}},{"metrics":{}}]}}}"#;
        assert_eq!(refusal(&mut talk, three), "the worker hands in 3 results, of 2 at most");
        let none = r#"{"lease":7,"fact":{"results":{"list":[]}}}"#;
        assert_eq!(refusal(&mut talk, none), "the worker hands in no results, and isn't done");
        let one = br#"{"lease":7,"fact":{"results":{"list":[{"metrics":{"loss":"NaN"},"seconds":1.5,"at":3}]}}}"#;
        assert!(matches!(talk.hear(one), Ok(Heard::Results { list, end: None, checkpoint: None }) if list.len() == 1));
        assert_eq!(
            refusal(&mut talk, r#"{"lease":7,"fact":{"saved":{"kept":true}}}"#),
            "the worker says `saved`, but nothing was asked"
        );
    }

    #[test]
    fn what_belongs_to_a_trial_that_has_left_moves_nothing() {
        let mut talk = talk();
        talk.ask(Awaited::Results { most: 1 });
        talk.leave();
        assert_eq!(talk.hear(br#"{"lease":7,"fact":{"results":{"list":[{"metrics":{}}]}}}"#).ok(), Some(Heard::Stale));
        assert_eq!(talk.hear(br#"{"lease":7,"fact":{"drained":{}}}"#).ok(), Some(Heard::Done(Awaited::Drained)));
        talk.begin(LeaseId::new(7));
        assert_eq!(talk.hear(br#"{"lease":7,"fact":{"ready":{}}}"#).ok(), Some(Heard::Stale));
        assert!(talk.hear(br#"{"lease":9,"fact":{"ready":{}}}"#).is_err(), "a lease that nobody gave");
    }

    #[test]
    fn nobody_speaks_before_hello_or_logs_without_credit() {
        let mut early = ProtocolState::new();
        assert_eq!(
            refusal(&mut early, r#"{"lease":0,"fact":{"heartbeat":{"steps":1}}}"#),
            "the worker's first frame is `heartbeat`, not `hello`"
        );
        assert_eq!(
            refusal(&mut early, r#"{"lease":0,"fact":{"hello":{"protocol":9}}}"#),
            "the worker speaks version 9 of the protocol, the engine version 1"
        );
        let mut talk = talk();
        talk.credit(1);
        let log = r#"{"lease":7,"fact":{"log":{"level":"info","message":"m"}}}"#;
        assert!(talk.hear(log.as_bytes()).is_ok());
        assert_eq!(refusal(&mut talk, log), "the worker sends log messages without credit for them");
        assert_eq!(
            refusal(&mut talk, "no\tframe"),
            "a line of the worker: `no\\tframe` isn't a frame: expected ident at line 1 column 2"
        );
    }
}
