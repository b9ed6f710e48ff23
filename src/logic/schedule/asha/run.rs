//! The state of a run: the brackets, and where in them each trial stands.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::bracket::{Bracket, Judgement};
use crate::logic::ids::TrialId;

/// What is known once the settings are fixed.
#[derive(Clone, Debug)]
pub(super) struct Run<B> {
    pub(super) brackets: Vec<B>,
    odds: Vec<f64>,
    pub(super) random: ChaCha8Rng,
    pub(super) members: HashMap<TrialId, Member>,
}

/// A trial's place.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) bracket: u32,
    /// How many rungs, from below, the trial has behind it.
    pub(super) passed: u32,
}

impl<B> Run<B> {
    /// Nobody has reported yet. `odds` has one probability a bracket; they sum to 1.
    pub(super) fn new(brackets: Vec<B>, odds: Vec<f64>, seed: u64) -> Self {
        Self { brackets, odds, random: ChaCha8Rng::seed_from_u64(seed), members: HashMap::new() }
    }

    /// The bracket of a trial that joined and wasn't forgotten.
    pub(super) fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        Some(self.members.get(&trial)?.bracket as usize)
    }

    /// A trial joins, unless it has already.
    pub(super) fn add(&mut self, trial: TrialId) {
        self.join(trial);
    }

    /// A trial that was over goes on. What it has behind it, as `reached` counts the rungs of its bracket, isn't judged again.
    pub(super) fn rejoin(&mut self, trial: TrialId, reached: impl Fn(&B) -> usize) {
        let member = self.join(trial);
        let reached = self.brackets.get(member.bracket as usize).map_or(0, reached);
        let passed = member.passed.max(u32::try_from(reached).unwrap_or(u32::MAX));
        self.members.insert(trial, Member { passed, ..member });
    }

    /// Drops the trial's place; what it recorded stays.
    pub(super) fn forget(&mut self, trial: TrialId) {
        self.members.remove(&trial);
    }

    /// The trial's place; a new one draws its bracket.
    pub(super) fn join(&mut self, trial: TrialId) -> Member {
        if let Some(member) = self.members.get(&trial) {
            return *member;
        }
        let member = Member { bracket: self.draw(), passed: 0 };
        self.members.insert(trial, member);
        member
    }

    fn draw(&mut self) -> u32 {
        if self.odds.len() == 1 {
            return 0;
        }
        let mut left: f64 = self.random.random();
        for (bracket, odds) in self.odds.iter().enumerate() {
            left -= odds;
            if left < 0.0 {
                return bracket as u32;
            }
        }
        0 // the odds sum to a hair less than 1; the first is the likeliest
    }
}

impl Run<Bracket> {
    /// Judges a trial's score in its bracket; a trial that is new joins first.
    pub(super) fn judge(&mut self, trial: TrialId, time: f64, score: f64) -> Judgement {
        let mut member = self.join(trial);
        let judgement = self.brackets[member.bracket as usize].judge(&mut member.passed, time, score);
        if judgement != Judgement::NoRung {
            self.members.insert(trial, member);
        }
        judgement
    }
}
