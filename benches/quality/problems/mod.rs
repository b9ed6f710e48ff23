//! Problems by suites, a set to tune on and one that is held out: for comparisons with peers, which ask this program for the values
//! (`serve`), so that all have the same.

mod coco;
mod models;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tryout::logic::config::Config;
use tryout::logic::space::{Domain, Space, choice, int, uniform};

use coco::Value;

/// What values an axis has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// From 0 to 1.
    Number,
    /// Whole, from 0 to below this.
    Whole(u64),
    /// So many options, by their numbers.
    Options(u64),
}

/// One axis; it may be there only where the first axis takes this option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) kind: Kind,
    pub(crate) when: Option<u64>,
}

impl Axis {
    fn always(kind: Kind) -> Self {
        Self { kind, when: None }
    }

    fn draw(self, random: &mut ChaCha8Rng) -> f64 {
        match self.kind {
            Kind::Number => random.random(),
            Kind::Whole(count) | Kind::Options(count) => random.random_range(0..count) as f64,
        }
    }
}

/// A function to be made small.
pub(crate) struct Problem {
    pub(crate) set: &'static str,
    pub(crate) suite: String,
    pub(crate) name: String,
    pub(crate) axes: Vec<Axis>,
    noise: f64,
    value: Value,
    least: f64,
    /// How much better than the best tenth of all points one can be.
    scale: f64,
}

impl Problem {
    /// How much a point is above the least value. What doesn't count is NaN.
    pub(crate) fn regret(&self, x: &[f64]) -> f64 {
        ((self.value)(x) - self.least).max(0.0)
    }

    /// The same with noise.
    pub(crate) fn observed(&self, x: &[f64], seed: u64, trial: u64) -> f64 {
        let regret = self.regret(x);
        if self.noise == 0.0 {
            return regret;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(7919) ^ 0xabc);
        random.set_stream(trial);
        let (factor, term): (f64, f64) = (StandardNormal.sample(&mut random), StandardNormal.sample(&mut random));
        regret * (self.noise * factor).exp() + self.noise * 0.1 * self.scale * term
    }

    pub(crate) fn space(&self) -> Space {
        let domain = |axis: &Axis| -> Domain {
            match axis.kind {
                Kind::Number => uniform(0.0, 1.0).into(),
                Kind::Whole(count) => int(0, count as i64).into(),
                Kind::Options(count) => choice(0..count as i64),
            }
        };
        let conditional = self.axes.iter().any(|axis| axis.when.is_some());
        let numbered = || self.axes.iter().enumerate();
        let mut space = Space::new();
        for (number, axis) in numbered().filter(|(_, axis)| axis.when.is_none()) {
            if let (0, true, Kind::Options(count)) = (number, conditional, axis.kind) {
                let option = |option: u64| {
                    let inside = numbered().filter(|(_, axis)| axis.when == Some(option));
                    let space = Space::new().with("kind", option as i64);
                    inside.fold(space, |space, (number, axis)| space.with(format!("x{number}"), domain(axis)))
                };
                space = space.with("x0", choice((0..count).map(option)));
            } else {
                space = space.with(format!("x{number}"), domain(axis));
            }
        }
        space
    }

    /// The values of a configuration of that space.
    pub(crate) fn point(&self, config: &Config) -> Vec<f64> {
        let number = |number: usize| {
            let paths = [format!("x{number}"), format!("x0/x{number}"), "x0/kind".to_owned()];
            let paths = if number == 0 { &paths[..] } else { &paths[..2] };
            paths.iter().find_map(|path| config.number(path)).unwrap_or(f64::NAN)
        };
        (0..self.axes.len()).map(number).collect()
    }

    /// One line: set, suite, name, axes; an axis is its kind, its count, and the option of the first axis under which it is, or -1.
    pub(crate) fn line(&self) -> String {
        let axis = |axis: &Axis| {
            let (kind, count) = match axis.kind {
                Kind::Number => ("number", 0),
                Kind::Whole(count) => ("whole", count),
                Kind::Options(count) => ("options", count),
            };
            format!("{kind} {count} {}", axis.when.map_or(-1, |option| option as i64))
        };
        let axes: Vec<String> = self.axes.iter().map(axis).collect();
        format!("{};{};{};{}", self.set, self.suite, self.name, axes.join(","))
    }
}

/// What a problem is before its scale is known.
struct Draft {
    suite: String,
    name: String,
    axes: Vec<Axis>,
    noise: f64,
    value: Value,
    /// If it is known.
    least: Option<f64>,
    seed: u64,
}

impl Draft {
    fn finish(self, set: &'static str) -> Problem {
        let Self { suite, name, axes, noise, value, least, seed } = self;
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5ca1e);
        let mut values: Vec<f64> = (0..2000).map(|_| value(&models::anywhere(&axes, &mut random))).collect();
        values.sort_by(f64::total_cmp);
        let least = least.unwrap_or_else(|| models::least(&axes, &value, values[0], &mut random));
        let scale = values[values.len() / 10] - least;
        Problem { set, suite, name, axes, noise, value, least, scale }
    }
}

const SETS: [(&str, &[&str], u64); 2] = [
    ("dev", &["sphere", "ellipsoid_rot", "rastrigin", "rosenbrock", "gallagher21", "schaffer", "cigar"], 1000),
    (
        "held",
        &[
            "ellipsoid",
            "sector",
            "step_ellipsoid",
            "rastrigin_rot",
            "rosenbrock_rot",
            "ridge",
            "powers",
            "weierstrass",
            "gallagher101",
            "slope",
        ],
        2000,
    ),
];

/// All of them.
pub(crate) fn all() -> Vec<Problem> {
    SETS.iter().flat_map(|(set, names, base)| suites(names, *base).into_iter().map(|draft| draft.finish(set))).collect()
}

fn suites(names: &[&str], base: u64) -> Vec<Draft> {
    let mut all = Vec::new();
    let numbered = || names.iter().zip(0_u64..);
    for size in [2, 5, 10] {
        all.extend(numbered().map(|(name, number)| numbers(name, &format!("{size}-d"), size, 0.0, base + 31 * number)));
    }
    for size in [5, 10] {
        let whole = numbered().filter(|(name, _)| **name != "slope");
        all.extend(whole.map(|(name, number)| mixed(name, size, base + 300 + 31 * number + size as u64)));
    }
    for (name, number) in numbered().step_by(2) {
        for (size, noise) in [(2, 0.5), (5, 0.25)] {
            let noisy = numbers(name, "noisy", size, noise, base + 600 + 31 * number);
            all.push(Draft { name: format!("{name}-{size}"), ..noisy });
        }
    }
    all.extend((0..6).map(|number| models::conditional(base + 700 + number)));
    all.extend((0..8).map(|number| models::hyper(base + 800 + number)));
    all.extend((0..6).map(|number| models::table(base + 900 + number)));
    all
}

/// Where the least value is: anywhere but near the bounds.
fn best(size: usize, seed: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 77);
    (0..size).map(|_| random.random::<f64>() * 8.0 - 4.0).collect()
}

fn numbers(name: &str, suite: &str, size: usize, noise: f64, seed: u64) -> Draft {
    let seed = seed + size as u64;
    let function = coco::function(name, best(size, seed), seed);
    let value: Value = Box::new(move |x| function(&x.iter().map(|x| x * 10.0 - 5.0).collect::<Vec<_>>()));
    let axes = vec![Axis::always(Kind::Number); size];
    Draft { suite: suite.to_owned(), name: (*name).to_owned(), axes, noise, value, least: Some(0.0), seed }
}

/// As in bbob-mixint (Tušar, Brockhoff and Hansen 2019): a fifth of the axes each with 2, 4, 8 and 16 values, and a fifth with all.
fn mixed(name: &str, size: usize, seed: u64) -> Draft {
    let kind = |axis: usize| match [2, 4, 8, 16, 0][axis * 5 / size] {
        0 => Kind::Number,
        count => Kind::Whole(count),
    };
    let axes: Vec<Axis> = (0..size).map(|axis| Axis::always(kind(axis))).collect();
    let place = |kind: Kind, value: f64| match kind {
        Kind::Number => value * 10.0 - 5.0,
        Kind::Whole(count) | Kind::Options(count) => (value + 1.0) * 10.0 / (count + 1) as f64 - 5.0,
    };
    let mut best = best(size, seed);
    for (best, axis) in best.iter_mut().zip(&axes) {
        if let Kind::Whole(count) = axis.kind {
            let cell = (((*best + 5.0) / 10.0 * count as f64) as u64).min(count - 1);
            *best = place(axis.kind, cell as f64);
        }
    }
    let function = coco::function(name, best, seed);
    let kinds: Vec<Kind> = axes.iter().map(|axis| axis.kind).collect();
    let value: Value =
        Box::new(move |x| function(&x.iter().zip(&kinds).map(|(x, kind)| place(*kind, *x)).collect::<Vec<_>>()));
    Draft {
        suite: "mixint".to_owned(),
        name: format!("{name}-{size}"),
        axes,
        noise: 0.0,
        value,
        least: Some(0.0),
        seed,
    }
}
