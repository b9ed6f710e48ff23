//! What must hold after every step.

use tryout::logic::pool::{Amount, Demand, PoolCounts, ResourceRequest, Resources, Slot};

use crate::model::{Ask, At, Model, Stage, trial};

const WHOLE: u64 = Amount::whole(1).parts();

impl Model {
    pub(crate) fn check(&self) {
        self.check_places();
        self.check_sums();
        self.check_gpus();
        self.check_line();
        assert_eq!(self.closed > 0, self.closing && self.at(&LIVING).is_empty() && self.nobody_leased());
        assert!(self.closed <= 1);
    }

    fn nobody_leased(&self) -> bool {
        !self.workers.values().any(|worker| matches!(worker.at, At::Leased(_)))
    }

    /// Every worker is at one place, and the pool counts as we do.
    fn check_places(&self) {
        let moment = self.at(&[At::Fresh, At::Left, At::Discarded]);
        assert!(moment.is_empty(), "{moment:?} were left standing");
        let leased = self.leased();
        for &(number, _, worker) in &leased {
            assert_eq!(self.workers[&worker].at, At::Leased(number));
            assert!(self.pool.why_waiting(trial(number)).is_none());
        }
        let counts = PoolCounts {
            waiting: self.waiting(),
            leased: leased.len(),
            settling: self.at(&[At::Settling]).len(),
            idle: self.at(&[At::Idle]).len(),
            stopping: self.at(&[At::Stopping, At::Killed]).len(),
            abandoned: self.at(&[At::Abandoned]).len(),
        };
        assert_eq!(self.pool.counts(), counts);
        let wanted = |slot: &Slot| self.asks.values().any(|ask| self.waits(ask) && self.bundles(ask) == slot.bundles);
        for worker in self.workers.values().filter(|worker| worker.at == At::Idle) {
            assert!(!self.closing);
            assert!(self.demand == Demand::Open || wanted(&worker.slot), "kept for nobody");
        }
    }

    fn waits(&self, ask: &Ask) -> bool {
        matches!(ask.stage, Stage::Waiting { .. })
    }

    fn bundles(&self, ask: &Ask) -> &[tryout::logic::pool::Resources] {
        self.kinds[ask.kind].as_bundles()
    }

    /// What is in use, but for GPUs that were withdrawn.
    fn used(&self, name: &str) -> u64 {
        let of = |slot: &Slot| {
            let all: u64 = slot.bundles.iter().map(|bundle| bundle.get(name).parts()).sum();
            let each = |bundle: &Resources| bundle.get("gpu").parts().min(WHOLE);
            let gone = slot.bundles.iter().zip(&slot.gpus).map(|(bundle, gpus)| {
                each(bundle) * gpus.iter().filter(|gpu| self.withdrawn.contains(gpu)).count() as u64
            });
            if name == "gpu" { all - gone.sum::<u64>() } else { all }
        };
        self.workers.values().map(|worker| of(&worker.slot)).sum()
    }

    /// What is free is what nobody holds, and never less than nothing.
    fn check_sums(&self) {
        for name in ["cpu", "gpu", "seat"] {
            let free = self.total.get(name).parts().saturating_sub(self.used(name));
            assert_eq!(self.pool.free().get(name).parts(), free, "{name}");
        }
    }

    fn free_gpus(&self) -> Vec<u64> {
        let mut free = vec![WHOLE; 8];
        for worker in self.workers.values() {
            for (bundle, indices) in worker.slot.bundles.iter().zip(&worker.slot.gpus) {
                let each = bundle.get("gpu").parts().min(WHOLE);
                assert_eq!(each * indices.len() as u64, bundle.get("gpu").parts(), "as many as asked for");
                for &index in indices {
                    let left = free[index as usize].checked_sub(each);
                    free[index as usize] = left.expect("an index was given twice");
                }
            }
        }
        free.truncate(self.gpus as usize);
        self.withdrawn.range(..self.gpus).for_each(|&gone| free[gone as usize] = 0);
        free
    }

    fn check_gpus(&self) {
        let _no_index_is_given_twice = self.free_gpus();
    }

    /// Of a request of one bundle.
    fn fits(&self, request: &ResourceRequest) -> bool {
        let gpus = request.total().get("gpu").parts();
        let free = self.free_gpus();
        let in_pieces = if gpus >= WHOLE {
            free.iter().filter(|&&part| part == WHOLE).count() as u64 >= gpus / WHOLE
        } else {
            free.iter().any(|&part| part >= gpus)
        };
        self.pool.free().covers(request.total()) && (gpus == 0 || in_pieces)
    }

    /// Nobody who could be served is left waiting, unless an earlier one was overtaken too often.
    fn check_line(&self) {
        if self.held {
            return;
        }
        let mut waiting: Vec<(&u32, &Ask)> = self.asks.iter().filter(|(_, ask)| self.waits(ask)).collect();
        waiting.sort_by_key(|(_, ask)| ask.number);
        let mut seen = Vec::new();
        for (number, ask) in waiting {
            let why = self.pool.why_waiting(trial(*number)).expect("it waits");
            assert_eq!((&why.needs, &why.has), (&self.kinds[ask.kind], self.pool.free()));
            if !seen.contains(&ask.kind) {
                seen.push(ask.kind);
                assert!(!self.fits(&self.kinds[ask.kind]), "{number} fits and waits: {ask:?}");
                let idle = |slot: &Slot| slot.bundles == self.bundles(ask);
                let idle = self.workers.values().any(|worker| worker.at == At::Idle && idle(&worker.slot));
                assert!(!idle || matches!(ask.stage, Stage::Waiting { fresh: true }), "{number} waits beside a worker");
            }
            if ask.overtaken >= self.settings.overtaking {
                break;
            }
        }
    }

    /// Nobody waits on and on: see the documentation of the line. Holds where resources don't shrink.
    pub(crate) fn check_progress(&self) {
        if self.at(&[At::Settling, At::Stopping, At::Killed]).is_empty() && !self.closing {
            for ask in self.asks.values().filter(|ask| self.waits(ask)) {
                assert!(!self.leased().is_empty(), "nothing runs, and somebody waits: {ask:?}");
                assert!(self.ends - ask.ends_before < ask.bound, "waits too long: {ask:?} after {} ends", self.ends);
            }
        }
    }
}

const LIVING: [At; 4] = [At::Settling, At::Idle, At::Stopping, At::Killed];
