//! The explore step as a bandit: numbers are chosen where the population says that progress is to be expected.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mutate::Mutations;
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::search::{Kernel, Posterior};
use crate::logic::state::{Float, float};

/// So many intervals are remembered, the newest; and so many are needed before anything is chosen by them.
const MEMORY: usize = 100;
const ENOUGH: usize = 6;
const CANDIDATES: usize = 300;
/// The kernel is fitted to so many of them, the newest, by so many steps on both sides of each of its parameters: that is
/// what a copy costs.
const FITTED: usize = 40;
const ROUNDS: usize = 6;
/// How much doubt is worth, in standard deviations.
const CURIOSITY: f64 = 1.0;

/// What a member gained in an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Gain {
    /// When the interval ended.
    time: Float,
    /// Where its numbers lie in their ranges, from 0 to 1.
    parts: Vec<Float>,
    /// By how much its score rose in a unit of time.
    gain: Float,
}

/// From where a member's next gain counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    #[serde(with = "float")]
    time: f64,
    #[serde(with = "float")]
    score: f64,
}

/// What the population has seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Bandit {
    gains: Vec<Gain>,
    marks: BTreeMap<TrialId, Mark>,
}

impl Bandit {
    /// A member with its numbers at `parts` has this score now.
    pub(super) fn reported(&mut self, trial: TrialId, time: f64, score: Option<f64>, parts: Option<Vec<f64>>) {
        let Some(score) = score.filter(|score| score.is_finite()) else {
            self.marks.remove(&trial);
            return;
        };
        let before = self.marks.insert(trial, Mark { time, score });
        let (Some(before), Some(parts)) = (before.filter(|before| before.time < time), parts) else { return };
        let gain = (score - before.score) / (time - before.time);
        if !gain.is_finite() || parts.iter().any(|part| part.is_nan()) {
            return;
        }
        if self.gains.len() == MEMORY {
            self.gains.remove(0);
        }
        // The configuration that somebody began with may lie outside of the ranges.
        let parts = parts.into_iter().map(|part| Float(part.clamp(0.0, 1.0))).collect();
        self.gains.push(Gain { time: Float(time), parts, gain: Float(gain) });
    }

    /// A member goes on from where its donor is: what the donor has gained by then isn't the copy's.
    pub(super) fn copied(&mut self, trial: TrialId, donor: TrialId) {
        match self.marks.get(&donor).copied() {
            Some(mark) => drop(self.marks.insert(trial, mark)),
            None => drop(self.marks.remove(&trial)),
        }
    }

    /// The numbers have other ranges: gains are kept where they were made, also beyond those.
    pub(super) fn moved(&mut self, old: &Mutations, new: &Mutations) {
        self.gains.retain_mut(|gain| {
            let parts: Vec<f64> = gain.parts.iter().map(|part| part.0).collect();
            let moved = new.moved(old, &parts);
            gain.parts = moved.iter().flatten().map(|part| Float(*part)).collect();
            moved.is_some()
        });
    }

    pub(super) fn ended(&mut self, trial: TrialId) {
        self.marks.remove(&trial);
    }

    /// Sets the numbers of `config` for an interval that begins at `time`; leaves them as they are if too little is known.
    pub(super) fn choose(&self, mutations: &Mutations, config: &mut Config, time: f64, random: &mut ChaCha8Rng) {
        let size = mutations.numbers();
        let Some((posterior, at)) = self.model(size, time) else { return };
        let worth = |parts: &[f64]| {
            let point: Vec<f64> = std::iter::once(at).chain(parts.iter().copied()).collect();
            let (mean, deviation) = posterior.at(&point);
            CURIOSITY.mul_add(deviation, mean)
        };
        let candidates = (0..CANDIDATES).map(|_| (0..size).map(|_| random.random()).collect::<Vec<f64>>());
        let rated = candidates.map(|parts| (worth(&parts), parts));
        if let Some((_, parts)) = rated.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            mutations.put_parts(config, &parts);
        }
    }

    /// The process of gains over time and numbers, and where `time` lies in it.
    fn model(&self, size: usize, time: f64) -> Option<(Posterior, f64)> {
        // A state of an earlier session may be about other numbers.
        let known: Vec<&Gain> = self.gains.iter().filter(|gain| gain.parts.len() == size).collect();
        if known.len() < ENOUGH {
            return None;
        }
        let first = known.iter().map(|gain| gain.time.0).fold(time, f64::min);
        let last = known.iter().map(|gain| gain.time.0).fold(time, f64::max);
        let when = |time: f64| if last > first { (time - first) / (last - first) } else { 0.0 };
        let point =
            |gain: &&Gain| std::iter::once(when(gain.time.0)).chain(gain.parts.iter().map(|part| part.0)).collect();
        let points: Vec<Vec<f64>> = known.iter().map(point).collect();
        let count = known.len() as f64;
        let mean = known.iter().map(|gain| gain.gain.0).sum::<f64>() / count;
        let spread = (known.iter().map(|gain| (gain.gain.0 - mean).powi(2)).sum::<f64>() / count).sqrt();
        if !spread.is_finite() {
            return None;
        }
        let values: Vec<f64> = known.iter().map(|gain| (gain.gain.0 - mean) / spread.max(1e-12)).collect();
        let newest = known.len().saturating_sub(FITTED);
        let kernel = Kernel::new(size + 1).fitted(&points[newest..], &values[newest..], ROUNDS);
        Some((Posterior::new(kernel, points, &values)?, when(time)))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::logic::ids::RunId;
    use crate::logic::space::{Space, uniform};

    fn trial(number: u32) -> TrialId {
        TrialId::new(RunId::new(1), number)
    }

    fn gains(bandit: &Bandit) -> Vec<f64> {
        bandit.gains.iter().map(|gain| gain.gain.0).collect()
    }

    /// Progress is greatest where x is 0.8, and what y is doesn't matter.
    #[test]
    fn it_chooses_where_progress_was() {
        let space = Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
        let Ok(mutations) = Mutations::new(space) else { panic!("the space is fine") };
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut bandit = Bandit::default();
        let mut config = Config::new().with("x", 0.1).with("y", 0.5);
        bandit.choose(&mutations, &mut config, 1.0, &mut random);
        assert_eq!(config.number("x"), Some(0.1), "nothing is known yet");
        for turn in 0..60 {
            let (x, y): (f64, f64) = (random.random(), random.random());
            let time = f64::from(turn);
            bandit.reported(trial(turn), time, Some(0.0), None);
            bandit.reported(trial(turn), time + 1.0, Some(-(x - 0.8).powi(2)), Some(vec![x, y]));
        }
        for _ in 0..5 {
            bandit.choose(&mutations, &mut config, 60.0, &mut random);
            let x = config.number("x").unwrap_or(f64::NAN);
            assert!((x - 0.8).abs() < 0.15, "{x}");
        }
    }

    #[test]
    fn a_gain_is_counted_from_where_its_trial_was() {
        let parts = || Some(vec![0.5]);
        let mut bandit = Bandit::default();
        bandit.reported(trial(0), 10.0, Some(1.0), parts());
        bandit.reported(trial(1), 10.0, Some(100.0), parts());
        assert!(gains(&bandit).is_empty(), "nobody knows from where");
        bandit.reported(trial(0), 20.0, Some(6.0), parts());
        assert_eq!(gains(&bandit), [0.5]);
        // A copy has the donor's score and time, whatever its own were.
        bandit.copied(trial(0), trial(1));
        bandit.reported(trial(0), 12.0, Some(108.0), parts());
        assert_eq!(gains(&bandit), [0.5, 4.0]);
        // Nothing is divided by no time, and nothing counts from NaN on.
        bandit.reported(trial(0), 12.0, Some(200.0), parts());
        bandit.reported(trial(1), 20.0, None, parts());
        bandit.reported(trial(1), 30.0, Some(1.0), parts());
        assert_eq!(gains(&bandit), [0.5, 4.0]);
        bandit.ended(trial(1));
        bandit.copied(trial(0), trial(1));
        bandit.reported(trial(0), 40.0, Some(1.0), parts());
        assert_eq!(gains(&bandit), [0.5, 4.0]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut bandit = Bandit::default();
        for turn in 0..500 {
            bandit.reported(trial(0), f64::from(turn), Some(f64::from(turn * turn)), Some(vec![f64::from(turn)]));
        }
        assert_eq!((bandit.gains.len(), bandit.marks.len()), (MEMORY, 1));
        assert_eq!(bandit.gains.last().map(|gain| (gain.gain.0, gain.parts[0].0)), Some((997.0, 1.0)));
    }
}
