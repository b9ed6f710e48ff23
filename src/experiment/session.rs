//! One session of a run: what an earlier one left is told to the engine and the observers, and the journal goes on.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::builder::SessionChoices;
use super::place::Place;
use crate::edge::host;
use crate::edge::journal::{DIRECTORY, JournalEnd, JournalFile, Past};
use crate::edge::log::{Damage, Files, LogLock};
use crate::edge::observe::{Before, ObserverHub, StateSink};
use crate::edge::provenance::Recording;
use crate::edge::store::Janitor;
use crate::error::SettingsError;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{Engine, guarded};
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::failure::error_chain;
use crate::logic::journal::{ObserverState, Opened};
use crate::logic::one_line::OneLine;
use crate::logic::settings::{Settings, short_name};
use crate::logic::time::Moment;
use crate::ports::journal::OpenJournal;
use crate::ports::observer::{Observer, Past as Wants};
use crate::ports::store::Store;

/// Makes what a directory's files are written through.
pub(super) type FilesAt = Arc<dyn Fn(&Path) -> Arc<dyn Files> + Send + Sync>;

/// What a session begins with.
pub(super) struct Start<'a> {
    pub(super) place: Option<Place>,
    pub(super) engine: &'a mut Engine,
    /// What the program gave.
    pub(super) settings: Arc<Settings>,
    pub(super) trainable: &'a str,
    /// How its trials are started, if they are programs.
    pub(super) program: Vec<OsString>,
    pub(super) choices: SessionChoices,
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
    pub(super) recording: Arc<Recording>,
}

/// Begins a session.
pub(super) fn begin(start: Start<'_>) -> Result<Session, SettingsError> {
    let Start { place, engine, settings, trainable, program, choices, files, store, observers } = start;
    let (trainable, damage) = (short_name(trainable), choices.damage);
    let Some(place) = place else {
        let observers = observers.into_iter().map(|observer| (observer, None)).collect();
        return Ok(Session {
            observers,
            states: Arc::new(|_| {}),
            journal: None,
            notices: Vec::new(),
            dir: None,
            recording: Arc::default(),
        });
    };
    let mut opened = Opened::new(settings.clone(), engine.settings().run, trainable);
    let mut notices = Vec::new();
    if let Some(first) = &place.first {
        same(&place, "the experiment", &first.settings.name, &settings.name)?;
        same(&place, "the trainable", &first.trainable, trainable)?;
    }
    let (end, torn) = place.tell(damage, engine)?;
    let resumed = engine.replayed().opened.is_some();
    if let Some(last) = &engine.replayed().opened {
        opened.session = last.session + 1;
        notices.extend(torn);
        notices.extend(changes(&last.settings, &settings, &choices)?);
        notices.extend(engine.replayed().refused.iter().chain(&engine.replayed().diverged).cloned());
    }
    if resumed {
        // What nobody knows of was never acknowledged. Its name will be used again.
        let inherited = engine.ledger().iter().filter_map(|record| record.inherited.as_ref()).map(|it| &it.checkpoint);
        let records = engine.ledger().iter().flat_map(|record| &record.checkpoints).chain(inherited);
        let known: HashSet<CheckpointId> = records.map(|checkpoint| checkpoint.id).collect();
        let swept = store.sweep(opened.run, &|checkpoint| known.contains(&checkpoint))?;
        log::debug!("swept: {swept:?}");
    }
    let recording = Recording::start(&place.path, opened.session, trainable, program);
    let line = end.as_ref().map_or(1, |end| end.next);
    opened.wall_clock = host::since_1970().as_secs_f64();
    opened.pid = std::process::id();

    let started = ExperimentEvent { at: Moment::START, kind: engine.started() };
    let states: BTreeMap<String, ObserverState> =
        engine.replayed().observers.iter().map(|state| (state.name.clone(), state.clone())).collect();
    let observers: Result<Vec<_>, SettingsError> = observers
        .into_iter()
        .enumerate()
        .map(|(index, observer)| {
            let before = if resumed {
                Some(before(&place, line, damage, (index, &*observer), &states, &started)?)
            } else {
                None
            };
            Ok((observer, before))
        })
        .collect();
    let observers = observers?;
    let journal = JournalFile::start(files(&place.path.join(DIRECTORY)), end, opened, Janitor::new(store))?;
    if resumed {
        engine.resume(choices.how);
    }
    let sink = journal.1.observer_states();
    let notices = notices.into_iter().map(|message| {
        log::warn!("{}", OneLine(&message));
        EventKind::Warning { message }
    });
    Ok(Session {
        observers,
        states: Arc::new(sink),
        journal: Some(journal),
        notices: notices.collect(),
        dir: Some((place.lock, place.path)),
        recording: Arc::new(recording),
    })
}

/// What is reported of the settings that the program gives now and gave last time. What makes it another question is refused,
/// unless that was said to be meant.
fn changes(before: &Settings, now: &Settings, choices: &SessionChoices) -> Result<Vec<String>, SettingsError> {
    let meant = |setting: &str| choices.may_change.contains(setting);
    if let Some(change) = now.new_question(before).into_iter().find(|change| !meant(&change.setting)) {
        return Err(SettingsError::Changed(change));
    }
    let missing = before.observers.iter().filter(|name| !now.observers.contains(name)).map(|name| {
        format!("the observer {name} of the earlier session is missing: supply it again, with `.observer(..)`, if it is to watch")
    });
    let changes = now.changes(before).into_iter().filter(|change| change.setting != "observers");
    Ok(changes.map(|change| change.to_string()).chain(missing).collect())
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
    (index, observer): (usize, &dyn Observer),
    states: &BTreeMap<String, ObserverState>,
    started: &ExperimentEvent,
) -> Result<Before, SettingsError> {
    let started = started.clone();
    let state = states.get(&ObserverHub::name_of(index, observer)).cloned();
    let wants = match guarded(|| observer.wants_past()) {
        Ok(wants) => wants,
        Err(message) => return Ok(Box::new(move |_| Err(format!("`wants_past`: {message}")))),
    };
    let past = match wants {
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
                let mut tell = |event: &_| observer.on_past(event).map_err(|error| error_chain(error.as_ref()));
                tell(&started)?;
                past.events(after, &mut tell)
            }
        }
    }))
}
