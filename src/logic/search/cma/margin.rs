//! The values of whole numbers and steps, and the margin that keeps them all within reach.

use crate::logic::normal::quantile;
use crate::logic::space::{AxisKind, Frame};

/// The parts of the way from 0 to 1 that the values of a number take.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cells {
    /// It has any value.
    None,
    /// So many, all as wide.
    Equal(u64),
    /// Between these bounds.
    Bounds(Vec<f64>),
}

impl Cells {
    pub(super) fn new(frame: &Frame, axis: usize) -> Self {
        match (frame.axes().get(axis).map(|axis| axis.kind()), frame.cells(axis)) {
            (Some(AxisKind::Steps(count)), _) => Self::Equal(count.max(1)),
            (_, Some(bounds)) => Self::Bounds(bounds.to_vec()),
            _ => Self::None,
        }
    }

    /// The bounds of the cell at a place that have other cells behind them.
    pub(super) fn around(&self, place: f64) -> (Option<f64>, Option<f64>) {
        let inner = |bound: f64| Some(bound).filter(|bound| *bound > 0.0 && *bound < 1.0);
        match self {
            Self::None => (None, None),
            Self::Equal(count) => {
                let count = *count as f64;
                let cell = (place * count).floor().clamp(0.0, count - 1.0);
                (inner(cell / count), inner((cell + 1.0) / count))
            }
            Self::Bounds(bounds) => {
                let above = bounds.partition_point(|bound| *bound <= place).clamp(1, bounds.len().max(2) - 1);
                (bounds.get(above - 1).copied().and_then(inner), bounds.get(above).copied().and_then(inner))
            }
        }
    }

    /// How wide a normal distribution at `mean` must be at least, so that with the probability `margin` a draw has another value: with
    /// half of it one to either side, where there are two.
    pub(super) fn least_width(&self, mean: f64, margin: f64) -> f64 {
        let to = |away: f64, probability: f64| away / -quantile(probability);
        match self.around(mean) {
            (None, None) => 0.0,
            (Some(below), None) => to(mean - below, margin),
            (None, Some(above)) => to(above - mean, margin),
            (Some(below), Some(above)) => to((mean - below).max(above - mean), margin / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_around_a_place() {
        let four = Cells::Equal(4);
        assert_eq!(four.around(0.3), (Some(0.25), Some(0.5)));
        assert_eq!((four.around(0.0), four.around(1.0)), ((None, Some(0.25)), (Some(0.75), None)));
        assert_eq!((Cells::Equal(1).around(0.5), Cells::None.around(0.5)), ((None, None), (None, None)));
        let bounds = Cells::Bounds(vec![0.0, 0.6, 0.9, 1.0]);
        assert_eq!(bounds.around(0.7), (Some(0.6), Some(0.9)));
        assert_eq!((bounds.around(0.1), bounds.around(1.0)), ((None, Some(0.6)), (Some(0.9), None)));
    }

    #[test]
    fn a_width_lets_the_neighbours_be() {
        for (cells, mean) in
            [(Cells::Equal(5), 0.53), (Cells::Equal(2), 0.1), (Cells::Bounds(vec![0.0, 0.7, 1.0]), 0.99)]
        {
            let width = cells.least_width(mean, 0.02);
            let (below, above) = cells.around(mean);
            let mass = |from: f64, to: f64| crate::logic::normal::mass(from, to, mean, width);
            let sides =
                [below.map(|below| mass(f64::NEG_INFINITY, below)), above.map(|above| mass(above, f64::INFINITY))];
            let each: Vec<f64> = sides.into_iter().flatten().collect();
            let least = 0.02 / each.len() as f64;
            assert!(each.iter().all(|mass| *mass >= least * (1.0 - 1e-6)), "{cells:?}: {each:?}");
            assert!(each.iter().any(|mass| *mass <= least * (1.0 + 1e-6)), "no wider than that: {cells:?}: {each:?}");
        }
    }
}
