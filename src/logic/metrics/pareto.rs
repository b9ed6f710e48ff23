//! Several objectives at once: which points no other dominates, in which fronts they lie, and how crowded it is there.
//!
//! A point is a list of scores, one for each objective, of which more is better ([`scores`] makes them). All points that
//! are compared have equally many. One that has NaN among its scores is incomplete: every complete one dominates it, so
//! that half a result is never the best of anything.
//!
//! Source: Deb, Pratap, Agarwal and Meyarivan 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"; the
//! fronts are found by the efficient non-dominated sort of Zhang, Tian, Cheng and Jin 2015.

use std::cmp::Ordering;

use super::objective::Objective;

/// The point of the values that `value` finds for `objectives`; NaN where it finds none.
///
/// ```
/// use tryout::metrics::pareto;
/// use tryout::prelude::*;
///
/// let objectives = [Objective::max("accuracy"), Objective::min("seconds")];
/// let metrics = Metrics::from([("accuracy", 0.9), ("seconds", 3.0)]);
/// assert_eq!(pareto::scores(&objectives, |name| metrics.number(name)), [0.9, -3.0]);
/// ```
pub fn scores(objectives: &[Objective], value: impl Fn(&str) -> Option<f64>) -> Vec<f64> {
    let score = |objective: &Objective| objective.score(value(&objective.metric).unwrap_or(f64::NAN));
    objectives.iter().map(score).collect()
}

/// Whether all scores of a point are numbers.
pub fn is_complete(point: &[f64]) -> bool {
    !point.iter().any(|score| score.is_nan())
}

/// Whether `a` is nowhere worse than `b`, and somewhere better; or complete where `b` isn't.
///
/// ```
/// use tryout::metrics::pareto::dominates;
///
/// assert!(dominates(&[2.0, 1.0], &[1.0, 1.0]));
/// assert!(!dominates(&[2.0, 1.0], &[1.0, 2.0]) && !dominates(&[1.0, 1.0], &[1.0, 1.0]));
/// assert!(dominates(&[0.0, 0.0], &[9.0, f64::NAN]));
/// ```
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    match (is_complete(a), is_complete(b)) {
        (true, true) => beats(a, b),
        (complete, other) => complete && !other,
    }
}

/// Whether one complete point dominates another.
fn beats(a: &[f64], b: &[f64]) -> bool {
    let mut better = false;
    for (a, b) in a.iter().zip(b) {
        if a < b {
            return false;
        }
        better |= a > b;
    }
    better
}

/// The points by their fronts, as indices in ascending order: first those that no point dominates, then those that only
/// points of the fronts before dominate, and so on.
///
/// With n points it takes O(n log n) for one or two objectives, and at most O(n²) for more.
///
/// ```
/// use tryout::metrics::pareto::fronts;
///
/// assert_eq!(fronts(&[[1.0, 1.0], [3.0, 0.0], [0.0, 2.0], [2.0, 2.0]]), [vec![1, 3], vec![0, 2]]);
/// ```
pub fn fronts<P: AsRef<[f64]>>(points: &[P]) -> Vec<Vec<usize>> {
    let all = points.iter().map(AsRef::as_ref).enumerate();
    let (mut complete, incomplete): (Vec<(usize, &[f64])>, Vec<_>) = all.partition(|(_, point)| is_complete(point));
    // From the best by the first score to the worst, then by the second and so on, so that no point is dominated by one that
    // comes after it. Not in a total order, in which 0 is above -0: dominance makes no difference between them.
    complete.sort_by(|(_, a), (_, b)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
    let mut fronts: Vec<Vec<(usize, &[f64])>> = Vec::new();
    for (index, point) in complete {
        let dominated = |front: &Vec<(usize, &[f64])>| {
            // With two objectives the second only gets better along a front: whoever came last is the likeliest to
            // dominate, and nobody does if it doesn't.
            let enough = if point.len() <= 2 { 1 } else { front.len() };
            front.iter().rev().take(enough).any(|(_, member)| beats(member, point))
        };
        // Whoever is dominated in a front is dominated in all fronts before it.
        let place = fronts.partition_point(dominated);
        match fronts.get_mut(place) {
            Some(front) => front.push((index, point)),
            None => fronts.push(vec![(index, point)]),
        }
    }
    fronts.extend((!incomplete.is_empty()).then_some(incomplete));
    let indices = |front: Vec<(usize, &[f64])>| {
        let mut indices: Vec<usize> = front.into_iter().map(|(index, _)| index).collect();
        indices.sort_unstable();
        indices
    };
    fronts.into_iter().map(indices).collect()
}

/// How much of the space of scores `points` dominate, down to `reference`, which is to be worse than all of them: what lies beyond it
/// counts for nothing, nor does a point with a score that isn't finite.
///
/// With n points it takes O(n log n) for two objectives, and a factor n more for each further one.
///
/// ```
/// use tryout::metrics::pareto::hypervolume;
///
/// assert_eq!(hypervolume(&[[1.0, 3.0], [2.0, 2.0], [1.0, 1.0]], &[0.0, 0.0]), 5.0);
/// assert_eq!(hypervolume(&[[1.0, 1.0, 2.0], [2.0, 1.0, 1.0]], &[0.0, 0.0, 0.0]), 3.0);
/// ```
pub fn hypervolume<P: AsRef<[f64]>>(points: &[P], reference: &[f64]) -> f64 {
    let beyond = |point: &&[f64]| point.iter().zip(reference).all(|(score, least)| score > least && score.is_finite());
    let mut points: Vec<&[f64]> = points.iter().map(AsRef::as_ref).filter(beyond).collect();
    slices(&mut points, reference)
}

/// The sum of slices along the last objective, each as large as what all points that reach it dominate in the others.
fn slices(points: &mut [&[f64]], reference: &[f64]) -> f64 {
    let Some((least, inner)) = reference.split_last() else { return 0.0 };
    let last = |point: &[f64]| point.get(inner.len()).copied().unwrap_or(*least);
    points.sort_by(|one, other| last(other).total_cmp(&last(one)));
    if inner.is_empty() {
        return points.first().map_or(0.0, |point| last(point) - least);
    }
    let (mut sum, mut widest) = (0.0, f64::NEG_INFINITY);
    for place in 0..points.len() {
        let next = points.get(place + 1).map_or(*least, |next| last(next));
        let Some(reached) = points.get(..=place) else { break };
        let area = match reached {
            // With two objectives a slice is as wide as the widest point.
            [.., point] if inner.len() == 1 => {
                widest = widest.max(point.first().copied().unwrap_or(f64::NEG_INFINITY));
                inner.first().map_or(0.0, |least| widest - least)
            }
            _ => slices(&mut reached.to_vec(), inner),
        };
        sum += area * (last(points.get(place).copied().unwrap_or_default()) - next);
    }
    sum
}

/// How far the neighbours of each of `points`, which are one front, lie apart, in their order: from 0, where points are
/// the same, to the number of objectives; infinite for the first and the last in any objective in which they differ. (The crowding distance of
/// NSGA-II.) Of equal scores, the one that comes first is the first or the last; if all are equal, so is the first point.
///
/// A gap counts as a part of the span of the finite scores, and at most as the whole of it. Incomplete points have 0.
///
/// ```
/// use tryout::metrics::pareto::crowding;
///
/// let distances = crowding(&[[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]]);
/// assert_eq!(distances, [f64::INFINITY, 1.5, 1.5, f64::INFINITY]);
/// ```
pub fn crowding<P: AsRef<[f64]>>(points: &[P]) -> Vec<f64> {
    let mut distances = vec![0.0; points.len()];
    let complete: Vec<(usize, &[f64])> =
        points.iter().map(AsRef::as_ref).enumerate().filter(|(_, point)| is_complete(point)).collect();
    let objectives = complete.first().map_or(0, |(_, point)| point.len());
    for objective in 0..objectives {
        let mut scores: Vec<(usize, f64)> =
            complete.iter().filter_map(|(index, point)| Some((*index, *point.get(objective)?))).collect();
        scores.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let (Some((_, worst)), Some((_, best))) = (scores.first().copied(), scores.last().copied()) else { continue };
        if worst == best {
            continue; // nobody is at an end of it
        }
        // Among those with the best score, the one that came first is the last one.
        let first = scores.partition_point(|(_, score)| *score < best);
        if let Some(equals) = scores.get_mut(first..) {
            equals.rotate_left(1);
        }
        let span = span(&scores);
        let mut add = |index: usize, gap: f64| {
            if let Some(distance) = distances.get_mut(index) {
                *distance += gap;
            }
        };
        for neighbours in scores.windows(3) {
            if let [(_, before), (index, _), (_, after)] = neighbours {
                add(*index, share(*before, *after, span));
            }
        }
        scores.first().into_iter().chain(scores.last()).for_each(|(index, _)| add(*index, f64::INFINITY));
    }
    let same = distances.iter().all(|distance| *distance == 0.0);
    if let Some(first) = complete.first().filter(|_| same).and_then(|(index, _)| distances.get_mut(*index)) {
        *first = f64::INFINITY;
    }
    distances
}

/// From the least to the largest finite score of some that are sorted.
fn span(scores: &[(usize, f64)]) -> f64 {
    let mut finite = scores.iter().map(|(_, score)| *score).filter(|score| score.is_finite());
    let first = finite.next().unwrap_or(0.0);
    finite.fold(first, f64::max) - first
}

/// The gap between two scores as a part of `span`.
fn share(before: f64, after: f64, span: f64) -> f64 {
    if before == after {
        return 0.0; // two infinities would give NaN below
    }
    // By parts, as the span itself may be beyond the largest number.
    let part = if span.is_finite() { (after - before) / span } else { after / span - before / span };
    if part.is_nan() { 1.0 } else { part.min(1.0) }
}

/// The front of a stream of points: what no other that came dominates. A point costs O(f) with f points in the front.
///
/// ```
/// use tryout::metrics::pareto::{Entry, Front};
///
/// let mut front = Front::new();
/// assert_eq!(front.insert("small", vec![0.5, 9.0]), Entry::In);
/// assert_eq!(front.insert("good", vec![0.9, 2.0]), Entry::In);
/// assert_eq!(front.insert("neither", vec![0.4, 3.0]), Entry::Dominated);
/// assert_eq!(front.insert("better", vec![0.9, 3.0]), Entry::In);
/// let names: Vec<&str> = front.iter().map(|(name, _)| *name).collect();
/// assert_eq!(names, ["small", "better"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Front<K> {
    members: Vec<(K, Vec<f64>)>,
}

/// Whether a point is in a [`Front`] from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is; those that it dominates have left. Equal points stand beside each other.
    In,
    /// One in the front dominates it, or it is incomplete.
    Dominated,
}

impl<K> Front<K> {
    /// Nobody is in it.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// A point comes, called `key`.
    pub fn insert(&mut self, key: K, point: Vec<f64>) -> Entry {
        if !is_complete(&point) || self.members.iter().any(|(_, member)| dominates(member, &point)) {
            return Entry::Dominated;
        }
        self.members.retain(|(_, member)| !dominates(&point, member));
        self.members.push((key, point));
        Entry::In
    }

    /// Its points, in the order in which they came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &[f64])> {
        self.members.iter().map(|(key, point)| (key, point.as_slice()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The keys of its points, in the order in which they came.
    pub fn into_keys(self) -> impl ExactSizeIterator<Item = K> {
        self.members.into_iter().map(|(key, _)| key)
    }
}
