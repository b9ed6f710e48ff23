//! The read model of one run: what the page shows of it, kept up to date while the run goes on.
//!
//! It is plain and synchronous, and cheap to clone: one model for each run, shared by all who ask. Some of its methods read files or
//! take milliseconds, so call all of them (but [`position`](RunModel::position) and [`notices`](RunModel::notices), which never
//! wait) where blocking is allowed: in `web::block`. The run itself is never held up: while it goes on, a thread of the model's own reads
//! what is new in its journal, at most five times a second.
//!
//! | the run | is followed |
//! |---|---|
//! | in a directory, with a control socket | by its socket (`watch`), which is only a doorbell, and its journal |
//! | in a directory, without one | whenever somebody calls [`refresh`](RunModel::refresh): at each request, and for a stream at each of its comments |
//! | in this process, without a directory | by the stream of its events |
//!
//! A run that ended or was killed stays readable. That it was resumed since is noticed by [`refresh`](RunModel::refresh), which then
//! follows it again.

//! | file | what it does |
//! |---|---|
//! | `views` | what is answered, as JSON |
//! | `state` | the engine's ledger, told of what was recorded, and what follows from it |
//! | `rows`, `decisions`, `timeline` | what follows from it at each event, in constant time |
//! | `head`, `columns`, `page`, `judged`, `outputs` | the views, made when somebody asks |
//! | `words` | what is said in words |
//! | `bell`, `follow`, `mounted` | keep it up to date while the run goes on |

mod bell;
mod columns;
mod decisions;
mod follow;
mod head;
mod judged;
mod mounted;
mod outputs;
mod page;
mod rows;
mod state;
mod timeline;
mod views;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::edge::journal::Following;
use head::Standing;
use state::State;
pub use views::*;

/// So many rows at most are told as changes; of more it is said that all has to be fetched.
const MOST_CHANGES: usize = 50_000;

/// How far a run was read, and whether its state is another one: told to all who wait for news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// The position: see [`Header::position`].
    pub position: u64,
    /// How the run stands.
    pub state: RunState,
    /// Counts the changes of that: each is worth an event `runs`.
    pub states: u64,
}

/// What has changed since a position.
#[derive(Clone, Debug, PartialEq)]
pub enum Changes {
    /// This.
    Delta(Box<Delta>),
    /// That can't be said: fetch again all that is shown. Here is why.
    Lagged(String),
}

/// Why something isn't answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// There is no such trial: `not_found`.
    #[error("there is no trial {number} in this run: it has {trials}")]
    NoTrial {
        /// Which was asked for.
        number: u32,
        /// How many there are.
        trials: usize,
    },
    /// There is no such metric: `not_found`.
    #[error("no trial has reported a metric of this name")]
    NoMetric,
    /// The trial has no output of this name: `not_found`.
    #[error("trial {number} has no output of this name")]
    NoOutput {
        /// The trial.
        number: u32,
    },
    /// A file can't be read: `unavailable`.
    #[error("it can't be read: {why}")]
    Unavailable {
        /// What the system said.
        why: String,
    },
}

/// The read model of one run.
#[derive(Clone, Debug)]
pub struct RunModel {
    shared: Arc<Shared>,
}

/// What is known, and how it is kept up to date.
#[derive(Debug)]
struct Shared {
    dir: Option<PathBuf>,
    inner: RwLock<Inner>,
    following: Mutex<Option<Following>>,
    attendance: Mutex<Option<follow::Attendance>>,
    notice: watch::Sender<Notice>,
    importance: Kept<ImportanceView>,
    pareto: Kept<ParetoView>,
    rungs: Kept<RungsView>,
    parameters: Mutex<Option<((usize, u32, u32), Vec<Parameter>)>>,
}

#[derive(Debug)]
struct Inner {
    /// The run, or why it can't be read.
    known: Result<Box<State>, String>,
    standing: Standing,
}

/// What was found last, and at which position.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<(u64, T)>>);

impl<T: Clone> Kept<T> {
    const fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// What was found at this position, or is found now. Whoever asks meanwhile waits for it.
    fn at(&self, position: u64, find: impl FnOnce() -> T) -> T {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|(at, _)| *at == position) {
            Some((_, found)) => found.clone(),
            None => kept.insert((position, find())).1.clone(),
        }
    }
}

impl Shared {
    fn new(dir: Option<PathBuf>, known: Result<Box<State>, String>) -> Self {
        Self {
            dir,
            inner: RwLock::new(Inner { known, standing: Standing::default() }),
            following: Mutex::new(None),
            attendance: Mutex::new(None),
            notice: watch::Sender::new(Notice::default()),
            importance: Kept::none(),
            pareto: Kept::none(),
            rungs: Kept::none(),
            parameters: Mutex::new(None),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits what is new, if anything is.
    fn notify(&self) {
        let inner = self.read();
        let (position, state) = match &inner.known {
            Ok(state) => (state.position, head::state_of(state, &inner.standing)),
            Err(_) => (0, RunState::Unreadable),
        };
        self.notice.send_if_modified(|notice| {
            let before = *notice;
            notice.states += u64::from(notice.state != state);
            (notice.position, notice.state) = (position, state);
            *notice != before
        });
    }

    /// The parameters: looked for again when there are twice as many trials, or another space or session.
    fn parameters(&self, state: &State) -> Vec<Parameter> {
        let version = state.ledger().run().space.as_ref().map_or(0, |space| space.version);
        let at = (state.ledger().len().next_power_of_two(), version, state.opened.session);
        let mut kept = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref().filter(|(found_at, _)| *found_at == at) {
            Some((_, found)) => found.clone(),
            None => kept.insert((at, head::parameters(state))).1.clone(),
        }
    }

    fn summary(&self, inner: &Inner, key: &str) -> Summary {
        let dir = self.dir.as_ref().map(|dir| dir.display().to_string());
        match &inner.known {
            Ok(state) => head::summary(state, &inner.standing, key, dir),
            Err(why) => Summary { run: key.to_owned(), dir, why: Some(why.clone()), ..Summary::default() },
        }
    }

    fn header(&self, inner: &Inner, key: &str) -> Header {
        let summary = self.summary(inner, key);
        let Ok(state) = &inner.known else { return Header { summary, ..Header::default() } };
        let first = (0..3).map(|number| state.trial_id(number));
        let outputs = self.dir.as_ref().is_some_and(|dir| outputs::any(dir, first));
        head::header(state, &inner.standing, summary, self.parameters(state), outputs)
    }
}

impl RunModel {
    /// The model of the run in a directory, read up to now, and followed from here on if it goes on. It never fails: a run that can't
    /// be read says so in its state. Reads the whole journal.
    pub fn open(dir: &Path) -> Self {
        let shared = Shared::new(Some(dir.to_owned()), Err("it wasn't read yet".to_owned()));
        let model = Self { shared: Arc::new(shared) };
        model.shared.read_further();
        model.refresh();
        model
    }

    /// Looks whether there is anything new of a run that isn't followed by itself: it goes on without a control socket, or was resumed
    /// since it ended. Of one that is followed it does nothing, and of others it costs little if nothing is new. Call it before each
    /// answer, and for a stream at each of its comments.
    pub fn refresh(&self) {
        let shared = &self.shared;
        if shared.dir.is_none() || shared.read().standing.attended {
            return;
        }
        // Asked first: a run that ends meanwhile has ended in its journal too.
        let held = shared.is_held();
        shared.write().standing.held = held;
        let attended = (held || cfg!(not(target_os = "linux"))) && follow::attend(shared);
        if !attended {
            shared.read_further();
        }
        shared.notify();
    }

    /// How far the run was read.
    pub fn position(&self) -> u64 {
        self.shared.notice.borrow().position
    }

    /// Wakes whoever waits when there is something new: at most five times a second.
    pub fn notices(&self) -> watch::Receiver<Notice> {
        self.shared.notice.subscribe()
    }

    /// The run in a list of runs, under the name that the server has for it.
    pub fn summary(&self, key: &str) -> Summary {
        self.shared.summary(&self.shared.read(), key)
    }

    /// All that stands above the page.
    pub fn header(&self, key: &str) -> Header {
        self.shared.header(&self.shared.read(), key)
    }

    /// What a view makes of the run; its default of one that can't be read.
    fn view<T: Default>(&self, view: impl FnOnce(&State) -> T) -> T {
        self.shared.read().known.as_ref().map(|state| view(state)).unwrap_or_default()
    }

    /// The trials as columns: all, or a choice of them if there are more than `most`.
    pub fn trials(&self, most: usize) -> Columns {
        self.view(|state| columns::trials(state, most))
    }

    /// Curves of a metric; of the objective's if none is named. At most `most` of them.
    ///
    /// # Errors
    /// If nobody reported it.
    pub fn curves(&self, metric: Option<&str>, most: usize) -> Result<Curves, ModelError> {
        let inner = self.shared.read();
        let Ok(state) = &inner.known else { return Err(ModelError::NoMetric) };
        let given = state.objectives.first().map(|objective| objective.metric.as_str());
        let metric = metric.or(given).or(state.metrics.first().map(String::as_str)).ok_or(ModelError::NoMetric)?;
        let automatic = crate::logic::metrics::AUTOMATIC_KEYS.contains(&metric);
        if !automatic && given != Some(metric) && !state.metrics.iter().any(|known| known == metric) {
            return Err(ModelError::NoMetric);
        }
        Ok(columns::curves(state, metric, most))
    }

    /// One trial.
    ///
    /// # Errors
    /// If there is none of this number.
    pub fn trial(&self, number: u32) -> Result<TrialPage, ModelError> {
        let inner = self.shared.read();
        let Ok(state) = &inner.known else { return Err(ModelError::NoTrial { number, trials: 0 }) };
        let none = ModelError::NoTrial { number, trials: state.ledger().len() };
        let (page, id) = (page::trial(state, number).ok_or(none)?, state.trial_id(number));
        drop(inner);
        let outputs = self.shared.dir.as_ref().map(|dir| outputs::names(dir, id)).unwrap_or_default();
        Ok(TrialPage { outputs, ..page })
    }

    /// A part of what a trial has printed: from a byte on, or the last 64 KiB; at most 256 KiB. `name` is one of
    /// [`TrialPage::outputs`] and nothing else.
    ///
    /// # Errors
    /// If there is no such trial, the name isn't one of these, or the file can't be read.
    pub fn output(&self, number: u32, name: &str, from: Option<u64>) -> Result<OutputPart, ModelError> {
        let (id, trials) = {
            let inner = self.shared.read();
            let state = inner.known.as_ref().map_err(|_| ModelError::NoTrial { number, trials: 0 })?;
            (state.trial_id(number), state.ledger().len())
        };
        if number as usize >= trials {
            return Err(ModelError::NoTrial { number, trials });
        }
        let part = self.shared.dir.as_ref().map(|dir| outputs::part(dir, id, name, from)).transpose();
        match part {
            Ok(part) => part.flatten().ok_or(ModelError::NoOutput { number }),
            Err(error) => Err(ModelError::Unavailable { why: error.to_string() }),
        }
    }

    /// How much the parameters mattered.
    pub fn importance(&self) -> ImportanceView {
        self.view(|state| self.shared.importance.at(state.position, || judged::importance(state)))
    }

    /// All trials by all objectives.
    pub fn pareto(&self) -> ParetoView {
        self.view(|state| self.shared.pareto.at(state.position, || judged::pareto(state)))
    }

    /// The rungs, and the fate of each trial there.
    pub fn rungs(&self) -> RungsView {
        self.view(|state| self.shared.rungs.at(state.position, || judged::rungs(state, &head::scheduler(state))))
    }

    /// Who became a copy of whom.
    pub fn lineage(&self) -> LineageView {
        self.view(page::lineage)
    }

    /// The timeline of the workers.
    pub fn workers(&self) -> WorkersView {
        let inner = self.shared.read();
        let Ok(state) = &inner.known else { return WorkersView::default() };
        page::workers(state, head::goes_on(state, &inner.standing), head::now(state, &inner.standing))
    }

    /// The decisions before one of them, or the newest ones; at most `most`.
    pub fn decisions(&self, before: Option<u64>, most: usize) -> DecisionsView {
        self.view(|state| DecisionsView { position: state.position, decisions: state.decisions.before(before, most) })
    }

    /// What has changed since a position.
    pub fn changes(&self, key: &str, since: u64) -> Changes {
        let inner = self.shared.read();
        let state = match &inner.known {
            Ok(state) => state,
            Err(why) => return Changes::Lagged(format!("the run can't be read: {why}")),
        };
        if since < state.since || since > state.position {
            return Changes::Lagged("that was before the run was read, or read again".to_owned());
        }
        match judged::changed(state, since, MOST_CHANGES) {
            None => Changes::Lagged(format!("more than {MOST_CHANGES} trials have changed since")),
            Some(trials) => {
                let header = self.shared.header(&inner, key);
                Changes::Delta(Box::new(Delta { position: state.position, header, trials }))
            }
        }
    }
}
