//! Functions of the kind that COCO has (Hansen et al. 2021), each with its least value, 0, at a given point of -5 to 5: rotated, but without
//! the small irregularities.

use std::f64::consts::PI;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

type Numbers = Vec<f64>;

/// A function of a point.
pub(crate) type Value = Box<dyn Fn(&[f64]) -> f64>;

/// Where a function turns about, and how.
struct Frame {
    best: Numbers,
    first: Vec<Numbers>,
    second: Vec<Numbers>,
}

impl Frame {
    fn new(best: &[f64], random: &mut ChaCha8Rng) -> Self {
        let size = best.len();
        Self { best: best.to_vec(), first: rotation(size, random), second: rotation(size, random) }
    }

    fn shifted(&self, x: &[f64]) -> Numbers {
        x.iter().zip(&self.best).map(|(x, best)| x - best).collect()
    }

    fn rotated(&self, x: &[f64]) -> Numbers {
        turned(&self.first, &self.shifted(x))
    }

    /// Rotated, and stretched up to `most` times along the axes.
    fn stretched(&self, x: &[f64], most: f64) -> Numbers {
        self.rotated(x).iter().enumerate().map(|(place, z)| most.powf(way(place, x.len())) * z).collect()
    }

    fn twice(&self, x: &[f64], most: f64) -> Numbers {
        turned(&self.second, &self.stretched(x, most))
    }

    /// With the valley's end at 1.
    fn valley(&self, z: &[f64]) -> Numbers {
        let scale = 1.0_f64.max((z.len() as f64).sqrt() / 8.0);
        z.iter().map(|z| scale * z + 1.0).collect()
    }
}

/// How far an axis is on the way from the first to the last.
fn way(place: usize, size: usize) -> f64 {
    if size > 1 { place as f64 / (size - 1) as f64 } else { 0.0 }
}

fn turned(rows: &[Numbers], x: &[f64]) -> Numbers {
    rows.iter().map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

fn rotation(size: usize, random: &mut ChaCha8Rng) -> Vec<Numbers> {
    let mut rows: Vec<Numbers> =
        (0..size).map(|_| (0..size).map(|_| StandardNormal.sample(random)).collect()).collect();
    for place in 0..size {
        let (before, rest) = rows.split_at_mut(place);
        let row = &mut rest[0];
        for other in before.iter() {
            let part: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= part * b);
        }
        let length = row.iter().map(|a| a * a).sum::<f64>().sqrt();
        row.iter_mut().for_each(|a| *a /= length);
    }
    rows
}

fn ellipsoid(z: &[f64], most: f64) -> f64 {
    z.iter().enumerate().map(|(place, part)| most.powf(way(place, z.len())) * part * part).sum()
}

fn rastrigin(z: &[f64]) -> f64 {
    let waves: f64 = z.iter().map(|z| (2.0 * PI * z).cos()).sum();
    10.0 * (z.len() as f64 - waves) + z.iter().map(|z| z * z).sum::<f64>()
}

/// One step of Rosenbrock's valley.
fn bend(pair: &[f64]) -> f64 {
    100.0 * (pair[0] * pair[0] - pair[1]).powi(2) + (pair[0] - 1.0).powi(2)
}

fn rosenbrock(z: &[f64]) -> f64 {
    z.windows(2).map(bend).sum()
}

/// The function of this name about `best`.
pub(crate) fn function(name: &str, best: Numbers, seed: u64) -> Value {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let frame = Frame::new(&best, &mut random);
    match name {
        "sphere" => Box::new(move |x| frame.shifted(x).iter().map(|z| z * z).sum()),
        "ellipsoid" => Box::new(move |x| ellipsoid(&frame.shifted(x), 1e6)),
        "ellipsoid_rot" => Box::new(move |x| ellipsoid(&frame.rotated(x), 1e6)),
        "rastrigin" => Box::new(move |x| rastrigin(&frame.shifted(x))),
        "rastrigin_rot" => Box::new(move |x| rastrigin(&frame.twice(x, 10_f64.sqrt()))),
        "rosenbrock" => Box::new(move |x| rosenbrock(&frame.valley(&frame.shifted(x)))),
        "rosenbrock_rot" => Box::new(move |x| rosenbrock(&frame.valley(&frame.rotated(x)))),
        "sector" => Box::new(move |x| {
            let z = frame.twice(x, 10_f64.sqrt());
            let steep = |(z, best): (&f64, &f64)| (z * if z * best > 0.0 { 100.0 } else { 1.0 }).powi(2);
            z.iter().zip(&frame.best).map(steep).sum::<f64>().powf(0.9)
        }),
        "step_ellipsoid" => Box::new(move |x| {
            let z = frame.stretched(x, 10_f64.sqrt());
            let step = |z: &f64| if z.abs() > 0.5 { (0.5 + z).floor() } else { (0.5 + 10.0 * z).floor() / 10.0 };
            let stepped = turned(&frame.second, &z.iter().map(step).collect::<Numbers>());
            0.1 * (z[0].abs() / 1e4).max(ellipsoid(&stepped, 100.0))
        }),
        "cigar" => Box::new(move |x| {
            let z = frame.rotated(x);
            z[0] * z[0] + 1e6 * z[1..].iter().map(|z| z * z).sum::<f64>()
        }),
        "ridge" => Box::new(move |x| {
            let z = frame.rotated(x);
            z[0] * z[0] + 100.0 * z[1..].iter().map(|z| z * z).sum::<f64>().sqrt()
        }),
        "powers" => Box::new(move |x| {
            let z = frame.rotated(x);
            let power = |(place, part): (usize, &f64)| part.abs().powf(2.0 + 4.0 * way(place, z.len()));
            z.iter().enumerate().map(power).sum::<f64>().sqrt()
        }),
        "slope" => Box::new(move |x| {
            let part = |(place, x): (usize, &f64)| {
                let slope = frame.best[place].signum() * 10_f64.powf(way(place, frame.best.len()));
                5.0 * slope.abs() - slope * x
            };
            x.iter().enumerate().map(part).sum()
        }),
        other => rough(other, frame, &mut random),
    }
}

/// Those with many valleys.
fn rough(name: &str, frame: Frame, random: &mut ChaCha8Rng) -> Value {
    match name {
        "weierstrass" => Box::new(move |x| {
            let z = frame.twice(x, 0.1);
            let wave = |z: f64| -> f64 {
                (0..12).map(|k| 0.5_f64.powi(k) * (2.0 * PI * 3_f64.powi(k) * (z + 0.5)).cos()).sum()
            };
            let least: f64 = (0..12).map(|k| 0.5_f64.powi(k) * (PI * 3_f64.powi(k)).cos()).sum();
            let sum = z.iter().map(|z| wave(*z)).sum::<f64>() / z.len() as f64 - least;
            10.0 * sum.max(0.0).powi(3)
        }),
        "schaffer" => Box::new(move |x| {
            let z = frame.stretched(x, 10_f64.sqrt());
            let wave = |pair: &[f64]| {
                let s = pair[0].hypot(pair[1]);
                s.sqrt() * (1.0 + (50.0 * s.powf(0.2)).sin().powi(2))
            };
            (z.windows(2).map(wave).sum::<f64>() / (z.len() - 1) as f64).powi(2)
        }),
        "griewank_rosen" => Box::new(move |x| {
            let z = frame.valley(&frame.rotated(x));
            let wave = |pair: &[f64]| bend(pair) / 4_000.0 - bend(pair).cos();
            10.0 * z.windows(2).map(wave).sum::<f64>() / (z.len() - 1) as f64 + 10.0
        }),
        "gallagher21" => gallagher(21, frame, random),
        "gallagher101" => gallagher(101, frame, random),
        other => panic!("there is no function {other}"),
    }
}

/// So many hills, the first the highest.
fn gallagher(count: usize, frame: Frame, random: &mut ChaCha8Rng) -> Value {
    let size = frame.best.len();
    let hill = |number: usize| {
        let at: Numbers = match number {
            0 => frame.best.clone(),
            _ => (0..size).map(|_| random.random::<f64>() * 10.0 - 5.0).collect(),
        };
        let height = match number {
            0 => 10.0,
            _ => 1.1 + 8.0 * (number - 1) as f64 / (count - 2) as f64,
        };
        let shape = 1_000_f64.powf(random.random());
        let mut widths: Numbers =
            (0..size).map(|place| shape.powf(0.5 * way(place, size)) / shape.powf(0.25)).collect();
        (1..size).rev().for_each(|place| widths.swap(place, random.random_range(0..=place)));
        (at, height, widths)
    };
    let hills: Vec<(Numbers, f64, Numbers)> = (0..count).map(hill).collect();
    Box::new(move |x| {
        let height = |(at, height, widths): &(Numbers, f64, Numbers)| {
            let away: Numbers = x.iter().zip(at).map(|(x, at)| x - at).collect();
            let square: f64 = turned(&frame.first, &away).iter().zip(widths).map(|(z, width)| width * z * z).sum();
            height * (-square / (2.0 * size as f64)).exp()
        };
        (10.0 - hills.iter().map(height).fold(0.0, f64::max)).powi(2)
    })
}
