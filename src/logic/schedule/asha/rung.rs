//! One rung: the time at which it is reached, and the scores that trials had there.

use crate::logic::schedule::quantile::Quantile;

/// A milestone and the scores recorded at it.
#[derive(Clone, Debug)]
pub(super) struct Rung {
    milestone: f64,
    scores: Quantile,
}

impl Rung {
    /// An empty rung at `milestone` that all but the best `1 / reduction_factor` are to fall short of.
    pub(super) fn new(milestone: f64, reduction_factor: f64) -> Self {
        Self { milestone, scores: Quantile::new((1.0 - 1.0 / reduction_factor) * 100.0) }
    }

    /// The time at which it is reached.
    pub(super) fn milestone(&self) -> f64 {
        self.milestone
    }

    /// How many scores it has; NaN isn't counted.
    pub(super) fn seen(&self) -> usize {
        self.scores.seen()
    }

    /// The scores it has, ascending.
    pub(super) fn scores(&self) -> Vec<f64> {
        self.scores.scores()
    }

    /// Takes `score` into account from now on. NaN changes nothing.
    pub(super) fn record(&mut self, score: f64) {
        self.scores.record(score);
    }

    /// The score below which a trial is stopped; none while there is no score.
    pub(super) fn cut_off(&self) -> Option<f64> {
        self.scores.cut_off()
    }
}
