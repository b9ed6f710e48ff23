//! A store that fails, or takes its time, where a test wants it to.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::mix::mix;
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

/// What is asked of a store, or of a checkpoint in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreCall {
    /// To begin a checkpoint.
    Begin,
    /// To write one of its files.
    Write,
    /// To make it complete.
    Commit,
    /// To open it.
    Open,
    /// To read one of its files.
    Read,
    /// To delete it.
    Delete,
}

impl StoreCall {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Begin, Self::Write, Self::Commit, Self::Open, Self::Read, Self::Delete];
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// What is asked.
    pub what: StoreCall,
    /// Of which checkpoint.
    pub id: CheckpointId,
    /// How often this has been asked of this checkpoint, this time included: from 1.
    pub nth: u32,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// There is no space left.
    Full,
    /// The device doesn't answer.
    Broken,
    /// So many bytes are written, then there is no space left. Like [`StoreFault::Full`] where nothing is written.
    Short(usize),
}

impl StoreFault {
    fn error(self, called: Called) -> StoreError {
        let kind = match self {
            Self::Full | Self::Short(_) => io::ErrorKind::StorageFull,
            Self::Broken => io::ErrorKind::TimedOut,
        };
        let action = match called.what {
            StoreCall::Begin => "make the directory",
            StoreCall::Write => "write the file",
            StoreCall::Commit => "put in place",
            StoreCall::Open => "look at",
            StoreCall::Read => "read the file",
            StoreCall::Delete => "delete",
        };
        let path = PathBuf::from(called.id.trial.to_string()).join(called.id.directory());
        StoreError::Io { action, path, source: kind.into() }
    }
}

type Plan = dyn Fn(Called) -> Option<StoreFault> + Send + Sync;

/// Another store, with faults. Exports and sweeps go through as they are.
#[derive(Clone)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
}

struct Faults {
    plan: Box<Plan>,
    calls: Mutex<BTreeMap<(StoreCall, CheckpointId), u32>>,
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl FaultyStore {
    /// Asks `plan` before every call whether something goes wrong. The call waits for its answer: a plan that blocks is a
    /// store that hangs.
    pub fn new(
        inner: impl Store + 'static,
        plan: impl Fn(Called) -> Option<StoreFault> + Send + Sync + 'static,
    ) -> Self {
        let faults = Faults { plan: Box::new(plan), calls: Mutex::default() };
        Self { inner: Arc::new(inner), faults: Arc::new(faults) }
    }

    /// Every call goes wrong with this chance, between 0 and 1. Which ones do depends on the seed, the checkpoint, and how
    /// often it was asked for, never on the order in which threads come.
    pub fn at_random(inner: impl Store + 'static, seed: u64, chance: f64) -> Self {
        Self::new(inner, move |called| {
            let Called { what, id, nth } = called;
            let words = [seed, what as u64, u64::from(id.trial.number()), u64::from(id.index), u64::from(nth)];
            let bits = words.into_iter().fold(0x9e37_79b9_7f4a_7c15, |bits, word| mix(bits ^ word));
            // The upper 53 bits as a number between 0 and 1; the lower ones choose.
            let happens = ((bits >> 11) as f64) / ((1_u64 << 53) as f64) < chance;
            happens.then_some(match bits % 3 {
                0 => StoreFault::Full,
                1 => StoreFault::Broken,
                _ => StoreFault::Short((bits % 7) as usize),
            })
        })
    }

    fn check(&self, what: StoreCall, id: CheckpointId) -> Result<(), StoreError> {
        self.faults.check(what, id)
    }
}

impl Faults {
    fn call(&self, what: StoreCall, id: CheckpointId) -> (Called, Option<StoreFault>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = calls.entry((what, id)).or_default();
        *nth += 1;
        let called = Called { what, id, nth: *nth };
        drop(calls);
        (called, (self.plan)(called))
    }

    fn check(&self, what: StoreCall, id: CheckpointId) -> Result<(), StoreError> {
        let (called, fault) = self.call(what, id);
        fault.map_or(Ok(()), |fault| Err(fault.error(called)))
    }
}

impl Store for FaultyStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        self.check(StoreCall::Begin, id)?;
        Ok(Box::new(FaultyDraft { inner: self.inner.begin(id)?, faults: self.faults.clone(), id }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        self.check(StoreCall::Open, id)?;
        Ok(Box::new(FaultyStored { inner: self.inner.open(id)?, faults: self.faults.clone(), id }))
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.check(StoreCall::Delete, id)?;
        self.inner.delete(id)
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.inner.export_directory(trial, format)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        self.inner.exported(trial, format)
    }

    fn root(&self) -> Option<String> {
        self.inner.root()
    }

    fn export(&self, trial: TrialId, format: &str) -> Option<PathBuf> {
        self.inner.export(trial, format)
    }

    fn let_go(&self, id: CheckpointId) {
        self.inner.let_go(id);
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.inner.make_durable()
    }

    fn sweep(&self, run: RunId, keep: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        self.inner.sweep(run, keep)
    }
}

struct FaultyDraft {
    inner: Box<dyn Draft>,
    faults: Arc<Faults>,
    id: CheckpointId,
}

impl Draft for FaultyDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (called, fault) = self.faults.call(StoreCall::Write, self.id);
        let Some(fault) = fault else { return self.inner.write(name, bytes) };
        if let StoreFault::Short(length) = fault {
            self.inner.write(name, bytes.get(..length).unwrap_or(bytes))?;
        }
        Err(fault.error(called))
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.inner.directory()
    }

    fn commit(self: Box<Self>) -> Result<u64, StoreError> {
        self.faults.check(StoreCall::Commit, self.id)?;
        self.inner.commit()
    }
}

struct FaultyStored {
    inner: Box<dyn Stored>,
    faults: Arc<Faults>,
    id: CheckpointId,
}

impl Stored for FaultyStored {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.faults.check(StoreCall::Read, self.id)?;
        self.inner.read(name)
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.faults.check(StoreCall::Read, self.id)?;
        self.inner.directory()
    }
}
