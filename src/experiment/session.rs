//! One session of a run: what an earlier one left is told to the engine and the observers, and the journal goes on.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::place::Place;
use super::stored;
use crate::edge::journal::{DIRECTORY, JournalEnd, JournalFile, Past};
use crate::edge::log::{Damage, Files, LogLock, LogSettings};
use crate::edge::observe::{Before, StateSink};
use crate::edge::store::Janitor;
use crate::error::SettingsError;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{Engine, Resume};
use crate::logic::event::EventKind;
use crate::logic::failure::error_chain;
use crate::logic::journal::{ObserverState, Opened};
use crate::ports::journal::OpenJournal;
use crate::ports::observer::{Observer, Past as Wants};
use crate::ports::store::Store;

/// Makes what a directory's files are written through.
pub(super) type FilesAt = Arc<dyn Fn(&Path) -> Arc<dyn Files> + Send + Sync>;

/// What a session begins with.
pub(super) struct Start<'a> {
    pub(super) place: Option<Place>,
    pub(super) engine: &'a mut Engine,
    pub(super) name: &'a str,
    pub(super) trainable: &'a str,
    pub(super) given: Map<String, Value>,
    pub(super) how: Resume,
    pub(super) damage: Damage,
    pub(super) log: LogSettings,
    pub(super) files: FilesAt,
    pub(super) store: Arc<dyn Store>,
    pub(super) observers: Vec<Box<dyn Observer>>,
}

/// What comes of it.
pub(super) struct Session {
    pub(super) observers: Vec<(Box<dyn Observer>, Option<Before>)>,
    pub(super) states: StateSink,
    pub(super) journal: Option<(OpenJournal, JournalEnd)>,
    pub(super) notices: Vec<EventKind>,
    pub(super) dir: Option<(LogLock, PathBuf)>,
}

/// Begins a session.
pub(super) fn begin(start: Start<'_>) -> Result<Session, SettingsError> {
    let Start { place, engine, name, trainable, given, how, damage, log, files, store, observers } = start;
    let trainable = without_path(trainable);
    let Some(place) = place else {
        let observers = observers.into_iter().map(|observer| (observer, None)).collect();
        return Ok(Session { observers, states: Arc::new(|_| {}), journal: None, notices: Vec::new(), dir: None });
    };
    let mut opened = Opened::new(name, engine.settings().run, trainable);
    let mut notices = Vec::new();
    if let Some(first) = &place.first {
        same(&place, "the experiment", &first.name, name)?;
        same(&place, "the trainable", &first.trainable, trainable)?;
    }
    let (end, torn) = place.tell(damage, engine)?;
    let resumed = engine.recalled().opened.is_some();
    if let Some(last) = &engine.recalled().opened {
        opened.session = last.session + 1;
        notices.extend(torn);
        notices.extend(stored::differences(&last.settings, &given));
        notices.extend(engine.recalled().refused.iter().cloned());
    }
    if resumed {
        // What nobody knows of was never acknowledged. Its name will be used again.
        let records = engine.ledger().iter().flat_map(|record| &record.checkpoints);
        let known: HashSet<CheckpointId> = records.map(|checkpoint| checkpoint.id).collect();
        let swept = store.sweep(opened.run, &|checkpoint| known.contains(&checkpoint))?;
        log::debug!("swept: {swept:?}");
    }
    let line = end.as_ref().map_or(1, |end| end.next);
    opened.settings = given;
    opened.wall_clock =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    opened.pid = std::process::id();

    let states: BTreeMap<String, ObserverState> =
        engine.recalled().observers.iter().map(|state| (state.name.clone(), state.clone())).collect();
    let observers: Result<Vec<_>, SettingsError> = observers
        .into_iter()
        .map(|observer| {
            let before = if resumed { Some(before(&place, line, damage, &*observer, &states)?) } else { None };
            Ok((observer, before))
        })
        .collect();
    let observers = observers?;
    let journal = JournalFile::start(files(&place.path.join(DIRECTORY)), end, opened, log, Janitor::new(store))?;
    if resumed {
        engine.resume(how);
    }
    let sink = journal.1.observer_states();
    let notices = notices.into_iter().map(|message| {
        log::warn!("{message}");
        EventKind::Warning { message }
    });
    Ok(Session {
        observers,
        states: Arc::new(sink),
        journal: Some(journal),
        notices: notices.collect(),
        dir: Some((place.lock, place.path)),
    })
}

/// A type that moved to another module is the same.
fn without_path(name: &str) -> &str {
    let end = name.find('<').unwrap_or(name.len());
    let begin = name.get(..end).and_then(|path| path.rfind("::")).map_or(0, |place| place + 2);
    name.get(begin..).unwrap_or(name)
}

fn same(place: &Place, what: &'static str, stored: &str, given: &str) -> Result<(), SettingsError> {
    if stored == given {
        return Ok(());
    }
    let (path, stored, given) = (place.path.clone(), stored.to_owned(), given.to_owned());
    Err(SettingsError::Another { path, what, stored, given })
}

/// What an observer is told before anything new. The files are opened now, and read when its thread comes to it.
fn before(
    place: &Place,
    line: u64,
    damage: Damage,
    observer: &dyn Observer,
    states: &BTreeMap<String, ObserverState>,
) -> Result<Before, SettingsError> {
    let state = states.get(observer.name()).cloned();
    let past = match observer.wants_past() {
        Wants::Wanted => Some(Past::open(&place.path, damage)?.until(line)),
        Wants::Unwanted => None,
    };
    Ok(Box::new(move |observer| {
        let after = state.as_ref().map(|state| state.mark);
        if let Some(state) = state {
            observer.restore(state.state).map_err(|error| error_chain(error.as_ref()))?;
        }
        match past {
            None => Ok(()),
            Some(past) => {
                past.events(after, &mut |event| observer.on_past(event).map_err(|error| error_chain(error.as_ref())))
            }
        }
    }))
}
