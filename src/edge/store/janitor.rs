//! Deletes checkpoints on a thread of its own, so that a slow store holds nobody up.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use crate::logic::checkpoint::CheckpointId;
use crate::logic::one_line::OneLine;
use crate::ports::store::Store;

/// Deletes what it is told to, in that order. Its thread starts with the first deletion.
#[derive(Debug)]
pub struct Janitor {
    store: Arc<dyn Store>,
    thread: Option<(Sender<CheckpointId>, JoinHandle<()>)>,
}

impl Janitor {
    /// A janitor for `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, thread: None }
    }

    /// Whose janitor it is.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Deletes a checkpoint soon. What can't be deleted is logged and left.
    pub fn delete(&mut self, id: CheckpointId) {
        if self.thread.is_none() {
            let (sender, ids) = channel::<CheckpointId>();
            let store = self.store.clone();
            let work = move || {
                for id in ids {
                    if let Err(error) = store.delete(id) {
                        log::warn!("{} of trial {} stays: {}", id.directory(), id.trial, OneLine(&error));
                    }
                }
            };
            match std::thread::Builder::new().name("tryout-janitor".to_owned()).spawn(work) {
                Ok(thread) => self.thread = Some((sender, thread)),
                Err(error) => log::warn!("{} of trial {} stays: no thread: {error}", id.directory(), id.trial),
            }
        }
        if let Some((sender, _)) = &self.thread {
            // The thread ends only with its sender.
            let _ = sender.send(id);
        }
    }
}

impl Drop for Janitor {
    /// Waits for the deletions that are under way.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            if thread.join().is_err() {
                log::error!("the janitor panicked");
            }
        }
    }
}
