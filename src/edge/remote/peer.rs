//! The engine's end of one agent: it lives as long as the agent's worker, whichever connections carry what is said.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::connection::Listener;
use super::frame::{Content, Down, Gives, Hello, Took, Up};
use super::outbox::Outbox;
use super::rights::Rights;
use super::transfer::{Transfers, take};
use crate::edge::backend::Leases;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::event::Process;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::{JoinId, LeaseId};
use crate::logic::trial::{WorkerFact, WorkerOrder};
use crate::ports::backend::{FactSink, WorkerStart};
use crate::ports::store::{Store, StoreError, Stored};

/// So many transfers one worker may have under way.
const MOST_TRANSFERS: usize = 8;

/// One agent and its worker.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) join: JoinId,
    pub(super) hello: Hello,
    pub(super) outbox: Outbox<Down>,
    pub(super) leases: Leases,
    transfers: Transfers,
    /// What it was given when it became one of the run's workers.
    admitted: OnceLock<Admitted>,
    /// Whether somebody is at the other end.
    connected: AtomicBool,
    /// The lease of the last order, its number plus one; 0 before the first.
    lease: AtomicU64,
    /// Where its worker is, if it has said so before it was admitted.
    placed: Mutex<Option<Process>>,
    /// It has said its last word, or was given up.
    gone: AtomicBool,
    rights: Mutex<Rights>,
    /// How many transfers have a thread.
    busy: AtomicUsize,
    /// Its worker was to be killed.
    killed: AtomicBool,
    kill: Notify,
}

#[derive(Debug)]
struct Admitted {
    facts: FactSink,
    store: Arc<dyn Store>,
}

impl Peer {
    pub(super) fn new(join: JoinId, hello: Hello) -> Self {
        Self {
            join,
            hello,
            outbox: Outbox::default(),
            leases: Leases::default(),
            transfers: Transfers::default(),
            admitted: OnceLock::new(),
            connected: AtomicBool::new(false),
            lease: AtomicU64::new(0),
            placed: Mutex::default(),
            gone: AtomicBool::new(false),
            rights: Mutex::default(),
            busy: AtomicUsize::new(0),
            killed: AtomicBool::new(false),
            kill: Notify::new(),
        }
    }

    pub(super) fn admit(&self, start: WorkerStart) {
        let WorkerStart { facts, store, worker: _, slot: _ } = start;
        let placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner).take();
        facts.placed(placed.unwrap_or_else(|| self.hello.process.clone()));
        // It is admitted once.
        let _ = self.admitted.set(Admitted { facts: facts.clone(), store });
        // Whoever lost it in between may not have seen whom to tell. It is read and written in one, so that either this end sees that it is
        // gone, or the other end sees whom to tell.
        if self.gone.fetch_or(false, Ordering::AcqRel) {
            facts.gone();
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Its worker is to be killed.
    pub(super) fn kill(&self) {
        self.leases.end();
        self.outbox.say(Down::Kill {});
        self.killed.store(true, Ordering::Release);
        self.kill.notify_one();
    }

    /// Waits until its worker is to be killed.
    pub(super) async fn to_be_killed(&self) {
        while !self.killed.load(Ordering::Acquire) {
            self.kill.notified().await;
        }
    }

    /// Takes note of an order, before it is said.
    pub(super) fn heed(&self, lease: LeaseId, order: &WorkerOrder) {
        self.lease.fetch_max(lease.number().saturating_add(1), Ordering::AcqRel);
        self.leases.heed(lease, order);
        self.rights().heed(order);
    }

    /// The lease of the last order.
    fn lease(&self) -> Option<LeaseId> {
        self.lease.load(Ordering::Acquire).checked_sub(1).map(LeaseId::new)
    }

    /// Whether what is made under this lease counts.
    fn counts(&self, lease: LeaseId) -> bool {
        self.lease() == Some(lease) && !self.leases.is_over(lease) && !self.is_gone()
    }

    fn rights(&self) -> MutexGuard<'_, Rights> {
        self.rights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection is there.
    pub(super) fn rewind(&self) {
        self.transfers.rewind();
    }

    /// It won't be heard any more: its trial hears why, and the run that it is gone. Once.
    pub(super) fn lose(&self, kind: FailureKind, why: &str) {
        self.depart(why, Some(kind));
    }

    /// It is gone, in order or by a fault. Once.
    fn depart(&self, why: &str, fault: Option<FailureKind>) {
        if self.gone.swap(true, Ordering::AcqRel) {
            return;
        }
        self.leases.end();
        self.transfers.end(why);
        if let Some(Admitted { facts, .. }) = self.admitted.get() {
            if let Some(kind) = fault {
                let lease = self.lease().unwrap_or(LeaseId::new(0));
                facts.fact(lease, WorkerFact::Failed(Fault::new(kind, why.to_owned())));
            }
            facts.gone();
        }
        self.outbox.end();
    }

    /// Takes an upload on a thread of its own, since stores may wait.
    fn receive(self: &Arc<Self>, lease: LeaseId, what: Content, gives: Gives) {
        let Gives::Files { transfer, files } = gives else { return self.transfers.on_gives(gives) };
        if !self.rights().may_write(&what) {
            let why = "the trial that it has wasn't to write this".to_owned();
            return self.outbox.say(Down::Took(Took::Failed { transfer, why }));
        }
        let (peer, from) = (self.clone(), self.transfers.expect(transfer));
        self.beside(transfer, move || {
            let kept = peer.keep(lease, &what, |root| {
                take(transfer, root, files, &from, |took| peer.outbox.say(Down::Took(took)))
            });
            peer.transfers.forget(transfer);
            peer.outbox.say(Down::Took(match kept {
                Ok(bytes) => Took::All { transfer, bytes },
                Err(why) => Took::Failed { transfer, why },
            }));
        });
    }

    fn keep(
        &self,
        lease: LeaseId,
        what: &Content,
        fill: impl FnOnce(&std::path::Path) -> Result<(), String>,
    ) -> Result<u64, String> {
        let Some(Admitted { store, .. }) = self.admitted.get() else {
            return Err("no trial has this worker".to_owned());
        };
        let words = |error: StoreError| error_chain(&error);
        let over = || {
            let left = || "the trial has left this worker: nothing is kept".to_owned();
            self.counts(lease).then_some(()).ok_or_else(left)
        };
        match what {
            Content::Checkpoint(id) => {
                let mut draft = store.begin(*id).map_err(words)?;
                fill(draft.directory().map_err(words)?)?;
                over()?;
                draft.commit().map_err(words)
            }
            Content::Export { trial, format } => {
                StoreError::check_name(format).map_err(words)?;
                fill(&store.export_directory(*trial, format).map_err(words)?)?;
                over()?;
                store.exported(*trial, format).map_err(words)?;
                Ok(0)
            }
        }
    }

    /// Gives a checkpoint on a thread of its own.
    fn send(self: &Arc<Self>, transfer: u64, what: Content) {
        let may = self.rights().may_read(&what);
        let Some(id) = what.checkpoint().filter(|_| may) else {
            let why = "the trial that it has wasn't to read this".to_owned();
            return self.outbox.say(Down::Gives(Gives::Failed { transfer, why }));
        };
        let peer = self.clone();
        self.beside(transfer, move || {
            if let Err(gives) = peer.give(transfer, id) {
                peer.outbox.say(Down::Gives(gives));
            }
            peer.transfers.forget(transfer);
        });
    }

    fn give(&self, transfer: u64, id: CheckpointId) -> Result<(), Gives> {
        let failed = |why| Gives::Failed { transfer, why };
        let Some(Admitted { store, .. }) = self.admitted.get() else { return Err(Gives::Missing { transfer }) };
        let mut stored: Box<dyn Stored> = store.open(id).map_err(|error| match error {
            StoreError::Missing { .. } => Gives::Missing { transfer },
            error => failed(error_chain(&error)),
        })?;
        let root = stored.directory().map_err(|error| failed(error_chain(&error)))?;
        let going = self.transfers.give(transfer, root).map_err(failed)?;
        self.outbox.say(Down::Gives(Gives::Files { transfer, files: going.about.clone() }));
        // Whoever wanted it has said itself why it can't be taken.
        going.run(|piece| self.outbox.give(piece)).map(|_| ()).or(Ok(()))
    }

    fn beside(self: &Arc<Self>, transfer: u64, work: impl FnOnce() + Send + 'static) {
        let peer = self.clone();
        let started = if self.busy.fetch_add(1, Ordering::AcqRel) < MOST_TRANSFERS {
            let work = move || {
                work();
                peer.busy.fetch_sub(1, Ordering::AcqRel);
            };
            let thread = std::thread::Builder::new().name(format!("tryout-transfer-{transfer}")).spawn(work);
            thread.map(|_| ()).map_err(|error| format!("no thread could be had: {error}"))
        } else {
            Err(format!("it has {MOST_TRANSFERS} transfers under way already"))
        };
        if let Err(why) = started {
            self.busy.fetch_sub(1, Ordering::AcqRel);
            self.transfers.forget(transfer);
            self.outbox.say(Down::Took(Took::Failed { transfer, why: why.clone() }));
            self.outbox.say(Down::Gives(Gives::Failed { transfer, why }));
        }
    }
}

/// What an agent says goes where a worker's words go.
pub(super) struct Hears<'a>(pub(super) &'a Arc<Peer>);

impl Listener<Up> for Hears<'_> {
    fn on_frame(&self, frame: Up) -> bool {
        let peer = self.0;
        if peer.is_gone() {
            return true;
        }
        match frame {
            Up::Said { fact, .. } if !peer.rights().may_say(&fact) => {
                peer.lose(FailureKind::Protocol, "its agent spoke of a trial or checkpoint that isn't its own");
            }
            Up::Said { lease, fact } => {
                if let Some(Admitted { facts, .. }) = peer.admitted.get() {
                    facts.fact(lease, fact);
                }
            }
            Up::Placed(process) => match peer.admitted.get() {
                Some(Admitted { facts, .. }) => facts.placed(process),
                None => *peer.placed.lock().unwrap_or_else(PoisonError::into_inner) = Some(process),
            },
            Up::Gone {} => peer.depart("the worker has ended", None),
            Up::Evicted { why } => peer.lose(FailureKind::Preempted, &why),
            Up::Counts { ask, lease } => {
                peer.outbox.say(Down::Counts { ask, yes: peer.counts(lease) });
            }
            Up::Gives { lease, what, gives } => peer.receive(lease, what, gives),
            Up::Wants { transfer, what } => peer.send(transfer, what),
            Up::Took(took) => peer.transfers.on_took(took),
        }
        peer.is_gone()
    }

    fn on_piece(&self, piece: &[u8]) {
        self.0.transfers.on_piece(piece);
    }
}
