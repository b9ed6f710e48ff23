//! What the model makes of what the pool says.

use std::sync::Arc;

use tryout::logic::ids::{LeaseId, WorkerId};
use tryout::logic::pool::*;
use tryout::logic::trial::{Arrival, PoolFact};

use crate::model::{At, Model, Stage, Vehicle};

impl Model {
    pub(crate) fn heard(&mut self, output: PoolOutput) {
        match output {
            PoolOutput::Spawn { worker, slot } => {
                let vehicle = Vehicle { slot, at: At::Fresh, since: self.now };
                assert!(self.workers.insert(worker, vehicle).is_none(), "{worker} was spawned twice");
                assert!(!self.closing, "spawned after the end");
            }
            PoolOutput::Tell(to, PoolFact::Granted { ticket, lease, worker, slot, arrival }) => {
                assert_eq!(arrival, Arrival::Spawned);
                self.granted(to.number(), ticket, lease, worker, &slot);
            }
            PoolOutput::Tell(to, PoolFact::Refused { ticket, .. }) => {
                assert!(self.may_refuse.contains(&to.number()), "{to} was refused for no reason");
                assert_eq!(self.asks.remove(&to.number()).map(|ask| ask.ticket), Some(ticket));
            }
            PoolOutput::Tell(to, PoolFact::Lost { lease }) => assert_eq!(self.lost.take(), Some((to.number(), lease))),
            PoolOutput::Release { worker, .. } => self.moves(worker, &[At::Left], At::Settling),
            PoolOutput::Shutdown(worker) => self.moves(worker, &[At::Idle, At::Discarded], At::Stopping),
            PoolOutput::Kill(worker) => {
                let due = self.workers[&worker].since + self.settings.grace;
                assert!(due <= self.now, "{worker} was killed within its grace");
                self.moves(worker, &[At::Settling, At::Stopping], At::Killed);
            }
            PoolOutput::Closed => self.closed += 1,
            PoolOutput::Admit { .. } | PoolOutput::Reject(_) | PoolOutput::Want { .. } => {
                panic!("nobody may join this pool")
            }
        }
    }

    fn moves(&mut self, worker: WorkerId, from: &[At], to: At) {
        let at = self.workers.get(&worker).map(|vehicle| vehicle.at);
        assert!(at.is_some_and(|at| from.contains(&at)), "{worker} at {at:?} was told to be {to:?}");
        self.move_to(worker, to);
    }

    fn granted(&mut self, number: u32, ticket: u32, lease: LeaseId, worker: WorkerId, slot: &Arc<Slot>) {
        assert!(!self.leases.contains(&lease), "{lease} was granted twice");
        self.leases.push(lease);
        let ask = self.asks.get(&number).expect("granted to somebody who asked").clone();
        let Stage::Waiting { fresh } = ask.stage else { panic!("granted to {number} at {:?}", ask.stage) };
        let vehicle = &self.workers[&worker];
        assert!(vehicle.at == At::Fresh || (!fresh && vehicle.at == At::Idle), "{worker} at {:?}", vehicle.at);
        assert!(Arc::ptr_eq(&vehicle.slot, slot));
        assert_eq!((ask.ticket, self.kinds[ask.kind].as_bundles()), (ticket, &slot.bundles[..]));
        let inherits = self.inherited.as_ref().is_some_and(|(heir, old)| *heir == number && Arc::ptr_eq(old, slot));
        assert!(!self.held || inherits, "{number} was granted a worker while nobody is");
        let new = vehicle.at == At::Fresh && !inherits;
        let gone = slot.gpus.iter().flatten().any(|gpu| self.withdrawn.contains(gpu));
        assert!(!new || !gone, "a GPU was granted that is withdrawn: {slot:?}");
        if !inherits {
            for other in self.asks.values_mut().filter(|other| other.number < ask.number) {
                if matches!(other.stage, Stage::Waiting { .. }) {
                    other.overtaken += 1;
                    assert!(other.overtaken <= self.settings.overtaking, "overtaken too often: {other:?}");
                    assert_ne!(other.kind, ask.kind, "an equal request was overtaken");
                }
            }
        }
        self.asks.get_mut(&number).expect("still there").stage = Stage::Leased(lease, worker);
        self.move_to(worker, At::Leased(number));
    }
}
