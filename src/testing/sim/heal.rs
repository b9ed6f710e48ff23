//! The end of trouble: from some message on nothing goes wrong any more, and everything must come to its end.

use super::{Message, Sim, Who};
use crate::logic::engine::{ClientOrder, Waiting};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{TrialId, WorkerId};
use crate::logic::pool::PoolInput;
use crate::logic::worker::WorkerInput;
use crate::testing::script::Killed;

/// So often at most clients let go on what waits for them, after the trouble.
const HELPS: u32 = 50;

/// How long trouble lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// For ever.
    Lasting,
    /// Until so many messages have been delivered, or nothing moves any more.
    Until(u64),
    /// It is over. Clients have helped so often.
    Over(u32),
}

impl Sim {
    /// After so many messages, or as soon as nothing moves any more, the trouble ends: nothing goes wrong any more, workers
    /// that hang are ended, and clients only let go on what waits for them.
    #[must_use]
    pub fn heals_after(mut self, messages: u64) -> Self {
        self.trouble = Trouble::Until(messages);
        self
    }

    /// Whether a client wouldn't say this any more.
    pub(super) fn is_troublesome(&self, order: &ClientOrder) -> bool {
        matches!(self.trouble, Trouble::Over(_)) && !matches!(order, ClientOrder::Resume(_) | ClientOrder::Proceed)
    }

    /// Whether nothing goes wrong any more.
    pub(super) fn is_healed(&self) -> bool {
        matches!(self.trouble, Trouble::Over(_))
    }

    pub(super) fn heal(&mut self) {
        self.trouble = Trouble::Over(0);
        self.script.heal();
        self.heal_launcher();
        let mut hanging = Vec::new();
        for (id, worker) in &mut self.workers {
            worker.machine.heal();
            if std::mem::take(&mut worker.hangs) {
                hanging.push((*id, worker.left_behind));
            }
        }
        for (id, left_behind) in hanging {
            if left_behind {
                self.gone(id);
            } else {
                let fault = Fault::new(FailureKind::Timeout, "scripted: it hung");
                self.tell(id, WorkerInput::Failed(fault));
            }
        }
        self.help();
    }

    /// When nothing moves any more: whether there is something to be done about it.
    pub(super) fn go_on(&mut self) -> bool {
        match self.trouble {
            Trouble::Lasting => false,
            Trouble::Until(_) => {
                self.heal();
                true
            }
            Trouble::Over(helps) => {
                self.trouble = Trouble::Over(helps + 1);
                helps < HELPS && self.help()
            }
        }
    }

    /// Clients let go on what waits for them. Answers whether anything does.
    fn help(&mut self) -> bool {
        let ledger = self.engine.ledger();
        let live = ledger.iter().filter(|record| !record.status.is_terminal());
        let paused: Vec<TrialId> =
            live.map(|record| record.id).filter(|trial| ledger.waiting(*trial) == Waiting::ForClient).collect();
        let held = ledger.run().hold.is_some();
        let orders =
            held.then_some(ClientOrder::Proceed).into_iter().chain(paused.into_iter().map(ClientOrder::Resume));
        let orders: Vec<ClientOrder> = orders.collect();
        let helped = !orders.is_empty();
        for order in orders {
            self.send(Who::Client, Who::Engine, self.now, Message::Client(order));
        }
        helped
    }

    pub(super) fn kill(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match self.script.killed {
            Killed::Gone => return self.gone(id),
            Killed::Late if worker.work.is_some() || worker.hangs => {
                worker.left_behind = true;
            }
            Killed::Silent | Killed::Late => {
                let worker = self.workers.remove(&id);
                worker.and_then(|worker| worker.guest).iter().for_each(|guest| self.guest_gone(guest));
            }
        }
        self.send(Who::Worker(id), Who::Pool, self.now, Message::Pool(PoolInput::Abandoned(id)));
    }
}
