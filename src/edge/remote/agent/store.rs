//! Where an agent's worker keeps checkpoints: in the run's own directory if it is seen from here, else at the engine, over the
//! connection.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::super::frame::{Content, Gives, Took, Up};
use super::super::transfer::{Came, take};
use super::life::Life;
use crate::edge::store::DirStore;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::ids::{LeaseId, RunId, TrialId};
use crate::ports::store::{Draft, Store, StoreError, Stored, Swept};

/// A store on this machine, behind which the engine's stands.
#[derive(Debug)]
pub(super) struct WireStore {
    life: Weak<Life>,
    local: DirStore,
    /// The local store is the run's own.
    shared: bool,
}

/// What goes wrong on the way.
fn wire(action: &'static str, what: &str, why: String) -> StoreError {
    StoreError::io(action, what)(std::io::Error::other(why))
}

impl WireStore {
    pub(super) fn new(life: Weak<Life>, local: DirStore, shared: bool) -> Self {
        Self { life, local, shared }
    }

    fn life(&self, what: &str) -> Result<Arc<Life>, StoreError> {
        self.life.upgrade().ok_or_else(|| wire("keep", what, "this worker has ended".to_owned()))
    }

    /// Sends a directory to the engine; answers the size of what is kept there.
    fn send(life: &Life, lease: LeaseId, what: Content, root: &Path) -> Result<u64, String> {
        let transfer = life.numbers.fetch_add(1, Ordering::Relaxed);
        let going = life.transfers.give(transfer, root)?;
        let gives = Gives::Files { transfer, files: going.about.clone() };
        let lease = life.lease_for_engine(lease);
        life.outbox.say(Up::Gives { lease, what: what.clone(), gives });
        let kept = going.run(|piece| life.outbox.give(piece));
        if let Err(why) = &kept {
            life.outbox.say(Up::Gives { lease, what, gives: Gives::Failed { transfer, why: why.clone() } });
        }
        life.transfers.forget(transfer);
        kept
    }

    /// Gets a checkpoint from the engine.
    fn fetch(&self, id: CheckpointId) -> Result<(), StoreError> {
        let failed = |why| wire("fetch", &id.path(), why);
        let life = self.life(&id.path())?;
        let transfer = life.numbers.fetch_add(1, Ordering::Relaxed);
        let from = life.transfers.expect(transfer);
        life.outbox.say(Up::Wants { transfer, what: Content::Checkpoint(id) });
        let fetched = (|| {
            let files = match from.recv() {
                Ok(Came::Gives(Gives::Files { files, .. })) => files,
                Ok(Came::Gives(Gives::Missing { .. })) => return Err(StoreError::Missing { what: id.path() }),
                Ok(Came::Gives(Gives::Failed { why, .. })) => return Err(failed(why)),
                Ok(Came::Piece(..)) => return Err(failed("its content came before its names".to_owned())),
                Err(_) => return Err(failed("the engine is gone".to_owned())),
            };
            let mut draft = self.local.begin(id)?;
            take(transfer, draft.directory()?, files, &from, |took| life.outbox.say(Up::Took(took))).map_err(failed)?;
            draft.commit()
        })();
        life.transfers.forget(transfer);
        life.outbox.say(Up::Took(match &fetched {
            Ok(bytes) => Took::All { transfer, bytes: *bytes },
            Err(error) => Took::Failed { transfer, why: error.to_string() },
        }));
        fetched.map(|_| ())
    }
}

impl Store for WireStore {
    fn begin(&self, id: CheckpointId) -> Result<Box<dyn Draft>, StoreError> {
        let life = self.life(&id.path())?;
        let lease = LeaseId::new(life.lease.load(Ordering::Acquire));
        let local = if self.shared { None } else { Some(self.local.clone()) };
        Ok(Box::new(WireDraft { id, lease, life, draft: self.local.begin(id)?, local }))
    }

    fn open(&self, id: CheckpointId) -> Result<Box<dyn Stored>, StoreError> {
        if self.shared {
            return self.local.open(id);
        }
        self.fetch(id)?;
        let stored = self.local.open(id)?;
        Ok(Box::new(Fetched { stored, id, local: self.local.clone() }))
    }

    fn delete(&self, id: CheckpointId) -> Result<(), StoreError> {
        self.local.delete(id)
    }

    fn export_directory(&self, trial: TrialId, format: &str) -> Result<PathBuf, StoreError> {
        self.local.export_directory(trial, format)
    }

    fn exported(&self, trial: TrialId, format: &str) -> Result<(), StoreError> {
        let life = self.life(format)?;
        let lease = LeaseId::new(life.lease.load(Ordering::Acquire));
        life.await_engine(lease);
        if self.shared && !life.counts(lease) {
            return Err(wire("keep the export", format, "the trial has left this worker".to_owned()));
        }
        self.local.exported(trial, format)?;
        let Some(root) = self.local.export(trial, format).filter(|_| !self.shared) else { return Ok(()) };
        let what = Content::Export { trial, format: format.to_owned() };
        Self::send(&life, lease, what, &root).map(|_| ()).map_err(|why| wire("send the export", format, why))
    }

    fn sweep(&self, _: RunId, _: &dyn Fn(CheckpointId) -> bool) -> Result<Swept, StoreError> {
        Ok(Swept::default())
    }
}

/// A checkpoint that is being written.
struct WireDraft {
    id: CheckpointId,
    lease: LeaseId,
    life: Arc<Life>,
    draft: Box<dyn Draft>,
    /// Where it lies until the engine has it; none if that is the run's own store.
    local: Option<DirStore>,
}

impl Draft for WireDraft {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.draft.write(name, bytes)
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.draft.directory()
    }

    fn commit(self: Box<Self>) -> Result<u64, StoreError> {
        let Self { id, lease, life, draft, local } = *self;
        let failed = |why| wire("keep", &id.path(), why);
        // The engine that the trial goes on with doesn't know of this moment: the checkpoint would belong to none of its reports.
        if life.is_ahead() {
            return Ok(0);
        }
        let Some(local) = local else {
            // The trial may have gone on elsewhere, and have written one of this name.
            return if life.counts(lease) {
                draft.commit()
            } else {
                Err(failed("the trial has left this worker".to_owned()))
            };
        };
        draft.commit()?;
        let mut stored = local.open(id)?;
        let kept = WireStore::send(&life, lease, Content::Checkpoint(id), stored.directory()?).map_err(failed);
        drop(stored);
        local.delete(id)?;
        kept
    }
}

/// A checkpoint that was fetched, and goes when it was read.
struct Fetched {
    stored: Box<dyn Stored>,
    id: CheckpointId,
    local: DirStore,
}

impl Stored for Fetched {
    fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.stored.read(name)
    }

    fn directory(&mut self) -> Result<&Path, StoreError> {
        self.stored.directory()
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(error) = self.local.delete(self.id) {
            log::warn!("a fetched checkpoint stays on this machine: {error}");
        }
    }
}
