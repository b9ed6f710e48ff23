//! The best of some outcomes, for one objective or several.

use super::study::Outcome;
use crate::logic::metrics::pareto;

/// The places of the best `count` outcomes, the best first: as they [compare](Outcome::compare), but with several objectives those that
/// came to their end by fronts, and of a front that hasn't room as a whole those that together dominate most.
pub(super) fn best(outcomes: &[Outcome], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    order.sort_by(|one, other| outcomes[*one].compare(&outcomes[*other]));
    let whole = order.partition_point(|place| outcomes[*place].is_whole());
    if outcomes.iter().all(|outcome| outcome.others.is_empty()) {
        order.truncate(count);
        return order;
    }
    let rest = order.split_off(whole);
    let points: Vec<Vec<f64>> = order.iter().map(|place| outcomes[*place].scores()).collect();
    let mut best = Vec::with_capacity(count);
    for front in pareto::fronts(&points) {
        let left = count - best.len();
        if front.len() <= left {
            best.extend(front.iter().map(|number| order[*number]));
        } else {
            best.extend(widest(&points, front, left).into_iter().map(|number| order[number]));
            return best;
        }
    }
    best.extend(rest);
    best.truncate(count);
    best
}

/// So many of a front, one after the other the one that adds most to what they dominate together.
fn widest(points: &[Vec<f64>], front: Vec<usize>, count: usize) -> Vec<usize> {
    let reference = reference(points, &front);
    let mut chosen: Vec<&[f64]> = Vec::new();
    let (mut numbers, mut reached) = (Vec::new(), 0.0);
    // What a point adds only becomes less: whoever adds most by what was found of it before is looked at anew first.
    let mut gains: Vec<(f64, usize)> = front.into_iter().map(|number| (f64::INFINITY, number)).collect();
    while numbers.len() < count && !gains.is_empty() {
        let mut most = 0;
        for round in 0..gains.len() {
            let (gain, number) = gains[round];
            if round > 0 && gain <= gains[most].0 {
                break;
            }
            let with: Vec<&[f64]> = chosen.iter().copied().chain([points[number].as_slice()]).collect();
            gains[round].0 = pareto::hypervolume(&with, &reference) - reached;
            if gains[round].0 > gains[most].0 {
                most = round;
            }
        }
        let (gain, number) = gains.remove(most);
        reached += gain;
        numbers.push(number);
        chosen.push(&points[number]);
        gains.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    }
    numbers
}

/// A point that is a little worse than the worst of a front in each objective.
fn reference(points: &[Vec<f64>], front: &[usize]) -> Vec<f64> {
    let size = front.first().map_or(0, |number| points[*number].len());
    let axis = |objective: usize| {
        let scores = || front.iter().map(|number| points[*number][objective]).filter(|score| score.is_finite());
        let (low, high) = scores().fold((f64::MAX, f64::MIN), |(low, high), score| (low.min(score), high.max(score)));
        low - 0.1 * (high - low).max(f64::MIN_POSITIVE)
    };
    (0..size).map(axis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(value: f64, other: f64) -> Outcome {
        Outcome { point: Vec::new(), value, others: vec![other], stopped: None, excess: 0.0 }
    }

    #[test]
    fn fronts_go_first_and_then_what_dominates_most() {
        let all: Vec<Outcome> = [(0.0, 4.0), (1.9, 2.1), (2.0, 2.0), (4.0, 0.0), (5.0, 5.0), (f64::INFINITY, 0.0)]
            .map(|(value, other)| outcome(value, other))
            .to_vec();
        let mut three = best(&all, 3);
        three.sort_unstable();
        assert!(three == [0, 1, 3] || three == [0, 2, 3], "{three:?}: two neighbours are of no use");
        assert_eq!(best(&all, 9)[4..], [4, 5], "what is dominated comes after, and what failed last");
    }
}
