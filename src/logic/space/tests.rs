//! Spaces that can't be used, configurations that don't belong, and what stays the same between draws.

use serde_json::json;

use super::*;
use crate::logic::config::Config;

fn refused(domain: impl Into<Domain>) -> String {
    let space = Space::new().with("net", Space::new().with("x", domain));
    let error = space.check().expect_err("the domain can't be used");
    // Whoever didn't check is told the same, or gets values that are right all the same; nothing panics.
    if let Err(other) = space.sample(1, 1) {
        assert_eq!(other, error);
    }
    error.to_string()
}

#[test]
fn bounds_that_make_no_sense() {
    assert_eq!(refused(uniform(1.0, 0.5)), "`net/x`: the lower bound is 1, but must be less than the upper bound 0.5");
    assert_eq!(refused(uniform(1.0, 1.0)), "`net/x`: the lower bound is 1, but must be less than the upper bound 1");
    assert_eq!(refused(uniform(0.0, f64::INFINITY)), "`net/x`: the upper bound is inf, but must be finite");
    assert_eq!(refused(uniform(f64::NAN, 1.0)), "`net/x`: the lower bound is NaN, but must be finite");
    assert_eq!(
        refused(log_uniform(0.0, 1.0)),
        "`net/x`: the lower bound is 0, but must be greater than 0 on a log scale"
    );
    assert_eq!(refused(int(5, 5)), "`net/x`: the lower bound is 5, but must be less than the upper bound 5");
    assert_eq!(refused(log_int(0, 5)), "`net/x`: the lower bound is 0, but must be at least 1 on a log scale");
    assert_eq!(refused(normal(0.0, 0.0)), "`net/x`: the standard deviation is 0, but must be greater than 0");
    assert_eq!(refused(normal(f64::NAN, 1.0)), "`net/x`: the mean is NaN, but must be finite");
}

#[test]
fn quanta_that_make_no_sense() {
    let step = "`net/x`: the quantum is";
    assert_eq!(refused(uniform(0.0, 1.0).quantized(0.0)), format!("{step} 0, but must be finite and greater than 0"));
    assert_eq!(refused(normal(0.0, 1.0).quantized(-1.0)), format!("{step} -1, but must be finite and greater than 0"));
    assert_eq!(refused(int(0, 10).quantized(-5)), format!("{step} -5, but must be at least 1"));
    assert_eq!(
        refused(uniform(0.0, 1.0).quantized(0.3)),
        format!("{step} 0.3, but must be a divisor of both bounds, and 1 is not its multiple")
    );
    assert_eq!(
        refused(int(1, 9).quantized(3)),
        format!("{step} 3, but must be a divisor of both bounds, and 1 is not its multiple")
    );
    let fine = "but must be large enough that its multiples can be told apart up to";
    assert_eq!(refused(uniform(0.0, 1e300).quantized(1e-300)), format!("{step} 1e-300, {fine} 1e300"));
    assert_eq!(refused(normal(9.0, 1.0).quantized(1e-20)), format!("{step} 1e-20, {fine} 109"));
}

#[test]
fn options_and_names_that_make_no_sense() {
    assert_eq!(refused(choice([0; 0])), "`net/x`: a choice needs at least one option, but has none");
    assert_eq!(refused(grid([0; 0])), "`net/x`: a grid needs at least one option, but has none");
    assert_eq!(refused(grid([choice([0; 0])])), "`net/x`: a choice needs at least one option, but has none");
    assert_eq!(refused(list([grid([0; 0])])), "`net/x/0`: a grid needs at least one option, but has none");
    assert!(refused(choice([grid([1, 2])])).starts_with("`net/x` is a grid inside a choice"));
    assert!(refused(Space::new().with("a/b", 1)).contains("must not contain `/`"));
    assert!(refused(Space::new().with("", 1)).contains("must not be empty"));
    let wide = || grid((0..1_000_000).map(Domain::from));
    let huge = (0..4).fold(Space::new(), |space, name| space.with(name.to_string(), wide()));
    assert_eq!(huge.check(), Err(SpaceError::TooManyPoints));
}

#[test]
fn functions_that_ask_for_what_is_not_there() {
    let space = Space::new().with("lr", 0.1).with("x", depends(|values| values.number("lrr")));
    let error = space.check().expect_err("there is no lrr");
    assert_eq!(error.to_string(), "the function of `x` asks for `lrr`, which is not in the space; there are lr, x");

    // What belongs to an option that wasn't taken is merely missing.
    let deep = Space::new().with("depth", 3);
    let depth = depends(|values| values.integer("net/depth"));
    let space = Space::new().with("net", grid([Domain::from("flat"), deep.into()])).with("depth", depth);
    let made = [0, 1].map(|number| space.sample(1, number).expect("can be drawn").to_string());
    assert_eq!(made, [r#"{"depth":null,"net":"flat"}"#, r#"{"depth":3,"net":{"depth":3}}"#]);
    let (fixed, _) = space.fix(&Config::new().with("net", "flat")).expect("net is there");
    assert_eq!(fixed.grid_size(), 1);
    let completed = space.complete(&Config::new().with("net", "flat"), 1, 1).expect("can be drawn");
    assert_eq!(completed.to_string(), r#"{"depth":null,"net":"flat"}"#);
}

#[test]
fn what_a_function_makes_of_unknown_values_is_dropped() {
    // It has an answer for a missing value, but is to have the real one.
    let space = Space::new()
        .with("a", depends(|values| values.number("b").unwrap_or(-1.0)))
        .with("b", depends(|_| 7.0))
        .with("c", depends(|values| values.get("net").map(|net| net["x"] == json!(7.0))))
        .with("net", Space::new().with("x", depends(|values| values.number("a"))));
    let made = space.sample(1, 0).expect("can be drawn");
    assert_eq!(made.to_string(), r#"{"a":7.0,"b":7.0,"c":true,"net":{"x":7.0}}"#);
}

#[test]
fn what_is_outside_and_why() {
    let space = Space::new()
        .with("n", int(1, 5))
        .with("kind", choice(["a", "b"]))
        .with("net", Space::new().with("width", grid([16, 32])));
    let reason = |value| {
        let config = Config::from_json(value).expect("the test wrote a map");
        space.contains(&config).map_err(|outside| outside.to_string())
    };
    let good = json!({"n": 4, "kind": "a", "net": {"width": 32.0}});
    let with = |pointer: &str, value: serde_json::Value| {
        let mut config = good.clone();
        *config.pointer_mut(pointer).expect("the test names what is there") = value;
        reason(config)
    };
    assert_eq!(reason(good.clone()), Ok(()));
    assert_eq!(with("/n", json!(5)), Err("`n` is 5, but must be an integer from 1 to 4".to_owned()));
    assert_eq!(with("/n", json!(2.5)), Err("`n` is 2.5, but must be an integer from 1 to 4".to_owned()));
    assert_eq!(with("/kind", json!("c")), Err("`kind` is \"c\", but must be one of: \"a\", \"b\"".to_owned()));
    assert_eq!(with("/net", json!(1)), Err("`net` is 1, but must be a map of width".to_owned()));
    assert_eq!(with("/net", json!({})), Err("`net/width` is missing, but must be one of: 16, 32".to_owned()));
    let more = json!({"width": 16, "height": 1});
    assert_eq!(with("/net", more), Err("`net/height` is 1, but must be left out: the names here are width".to_owned()));
}

#[test]
fn fixing_a_part_leaves_the_rest() {
    let space = Space::new()
        .with("fixed", json!({"a": 1, "b": {"c": 2}}))
        .with("items", list([Domain::from(uniform(0.0, 1.0)), int(0, 3).into()]))
        .with("x", uniform(0.0, 1.0));
    let values = json!({"fixed": {"b": {"c": 5}}, "items/1": 2});
    let values = Config::from_json(values).expect("the test wrote a map");
    let (fixed, outside) = space.fix(&values).expect("all keys are there");
    assert_eq!(outside.iter().map(ToString::to_string).collect::<Vec<_>>(), ["`fixed/b/c` is 5, but must be 2"]);
    let (before, after) = (space.sample(9, 4).expect("can be drawn"), fixed.sample(9, 4).expect("can be drawn"));
    assert_eq!(after.value("fixed"), Some(&json!({"a": 1, "b": {"c": 5}})));
    assert_eq!(after.number("items/1"), Some(2.0));
    assert_eq!((after.value("items/0"), after.value("x")), (before.value("items/0"), before.value("x")));
    for unknown in ["fixed/d", "items/2", "x/y", "z"] {
        let error = space.fix(&Config::new().with(unknown, 1)).expect_err("there is no such key");
        assert!(error.to_string().starts_with(&format!("`{unknown}` is not in the space")), "{error}");
    }
}

#[test]
fn variables_of_nested_choices() {
    let space = Space::new()
        .with("constant", 1)
        .with("net", choice([Space::new().with("depth", int(1, 5)), Space::new().with("width", grid_of(2))]))
        .with("items", list([Domain::from(1), uniform(0.0, 1.0).into()]));
    let found: Vec<(String, usize)> =
        space.variables().into_iter().map(|variable| (variable.path, variable.when.len())).collect();
    let expected = [("items/1", 0), ("net", 0), ("net/depth", 1), ("net/width", 1)];
    assert_eq!(found, expected.map(|(path, conditions)| (path.to_owned(), conditions)));
}

fn grid_of(options: i64) -> Domain {
    choice(0..options)
}

#[test]
fn values_are_spread_as_their_scale_says() {
    let draw = |domain: Domain| -> Vec<f64> {
        let space = Space::new().with("x", domain);
        (0..4000).map(|number| space.sample(11, number).expect("can be drawn").number("x").expect("is set")).collect()
    };
    let below = |values: &[f64], bound: f64| values.iter().filter(|&&value| value < bound).count();
    let near = |count: usize, expected: usize| count.abs_diff(expected) < 200;

    let linear = draw(uniform(0.0, 1000.0).into());
    assert!(near(below(&linear, 500.0), 2000) && near(below(&linear, 100.0), 400));
    let log = draw(log_uniform(1.0, 1000.0).into());
    assert!(near(below(&log, 10.0), 1333) && near(below(&log, 100.0), 2667));
    let whole = draw(log_int(1, 1000).into());
    assert!(near(below(&whole, 10.0), 1333) && whole.iter().all(|value| (1.0..1000.0).contains(value)));
    let bell = draw(normal(5.0, 2.0).into());
    assert!(near(below(&bell, 5.0), 2000) && near(below(&bell, 3.0), 635));
    let tenths = draw(uniform(0.0, 1.0).quantized(0.1).into());
    assert!(tenths.contains(&0.3) && tenths.contains(&0.7), "no 0.30000000000000004");
    assert!(near(below(&tenths, 0.05), 364), "the ends are as likely as the rest");
    let fives = draw(log_int(5, 500).quantized(5).into());
    assert!(fives.iter().all(|value| value % 5.0 == 0.0 && (5.0..=500.0).contains(value)));
}

#[test]
fn values_of_one_configuration_are_independent() {
    let half = || Domain::from(uniform(0.0, 1.0));
    let space = Space::new().with("a", half()).with("b", half()).with("c", choice([half(), half()]));
    let made: Vec<Config> = (0..4000).map(|number| space.sample(5, number).expect("can be drawn")).collect();
    for (one, other) in [("a", "b"), ("a", "c"), ("b", "c")] {
        let low = |config: &&Config, name| config.number(name).is_some_and(|value| value < 0.5);
        let both = made.iter().filter(|config| low(config, one) && low(config, other)).count();
        assert!(both.abs_diff(1000) < 150, "{one} and {other} are both low {both} times");
    }
    // Were the inner choice decided by the draw of the outer one, 1 and 2 could not come.
    let space = Space::new().with("nested", choice([choice([0, 1]), choice([2, 3])]));
    let seen = (0..200).filter_map(|number| space.sample(5, number).ok()?.value("nested").cloned()?.as_i64());
    assert_eq!(seen.collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn extreme_ranges_are_drawn_from() {
    let space = Space::new()
        .with("wide", uniform(f64::MIN, f64::MAX))
        .with("all", int(i64::MIN, i64::MAX))
        .with("log", log_int(1, i64::MAX))
        .with("tiny", log_uniform(f64::MIN_POSITIVE, f64::MAX))
        .with("far", normal(f64::MAX, f64::MAX));
    for number in 0..200 {
        let made = space.sample(2, number).expect("can be drawn");
        space.contains(&made).expect("is within bounds");
    }
}
