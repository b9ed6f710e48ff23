//! Who has what: each trial's own request, and how many units it has on top of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::ids::TrialId;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::schedule::number::Ordered;
use crate::logic::state::float;

/// A trial that hasn't ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Share {
    /// What it asked for itself.
    pub(super) base: Arc<ResourceRequest>,
    /// How many units it has on top.
    pub(super) units: u64,
    /// More is better. None before its first report, and if that was NaN.
    #[serde(with = "float")]
    pub(super) score: Option<f64>,
}

/// All of them, with the sums that make every question a matter of arithmetic.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    trials: BTreeMap<TrialId, Share>,
    /// In hundred-thousandths, by name: what all have, and what all had at first.
    held: BTreeMap<String, i128>,
    bases: BTreeMap<String, i128>,
    /// Those that may grow, by score.
    growing: BTreeSet<(Ordered, TrialId)>,
    /// How much one may have on top.
    most: Option<u64>,
}

impl Shares {
    pub(super) fn new(most: Option<u64>) -> Self {
        Self { most, ..Self::default() }
    }

    pub(super) fn get(&self, trial: TrialId) -> Option<&Share> {
        self.trials.get(&trial)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TrialId, &Share)> {
        self.trials.iter().map(|(trial, share)| (*trial, share))
    }

    pub(super) fn len(&self) -> u64 {
        self.trials.len() as u64
    }

    pub(super) fn set(&mut self, trial: TrialId, share: Share, unit: &Resources) {
        self.remove(trial, unit);
        self.count(&share, unit, 1);
        if let Some(score) = share.score.filter(|_| self.most.is_none_or(|most| share.units < most)) {
            self.growing.insert((Ordered(score), trial));
        }
        self.trials.insert(trial, share);
    }

    pub(super) fn remove(&mut self, trial: TrialId, unit: &Resources) {
        let Some(share) = self.trials.remove(&trial) else { return };
        self.count(&share, unit, -1);
        if let Some(score) = share.score {
            self.growing.remove(&(Ordered(score), trial));
        }
    }

    fn count(&mut self, share: &Share, unit: &Resources, sign: i128) {
        let base = share.base.total();
        for (name, amount) in base.iter() {
            *self.bases.entry(name.to_owned()).or_default() += sign * i128::from(amount.parts());
        }
        for (name, amount) in base.grown(unit, share.units).iter() {
            *self.held.entry(name.to_owned()).or_default() += sign * i128::from(amount.parts());
        }
    }

    /// How many units are free; below 0 if more is held than there is.
    pub(super) fn free(&self, all: &Resources, unit: &Resources) -> i128 {
        units(all, &self.held, unit)
    }

    /// How many units the first trial would get if all that is left above what they asked for were dealt out.
    pub(super) fn even(&self, all: &Resources, unit: &Resources) -> u64 {
        let left = u64::try_from(units(all, &self.bases, unit)).unwrap_or(0);
        left.div_ceil(self.len().max(1))
    }

    /// Whether `trial` is the best of those that may grow.
    pub(super) fn is_best(&self, trial: TrialId) -> bool {
        self.growing.last().is_some_and(|(_, best)| *best == trial)
    }
}

/// How often `unit` fits into what `all` has beyond `held`.
fn units(all: &Resources, held: &BTreeMap<String, i128>, unit: &Resources) -> i128 {
    let fits = unit.iter().map(|(name, amount)| {
        let left = i128::from(all.get(name).parts()) - held.get(name).copied().unwrap_or(0);
        left.div_euclid(i128::from(amount.parts()).max(1))
    });
    fits.min().unwrap_or(0)
}
