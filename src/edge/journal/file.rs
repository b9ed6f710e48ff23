//! The journal of a run that goes on, written through a log.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::after_checkpoints::AfterCheckpoints;
use super::past::JournalFault;
use crate::edge::log::{Files, Lines, Log, LogEnd, LogSettings, Notice, Position, Unwritten};
use crate::edge::store::Janitor;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::gate::{Ahead, Backlog, JournalNotice};
use crate::logic::journal::{Compactor, Entry, ObserverState, Opened, PartStates, Reader, Writer};
use crate::logic::settings::Durability;
use crate::ports::journal::{Journal, NoticeSink, OpenJournal, Task};
use crate::ports::store::Store;

/// The journal of a run, as its controller sees it.
#[derive(Debug)]
pub struct JournalFile {
    log: Log<Entry>,
    ahead: Ahead,
    janitor: Arc<Mutex<Janitor>>,
}

/// Closes a journal; also where states of observers go.
#[derive(Debug)]
pub struct JournalEnd {
    log: Log<Entry>,
    end: LogEnd<Entry>,
}

/// Where notices go once somebody hears them.
type Ear = Arc<Mutex<Option<NoticeSink>>>;

impl JournalFile {
    /// Begins, or goes on with, a journal in `files`, with the record that opens a session.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn start(
        files: Arc<dyn Files>,
        position: Option<Position>,
        opened: Opened,
        janitor: Janitor,
    ) -> Result<(OpenJournal, JournalEnd), JournalFault> {
        let settings = LogSettings::from(&*opened.settings);
        let path = files.path().to_owned();
        let refused = |source| JournalFault::Write { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(refused)?;
        let ear = Ear::default();
        let (heard, mut writer) = (ear.clone(), Writer::default());
        let store = janitor.store().clone();
        let files: Arc<dyn Files> = Arc::new(AfterCheckpoints { files, store: store.clone() });
        let encode = move |entry: &Entry, out: &mut Vec<u8>| {
            if let Entry::Step(events) = entry {
                let_go(&*store, events);
            }
            writer.write(entry, out);
        };
        let (log, end) =
            Log::start(files, position, settings, encode, move |notice| hear(&heard, notice)).map_err(refused)?;
        log.append(Entry::Opened(opened.into()));
        let ahead = if settings.durability == Durability::EveryEvent { Ahead::Forbidden } else { Ahead::Allowed };
        let journal = Self { log: log.clone(), ahead, janitor: Arc::new(Mutex::new(janitor)) };
        let open: OpenJournal = Box::new(move |notices| {
            *ear.lock().unwrap_or_else(PoisonError::into_inner) = Some(notices);
            Box::new(journal)
        });
        Ok((open, JournalEnd { log, end }))
    }
}

/// The next sync of the journal says which checkpoints are let go.
fn let_go(store: &dyn Store, events: &[ExperimentEvent]) {
    for event in events {
        if let EventKind::Deleted { checkpoint } = &event.kind {
            store.let_go(*checkpoint);
        }
    }
}

fn hear(ear: &Ear, notice: Notice) {
    let told = match notice {
        Notice::Stalled(error) => JournalNotice::Stalled(error.to_string()),
        Notice::Recovered => JournalNotice::Recovered,
        Notice::Grown => JournalNotice::Grown,
        Notice::NotCompacted(why) => JournalNotice::NotCompacted(why),
        Notice::Broken(why) => JournalNotice::Broken(why),
        Notice::Compacted { bytes, took } => {
            log::debug!("the journal was compacted to {bytes} bytes in {took:?}");
            return;
        }
    };
    if let Some(sink) = &*ear.lock().unwrap_or_else(PoisonError::into_inner) {
        sink(told);
    }
}

impl Journal for JournalFile {
    fn step(&mut self, events: Arc<[ExperimentEvent]>) {
        let many = events.len() as u64;
        self.log.append_as(Entry::Step(events), many);
    }

    fn mark(&mut self, mark: u64) {
        self.log.append(Entry::Mark(mark));
    }

    fn snapshot(&mut self, parts: PartStates) {
        let compact = move |lines: &mut Lines<'_>, out: &mut dyn FnMut(&[u8])| {
            let (mut reader, mut compactor) = (Reader::default(), Compactor::new(parts));
            while let Some(text) = lines.next_line().map_err(|error| error.to_string())? {
                compactor.take(reader.read(text).map_err(|error| error.to_string())?, out);
            }
            compactor.finish(out);
            Ok(())
        };
        self.log.rotate(Some(Entry::Fresh), Box::new(compact));
    }

    fn forget(&mut self, checkpoint: CheckpointId) {
        let janitor = self.janitor.clone();
        self.log.when_durable(move || janitor.lock().unwrap_or_else(PoisonError::into_inner).delete(checkpoint));
    }

    fn sync(&mut self, task: Task) {
        self.log.sync(task);
    }

    fn backlog(&self) -> Backlog {
        self.log.backlog()
    }

    fn ahead(&self) -> Ahead {
        self.ahead
    }
}

impl JournalEnd {
    /// Writes the state of an observer down.
    pub fn observer_states(&self) -> impl Fn(ObserverState) + Send + Sync + 'static {
        let log = self.log.clone();
        move |state| log.append(Entry::Observer(state))
    }

    /// Writes what is left, makes everything durable, and closes the files; takes `patience` at most.
    ///
    /// # Errors
    /// If something couldn't be written by then.
    pub fn close(self, patience: Duration) -> Result<(), Unwritten> {
        drop(self.log);
        self.end.close(patience)
    }
}
