//! The runs that the page shows: those of this process, and those that lie below directories.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::executor::block_on;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::error::{Answered, WebError};
use super::model::{RunModel, RunState, Summary};
use crate::edge::journal;
use crate::edge::provenance;
use crate::ports::control::Controlled;

/// So many runs are shown at most: the newest.
const MOST_RUNS: usize = 1_000;

/// So many models of runs that have ended are kept.
const MOST_ENDED: usize = 16;

/// A run of this process: `Control` becomes one.
#[derive(Clone)]
pub struct LiveRun {
    /// Its directory, if it has one.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) controlled: Arc<dyn Controlled>,
    pub(crate) name: String,
    /// Makes its model, if it has no directory to read.
    pub(crate) model: MakesModel,
}

/// Asks a run for its model; none if it is over.
pub(crate) type MakesModel = Arc<dyn Fn() -> BoxFuture<'static, Option<RunModel>> + Send + Sync>;

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

/// The runs that were found, by their keys.
#[derive(Debug, Default)]
struct Known {
    runs: BTreeMap<Arc<str>, Slot>,
    /// Grows whenever somebody asks for a run.
    asked: u64,
}

/// A run that was found. The model of one that has ended is given up when others are asked for: what the list says of it is kept.
#[derive(Debug)]
struct Slot {
    found: Found,
    run: Option<Run>,
    /// What was said, and when the run was begun or gone on with last.
    ended: Option<(SystemTime, Summary)>,
    asked: u64,
}

impl Slot {
    /// The same run is found again, as one of this process: it is steered directly from now on.
    fn found_again(&mut self, found: Found) {
        let controlled = found.live.as_ref().map(|live| live.controlled.clone());
        match &mut self.run {
            Some(run) if run.dir.is_some() => run.controlled = controlled,
            // Without a directory its model is made anew.
            run => *run = None,
        }
        (self.found, self.ended) = (found, None);
    }
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
        let run = run.into();
        let found = Found::live(run.clone());
        {
            // What is gone on with, or begun again under its name, takes the place of what has ended.
            let mut places = lock(&self.0.places);
            places.live.retain(|old| Found::live(old.clone()).key != found.key);
            places.live.push(run);
            if let Some(slot) = lock(&self.0.known).runs.get_mut(&found.key) {
                slot.found_again(found.clone());
            }
        }
        self.0.changed.send_modify(|count| *count += 1);
        if found.dir.is_some() {
            return;
        }
        // Without a directory only what is seen while it goes on is known of it.
        let runs = self.clone();
        let look = move || {
            runs.look();
            runs.open(&found.key);
        };
        if let Err(error) = std::thread::Builder::new().name("tryout-page".to_owned()).spawn(look) {
            log::warn!("a run is looked at only when somebody asks for it: {error}");
        }
    }

    /// Looks for runs, and says how each stands, the newest first. It reads directories, and the journals of runs that are new.
    pub(super) fn list(&self) -> Vec<Summary> {
        let mut keys = self.look();
        keys.truncate(MOST_RUNS);
        let mut list: Vec<Summary> = keys.iter().filter_map(|key| self.summary(key)).collect();
        list.sort_by(|a, b| b.began.total_cmp(&a.began));
        list
    }

    /// A run by its key: the key is looked up, and never part of a path.
    pub(super) fn find(&self, key: &str) -> Answered<Run> {
        let found = self.open(key).or_else(|| {
            self.look();
            self.open(key)
        });
        found.ok_or_else(|| WebError::not_found("run", key))
    }

    /// Those whose models are there: others don't change.
    pub(super) fn opened(&self) -> Vec<Run> {
        lock(&self.0.known).runs.values().filter_map(|slot| slot.run.clone()).collect()
    }

    /// Wakes whoever waits when a run comes or goes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Looks for runs; answers their keys.
    fn look(&self) -> Vec<Arc<str>> {
        let places = lock(&self.0.places).clone();
        let mut found: Vec<Found> = places.live.into_iter().map(Found::live).collect();
        let here: Vec<PathBuf> = found.iter().filter_map(|found| found.dir.as_deref()?.canonicalize().ok()).collect();
        for dir in &places.dirs {
            let dirs = if journal::is_run(dir) { vec![dir.clone()] } else { journal::runs_below(dir) };
            let others = dirs.into_iter().filter_map(|dir| dir.canonicalize().ok()).filter(|dir| !here.contains(dir));
            found.extend(others.map(Found::at));
        }
        let mut keys: Vec<Arc<str>> = Vec::with_capacity(found.len());
        let changed = {
            let mut known = lock(&self.0.known);
            let mut old = std::mem::take(&mut known.runs);
            let before = old.len();
            let mut same = 0;
            for found in found {
                let key = found.key.clone();
                let kept = old.remove(&key).inspect(|_| same += 1);
                let slot = kept.unwrap_or_else(|| Slot { found, run: None, ended: None, asked: 0 });
                known.runs.entry(key.clone()).or_insert(slot);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            same != before || keys.len() != before
        };
        if changed {
            self.0.changed.send_modify(|count| *count += 1);
        }
        keys
    }

    /// How a run stands: from its model, or as it was said when it had ended.
    fn summary(&self, key: &str) -> Option<Summary> {
        let (begun, told) = {
            let known = lock(&self.0.known);
            let slot = known.runs.get(key)?;
            (slot.found.begun(), slot.ended.as_ref().filter(|_| slot.run.is_none()).cloned())
        };
        if let Some((at, summary)) = told
            && Some(at) == begun
        {
            return Some(summary);
        }
        let run = self.open(key)?;
        run.model.refresh();
        let summary = run.model.summary(key);
        let mut known = lock(&self.0.known);
        if let Some(slot) = known.runs.get_mut(key) {
            let over = !matches!(summary.state, RunState::Running | RunState::Ending);
            slot.ended = begun.filter(|_| over).map(|begun| (begun, summary.clone()));
        }
        known.give_up();
        Some(summary)
    }

    /// A run with its model, which is made if it isn't there.
    fn open(&self, key: &str) -> Option<Run> {
        let found = {
            let mut known = lock(&self.0.known);
            known.asked += 1;
            let asked = known.asked;
            let slot = known.runs.get_mut(key)?;
            slot.asked = asked;
            if slot.run.is_some() {
                return slot.run.clone();
            }
            slot.found.clone()
        };
        // It takes a while: others go on meanwhile, and whoever is first wins.
        let run = found.open();
        let mut known = lock(&self.0.known);
        let slot = known.runs.get_mut(key)?;
        Some(slot.run.get_or_insert(run).clone())
    }
}

impl Known {
    /// Gives up the models of runs that have ended, but for those that were asked for last.
    fn give_up(&mut self) {
        let ended = |slot: &&mut Slot| slot.run.is_some() && slot.ended.is_some();
        let mut ended: Vec<&mut Slot> = self.runs.values_mut().filter(ended).collect();
        ended.sort_by_key(|slot| std::cmp::Reverse(slot.asked));
        for slot in ended.into_iter().skip(MOST_ENDED) {
            slot.run = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run before its model is made.
#[derive(Clone, Debug)]
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

    /// When the run was begun or gone on with last; none if that isn't known.
    fn begun(&self) -> Option<SystemTime> {
        self.dir.as_ref()?.join(journal::LOCK).metadata().ok()?.modified().ok()
    }

    fn open(self) -> Run {
        let model = match (&self.dir, &self.live) {
            (Some(dir), _) => Some(RunModel::open(dir)),
            (None, Some(run)) => block_on((run.model)()),
            (None, None) => None,
        };
        // A run that was over before anybody asked: there is nothing to read.
        let model = model.unwrap_or_else(|| RunModel::open(Path::new("")));
        let controlled = self.live.map(|run| run.controlled);
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
