//! The evolution of configurations: that it finds fronts, and what it makes of failures and of outcomes from elsewhere.

mod common;

use common::trial;
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::pareto::Front;
use tryout::logic::search::{Crossover, Nsga2, Searcher, Suggestion, Variants};
use tryout::prelude::*;

fn objectives() -> [Objective; 2] {
    [Objective::min("f1"), Objective::min("f2")]
}

fn report(trial: TrialId, f: [f64; 2]) -> Report {
    Report { metrics: Metrics::from([("f1", f[0]), ("f2", f[1])]), ..Report::empty(trial) }
}

fn suggested(searcher: &mut dyn Searcher, trial: TrialId) -> Config {
    match searcher.suggest(trial).expect("it doesn't fail") {
        Suggestion::Next(config) => config,
        other => panic!("it says {other:?}"),
    }
}

/// Tries `trials` suggestions, `live` of them at a time, and gives the points that were found.
fn run(searcher: &mut dyn Searcher, function: impl Fn(&Config) -> [f64; 2], trials: u32, live: u32) -> Vec<[f64; 2]> {
    let mut found = Vec::new();
    let mut running = std::collections::VecDeque::new();
    for number in 0..trials {
        running.push_back((trial(number), suggested(searcher, trial(number))));
        while running.len() as u32 >= live.min(trials - number) {
            let Some((id, config)) = running.pop_front() else { break };
            let point = function(&config);
            searcher.on_end(id, Ending::Done, Some(&report(id, point)));
            found.push(point);
        }
    }
    found
}

/// The area that points dominate below `bound`, of which more is better.
fn area(points: &[[f64; 2]], bound: [f64; 2]) -> f64 {
    let mut front = Front::new();
    for point in points.iter().filter(|point| point[0] < bound[0] && point[1] < bound[1]) {
        front.insert(*point, vec![-point[0], -point[1]]);
    }
    let mut front: Vec<[f64; 2]> = front.into_keys().collect();
    front.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut lowest = bound[1];
    let slices = front.iter().map(|[f1, f2]| (bound[0] - f1) * (std::mem::replace(&mut lowest, *f2) - f2));
    slices.sum()
}

/// ZDT1 of Zitzler, Deb and Thiele 2000, with ten variables.
fn zdt1(config: &Config) -> [f64; 2] {
    let x = |index: usize| config.number(&format!("x{index}")).expect("it is there");
    let g = 1.0 + (1..10).map(x).sum::<f64>();
    [x(0), g * (1.0 - (x(0) / g).sqrt())]
}

fn ten() -> Space {
    (0..10).fold(Space::new(), |space, index| space.with(format!("x{index}"), uniform(0.0, 1.0)))
}

/// A net that is accurate if it is large, by way of a choice with variables of its own.
fn net(config: &Config) -> [f64; 2] {
    let number = |name: &str| config.number(name).unwrap_or(f64::NAN);
    let (size, fit) = match config.value("model/kind").and_then(|kind| kind.as_str()) {
        Some("tree") => (number("model/depth"), 1.0 / number("model/depth")),
        _ => (number("model/width") / 8.0, 0.5 / number("model/width").ln() + number("model/dropout").powi(2)),
    };
    [size, fit + (number("lr").log10() + 2.0).powi(2)]
}

fn nets() -> Space {
    let tree = Space::new().with("kind", "tree").with("depth", int(1, 16));
    let net = Space::new().with("kind", "net").with("width", log_int(2, 256)).with("dropout", uniform(0.0, 0.9));
    Space::new().with("lr", log_uniform(1e-5, 1.0)).with("model", choice([tree, net]))
}

/// The mean area over seeds.
fn mean(bound: [f64; 2], each: impl Fn(u64) -> Vec<[f64; 2]>) -> f64 {
    (0..8).map(|seed| area(&each(seed), bound)).sum::<f64>() / 8.0
}

fn random(space: Space, seed: u64) -> Variants {
    Variants::new(space, seed).expect("the space is fine").passes(Samples::Infinite)
}

fn evolved(space: Space, seed: u64) -> Nsga2 {
    Nsga2::new(space, &objectives(), seed).expect("the space is fine")
}

#[test]
fn it_finds_more_than_random_search() {
    // The whole area is 6.27, of which random search finds 4.1.
    let bound = [1.1, 6.0];
    let by_chance = mean(bound, |seed| run(&mut random(ten(), seed), zdt1, 500, 8));
    let sbx = Crossover::SimulatedBinary { eta: 20.0 };
    let found = mean(bound, |seed| run(&mut evolved(ten(), seed), zdt1, 500, 8));
    let binary = mean(bound, |seed| run(&mut evolved(ten(), seed).crossover(sbx), zdt1, 500, 8));
    assert!(found > by_chance + 1.2 && binary > by_chance + 1.0, "{found}, {binary} and {by_chance} by chance");
    let near = mean(bound, |seed| run(&mut evolved(ten(), seed).population(20), zdt1, 1000, 1));
    assert!(near > 6.0, "{near} of 6.27");
}

#[test]
fn it_copes_with_choices_and_what_is_in_them() {
    let bound = [32.0, 3.0];
    let by_chance = mean(bound, |seed| run(&mut random(nets(), seed), net, 400, 8));
    let found = mean(bound, |seed| run(&mut evolved(nets(), seed).population(20), net, 400, 8));
    assert!(found > by_chance + 0.4, "{found} and {by_chance} by chance");
}

#[test]
fn one_objective_is_enough() {
    let space = Space::new().with("x", uniform(-5.0, 5.0)).with("y", uniform(-5.0, 5.0));
    let mut searcher = Nsga2::new(space, &[Objective::max("f1")], 1).expect("the space is fine").population(10);
    let number = |config: &Config, name| config.number(name).expect("it is there");
    let peak = |config: &Config| [-(number(config, "x") - 1.0).powi(2) - (number(config, "y") + 2.0).powi(2), 0.0];
    let found = run(&mut searcher, peak, 300, 1);
    assert!(found.iter().any(|point| point[0] > -0.01), "{:?}", found.iter().map(|p| p[0]).fold(f64::MIN, f64::max));
}

/// Whoever fails, or reports what isn't a number, has no children.
#[test]
fn what_failed_is_worst() {
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let mut searcher = evolved(space, 2).population(10);
    let mut last = Vec::new();
    for number in 0..200 {
        let x = suggested(&mut searcher, trial(number)).number("x").expect("it is there");
        let good = report(trial(number), [x, 1.0 - x]);
        let without = Report { metrics: Metrics::from([("f1", -1.0)]), ..Report::empty(trial(number)) };
        match (x * 100.0) as u32 {
            0..30 => searcher.on_end(trial(number), Ending::Error, Some(&report(trial(number), [-9.0, -9.0]))),
            30..50 => searcher.on_end(trial(number), Ending::Done, Some(&report(trial(number), [-9.0, f64::NAN]))),
            50..60 => searcher.on_end(trial(number), Ending::Client, Some(&without)),
            60..70 => searcher.on_end(trial(number), Ending::Client, None),
            _ => searcher.on_end(trial(number), Ending::Scheduler, Some(&good)),
        }
        last.push(x);
    }
    let alive = last[100..].iter().filter(|x| **x >= 0.7).count();
    assert!(alive > 90, "{alive} of 100, where chance would have 30");
}

#[test]
fn it_learns_from_outcomes_of_others() {
    let space = || Space::new().with("x", uniform(0.0, 1.0)).with("kind", choice(["a", "b"]));
    let mut searcher = evolved(space(), 3).population(10);
    for number in 0..20_u32 {
        let config = Config::new().with("x", 0.5 + f64::from(number) * 1e-3).with("kind", "b");
        searcher.observe(&config, &Metrics::from([("f1", f64::from(number)), ("f2", -1.0)])).expect("it fits");
    }
    let mut near = |number| {
        let config = suggested(&mut searcher, trial(number));
        config.value("kind").and_then(|kind| kind.as_str()) == Some("b")
            && config.number("x").is_some_and(|x| (x - 0.5).abs() < 0.1)
    };
    let near = (0..50).filter(|number| near(*number)).count();
    assert!(near > 20, "{near} of 50 are like what was good");

    let config = Config::new().with("x", 0.5).with("kind", "b");
    let error = searcher.observe(&config, &Metrics::from([("f1", 1.0), ("f3", 1.0)])).expect_err("f2 is missing");
    assert_eq!(error.to_string(), "the outcome has no number `f2`; it has `f1`, `f3`");
    let outside = Config::new().with("x", 7.0).with("kind", "b");
    let error = searcher.observe(&outside, &Metrics::from([("f1", 1.0), ("f2", 1.0)])).expect_err("x is too large");
    assert!(error.to_string().contains("`x`") && error.to_string().contains('7'), "{error}");
}

/// A run that is told again under another size of the population goes on from what was tried.
#[test]
fn what_was_tried_is_told_again() {
    let (mut first, mut other) = (evolved(ten(), 5).population(20), evolved(ten(), 5).population(10));
    for number in 0..100 {
        let config = suggested(&mut first, trial(number));
        let point = zdt1(&config);
        other.replay(trial(number), &config).expect("it is in the space");
        for searcher in [&mut first, &mut other] {
            searcher.on_end(trial(number), Ending::Done, Some(&report(trial(number), point)));
        }
    }
    let first = area(&run(&mut first, zdt1, 100, 1), [1.1, 6.0]);
    let other = area(&run(&mut other, zdt1, 100, 1), [1.1, 6.0]);
    assert!(first > 4.2 && other > 4.2, "{first}, {other}: random search has 3.6 with 100");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |mut searcher: Nsga2| searcher.prepare(None).map_err(|error| error.to_string());
    let good = || evolved(ten(), 0);
    assert_eq!(refused(good()), Ok(()));
    let words = "Nsga2: `population` is 1, but must be at least 2";
    assert_eq!(refused(good().population(1)), Err(words.to_owned()));
    for (searcher, setting) in [
        (good().crossover_prob(1.5), "crossover_prob"),
        (good().mutation_prob(f64::NAN), "mutation_prob"),
        (good().mutation_eta(0.0), "mutation_eta"),
        (good().crossover(Crossover::SimulatedBinary { eta: f64::INFINITY }), "the crossover's eta"),
        (Nsga2::new(ten(), &[], 0).expect("fine"), "objectives"),
        (Nsga2::new(ten(), &[Objective::min("")], 0).expect("fine"), "objectives"),
    ] {
        assert!(refused(searcher).is_err_and(|error| error.contains(&format!("`{setting}`"))), "{setting}");
    }
    let mut none = Nsga2::new(ten(), &[], 0).expect("the space is fine");
    none.prepare(Some(&Objective::max("f1"))).expect("the experiment has one");
    assert_eq!(none.objectives(), [Objective::max("f1")]);
    assert!(Nsga2::new(Space::new().with("x", grid([1, 2])), &objectives(), 0).is_err(), "a grid isn't modelled");
}

#[test]
fn a_state_of_another_space_is_refused() {
    let mut first = evolved(ten(), 0);
    run(&mut first, zdt1, 60, 4);
    let state = first.save().expect("it has one");
    let error = evolved(nets(), 0).restore(state.clone()).expect_err("it has other variables");
    assert!(error.to_string().contains("`the space's variables` was x0, x1"), "{error}");
    let mut turned = Nsga2::new(ten(), &[Objective::min("f1"), Objective::max("f2")], 0).expect("fine");
    let error = turned.restore(state.clone()).expect_err("one objective is turned round");
    assert!(error.to_string().contains("was min f1, min f2 when it was saved and is min f1, max f2 now"), "{error}");
    let mut broken = state;
    broken["gathered"][0]["genes"] = serde_json::json!([0.5]);
    let before = first.save();
    let error = first.restore(broken).expect_err("nine genes are missing");
    assert!(error.to_string().contains("`genes` is 1 numbers, but must be 10 of them"), "{error}");
    assert_eq!(first.save(), before);
}
