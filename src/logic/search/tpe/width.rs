//! How wide the kernels of a density are.

/// Which of the two densities it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Good,
    Bad,
}

/// No kernel is narrower than this part of its range.
const NARROWEST: f64 = 0.01;
/// How much narrower kernels may be in a space of many axes than in one of two.
const MOST_FINER: f64 = 1.5;
/// A bad kernel is so wide beside what the rule says: this without an axis, more with each axis, and no more than all of it.
const BAD_PART: f64 = 0.5;
const BAD_PART_AN_AXIS: f64 = 0.03;
/// The weight of the options that a bad kernel didn't take, divided by the number of kernels; 1 for a good one.
const SMOOTH_BAD: f64 = 3.0;
/// A good kernel on whole numbers is at least so many steps wide.
const LEAST_STEPS: f64 = 0.5;
/// A bad one is so much narrower than the rule for numbers says.
const BAD_CELLS: f64 = 0.5;

/// A kernel isn't narrower than this: with few of them each stands for more of the range.
fn narrowest(parts: &[Option<f64>], finer: f64) -> f64 {
    (1.0 / (finer * (here(parts) as f64 + 2.0))).max(NARROWEST)
}

/// With more axes the product of all widths is small, and what is good lies closer together on each.
fn finer(axes: usize) -> f64 {
    (0.5 + axes as f64 / 4.0).clamp(1.0, MOST_FINER)
}

fn here(parts: &[Option<f64>]) -> usize {
    parts.iter().flatten().count()
}

/// For each kernel the distance to the farther of its neighbours, to the bound for the outermost only if there is no other kernel.
pub(super) fn by_neighbours(parts: &[Option<f64>], axes: usize) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = parts.iter().enumerate().filter_map(|(at, part)| Some(((*part)?, at))).collect();
    order.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut widths = vec![1.0; parts.len()];
    let narrowest = narrowest(parts, finer(axes));
    let last = order.len().saturating_sub(1);
    for (rank, (part, at)) in order.iter().enumerate() {
        let left = rank.checked_sub(1).map(|left| part - order[left].0);
        let right = order.get(rank + 1).map(|right| right.0 - part);
        let width = match (left, right) {
            (Some(left), Some(right)) => left.max(right),
            (Some(one), None) | (None, Some(one)) if last > 0 => one,
            _ => part.max(1.0 - part),
        };
        widths[*at] = width.clamp(narrowest, 1.0);
    }
    widths
}

/// One width for all kernels of an axis: Scott's rule for a density over so many axes, and less than that if they are few. There the bad
/// ones are known well, and too wide a density of them would hide valleys that lie between them.
pub(super) fn even(parts: &[Option<f64>], shares: &[f64], axes: usize) -> f64 {
    let part = (BAD_PART + BAD_PART_AN_AXIS * axes as f64).min(1.0);
    (part * scott(parts, shares, axes)).clamp(narrowest(parts, finer(axes)), 1.0)
}

fn scott(parts: &[Option<f64>], shares: &[f64], axes: usize) -> f64 {
    let each = || parts.iter().zip(shares).filter_map(|(part, share)| Some(((*part)?, *share)));
    let sum: f64 = each().map(|(_, share)| share).sum();
    if sum <= 0.0 {
        return 1.0;
    }
    let mean = each().map(|(part, share)| part * share).sum::<f64>() / sum;
    let square = each().map(|(part, share)| share * (part - mean) * (part - mean)).sum::<f64>() / sum;
    square.sqrt() * (here(parts) as f64).powf(-1.0 / (axes as f64 + 4.0))
}

/// One width for all kernels on whole numbers.
pub(super) fn on_cells(parts: &[Option<f64>], shares: &[f64], axes: usize, steps: usize, role: Role) -> f64 {
    let width = scott(parts, shares, axes);
    let width = match role {
        Role::Good => width.max(LEAST_STEPS / steps.max(1) as f64),
        Role::Bad => width * BAD_CELLS,
    };
    width.clamp(narrowest(parts, 1.0), 1.0)
}

/// The weight of each option beside the one that was taken, whose weight is 1 more.
pub(super) fn smoothing(parts: &[Option<f64>], role: Role) -> f64 {
    let weight = match role {
        Role::Good => 1.0,
        Role::Bad => SMOOTH_BAD,
    };
    weight / (here(parts) as f64 + 1.0)
}
