//! The runs that the page shows: those of this process, and those that lie below directories.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::error::{Answered, WebError};
use super::model::RunModel;
use crate::edge::journal;
use crate::edge::provenance;
use crate::ports::control::Controlled;

/// So many runs are shown at most: the newest.
const MOST_RUNS: usize = 1_000;

/// A run of this process: `Control` becomes one.
#[derive(Clone)]
pub struct LiveRun {
    /// Its directory, if it has one.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) controlled: Arc<dyn Controlled>,
    pub(crate) name: String,
}

impl fmt::Debug for LiveRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRun").field("dir", &self.dir).field("name", &self.name).finish_non_exhaustive()
    }
}

/// The runs of a page. Clones are the same: an application keeps one, to add the runs that it starts later.
#[derive(Clone, Debug, Default)]
pub struct Runs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Mutex<Places>,
    known: Mutex<Known>,
    /// Counts how often a run came or went.
    changed: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { places: Mutex::default(), known: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

#[derive(Clone, Debug, Default)]
struct Places {
    /// Runs, or directories with runs below them.
    dirs: Vec<PathBuf>,
    live: Vec<LiveRun>,
}

/// The runs that were found, by their keys, and their order: the newest first.
#[derive(Debug, Default)]
struct Known {
    runs: BTreeMap<Arc<str>, Run>,
    order: Vec<Arc<str>>,
}

/// A run that the page shows.
#[derive(Clone)]
pub(super) struct Run {
    /// Its name in URLs.
    pub(super) key: Arc<str>,
    pub(super) dir: Option<PathBuf>,
    /// Of this process.
    pub(super) controlled: Option<Arc<dyn Controlled>>,
    pub(super) model: RunModel,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("key", &self.key).field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Runs {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And a run of this process, which is steered directly.
    #[must_use]
    pub fn with(self, run: impl Into<LiveRun>) -> Self {
        self.add(run);
        self
    }

    /// And the run in this directory, or those below it, at most two levels down. Runs that appear there later are found.
    #[must_use]
    pub fn below(self, dir: impl Into<PathBuf>) -> Self {
        lock(&self.0.places).dirs.push(dir.into());
        self
    }

    /// Adds a run of this process.
    pub fn add(&self, run: impl Into<LiveRun>) {
        lock(&self.0.places).live.push(run.into());
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// Looks for runs; answers all, the newest first. It reads directories, and the journals of runs that are new.
    pub(super) fn look(&self) -> Vec<Run> {
        let places = lock(&self.0.places).clone();
        let mut found: Vec<Found> = places.live.into_iter().map(Found::live).collect();
        let here: Vec<PathBuf> = found.iter().filter_map(|found| found.dir.as_deref()?.canonicalize().ok()).collect();
        for dir in &places.dirs {
            let dirs = if journal::is_run(dir) { vec![dir.clone()] } else { journal::runs_below(dir) };
            let others = dirs.into_iter().filter_map(|dir| dir.canonicalize().ok()).filter(|dir| !here.contains(dir));
            found.extend(others.map(Found::at));
        }
        found.truncate(MOST_RUNS);
        self.keep(found)
    }

    /// A run by its key: the key is looked up, and never part of a path.
    pub(super) fn find(&self, key: &str) -> Answered<Run> {
        let known = lock(&self.0.known).runs.get(key).cloned();
        let found = known.or_else(|| self.look().into_iter().find(|run| &*run.key == key));
        found.ok_or_else(|| WebError::not_found("run"))
    }

    /// Those that are known already.
    pub(super) fn known(&self) -> Vec<Run> {
        lock(&self.0.known).all()
    }

    /// Wakes whoever waits when a run comes or goes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    fn keep(&self, found: Vec<Found>) -> Vec<Run> {
        let old = { lock(&self.0.known).runs.clone() };
        let mut runs = BTreeMap::new();
        let mut order = Vec::new();
        for found in found {
            let run = old.get(&*found.key).cloned().unwrap_or_else(|| found.open());
            if runs.insert(run.key.clone(), run.clone()).is_none() {
                order.push(run.key);
            }
        }
        let changed = !runs.keys().eq(old.keys());
        let all = {
            let mut known = lock(&self.0.known);
            *known = Known { runs, order };
            known.all()
        };
        if changed {
            self.0.changed.send_modify(|count| *count += 1);
        }
        all
    }
}

impl Known {
    fn all(&self) -> Vec<Run> {
        self.order.iter().filter_map(|key| self.runs.get(key)).cloned().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run before its model is made.
struct Found {
    key: Arc<str>,
    dir: Option<PathBuf>,
    live: Option<LiveRun>,
}

impl Found {
    fn at(dir: PathBuf) -> Self {
        Self { key: key(&dir), dir: Some(dir), live: None }
    }

    fn live(run: LiveRun) -> Self {
        let dir = run.dir.as_ref().map(|dir| dir.canonicalize().unwrap_or_else(|_| dir.clone()));
        let key = key(dir.as_deref().unwrap_or_else(|| Path::new(&run.name)));
        Self { key, dir, live: Some(run) }
    }

    fn open(self) -> Run {
        let controlled = self.live.map(|run| run.controlled);
        let model = match (&self.dir, &controlled) {
            (Some(dir), _) => RunModel::open(dir),
            (None, _) => RunModel::open(Path::new("")),
        };
        Run { key: self.key, dir: self.dir, controlled, model }
    }
}

/// A name for URLs: what the directory is called, as far as that is plain, and what no other has.
fn key(dir: &Path) -> Arc<str> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
    let sum = provenance::hash(dir.as_os_str().as_encoded_bytes());
    format!("{plain}-{}", sum.get(..12).unwrap_or(&sum)).into()
}
