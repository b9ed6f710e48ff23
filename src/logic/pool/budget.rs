//! What is free, kept up to date by each slot that is taken and given back.

use super::gpus::Gpus;
use super::kinds::Kind;
use super::resources::{Amount, Resources};
use super::slot::Slot;

/// Totals and what is left of them.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    total: Resources,
    free: Resources,
    /// What is in use beyond the total since it shrank. It is paid off before anything becomes free.
    debt: Resources,
    gpus: Gpus,
}

impl Budget {
    /// All free.
    pub(super) fn new(total: Resources) -> Self {
        Self { free: total.clone(), debt: Resources::new(), gpus: Gpus::new(total.get("gpu")), total }
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
        self.free.covers(kind.total()) && (kind.pieces().is_empty() || self.gpus.find(kind.pieces()).is_some())
    }

    /// Takes a slot for a worker of this kind, if there is room.
    pub(super) fn place(&mut self, kind: &Kind) -> Option<Slot> {
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
            settle(&mut self.free, &mut self.debt, name, amount);
        }
        self.gpus.hold(slot);
    }

    /// Takes a slot back.
    pub(super) fn give(&mut self, total: &Resources, slot: &Slot) {
        for (name, amount) in total.iter() {
            settle(&mut self.debt, &mut self.free, name, amount);
        }
        self.gpus.give(slot);
    }

    /// Changes the totals. What is in use stays in use.
    pub(super) fn resize(&mut self, total: Resources) {
        let mut used = self.total.clone();
        used.add(&self.debt);
        let _all_covered = used.take(&self.free);
        self.free = total.clone();
        self.debt = Resources::new();
        for (name, amount) in used.iter() {
            settle(&mut self.free, &mut self.debt, name, amount);
        }
        self.gpus.resize(total.get("gpu"));
        self.total = total;
    }

    /// Whether a slot has something that is to be given up because the totals shrank.
    pub(super) fn is_over(&self, total: &Resources, slot: &Slot) -> bool {
        self.gpus.lacks(slot) || self.debt.iter().any(|(name, _)| total.get(name) > Amount::ZERO)
    }
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
