//! Functions whose least value is known, each with the space that it is searched in.

use std::f64::consts::PI;

use tryout::logic::config::Config;
use tryout::logic::space::{Space, choice, int, log_uniform, uniform};

/// A function to be made as small as possible.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// Its least value.
    pub(crate) least: f64,
    pub(crate) space: fn() -> Space,
    pub(crate) value: fn(&Config) -> f64,
}

/// All of them.
pub(crate) const FUNCTIONS: [Function; 5] = [
    Function { name: "Branin", least: 0.397_887, space: || plane(-5.0, 10.0, 0.0, 15.0), value: branin },
    Function { name: "Hartmann-6", least: -3.322_37, space: || cube(6, 0.0, 1.0), value: hartmann },
    Function { name: "Rosenbrock-4", least: 0.0, space: || cube(4, -2.0, 2.0), value: rosenbrock },
    Function { name: "Ackley-5", least: 0.0, space: || cube(5, -32.768, 32.768), value: ackley },
    Function { name: "mixed", least: 0.0, space: mixed_space, value: mixed },
];

fn plane(x0: f64, x1: f64, y0: f64, y1: f64) -> Space {
    Space::new().with("x0", uniform(x0, x1)).with("x1", uniform(y0, y1))
}

fn cube(dimensions: usize, low: f64, high: f64) -> Space {
    (0..dimensions).fold(Space::new(), |space, number| space.with(format!("x{number}"), uniform(low, high)))
}

fn numbers(config: &Config) -> Vec<f64> {
    (0..).map_while(|number| config.number(&format!("x{number}"))).collect()
}

/// Dixon and Szegö 1978.
fn branin(config: &Config) -> f64 {
    let x = numbers(config);
    let (b, c) = (5.1 / (4.0 * PI * PI), 5.0 / PI);
    (x[1] - b * x[0] * x[0] + c * x[0] - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos() + 10.0
}

/// Dixon and Szegö 1978.
fn hartmann(config: &Config) -> f64 {
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    let x = numbers(config);
    let distance = |row: usize| (0..6).map(|at| A[row][at] * (x[at] - P[row][at]).powi(2)).sum::<f64>();
    -(0..4).map(|row| HEIGHTS[row] * (-distance(row)).exp()).sum::<f64>()
}

/// Rosenbrock 1960, in more dimensions.
fn rosenbrock(config: &Config) -> f64 {
    let x = numbers(config);
    x.windows(2).map(|pair| 100.0 * (pair[1] - pair[0] * pair[0]).powi(2) + (1.0 - pair[0]).powi(2)).sum()
}

/// Ackley 1987.
fn ackley(config: &Config) -> f64 {
    let x = numbers(config);
    let count = x.len() as f64;
    let squares = x.iter().map(|x| x * x).sum::<f64>() / count;
    let waves = x.iter().map(|x| (2.0 * PI * x).cos()).sum::<f64>() / count;
    -20.0 * (-0.2 * squares.sqrt()).exp() - waves.exp() + 20.0 + std::f64::consts::E
}

fn mixed_space() -> Space {
    Space::new()
        .with("rate", log_uniform(1e-5, 1.0))
        .with("depth", int(1, 11))
        .with("kind", choice(["a", "b", "c", "d"]))
        .with("norm", choice(["none", "batch", "layer"]))
        .with("drop", uniform(0.0, 0.9))
}

/// Something like a network's loss: the best rate depends on the kind, and some choices are just worse.
fn mixed(config: &Config) -> f64 {
    let number = |name: &str| config.number(name).unwrap_or(f64::NAN);
    let word = |name: &str| config.value(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let (best_rate, kind) = match word("kind").as_str() {
        "a" => (-2.0, 0.0),
        "b" => (-3.0, 0.3),
        "c" => (-1.0, 0.6),
        _ => (-4.0, 1.0),
    };
    let norm = match word("norm").as_str() {
        "batch" => 0.0,
        "layer" => 0.2,
        _ => 0.7,
    };
    let rate = (number("rate").log10() - best_rate).powi(2);
    let depth = ((number("depth") - 6.0) / 3.0).powi(2);
    rate + depth + kind + norm + (2.0 * (number("drop") - 0.25)).powi(2)
}
