//! A store whose calls are timed, so that one that holds trials up is named.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::edge::slow::SlowCalls;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

/// Another store, timed.
#[derive(Debug)]
pub(crate) struct TimedStore {
    inner: Arc<dyn Store>,
    watch: Watch,
}

/// Whose calls are timed, and where long ones are noted.
#[derive(Clone, Debug)]
struct Watch {
    name: Arc<str>,
    slow: Arc<SlowCalls>,
}

impl Watch {
    fn note(&self, took: Duration, action: &str, id: CheckpointId) {
        self.slow.took(&self.name, took, || format!("to {action} {} of trial {}", id.directory(), id.trial));
    }
}

impl TimedStore {
    /// Around a store of this name; the store itself if nobody wants to know.
    pub(crate) fn around(inner: Arc<dyn Store>, name: &str, slow: &Arc<SlowCalls>) -> Arc<dyn Store> {
        if !slow.is_on() {
            return inner;
        }
        let watch = Watch { name: format!("the store {name}").into(), slow: slow.clone() };
        Arc::new(Self { inner, watch })
    }
}

impl Store for TimedStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        let began = Instant::now();
        let inner = self.inner.begin(id)?;
        Ok(Box::new(TimedDraft { inner, id, watch: self.watch.clone(), spent: began.elapsed() }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        let began = Instant::now();
        let inner = self.inner.open(id)?;
        self.watch.note(began.elapsed(), "open", id);
        Ok(Box::new(TimedStored { inner, id, watch: self.watch.clone() }))
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        let began = Instant::now();
        let deleted = self.inner.delete(id);
        self.watch.note(began.elapsed(), "delete", id);
        deleted
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.inner.export_directory(trial, format)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        let began = Instant::now();
        let exported = self.inner.exported(trial, format);
        self.watch.slow.took(&self.watch.name, began.elapsed(), || format!("to keep what trial {trial} has exported"));
        exported
    }

    fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.inner.export(trial, format)
    }

    fn let_go(&self, id: CheckpointId) {
        self.inner.let_go(id);
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let made = self.inner.make_durable();
        self.watch.slow.took(&self.watch.name, began.elapsed(), || "to make checkpoints durable".to_owned());
        made
    }

    fn root(&self) -> Option<String> {
        self.inner.root()
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        self.inner.sweep(run, keep)
    }
}

struct TimedDraft {
    inner: Box<dyn Draft>,
    id: CheckpointId,
    watch: Watch,
    spent: Duration,
}

impl Draft for TimedDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let began = Instant::now();
        let written = self.inner.write(name, bytes);
        self.spent += began.elapsed();
        written
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.inner.directory()
    }

    fn commit(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { inner, id, watch, spent } = *self;
        let began = Instant::now();
        let committed = inner.commit();
        watch.note(spent + began.elapsed(), "write", id);
        committed
    }
}

struct TimedStored {
    inner: Box<dyn Stored>,
    id: CheckpointId,
    watch: Watch,
}

impl Stored for TimedStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        let began = Instant::now();
        let read = self.inner.read(name);
        self.watch.note(began.elapsed(), "read from", self.id);
        read
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        let began = Instant::now();
        let (id, watch) = (self.id, self.watch.clone());
        let directory = self.inner.directory();
        watch.note(began.elapsed(), "lay out", id);
        directory
    }
}
