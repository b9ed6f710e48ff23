//! How wide the kernels of a density are.

/// Which of the two densities it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Good,
    Bad,
}

/// No kernel is narrower than this part of its range.
const NARROWEST: f64 = 0.01;
/// How much the least probable option of a bad kernel has of what one observation has, shared by all kernels.
const SMOOTH_BAD: f64 = 3.0;
/// A good kernel on whole numbers is at least so many steps wide.
const LEAST_STEPS: f64 = 0.5;
/// A bad one is so much narrower than the rule for numbers says.
const BAD_CELLS: f64 = 0.5;

/// A kernel isn't narrower than one part of so many of the range: with few of them each stands for more.
fn most(parts: &[Option<f64>]) -> f64 {
    (here(parts) as f64 + 2.0).min(1.0 / NARROWEST)
}

fn here(parts: &[Option<f64>]) -> usize {
    parts.iter().flatten().count()
}

/// For each kernel the distance to the farther of its neighbours, to the bound for the outermost only if there is no other kernel.
pub(super) fn by_neighbours(parts: &[Option<f64>]) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> = parts.iter().enumerate().filter_map(|(at, part)| Some(((*part)?, at))).collect();
    order.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut widths = vec![1.0; parts.len()];
    let narrowest = 1.0 / most(parts);
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

/// One width for all kernels of an axis: Scott's rule for a density over so many axes.
pub(super) fn even(parts: &[Option<f64>], shares: &[f64], axes: usize) -> f64 {
    let each = || parts.iter().zip(shares).filter_map(|(part, share)| Some(((*part)?, *share)));
    let sum: f64 = each().map(|(_, share)| share).sum();
    if sum <= 0.0 {
        return 1.0;
    }
    let mean = each().map(|(part, share)| part * share).sum::<f64>() / sum;
    let square = each().map(|(part, share)| share * (part - mean) * (part - mean)).sum::<f64>() / sum;
    let width = square.sqrt() * (here(parts) as f64).powf(-1.0 / (axes as f64 + 4.0));
    width.clamp(1.0 / most(parts), 1.0)
}

/// One width for all kernels on whole numbers.
pub(super) fn on_cells(parts: &[Option<f64>], shares: &[f64], axes: usize, steps: usize, role: Role) -> f64 {
    let width = even(parts, shares, axes);
    let width = match role {
        Role::Good => width.max(LEAST_STEPS / steps.max(1) as f64),
        Role::Bad => width * BAD_CELLS,
    };
    width.clamp(1.0 / most(parts), 1.0)
}

/// The weight of each option beside the one that was taken, whose weight is 1 more.
pub(super) fn smoothing(parts: &[Option<f64>], role: Role) -> f64 {
    let weight = match role {
        Role::Good => 1.0,
        Role::Bad => SMOOTH_BAD,
    };
    weight / (here(parts) as f64 + 1.0)
}
