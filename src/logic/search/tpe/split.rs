//! Which outcomes are good, which are bad, and how much each of them counts.

use super::mixture::Observations;
use crate::logic::search::ranking::best;
use crate::logic::search::study::Outcome;

/// The good ones are the best tenth of all, and no more than these.
const GOOD: f64 = 0.1;
const MOST_GOOD: f64 = 25.0;

/// The good ones and the bad ones. Of the bad ones the newest `recent` count in full, and the others the less the older they are.
pub(super) fn split(outcomes: &[Outcome], recent: usize) -> (Observations<'_>, Observations<'_>) {
    let count = (GOOD * outcomes.len() as f64).ceil().clamp(1.0, MOST_GOOD) as usize;
    let mut is_good = vec![false; outcomes.len()];
    let order = best(outcomes, count);
    order.iter().for_each(|place| is_good[*place] = true);
    // As they came.
    let rest: Vec<&Outcome> =
        outcomes.iter().zip(is_good).filter_map(|(outcome, good)| (!good).then_some(outcome)).collect();
    let mut good = Observations::default();
    // Those of a front have no order.
    let is_ordered = outcomes.iter().all(|outcome| outcome.others.is_empty());
    let weights = if is_ordered { by_rank(order.len()) } else { vec![1.0; order.len()] };
    order.iter().zip(weights).for_each(|(place, weight)| good.push(&outcomes[*place].point, weight));
    let mut bad = Observations::default();
    let fading = rest.len().saturating_sub(recent);
    for (place, outcome) in rest.iter().enumerate() {
        let least = 1.0 / rest.len() as f64;
        let way = place as f64 / fading.saturating_sub(1).max(1) as f64;
        let weight = if place < fading { least + (1.0 - least) * way } else { 1.0 };
        bad.push(&outcome.point, weight);
    }
    (good, bad)
}

/// How much each of so many good ones counts, the best first, 1 in the mean: by the logarithm of its rank, as CMA-ES weighs its parents
/// (Hansen 2016). By how much one is better doesn't count, since noise and steep slopes make single ones look far better than the others.
fn by_rank(count: usize) -> Vec<f64> {
    let gains: Vec<f64> = (1..=count).map(|rank| ((count + 1) as f64 / rank as f64).ln()).collect();
    let mean = gains.iter().sum::<f64>() / count.max(1) as f64;
    gains.iter().map(|gain| gain / mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(value: f64, stopped: Option<u64>) -> Outcome {
        Outcome { point: vec![Some(value)], value, stopped, others: Vec::new(), excess: 0.0 }
    }

    fn values(observations: &Observations<'_>) -> Vec<f64> {
        observations.points.iter().filter_map(|point| point[0]).collect()
    }

    #[test]
    fn what_was_stopped_is_never_as_if_complete() {
        // Three were left to their end, one failed, the others were stopped early with small values.
        let mut all: Vec<Outcome> = (0..26).map(|value| outcome(f64::from(value), Some(3))).collect();
        all.extend([outcome(50.0, Some(9)), outcome(100.0, None), outcome(200.0, None), outcome(f64::INFINITY, None)]);
        let (good, bad) = split(&all, 25);
        assert_eq!(values(&good), [100.0, 200.0, 50.0]);
        assert!(good.weights.is_sorted_by(|one, other| one > other), "by rank, also of what was stopped");
        assert_eq!(bad.points.len(), 27);
    }

    #[test]
    fn what_is_better_counts_more() {
        let all: Vec<Outcome> = (0..40).map(|value| outcome(f64::from(value * value), None)).collect();
        let (good, bad) = split(&all, 25);
        assert_eq!(values(&good), [0.0, 1.0, 4.0, 9.0]);
        assert!(good.weights.is_sorted_by(|one, other| one > other));
        assert!((good.weights.iter().sum::<f64>() - 4.0).abs() < 1e-12);
        assert!(
            bad.weights.is_sorted() && bad.weights[0] < 0.1 && bad.weights[11..].iter().all(|weight| *weight == 1.0)
        );
        let steeper: Vec<Outcome> = (0..40).map(|value| outcome(f64::from(value).exp(), None)).collect();
        assert_eq!(split(&steeper, 25).0.weights, good.weights, "only the order counts");
        let (_, bad) = split(&all, usize::MAX);
        assert!(bad.weights.iter().all(|weight| *weight == 1.0));
    }
}
