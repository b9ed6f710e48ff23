//! Named amounts, exact to a hundred-thousandth, and ordered bundles of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Parts of one unit that an [`Amount`] can tell apart.
const PARTS: f64 = 100_000.0;
const LARGEST: f64 = 9.0e13;

/// An exact, non-negative amount of one resource, in hundred-thousandths: three times 0.33 of 0.99 leaves 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(u64);

/// An amount that can't be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
/// let machine = Resources::new().with("cpu", 4.0)?.with("gpu", 1.0)?;
/// assert_eq!(machine.to_string(), "cpu 4, gpu 1");
/// # Ok::<(), ResourceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(BTreeMap<String, Amount>);

impl Resources {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// `units` of `cpu`.
    pub fn cpus(units: u32) -> Self {
        Self(BTreeMap::from([("cpu".to_owned(), Amount::whole(units))])).without_zeros()
    }

    fn without_zeros(mut self) -> Self {
        self.0.retain(|_, amount| *amount != Amount::ZERO);
        self
    }

    /// The same, with `value` units of `name`. Zero is the same as not naming it.
    ///
    /// # Errors
    /// If `value` is negative, not finite or above 9e13.
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Result<Self, ResourceError> {
        let name = name.into();
        let amount = Amount::new(&name, value)?;
        self.0.insert(name, amount);
        Ok(self.without_zeros())
    }

    /// How much there is of `name`.
    pub fn get(&self, name: &str) -> Amount {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All names with their amounts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Amount)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Whether `self` has at least as much of everything as `other`.
    pub fn covers(&self, other: &Resources) -> bool {
        other.iter().all(|(name, amount)| self.get(name) >= amount)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Resources) {
        for (name, amount) in &other.0 {
            match self.0.get_mut(name) {
                Some(mine) => mine.0 += amount.0,
                None => {
                    self.0.insert(name.clone(), *amount);
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
        for (name, amount) in &other.0 {
            self.set(name, Amount(self.get(name).0 - amount.0));
        }
        true
    }

    /// Sets how much there is of `name`; zero takes the name out, so that equality stays that of amounts.
    pub(super) fn set(&mut self, name: &str, amount: Amount) {
        match self.0.get_mut(name) {
            _ if amount == Amount::ZERO => {
                self.0.remove(name);
            }
            Some(mine) => *mine = amount,
            None => {
                self.0.insert(name.to_owned(), amount);
            }
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (position, (name, amount)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {amount}")?;
        }
        Ok(())
    }
}

/// What a trial needs: ordered bundles of resources. Two requests that are equal by value share workers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceRequest {
    bundles: Vec<Resources>,
    total: Resources,
}

impl Default for ResourceRequest {
    /// One cpu.
    fn default() -> Self {
        Self { bundles: vec![Resources::cpus(1)], total: Resources::cpus(1) }
    }
}

impl ResourceRequest {
    /// One bundle, of a trainable that works in one place.
    ///
    /// # Errors
    /// If it asks for nothing, or for one and a half GPUs.
    pub fn single(bundle: Resources) -> Result<Self, ResourceError> {
        Self::bundles(vec![bundle])
    }

    /// Several bundles: the first for the trainable itself (it may be empty), the others for its helpers.
    ///
    /// # Errors
    /// If all of them are empty, or one asks for one and a half GPUs.
    pub fn bundles(bundles: Vec<Resources>) -> Result<Self, ResourceError> {
        let mut total = Resources::new();
        for bundle in &bundles {
            let gpus = bundle.get("gpu");
            if gpus > Amount::whole(1) && gpus.parts() % Amount::whole(1).parts() != 0 {
                return Err(ResourceError::PartialGpus { value: gpus.as_f64() });
            }
            total.add(bundle);
        }
        if total.is_empty() { Err(ResourceError::Empty) } else { Ok(Self { bundles, total }) }
    }

    /// The bundles in their order.
    pub fn as_bundles(&self) -> &[Resources] {
        &self.bundles
    }

    /// The sum of the bundles.
    pub fn total(&self) -> &Resources {
        &self.total
    }
}

impl fmt::Display for ResourceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.total.fmt(f)
    }
}
