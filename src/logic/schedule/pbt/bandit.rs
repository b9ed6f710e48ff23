//! The explore step as a bandit: numbers are chosen where the population says that progress is to be expected.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mutate::Mutations;
use crate::logic::config::Config;
use crate::logic::search::{Kernel, Posterior};
use crate::logic::state::Float;

/// So many observations are remembered, the newest; and so many are needed before anything is chosen by them.
const MEMORY: usize = 150;
const ENOUGH: usize = 6;
const CANDIDATES: usize = 300;
/// How much doubt is worth, in standard deviations.
const CURIOSITY: f64 = 1.0;

/// What a member gained in an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Gain {
    /// When the interval ended.
    pub(super) time: Float,
    /// Where its numbers lie in their ranges, from 0 to 1.
    pub(super) parts: Vec<Float>,
    /// By how much its score rose in a unit of time.
    pub(super) gain: Float,
}

/// What the population has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Bandit {
    pub(super) gains: Vec<Gain>,
}

impl Bandit {
    pub(super) fn observe(&mut self, time: f64, parts: Vec<f64>, gain: f64) {
        if !gain.is_finite() || parts.is_empty() {
            return;
        }
        if self.gains.len() == MEMORY {
            self.gains.remove(0);
        }
        let parts = parts.into_iter().map(Float).collect();
        self.gains.push(Gain { time: Float(time), parts, gain: Float(gain) });
    }

    /// Sets the numbers of `config` for an interval that begins at `time`; leaves them as they are if too little is known.
    pub(super) fn choose(&self, mutations: &Mutations, config: &mut Config, time: f64, random: &mut ChaCha8Rng) {
        let size = mutations.parts(config).map_or(0, |parts| parts.len());
        if size == 0 || self.gains.len() < ENOUGH {
            return;
        }
        let Some((posterior, at)) = self.model(size, time) else { return };
        let worth = |parts: &[f64]| {
            let point: Vec<f64> = std::iter::once(at).chain(parts.iter().copied()).collect();
            let (mean, deviation) = posterior.at(&point);
            CURIOSITY.mul_add(deviation, mean)
        };
        let candidates = (0..CANDIDATES).map(|_| (0..size).map(|_| random.random()).collect::<Vec<f64>>());
        let rated = candidates.map(|parts| (worth(&parts), parts));
        let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some((_, parts)) = best {
            mutations.put_parts(config, &parts);
        }
    }

    /// The process of gains over time and numbers, and where `time` lies in it.
    fn model(&self, size: usize, time: f64) -> Option<(Posterior, f64)> {
        let known: Vec<&Gain> = self.gains.iter().filter(|gain| gain.parts.len() == size).collect();
        let first = known.iter().map(|gain| gain.time.0).fold(time, f64::min);
        let reach = (time - first).max(f64::MIN_POSITIVE);
        let points: Vec<Vec<f64>> = known
            .iter()
            .map(|gain| {
                let when = (gain.time.0 - first) / reach;
                std::iter::once(when).chain(gain.parts.iter().map(|part| part.0)).collect()
            })
            .collect();
        let count = known.len() as f64;
        let mean = known.iter().map(|gain| gain.gain.0).sum::<f64>() / count;
        let spread = (known.iter().map(|gain| (gain.gain.0 - mean).powi(2)).sum::<f64>() / count).sqrt().max(1e-12);
        let values: Vec<f64> = known.iter().map(|gain| (gain.gain.0 - mean) / spread).collect();
        let kernel = Kernel::new(size + 1).fitted(&points, &values, 12);
        Some((Posterior::new(kernel, points, &values)?, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::logic::space::{Space, uniform};

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
            bandit.observe(f64::from(turn), vec![x, y], -(x - 0.8).powi(2));
        }
        for _ in 0..5 {
            bandit.choose(&mutations, &mut config, 60.0, &mut random);
            let x = config.number("x").unwrap_or(f64::NAN);
            assert!((x - 0.8).abs() < 0.15, "{x}");
        }
    }
}
