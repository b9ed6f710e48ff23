//! Where the largest improvement is expected, of some candidates.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::GaussianProcess;
use super::improvement::log_expected_improvement;
use crate::logic::search::study::Outcome;
use crate::logic::search::tried::Tried;
use crate::logic::space::AxisKind;

/// Candidates anywhere, and near the best points; then so many rounds of steps from the best candidates.
const ANYWHERE: usize = 400;
const NEAR: usize = 40;
const CENTRES: usize = 5;
const ROUNDS: usize = 40;

impl GaussianProcess {
    /// A coordinate for each axis, where the largest improvement is expected.
    pub(super) fn point(&mut self) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(self.settings.seed);
        random.set_stream(self.study.asked());
        self.fit();
        let frame = self.study.frame();
        let points = self.study.outcomes().iter().map(|outcome| &outcome.point);
        let tried = Tried::new(frame, points.chain(self.study.trying()));
        let placed = self.study.outcomes().iter().filter(|outcome| self.is_placed(&outcome.point)).count();
        if placed < self.settings.startup as usize {
            return tried.anywhere(frame, &mut random);
        }
        let Some((posterior, least)) = self.posterior() else { return tried.anywhere(frame, &mut random) };
        let worth = |parts: &[f64]| {
            if tried.has(frame, parts) {
                return f64::NEG_INFINITY;
            }
            let (mean, deviation) = posterior.at(&self.draft(parts));
            log_expected_improvement(mean, deviation, least)
        };
        let axes = frame.axes().len();
        let mut candidates: Vec<Vec<f64>> =
            (0..ANYWHERE).map(|_| (0..axes).map(|_| random.random()).collect()).collect();
        for centre in self.centres() {
            for _ in 0..NEAR {
                let reach = [0.2, 0.05, 0.01][random.random_range(0..3)];
                candidates.push(self.near(&centre, reach, &mut random));
            }
        }
        let mut rated: Vec<(f64, Vec<f64>)> = candidates.into_iter().map(|parts| (worth(&parts), parts)).collect();
        rated.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let climbed = rated.into_iter().take(CENTRES).map(|(mut height, mut parts)| {
            let mut reach = 0.1;
            for _ in 0..ROUNDS {
                let tried = self.near(&parts, reach, &mut random);
                let found = worth(&tried);
                if found > height {
                    (height, parts) = (found, tried);
                } else {
                    reach *= 0.85;
                }
            }
            (height, parts)
        });
        let best = climbed.max_by(|(one, _), (other, _)| one.total_cmp(other));
        let best = best.filter(|(height, _)| *height > f64::NEG_INFINITY).map(|(_, parts)| parts);
        best.unwrap_or_else(|| tried.anywhere(frame, &mut random))
    }

    /// The best points so far, as coordinates.
    fn centres(&self) -> Vec<Vec<f64>> {
        let all = self.study.outcomes().iter();
        let mut all: Vec<&Outcome> = all.filter(|outcome| self.is_placed(&outcome.point)).collect();
        all.sort_by(|one, other| one.value.total_cmp(&other.value));
        let whole = |outcome: &Outcome| outcome.point.iter().map(|part| part.unwrap_or(0.5).clamp(0.0, 1.0)).collect();
        all.into_iter().take(CENTRES).map(whole).collect()
    }

    /// A point near another: a few coordinates moved, an option changed now and then.
    fn near(&self, parts: &[f64], reach: f64, random: &mut ChaCha8Rng) -> Vec<f64> {
        let share = 1.0_f64.min(3.0 / parts.len().max(1) as f64);
        let axes = self.study.frame().axes();
        let moved = parts.iter().zip(axes).map(|(part, axis)| match axis.kind() {
            _ if random.random::<f64>() > share => *part,
            AxisKind::Options(_) if random.random::<f64>() < 0.3 => random.random(),
            AxisKind::Options(_) => *part,
            AxisKind::Steps(count) => (part + normal(random) * reach.max(0.7 / count as f64)).clamp(0.0, 1.0),
            AxisKind::Number => (part + normal(random) * reach).clamp(0.0, 1.0),
        });
        moved.collect()
    }
}

fn normal(random: &mut impl Rng) -> f64 {
    StandardNormal.sample(random)
}
