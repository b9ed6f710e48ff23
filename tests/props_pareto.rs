//! Fronts, crowding and the front of a stream, held against their definitions.

use proptest::prelude::*;
use tryout::logic::metrics::pareto::{Front, crowding, dominates, fronts, is_complete, scores};
use tryout::prelude::*;

/// Numbers that are often equal, and those that aren't.
fn score() -> impl Strategy<Value = f64> {
    let strange = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)];
    prop_oneof![8 => (-4..5_i32).prop_map(f64::from), 3 => -9.0..9.0_f64, 1 => strange]
}

fn points() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (1..5_usize).prop_flat_map(|objectives| {
        prop::collection::vec(prop::collection::vec(score(), objectives..=objectives), 0..40)
    })
}

/// Takes away what nobody dominates, again and again.
fn peeled(points: &[Vec<f64>]) -> Vec<Vec<usize>> {
    let mut left: Vec<usize> = (0..points.len()).collect();
    let mut fronts = Vec::new();
    while !left.is_empty() {
        let free = |index: &usize| !left.iter().any(|other| dominates(&points[*other], &points[*index]));
        let front: Vec<usize> = left.iter().copied().filter(free).collect();
        left.retain(|index| !front.contains(index));
        fronts.push(front);
    }
    fronts
}

proptest! {
    #[test]
    fn fronts_are_what_is_peeled_off(points in points()) {
        prop_assert_eq!(fronts(&points), peeled(&points));
    }

    #[test]
    fn dominance_is_an_order(points in points()) {
        for a in &points {
            prop_assert!(!dominates(a, a));
            for b in &points {
                prop_assert!(!(dominates(a, b) && dominates(b, a)));
                for c in &points {
                    prop_assert!(!(dominates(a, b) && dominates(b, c)) || dominates(a, c));
                }
            }
        }
    }

    #[test]
    fn the_front_of_a_stream_is_the_first_front(points in points()) {
        let mut front = Front::new();
        for (count, point) in points.iter().enumerate() {
            front.insert(count, point.clone());
            let first = peeled(&points[..=count]).into_iter().next().unwrap_or_default();
            let complete: Vec<usize> = first.into_iter().filter(|index| is_complete(&points[*index])).collect();
            prop_assert_eq!(front.iter().map(|(index, _)| *index).collect::<Vec<_>>(), complete);
        }
    }

    #[test]
    fn crowding_is_never_nan_and_the_ends_have_room(points in points()) {
        for front in fronts(&points) {
            let members: Vec<&Vec<f64>> = front.iter().map(|index| &points[*index]).collect();
            let distances = crowding(&members);
            prop_assert_eq!(distances.len(), members.len());
            prop_assert!(distances.iter().all(|distance| *distance >= 0.0));
            let complete = members.iter().all(|point| is_complete(point));
            prop_assert_eq!(distances.contains(&f64::INFINITY), complete, "{:?}", distances);
        }
    }

    /// The textbook's loop, for scores that are all different and finite.
    #[test]
    fn crowding_is_the_sum_of_the_gaps(
        firsts in prop::collection::btree_set(-1000..1000_i32, 3..30),
        seconds in prop::collection::btree_set(-1000..1000_i32, 30..40),
    ) {
        let curve = firsts.iter().zip(seconds.iter().rev());
        let points: Vec<[f64; 2]> = curve.map(|(x, y)| [f64::from(*x), f64::from(*y)]).collect();
        let distances = crowding(&points);
        let span = |objective: usize| (points[0][objective] - points[points.len() - 1][objective]).abs();
        for index in 1..points.len() - 1 {
            let gap = |objective: usize| (points[index + 1][objective] - points[index - 1][objective]).abs();
            let expected = gap(0) / span(0) + gap(1) / span(1);
            prop_assert!((distances[index] - expected).abs() < 1e-12, "{} and {}", distances[index], expected);
        }
        prop_assert_eq!((distances[0], distances[points.len() - 1]), (f64::INFINITY, f64::INFINITY));
    }
}

#[test]
fn equal_points_are_one_with_room_and_others_without() {
    let inf = f64::INFINITY;
    assert_eq!(crowding(&[[1.0, 2.0]]), [inf]);
    assert_eq!(crowding(&[[1.0, 2.0]; 3]), [inf, 0.0, 0.0]);
    assert_eq!(crowding(&[[0.0, 2.0], [2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])[..2], [inf, inf]);
    assert_eq!(crowding(&[[f64::NAN, 2.0]]), [0.0]);
    assert_eq!(crowding::<[f64; 2]>(&[]), [0.0; 0]);
}

#[test]
fn infinite_scores_count_as_a_whole_span() {
    let points = [[f64::NEG_INFINITY, 9.0], [0.0, 5.0], [1.0, 4.0], [f64::INFINITY, 0.0]];
    let distances = crowding(&points);
    assert_eq!((distances[1], distances[2]), (1.0 + 5.0 / 9.0, 1.0 + 5.0 / 9.0));
}

#[test]
fn what_is_not_reported_is_nan() {
    let point = scores(&[Objective::max("a"), Objective::min("b"), Objective::min("c")], |name| match name {
        "a" => Some(1.0),
        "b" => Some(2.0),
        _ => None,
    });
    assert_eq!(point[..2], [1.0, -2.0]);
    assert!(point[2].is_nan() && !is_complete(&point));
}
