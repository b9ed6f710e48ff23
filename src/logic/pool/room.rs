//! Making room: which idle workers are to end so that somebody who waits gets their resources.

use super::budget::Budget;
use super::kind::Kind;
use super::kinds::KindId;
use super::machine::Pool;
use super::resources::Amount;
use crate::logic::ids::WorkerId;

impl Pool {
    /// Idle workers that have to end for the requests that may be served: the longest idle first, only those whose
    /// resources are needed, and none for a request that would not fit even so.
    pub(super) fn in_the_way(&self) -> Vec<WorkerId> {
        let mut victims = Vec::new();
        if self.cache.is_empty() {
            return victims;
        }
        let mut plan = self.expected.clone();
        let mut number = 0;
        while let Some((next, kind)) = self.line.next_after(number) {
            number = next;
            for _request in self.line.of_kind(kind) {
                if plan.place(self.kinds.get(kind)).is_some() {
                    continue;
                }
                let Some(chosen) = self.choose(&mut plan, &victims, kind) else { break };
                victims.extend(chosen);
            }
            if self.line.is_barrier(number) {
                break;
            }
        }
        victims
    }

    /// Those whose end makes room for one more worker of this kind, which the plan then has a place for.
    fn choose(&self, plan: &mut Budget, taken: &[WorkerId], kind: KindId) -> Option<Vec<WorkerId>> {
        let kind = self.kinds.get(kind);
        let reachable =
            |(name, amount): (&str, Amount)| plan.room(name).parts() + self.idle.get(name).parts() >= amount.parts();
        if !kind.total().iter().all(reachable) {
            return None;
        }
        let mut hope = plan.clone();
        let mut chosen = Vec::new();
        for id in self.cache.iter().filter(|id| !taken.contains(id)) {
            if hope.fits(kind) {
                break;
            }
            if self.helps(id, &hope, kind) {
                self.move_slot(id, &mut hope, Budget::give);
                chosen.push(id);
            }
        }
        if !hope.fits(kind) {
            return None;
        }
        // A large one that came last may have made smaller ones before it superfluous, and the other way round.
        for index in (0..chosen.len()).rev() {
            self.move_slot(chosen[index], &mut hope, Budget::hold);
            if hope.fits(kind) {
                chosen.remove(index);
            } else {
                self.move_slot(chosen[index], &mut hope, Budget::give);
            }
        }
        let _slot = hope.place(kind)?;
        *plan = hope;
        Some(chosen)
    }

    /// Whether a worker has something that is short.
    fn helps(&self, id: WorkerId, hope: &Budget, wanted: &Kind) -> bool {
        let Some(worker) = self.fleet.get(id) else { return false };
        let has = |name| self.kinds.get(worker.kind).total().get(name) > Amount::ZERO;
        let short = |(name, amount)| hope.room(name) < amount && has(name);
        // GPUs can be short in their pieces while there are enough of them in sum.
        wanted.total().iter().any(short) || (!wanted.pieces().is_empty() && has("gpu"))
    }
}
