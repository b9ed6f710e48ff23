//! What must hold of the searcher as a whole.

use super::*;
use crate::logic::ids::RunId;
use crate::logic::metrics::Counters;
use crate::logic::space::{choice, int, log_int, uniform};

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

fn made(space: &Space, seed: u64) -> CmaEs {
    let mut cma = CmaEs::new(space.clone(), seed).expect("it can be modelled");
    cma.prepare(Some(&Objective::min("loss"))).expect("it is set well");
    cma
}

fn ask(cma: &mut CmaEs, number: u32) -> Config {
    match cma.suggest(trial(number)) {
        Ok(Suggestion::Next(config)) => config,
        other => panic!("it goes on: {other:?}"),
    }
}

fn tell(cma: &mut CmaEs, number: u32, value: f64) {
    let metrics = Metrics::from([("loss", value)]);
    let report = Counters::default().stamp(trial(number), metrics, std::time::Duration::ZERO, 0.0);
    cma.on_end(trial(number), Ending::Done, Some(&report));
}

/// The values of so many trials, and what was tried.
fn run(cma: &mut CmaEs, trials: std::ops::Range<u32>, value: &dyn Fn(&Config) -> f64) -> Vec<(f64, Config)> {
    let one = |number| {
        let config = ask(cma, number);
        tell(cma, number, value(&config));
        (value(&config), config)
    };
    trials.map(one).collect()
}

fn least(tried: &[(f64, Config)]) -> f64 {
    tried.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min)
}

fn number(config: &Config, name: &str) -> f64 {
    config.number(name).unwrap_or(f64::NAN)
}

/// A search that has settled on one whole number finds a better one beside it.
#[test]
fn a_wrong_whole_number_is_left() {
    let space = (0..4).fold(Space::new(), |space, axis| space.with(format!("n{axis}"), int(0, 40)));
    let space = space.with("x", uniform(0.0, 1.0));
    let value = |config: &Config| {
        let whole: f64 = (0..4).map(|axis| (number(config, &format!("n{axis}")) / 40.0 - 0.7).powi(2)).sum();
        whole + (number(config, "x") - 0.3).powi(2)
    };
    for seed in 0..10 {
        let found = least(&run(&mut made(&space, seed), 0..500, &value));
        assert!(found < 1e-4, "{seed}: {found}");
    }
}

#[test]
fn options_are_learnt_beside_numbers() {
    let space = Space::new()
        .with("x", uniform(0.0, 1.0))
        .with("y", uniform(0.0, 1.0))
        .with("a", choice(["p", "q", "r", "s"]))
        .with("b", choice([1, 2, 3]));
    let value = |config: &Config| {
        let is = |name: &str, text: &str| config.value(name).and_then(|value| value.as_str()) == Some(text);
        let wrong = f64::from(u8::from(!is("a", "r"))) + f64::from(u8::from(number(config, "b") != 2.0));
        0.3 * wrong + (number(config, "x") - 0.2).powi(2) + (number(config, "y") - 0.6).powi(2)
    };
    for seed in 0..5 {
        let tried = run(&mut made(&space, seed), 0..200, &value);
        assert!(least(&tried) < 1e-3, "{seed}: {}", least(&tried));
        let right = tried[150..].iter().filter(|(value, _)| *value < 0.3).count();
        assert!(right > 20, "{seed}: {right} of 50; by chance it would be 4");
    }
}

/// What has settled begins anew, twice as broad, where all is a plateau and where steps become too small.
#[test]
fn it_begins_anew_when_nothing_more_is_expected() {
    let numbers = Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
    let whole = Space::new().with("n", int(0, 1_000)).with("m", log_int(1, 10_000));
    let bowl = |config: &Config| (number(config, "x") - 0.5).powi(2) + (number(config, "y") - 0.5).powi(2);
    let flat = |_: &Config| 1.0;
    let all: [(&Space, &dyn Fn(&Config) -> f64); 3] = [(&numbers, &bowl), (&numbers, &flat), (&whole, &flat)];
    for (number, (space, value)) in all.into_iter().enumerate() {
        let mut cma = made(space, 5);
        let before = cma.model.population();
        run(&mut cma, 0..1_000, value);
        assert!(cma.restarts > 0, "{number}");
        assert_eq!(cma.model.population(), before << cma.restarts, "{number}");
    }
}

/// Two valleys, the better of which is further off.
#[test]
fn a_restart_finds_the_other_valley() {
    let space = Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
    let value = |config: &Config| {
        let away = |place: f64| (number(config, "x") - place).powi(2) + (number(config, "y") - place).powi(2);
        (away(0.6) + 0.1).min(4.0 * away(0.12))
    };
    let found =
        |trials: u32| (0..10).filter(|seed| least(&run(&mut made(&space, *seed), 0..trials, &value)) < 0.05).count();
    let (early, late) = (found(150), found(3_000));
    assert!(early <= 5 && late >= 8, "{early}, then {late} of 10");
}

/// In a small space each place is tried once, however sure it has become.
#[test]
fn a_finite_space_is_tried_in_full() {
    let inner = Space::new().with("kind", "b").with("n", int(0, 5));
    let space = Space::new().with("m", int(0, 6)).with("o", choice([Space::new().with("kind", "a"), inner]));
    let value = |config: &Config| (number(config, "m") - 2.0).abs() + number(config, "o/n").max(0.0);
    let mut cma = made(&space, 3);
    let mut tried: Vec<String> =
        run(&mut cma, 0..36, &value).into_iter().map(|(_, config)| config.to_string()).collect();
    tried.sort();
    tried.dedup();
    assert_eq!(tried.len(), 36);
    assert_eq!(run(&mut cma, 36..50, &value).len(), 14, "and then it goes on");
}

/// Ranges and options that go and come back, while trials run.
#[test]
fn it_goes_on_in_a_space_that_is_changed() {
    let space = Space::new().with("x", uniform(0.0, 1.0)).with("n", int(0, 10)).with("kind", choice(["a", "b", "c"]));
    let changes = [
        Space::new().with("n", int(4, 8)).with("kind", choice(["c", "a"])),
        Space::new().with("x", uniform(0.5, 3.0)).with("n", int(0, 100)).with("kind", choice(["d", "c"])),
        Space::new(),
    ];
    let value = |config: &Config| (number(config, "x") - 0.7).powi(2) + (number(config, "n") - 6.0).abs();
    let mut cma = made(&space, 3);
    let mut next = 0;
    for changes in &changes {
        run(&mut cma, next..next + 40, &value);
        let live: Vec<(u32, Config)> = (next + 40..next + 44).map(|number| (number, ask(&mut cma, number))).collect();
        let now = cma.space_with(changes).expect("it can be modelled");
        cma.set_space(changes);
        live.iter().for_each(|(number, config)| tell(&mut cma, *number, value(config)));
        next += 44;
        for (_, config) in run(&mut cma, next..next + 20, &value) {
            assert_eq!(now.contains(&config), Ok(()), "{config}");
        }
        next += 20;
    }
    assert!(least(&run(&mut cma, next..next + 100, &value)) < 0.01);
}
