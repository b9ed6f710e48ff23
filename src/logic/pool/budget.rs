//! What is free, kept up to date by each slot that is taken and given back.

use std::sync::Arc;

use super::gpus::Gpus;
use super::kind::Kind;
use super::resources::{Amount, Resources};
use super::shares::Cap;
use super::slot::Slot;

/// Totals and what is left of them.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    total: Resources,
    free: Resources,
    /// What is in use beyond the total since it shrank. It is paid off before anything becomes free.
    debt: Resources,
    gpus: Gpus,
    /// The most that may be in use, as long as others share the host.
    cap: Option<Arc<Cap>>,
}

impl Budget {
    /// All free.
    pub(super) fn new(total: Resources) -> Self {
        Self { free: total.amounts(), debt: Resources::new(), gpus: Gpus::new(&total), total, cap: None }
    }

    pub(super) fn total(&self) -> &Resources {
        &self.total
    }

    pub(super) fn free(&self) -> &Resources {
        &self.free
    }

    pub(super) fn gpus(&self) -> &Gpus {
        &self.gpus
    }

    /// Whether there is room for a worker of this kind.
    pub(super) fn fits(&self, kind: &Kind) -> bool {
        self.free.covers(kind.total())
            && self.is_within_cap(kind.total())
            && (kind.pieces().is_empty() || self.gpus.find(kind.pieces()).is_some())
    }

    /// Takes a slot for a worker of this kind, if there is room.
    pub(super) fn place(&mut self, kind: &Kind) -> Option<Slot> {
        if self.is_within_cap(kind.total()) { self.place_beyond_cap(kind) } else { None }
    }

    /// The same, whatever the cap says of anything but GPUs.
    pub(super) fn place_beyond_cap(&mut self, kind: &Kind) -> Option<Slot> {
        if !self.free.covers(kind.total()) {
            return None;
        }
        let bundles = kind.request().as_bundles();
        let slot = Slot { bundles: bundles.to_vec(), gpus: self.gpus.assign(kind.pieces(), bundles.len())? };
        self.hold(kind.total(), &slot);
        Some(slot)
    }

    /// Takes this very slot, whose amounts add up to `total`.
    pub(super) fn hold(&mut self, total: &Resources, slot: &Slot) {
        for (name, amount) in total.iter() {
            let amount = self.counted(name, amount, slot);
            settle(&mut self.free, &mut self.debt, name, amount);
        }
        self.gpus.hold(slot);
    }

    /// Takes a slot back.
    pub(super) fn give(&mut self, total: &Resources, slot: &Slot) {
        for (name, amount) in total.iter() {
            let amount = self.counted(name, amount, slot);
            settle(&mut self.debt, &mut self.free, name, amount);
        }
        self.gpus.give(slot);
    }

    /// From now on at most so much is to be in use. What is in use beyond it stays so.
    pub(super) fn limit(&mut self, cap: Option<Arc<Cap>>) {
        self.gpus.allow(cap.as_ref().and_then(|cap| cap.gpus.clone()));
        self.cap = cap;
    }

    pub(super) fn cap(&self) -> Option<&Arc<Cap>> {
        self.cap.as_ref()
    }

    /// The same without a cap.
    pub(super) fn without_cap(&self) -> Self {
        let mut free = self.clone();
        free.limit(None);
        free
    }

    /// How much can be taken of something.
    pub(super) fn room(&self, name: &str) -> Amount {
        let free = self.free.get(name);
        let most = self.cap.as_ref().and_then(|cap| cap.most(name));
        most.map_or(free, |most| less(most, self.in_use(name)).min(free))
    }

    fn is_within_cap(&self, total: &Resources) -> bool {
        self.cap.is_none() || total.iter().all(|(name, amount)| self.room(name) >= amount)
    }

    /// Whether a slot has something of which more is in use than the cap allows.
    pub(super) fn is_beyond_cap(&self, total: &Resources, slot: &Slot) -> bool {
        let Some(cap) = &self.cap else { return false };
        let beyond = |(name, _): (&str, Amount)| cap.most(name).is_some_and(|most| self.in_use(name) > most);
        total.iter().any(beyond) || self.gpus.may_not_have(slot)
    }

    fn in_use(&self, name: &str) -> Amount {
        let used = less(self.total.get(name), self.free.get(name));
        Amount::from_parts(used.parts() + self.debt.get(name).parts())
    }

    /// Changes the totals. What is in use stays in use.
    pub(super) fn resize(&mut self, total: Resources) {
        let used = self.used();
        self.gpus.resize(&total);
        self.restate(used, total);
    }

    /// Takes a GPU out of what there is. What is in use of it counts no more.
    pub(super) fn withdraw(&mut self, gpu: u32) {
        let mut used = self.used();
        if let Some(in_use) = self.gpus.withdraw(gpu) {
            used.set("gpu", less(used.get("gpu"), in_use));
            self.restate(used, self.total.clone());
        }
    }

    fn used(&self) -> Resources {
        let mut used = self.total.amounts();
        used.add(&self.debt);
        let _all_covered = used.take(&self.free);
        used
    }

    /// With so much in use, there is so much in all: of GPUs, those that are in service.
    fn restate(&mut self, used: Resources, mut total: Resources) {
        total.keep_gpus(self.gpus.count(), |gpu| self.gpus.in_service(gpu));
        self.free = total.amounts();
        self.debt = Resources::new();
        for (name, amount) in used.iter() {
            settle(&mut self.free, &mut self.debt, name, amount);
        }
        self.total = total;
    }

    /// What of an amount in a slot counts: of GPUs, those that are in service.
    fn counted(&self, name: &str, amount: Amount, slot: &Slot) -> Amount {
        if name == "gpu" { less(amount, self.gpus.withdrawn_parts(slot)) } else { amount }
    }

    /// Whether a slot has something that is to be given up because the totals shrank.
    pub(super) fn is_over(&self, total: &Resources, slot: &Slot) -> bool {
        self.gpus.lacks(slot) || self.debt.iter().any(|(name, _)| total.get(name) > Amount::ZERO)
    }
}

fn less(amount: Amount, other: Amount) -> Amount {
    Amount::from_parts(amount.parts().saturating_sub(other.parts()))
}

/// Takes `amount` out of `first` as far as it goes, and adds the rest to `second`.
fn settle(first: &mut Resources, second: &mut Resources, name: &str, amount: Amount) {
    let covered = first.get(name).min(amount);
    first.set(name, Amount::from_parts(first.get(name).parts() - covered.parts()));
    second.set(name, Amount::from_parts(second.get(name).parts() + (amount.parts() - covered.parts())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(units: u32) -> (Resources, Slot) {
        let total = Resources::cpus(units);
        (total.clone(), Slot { bundles: vec![total], gpus: vec![vec![]] })
    }

    #[test]
    fn a_gpu_that_is_withdrawn_in_use_neither_counts_nor_comes_back() {
        let amounts = |gpus: f64| Resources::new().with("gpu", gpus);
        let on = |gpu: u32, part: f64| Slot { bundles: vec![amounts(part)], gpus: vec![vec![gpu]] };
        let mut budget = Budget::new(amounts(3.0));
        budget.hold(&amounts(1.0), &on(0, 1.0));
        budget.hold(&amounts(0.5), &on(1, 0.5));
        budget.withdraw(0);
        budget.withdraw(0);
        budget.withdraw(7);
        assert_eq!((budget.total(), budget.free()), (&amounts(2.0), &amounts(1.5)));
        assert!(budget.is_over(&amounts(1.0), &on(0, 1.0)) && !budget.is_over(&amounts(0.5), &on(1, 0.5)));
        budget.give(&amounts(1.0), &on(0, 1.0));
        assert_eq!(budget.free(), &amounts(1.5));
        budget.withdraw(1);
        assert_eq!((budget.total(), budget.free()), (&amounts(1.0), &amounts(1.0)));
        budget.resize(amounts(4.0));
        assert_eq!((budget.total(), budget.free()), (&amounts(2.0), &amounts(2.0)));
        budget.give(&amounts(0.5), &on(1, 0.5));
        assert_eq!(budget.free(), &amounts(2.0));
    }

    #[test]
    fn a_shrink_below_use_is_paid_off_before_anything_is_free() {
        let mut budget = Budget::new(Resources::cpus(4));
        let ((three, slot), (one, small)) = (cpus(3), cpus(1));
        budget.hold(&three, &slot);
        budget.resize(Resources::cpus(2));
        assert_eq!((budget.free(), budget.is_over(&one, &small)), (&Resources::new(), true));
        budget.give(&one, &small);
        assert_eq!((budget.free(), budget.is_over(&one, &small)), (&Resources::new(), false));
        budget.give(&one, &small);
        assert_eq!(budget.free(), &Resources::cpus(1));
        budget.resize(Resources::cpus(8));
        assert_eq!(budget.free(), &Resources::cpus(7));
    }
}
