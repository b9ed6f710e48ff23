//! Named amounts, exact to a hundred-thousandth.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Parts of one unit that an [`Amount`] can tell apart.
const PARTS: f64 = 100_000.0;
const LARGEST: f64 = 9.0e13;
/// So many GPUs a machine may have.
pub(super) const MOST_GPUS: u32 = 1 << 16;

/// An exact, non-negative amount of one resource, in hundred-thousandths: three times 0.33 of 0.99 leaves 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(u64);

/// An amount that can't be.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// Negative, NaN, infinite or above 9e13.
    #[error("{value} is not an amount of `{name}`: it must be a finite number between 0 and 9e13")]
    Amount {
        /// Of what.
        name: String,
        /// The offending value.
        value: f64,
    },
    /// Indices of GPUs that can't be.
    #[error("GPU {index} can't be named: indices are below {MOST_GPUS}, and each is named once")]
    GpuIndex {
        /// The offending index.
        index: u32,
    },
    /// A list of indices where an amount belongs.
    #[error("`{name}` is a list: only `gpu` of what there is to run on can name indices, everything else is an amount")]
    Indices {
        /// Of what.
        name: String,
    },
    /// A request of nothing at all.
    #[error("a resource request must ask for something: all its bundles are empty")]
    Empty,
    /// A share of a GPU and whole ones in one bundle.
    #[error("{value} of `gpu` in one bundle: ask for a whole number of GPUs, or for a share of one below 1")]
    PartialGpus {
        /// The offending value.
        value: f64,
    },
}

crate::logic::failure::debug_as_chain!(ResourceError);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// `value` units of `name`, rounded to a hundred-thousandth.
    ///
    /// # Errors
    /// If `value` is negative, not finite or above 9e13.
    pub fn new(name: &str, value: f64) -> Result<Self, ResourceError> {
        if value.is_finite() && (0.0..=LARGEST).contains(&value) {
            Ok(Self((value * PARTS).round() as u64))
        } else {
            Err(ResourceError::Amount { name: name.to_owned(), value })
        }
    }

    /// So many whole units.
    pub const fn whole(units: u32) -> Self {
        Self(units as u64 * PARTS as u64)
    }

    /// In units.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PARTS
    }

    /// In hundred-thousandths.
    pub const fn parts(self) -> u64 {
        self.0
    }

    /// From hundred-thousandths.
    pub const fn from_parts(parts: u64) -> Self {
        Self(parts)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

/// Amounts by name. A name that isn't there has zero.
///
/// ```
/// use tryout::prelude::*;
///
/// let machine = Resources::new().with("cpu", 4.0).with("gpu", 1.0);
/// assert_eq!(machine.to_string(), "cpu 4, gpu 1");
/// assert!(machine.with("cpu", -1.0).check().is_err());
/// ```
///
/// What is wrong with an amount is said where the resources are used: an experiment, a request or an order is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Written<Amount>>", into = "BTreeMap<String, Written<Amount>>")]
pub struct Resources {
    amounts: BTreeMap<String, Amount>,
    /// The indices of the GPUs, ascending, if they are named; else they are counted from 0.
    gpus: Vec<u32>,
    /// The first that can't be.
    wrong: Option<Box<Wrong>>,
}

/// An amount, by the bits of its value, or an index that can't be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Wrong {
    Amount { name: String, bits: u64 },
    Gpu(u32),
}

/// How much there is of something, as it is written: an amount, or for GPUs the list of their indices.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected an amount, or for `gpu` a list of indices")]
pub(crate) enum Written<A> {
    Amount(A),
    Gpus(Vec<u32>),
}

impl<A> Written<A> {
    /// All of `resources`, each amount as `form` has it.
    pub(crate) fn all(resources: Resources, form: impl Fn(Amount) -> A) -> BTreeMap<String, Self> {
        let Resources { amounts, gpus, .. } = resources;
        let mut all: BTreeMap<_, _> =
            amounts.into_iter().map(|(name, amount)| (name, Self::Amount(form(amount)))).collect();
        if !gpus.is_empty() {
            all.insert("gpu".to_owned(), Self::Gpus(gpus));
        }
        all
    }

    /// What is written, each amount read by `read`.
    pub(crate) fn read(
        all: BTreeMap<String, Self>,
        read: impl Fn(&str, A) -> Result<Amount, ResourceError>,
    ) -> Result<Resources, ResourceError> {
        all.into_iter().try_fold(Resources::new(), |mut resources, (name, written)| match written {
            Self::Amount(amount) => {
                let amount = read(&name, amount)?;
                resources.amounts.insert(name, amount);
                Ok(resources.without_zeros())
            }
            Self::Gpus(indices) if name == "gpu" => {
                let resources = resources.with_gpus(indices);
                resources.check().map(|()| resources)
            }
            Self::Gpus(_) => Err(ResourceError::Indices { name }),
        })
    }
}

impl From<Resources> for BTreeMap<String, Written<Amount>> {
    fn from(resources: Resources) -> Self {
        Written::all(resources, |amount| amount)
    }
}

impl TryFrom<BTreeMap<String, Written<Amount>>> for Resources {
    type Error = ResourceError;

    fn try_from(all: BTreeMap<String, Written<Amount>>) -> Result<Self, ResourceError> {
        Written::read(all, |_, amount| Ok(amount))
    }
}

impl Resources {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// `units` of `cpu`.
    pub fn cpus(units: u32) -> Self {
        let amounts = BTreeMap::from([("cpu".to_owned(), Amount::whole(units))]);
        Self { amounts, ..Self::default() }.without_zeros()
    }

    fn without_zeros(mut self) -> Self {
        self.amounts.retain(|_, amount| *amount != Amount::ZERO);
        self
    }

    /// The same, with `value` units of `name`, which is a finite number from 0 to 9e13. Zero is the same as not naming it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        let name = name.into();
        match Amount::new(&name, value) {
            Ok(amount) => self.set(&name, amount),
            Err(_) => {
                self.wrong.get_or_insert_with(|| Box::new(Wrong::Amount { name, bits: value.to_bits() }));
            }
        }
        self
    }

    /// Whether all that was given can be.
    ///
    /// # Errors
    /// If an amount is negative, not finite or above 9e13; or an index of a GPU is named twice, or is 65,536 or more.
    pub fn check(&self) -> Result<(), ResourceError> {
        match self.wrong.as_deref() {
            None => Ok(()),
            Some(Wrong::Amount { name, bits }) => {
                Err(ResourceError::Amount { name: name.clone(), value: f64::from_bits(*bits) })
            }
            Some(Wrong::Gpu(index)) => Err(ResourceError::GpuIndex { index: *index }),
        }
    }

    /// The same, with exactly these GPUs of the machine: for what there is to run on, not for what a trial needs. An index
    /// counts the GPUs that this process sees, from 0: with `CUDA_VISIBLE_DEVICES=4,5` they are 0 and 1. `with("gpu", 2.0)` is
    /// the same as naming 0 and 1.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let machine = Resources::cpus(8).with_gpus([2, 3]);
    /// assert_eq!(machine.to_string(), "cpu 8, gpu 2 (2, 3)");
    /// ```
    ///
    /// Each index is named once, and is below 65,536.
    #[must_use]
    pub fn with_gpus(mut self, indices: impl IntoIterator<Item = u32>) -> Self {
        let mut gpus: Vec<u32> = indices.into_iter().collect();
        gpus.sort_unstable();
        let twice = gpus.iter().zip(gpus.iter().skip(1)).find(|(one, next)| one == next).map(|(one, _)| *one);
        if let Some(index) = twice.or_else(|| gpus.last().copied().filter(|&index| index >= MOST_GPUS)) {
            self.wrong.get_or_insert_with(|| Box::new(Wrong::Gpu(index)));
            return self;
        }
        self.set("gpu", Amount::whole(gpus.len() as u32));
        self.gpus = gpus;
        self
    }

    /// The indices of the GPUs, ascending: those that are named, else as many as there are, from 0.
    pub fn gpus(&self) -> Vec<u32> {
        if self.gpus.is_empty() {
            let whole = self.get("gpu").parts() / Amount::whole(1).parts();
            (0..u32::try_from(whole).unwrap_or(u32::MAX).min(MOST_GPUS)).collect()
        } else {
            self.gpus.clone()
        }
    }

    /// Whether the GPUs are named.
    pub(super) fn names_gpus(&self) -> bool {
        !self.gpus.is_empty()
    }

    /// Keeps of the GPUs those for which `keep` holds, `count` in all.
    pub(super) fn keep_gpus(&mut self, count: u32, keep: impl Fn(u32) -> bool) {
        let mut gpus = std::mem::take(&mut self.gpus);
        gpus.retain(|&index| keep(index));
        self.set("gpu", Amount::whole(count));
        self.gpus = gpus;
    }

    /// The amounts alone: what is free, or in use, names no GPUs.
    pub(super) fn amounts(&self) -> Self {
        Self { amounts: self.amounts.clone(), ..Self::default() }
    }

    /// How much there is of `name`.
    pub fn get(&self, name: &str) -> Amount {
        self.amounts.get(name).copied().unwrap_or_default()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.amounts.is_empty()
    }

    /// All names with their amounts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Amount)> {
        self.amounts.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether `self` has at least as much of everything as `other`.
    pub fn covers(&self, other: &Resources) -> bool {
        other.iter().all(|(name, amount)| self.get(name) >= amount)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Resources) {
        for (name, amount) in &other.amounts {
            match self.amounts.get_mut(name) {
                Some(mine) => mine.0 = mine.0.saturating_add(amount.0),
                None => {
                    self.amounts.insert(name.clone(), *amount);
                }
            }
        }
    }

    /// The same and `times` times `unit`.
    #[must_use]
    pub fn grown(&self, unit: &Resources, times: u64) -> Self {
        let mut grown = self.clone();
        for (name, amount) in unit.iter() {
            let more = amount.parts().saturating_mul(times);
            grown.set(name, Amount(self.get(name).parts().saturating_add(more)));
        }
        grown
    }

    /// Takes all of `other` away, or nothing if there isn't enough: then the answer is false.
    #[must_use]
    pub fn take(&mut self, other: &Resources) -> bool {
        if !self.covers(other) {
            return false;
        }
        for (name, amount) in &other.amounts {
            self.set(name, Amount(self.get(name).0 - amount.0));
        }
        true
    }

    /// Sets how much there is of `name`; zero takes the name out, so that equality stays that of amounts.
    pub(super) fn set(&mut self, name: &str, amount: Amount) {
        if name == "gpu" {
            self.gpus.clear();
        }
        match self.amounts.get_mut(name) {
            _ if amount == Amount::ZERO => {
                self.amounts.remove(name);
            }
            Some(mine) => *mine = amount,
            None => {
                self.amounts.insert(name.to_owned(), amount);
            }
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.amounts.is_empty() {
            return f.write_str("nothing");
        }
        for (position, (name, amount)) in self.amounts.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {amount}")?;
            if name == "gpu" && !self.gpus.is_empty() {
                let named: Vec<String> = self.gpus.iter().map(u32::to_string).collect();
                write!(f, " ({})", named.join(", "))?;
            }
        }
        Ok(())
    }
}
