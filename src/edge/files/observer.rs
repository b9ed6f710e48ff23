//! The observer that all kinds of files share. What is particular to one kind is its [`Writer`].

use super::error::FileError;
use super::pace::{Due, Pace};
use crate::logic::event::{EventKind, ExperimentEvent, Outcome};
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// So many events may wait for an observer that writes files: gaps are worse than memory. Events are shared by all observers,
/// so that a queue that is full costs some tens of megabytes.
const ROOM: usize = 131_072;

/// When an event happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Now,
    /// In an earlier session.
    Before,
}

/// Writes one kind of file.
pub(super) trait Writer: Send {
    /// The observer's name.
    const NAME: &'static str;
    /// Whether a resumed run continues the files. Others are written anew from the journal.
    const CONTINUES: bool;

    /// Called before the first event.
    fn begin(&mut self) -> Result<(), FileError> {
        Ok(())
    }

    /// Takes an event, other than the run's end. `pace` is told how much was buffered.
    fn take(&mut self, event: &ExperimentEvent, when: When, pace: &mut Pace) -> Result<(), FileError>;

    /// Writes out what is buffered.
    fn flush(&mut self) -> Result<(), FileError> {
        Ok(())
    }

    /// Nothing more comes. There is no outcome if the run ended without saying so.
    fn finish(&mut self, _outcome: Option<&Outcome>) -> Result<(), FileError> {
        self.flush()
    }
}

/// How far the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Growing,
    /// They are done, or can't be written.
    Over,
}

/// A [`Writer`] as an observer.
#[derive(Debug)]
pub(super) struct FileObserver<W: Writer> {
    writer: W,
    pace: Pace,
    stage: Stage,
}

impl<W: Writer> FileObserver<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, pace: Pace::default(), stage: Stage::Idle }
    }

    fn take(&mut self, event: &ExperimentEvent, when: When) -> Result<(), FileError> {
        if self.stage == Stage::Idle {
            self.writer.begin()?;
            self.stage = Stage::Growing;
        }
        match &event.kind {
            EventKind::Finished { outcome } => {
                self.stage = Stage::Over;
                self.writer.finish(Some(outcome))
            }
            _ => {
                self.writer.take(event, when, &mut self.pace)?;
                if self.pace.due(event) == Due::Now { self.writer.flush() } else { Ok(()) }
            }
        }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.pace.done();
        self.writer.flush()
    }

    fn noted(&mut self, done: Result<(), FileError>) -> Result<(), ObserverError> {
        if done.is_err() {
            self.stage = Stage::Over;
        }
        Ok(done?)
    }
}

impl<W: Writer> Observer for FileObserver<W> {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let done = self.take(event, When::Now);
        self.noted(done)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        let name = W::NAME;
        log::warn!("the files of `{name}` lack rows: it was too slow and missed {events} events");
        Ok(())
    }

    fn on_quiet(&mut self) -> Result<(), ObserverError> {
        let done = self.flush();
        self.noted(done)
    }

    /// The files hold the state: that there is some says that everything so far is in them.
    fn save(&mut self) -> Option<serde_json::Value> {
        if !W::CONTINUES {
            return None;
        }
        let done = self.flush();
        self.noted(done).ok().map(|()| serde_json::json!({}))
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        // An earlier session's end isn't this one's.
        if matches!(event.kind, EventKind::Finished { .. }) {
            return Ok(());
        }
        let done = self.take(event, When::Before);
        self.noted(done)
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn room(&self) -> Option<usize> {
        Some(ROOM)
    }

    fn name(&self) -> &str {
        W::NAME
    }
}

impl<W: Writer> Drop for FileObserver<W> {
    fn drop(&mut self) {
        if self.stage == Stage::Growing
            && let Err(error) = self.writer.finish(None)
        {
            log::warn!("rows are lost: {error}");
        }
    }
}
