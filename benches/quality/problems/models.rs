//! Problems like the choice of a model's hyperparameters, drawn from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::coco::Value;
use super::{Axis, Draft, Kind};

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

/// A random point; what doesn't count is NaN.
pub(super) fn anywhere(axes: &[Axis], random: &mut ChaCha8Rng) -> Vec<f64> {
    let mut x = Vec::with_capacity(axes.len());
    for axis in axes {
        let counts = axis.when.is_none_or(|option| x.first() == Some(&(option as f64)));
        x.push(if counts { axis.draw(random) } else { f64::NAN });
    }
    x
}

/// The least value, by many searches along the axes; at most `least`.
pub(super) fn least(axes: &[Axis], value: &Value, mut least: f64, random: &mut ChaCha8Rng) -> f64 {
    for _ in 0..200 {
        let (mut x, mut reach) = (anywhere(axes, random), 0.3);
        let mut now = value(&x);
        for _ in 0..600 {
            let number = random.random_range(0..axes.len());
            if x[number].is_nan() {
                continue;
            }
            let mut y = x.clone();
            y[number] = match axes[number].kind {
                Kind::Number => (y[number] + reach * normal(random)).clamp(0.0, 1.0),
                _ => axes[number].draw(random),
            };
            if number == 0 {
                retake(axes, &mut y, random);
            }
            let then = value(&y);
            if then <= now {
                (x, now) = (y, then);
            } else {
                reach = (reach * 0.99_f64).max(1e-5);
            }
        }
        least = least.min(now);
    }
    least
}

/// Draws what counts now and didn't before.
fn retake(axes: &[Axis], y: &mut [f64], random: &mut ChaCha8Rng) {
    let first = y[0];
    for (part, axis) in y.iter_mut().zip(axes) {
        match axis.when {
            Some(option) if option as f64 != first => *part = f64::NAN,
            Some(_) if part.is_nan() => *part = axis.draw(random),
            _ => {}
        }
    }
}

/// A choice of an algorithm, each with parameters of its own, and shared ones.
pub(super) fn conditional(seed: u64) -> Draft {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let count = random.random_range(2..5_u64);
    let mut axes = vec![Axis::always(Kind::Options(count))];
    for _ in 0..random.random_range(1..4) {
        axes.push(Axis::always(if random.random::<f64>() < 0.3 { Kind::Whole(8) } else { Kind::Number }));
    }
    for option in 0..count {
        for _ in 0..random.random_range(1..4) {
            let kind = match random.random_range(0..4) {
                0 => Kind::Whole(random.random_range(3..12)),
                1 => Kind::Options(random.random_range(2..5)),
                _ => Kind::Number,
            };
            axes.push(Axis { kind, when: Some(option) });
        }
    }
    let offsets: Vec<f64> = (0..count).map(|_| random.random::<f64>() * 0.7).collect();
    let place = |_: &Axis| {
        let (centre, weight) = (0.1 + 0.8 * random.random::<f64>(), 1.0 + 3.0 * random.random::<f64>());
        (centre, weight, (0..12).map(|_| random.random()).collect())
    };
    let places: Vec<(f64, f64, Vec<f64>)> = axes.iter().map(place).collect();
    let (known, wave) = (axes.clone(), 3.0 + 6.0 * random.random::<f64>());
    let value: Value = Box::new(move |x| {
        let (mut value, mut before) = (offsets[x[0] as usize], 0.0);
        for ((x, axis), (centre, weight, table)) in x.iter().zip(&known).zip(&places).skip(1) {
            value += match axis.kind {
                _ if x.is_nan() => 0.0,
                Kind::Number => {
                    let z = x - centre + 0.3 * before;
                    before = x - centre;
                    weight * z * z + 0.05 * (1.0 - (wave * z).cos())
                }
                Kind::Whole(count) => weight * ((x + 0.5) / count as f64 - centre).powi(2),
                Kind::Options(_) => 0.5 * table[*x as usize],
            };
        }
        value
    });
    let name = format!("conditional-{seed}");
    Draft { suite: "conditional".to_owned(), name, axes, noise: 0.0, value, least: None, seed }
}

/// Rates, sizes and choices: few matter, some interact; a little noise.
pub(super) fn hyper(seed: u64) -> Draft {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let random = &mut random;
    let counts = (random.random_range(2..5), random.random_range(1..4), random.random_range(1..4));
    let (rates, sizes, choices): (usize, usize, usize) = counts;
    let mut axes = vec![Axis::always(Kind::Number); rates];
    axes.extend((0..sizes).map(|_| Axis::always(Kind::Whole([4, 8, 10, 20, 100][random.random_range(0..5)]))));
    axes.extend((0..choices).map(|_| Axis::always(Kind::Options(random.random_range(2..6)))));
    let size = axes.len();
    let weights: Vec<f64> = (0..size).map(|_| (-1.5 * normal(random).abs()).exp()).collect();
    let centres: Vec<f64> = (0..size).map(|_| 0.1 + 0.8 * random.random::<f64>()).collect();
    let tables: Vec<Vec<f64>> = (0..size).map(|_| (0..6).map(|_| random.random()).collect()).collect();
    let shifts: Vec<Vec<f64>> = (0..size).map(|_| (0..6).map(|_| 0.25 * normal(random)).collect()).collect();
    let mut pair = |_| (random.random_range(0..rates + sizes), random.random_range(0..rates + sizes), normal(random));
    let pairs: Vec<(usize, usize, f64)> = (0..size).map(&mut pair).collect();
    let kinds: Vec<Kind> = axes.iter().map(|axis| axis.kind).collect();
    let value: Value = Box::new(move |x| {
        let (mut value, mut z) = (0.0, vec![0.0; size]);
        for axis in 0..size {
            match kinds[axis] {
                // The first choice shifts what is best.
                Kind::Number => z[axis] = x[axis] - centres[axis] + shifts[axis][x[rates + sizes] as usize],
                Kind::Whole(count) => z[axis] = (x[axis] + 0.5) / count as f64 - centres[axis],
                Kind::Options(_) => value += 0.5 * weights[axis] * tables[axis][x[axis] as usize],
            }
        }
        let steep = |z: f64| if z > 0.0 { 3.0 } else { 1.5 };
        value += z.iter().zip(&weights).map(|(z, weight)| weight * steep(*z) * z * z).sum::<f64>();
        let both = |(i, j, part): &(usize, usize, f64)| 0.7 * part * z[*i] * z[*j] * (weights[*i] * weights[*j]).sqrt();
        value += pairs.iter().map(both).sum::<f64>();
        1.0 - (-value.max(-0.5)).exp()
    });
    let name = format!("hyper-{seed}");
    Draft { suite: "hyper".to_owned(), name, axes, noise: 0.02, value, least: None, seed }
}

/// A finite table: whole numbers and choices alone.
pub(super) fn table(seed: u64) -> Draft {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let random = &mut random;
    let size = random.random_range(3..8);
    let mut kind = |_| {
        let is_choice = random.random::<f64>() < 0.4;
        if is_choice { Kind::Options(random.random_range(2..6)) } else { Kind::Whole(random.random_range(3..9)) }
    };
    let axes: Vec<Axis> = (0..size).map(&mut kind).map(Axis::always).collect();
    let mut wave = |_| {
        let slopes: Vec<f64> = (0..size).map(|_| 1.2 * normal(random)).collect();
        (slopes, random.random::<f64>() * (628.0 / 100.0), normal(random))
    };
    let waves: Vec<(Vec<f64>, f64, f64)> = (0..40).map(&mut wave).collect();
    let tables: Vec<Vec<f64>> = (0..size).map(|_| (0..6).map(|_| random.random()).collect()).collect();
    let weights: Vec<f64> = (0..size).map(|_| (-normal(random).abs()).exp() * 2.0).collect();
    let kinds: Vec<Kind> = axes.iter().map(|axis| axis.kind).collect();
    let part = move |axis: usize, x: f64| match kinds[axis] {
        Kind::Whole(count) => x / (count - 1) as f64,
        Kind::Options(_) => tables[axis][x as usize],
        Kind::Number => x,
    };
    let value: Value = Box::new(move |x| {
        let z: Vec<f64> = x.iter().enumerate().map(|(axis, x)| weights[axis] * part(axis, *x)).collect();
        let height = |(slopes, phase, height): &(Vec<f64>, f64, f64)| {
            height * (slopes.iter().zip(&z).map(|(slope, z)| slope * z).sum::<f64>() + phase).cos()
        };
        waves.iter().map(height).sum::<f64>() / 6.0
    });
    let counts: Vec<u64> =
        axes.iter().map(|axis| if let Kind::Whole(n) | Kind::Options(n) = axis.kind { n } else { 1 }).collect();
    let place = |mut number: u64| -> Vec<f64> {
        let mut digit = |count: &u64| {
            let digit = number % count;
            number /= count;
            digit as f64
        };
        counts.iter().map(&mut digit).collect()
    };
    let least = (0..counts.iter().product()).map(|number| value(&place(number))).fold(f64::INFINITY, f64::min);
    let name = format!("table-{seed}");
    Draft { suite: "table".to_owned(), name, axes, noise: 0.0, value, least: Some(least), seed }
}
