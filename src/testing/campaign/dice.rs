//! Draws from a seed: what is drawn under one label doesn't depend on what is drawn under another.

use crate::logic::mix::mix;

/// A source of draws.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, label: &str) -> Self {
        Self(label.bytes().fold(mix(seed), |bits, byte| mix(bits ^ u64::from(byte))))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }

    /// From 0 up to `end`, exclusive; 0 if `end` is.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The upper half of a product is below the factor.
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// From `low` to `high`, inclusive.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn small(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high - low) + 1) as u32
    }

    /// From 0 to 1, exclusive.
    pub(super) fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, chance: f64) -> bool {
        self.share() < chance
    }

    /// One of these, all equally likely.
    pub(super) fn pick<T: Clone, const LEN: usize>(&mut self, from: [T; LEN]) -> T {
        const { assert!(LEN > 0) };
        from[self.below(LEN as u64) as usize].clone()
    }
}
