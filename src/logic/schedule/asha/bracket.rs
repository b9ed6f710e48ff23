//! One bracket: a ladder of rungs, and the exact times at which they stand.

use crate::logic::schedule::number::snapped;
use crate::logic::schedule::quantile::Quantile;

/// More rungs than this are refused: no factor that is of any use gives them.
pub(super) const MOST_RUNGS: usize = 1000;

/// What a bracket says of a score that was reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Judgement {
    /// No rung was reached that this trial hadn't passed yet.
    NoRung,
    /// The score is among the best, or the first, or NaN.
    Good,
    /// The score is below the cut-off.
    Bad {
        /// The rung's time.
        milestone: f64,
        /// The cut-off before the score was recorded.
        cut_off: f64,
        /// How many scores made that cut-off.
        seen: usize,
    },
}

/// A milestone, and the scores that trials had there.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    milestone: f64,
    pub(super) scores: Quantile,
}

/// A ladder of rungs, the lowest first.
#[derive(Clone, Debug)]
pub(super) struct Bracket {
    pub(super) rungs: Vec<Rung>,
}

impl Bracket {
    /// A bracket with a rung at each of `milestones`, which ascend.
    pub(super) fn new(milestones: &[f64], reduction_factor: f64) -> Self {
        // All but the best `1 / reduction_factor` are to fall short of a rung's cut-off.
        let percent = (1.0 - 1.0 / reduction_factor) * 100.0;
        let rung = |milestone: &f64| Rung { milestone: *milestone, scores: Quantile::new(percent) };
        Self { rungs: milestones.iter().map(rung).collect() }
    }

    /// How many rungs `time` has reached.
    pub(super) fn reached(&self, time: f64) -> usize {
        self.rungs.partition_point(|rung| rung.milestone <= time)
    }

    /// The time of each rung, and how many were there.
    pub(super) fn seen(&self) -> Vec<(f64, usize)> {
        self.rungs.iter().map(|rung| (rung.milestone, rung.scores.seen())).collect()
    }

    /// Judges `score`, where more is better, at the highest rung that `time` has reached, and records it there.
    /// `passed` is how many rungs the trial has behind it; rungs that it jumped over count as passed.
    pub(super) fn judge(&mut self, passed: &mut u32, time: f64, score: f64) -> Judgement {
        let reached = self.reached(time);
        if reached <= *passed as usize {
            return Judgement::NoRung;
        }
        *passed = reached as u32;
        let rung = &mut self.rungs[reached - 1];
        let judgement = match rung.scores.cut_off() {
            Some(cut_off) if score < cut_off => {
                Judgement::Bad { milestone: rung.milestone, cut_off, seen: rung.scores.seen() }
            }
            _ => Judgement::Good,
        };
        rung.scores.record(score);
        judgement
    }
}

/// The times `grace_period * factor^k` up to and including `max_t`, ascending, at most one more than [`MOST_RUNGS`].
///
/// Whole factors are multiplied as integers, and others are rounded to a whole number within 1e-9 of them, so that no
/// rung is lost to a logarithm that came out as 2.9999999999999996.
pub(in crate::logic::schedule) fn milestones(grace_period: u64, max_t: u64, factor: f64) -> Vec<f64> {
    let whole = factor.fract() == 0.0 && (1.0..9e15).contains(&factor);
    let mut milestones = Vec::new();
    let mut exact = Some(u128::from(grace_period));
    for power in 0..=MOST_RUNGS as i32 {
        let milestone = if whole {
            let Some(milestone) = exact.filter(|milestone| *milestone <= u128::from(max_t)) else { break };
            exact = milestone.checked_mul(factor as u128);
            milestone as f64
        } else {
            let milestone = snapped(grace_period as f64 * factor.powi(power));
            if milestone.is_nan() || milestone > max_t as f64 {
                break;
            }
            milestone
        };
        milestones.push(milestone);
    }
    milestones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_factors_are_exact() {
        assert_eq!(milestones(1, 100, 4.0), [1.0, 4.0, 16.0, 64.0]);
        assert_eq!(milestones(1, 1000, 10.0), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(milestones(1, 243, 3.0).len(), 6);
        assert_eq!(milestones(1, 125, 5.0).len(), 4);
        assert_eq!(milestones(7, 7, 2.0), [7.0]);
        assert_eq!(milestones(1, u64::MAX, 2.0).len(), 64);
        assert_eq!(milestones(1, 10, 1e15), [1.0]);
    }

    #[test]
    fn other_factors_are_snapped() {
        let cube_root = 10.0_f64.powf(1.0 / 3.0);
        let found = milestones(1, 1000, cube_root);
        assert_eq!(found.len(), 10);
        assert_eq!((found[3], found[6], found[9]), (10.0, 100.0, 1000.0));
        assert_eq!(milestones(1, 3, 1.5), [1.0, 1.5, 2.25]);
    }

    #[test]
    fn a_useless_factor_ends_somewhere() {
        for factor in [1.0, 1.000_001, 0.5, f64::NAN, f64::INFINITY, -2.0] {
            assert!(milestones(1, 100, factor).len() <= MOST_RUNGS + 1, "{factor}");
        }
    }
}
