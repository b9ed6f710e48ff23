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

mod views;

use std::path::Path;

use tokio::sync::watch;

pub use views::*;

/// How far a run was read, and whether its state is another one: told to all who wait for news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// The position: see [`Header::position`].
    pub position: u64,
    /// Counts the changes of its [state](RunState): a new one is worth an event `runs`.
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
    notice: watch::Sender<Notice>,
}

impl RunModel {
    /// The model of the run in a directory, read up to now, and followed from here on if it goes on. It never fails: a run that can't
    /// be read says so in its state. Reads the whole journal.
    pub fn open(_dir: &Path) -> Self {
        Self { notice: watch::Sender::new(Notice::default()) }
    }

    /// Looks whether there is anything new of a run that isn't followed by itself: it goes on without a control socket, or was resumed
    /// since it ended. Of one that is followed it does nothing; of others it does so at most once a second, and costs little if
    /// nothing is new. Call it before each answer, and for a stream at each of its comments.
    pub fn refresh(&self) {}

    /// How far the run was read.
    pub fn position(&self) -> u64 {
        self.notice.borrow().position
    }

    /// Wakes whoever waits when there is something new: at most five times a second.
    pub fn notices(&self) -> watch::Receiver<Notice> {
        self.notice.subscribe()
    }

    /// The run in a list of runs, under the name that the server has for it.
    pub fn summary(&self, key: &str) -> Summary {
        Summary { run: key.to_owned(), ..Summary::default() }
    }

    /// All that stands above the page.
    pub fn header(&self, key: &str) -> Header {
        Header { summary: self.summary(key), ..Header::default() }
    }

    /// The trials as columns: all, or a choice of them if there are more than `most`.
    pub fn trials(&self, _most: usize) -> Columns {
        Columns::default()
    }

    /// Curves of a metric; of the objective's if none is named. At most `most` of them.
    ///
    /// # Errors
    /// If nobody reported it.
    pub fn curves(&self, _metric: Option<&str>, _most: usize) -> Result<Curves, ModelError> {
        Ok(Curves::default())
    }

    /// One trial.
    ///
    /// # Errors
    /// If there is none of this number.
    pub fn trial(&self, number: u32) -> Result<TrialPage, ModelError> {
        Err(ModelError::NoTrial { number, trials: 0 })
    }

    /// A part of what a trial has printed: from a byte on, or the last 64 KiB; at most 256 KiB. `name` is one of
    /// [`TrialPage::outputs`] and nothing else.
    ///
    /// # Errors
    /// If there is no such trial, the name isn't one of these, or the file can't be read.
    pub fn output(&self, number: u32, _name: &str, _from: Option<u64>) -> Result<OutputPart, ModelError> {
        Err(ModelError::NoTrial { number, trials: 0 })
    }

    /// How much the parameters mattered.
    pub fn importance(&self) -> ImportanceView {
        ImportanceView::default()
    }

    /// All trials by all objectives.
    pub fn pareto(&self) -> ParetoView {
        ParetoView::default()
    }

    /// The rungs, and the fate of each trial there.
    pub fn rungs(&self) -> RungsView {
        RungsView::default()
    }

    /// Who became a copy of whom.
    pub fn lineage(&self) -> LineageView {
        LineageView::default()
    }

    /// The timeline of the workers.
    pub fn workers(&self) -> WorkersView {
        WorkersView::default()
    }

    /// The decisions before one of them, or the newest ones; at most `most`.
    pub fn decisions(&self, _before: Option<u64>, _most: usize) -> DecisionsView {
        DecisionsView::default()
    }

    /// What has changed since a position.
    pub fn changes(&self, _key: &str, _since: u64) -> Changes {
        Changes::Lagged("it isn't known".to_owned())
    }
}
