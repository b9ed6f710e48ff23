//! The cases of the variant generator (V): grids, random values, functions of others, preset points, tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tryout::logic::config::Config;
use tryout::logic::search::{Searcher, Variants};
use tryout::logic::space::{Domain, Space, SpaceError, choice, depends, grid, int, list, log_uniform, tag, uniform};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn config(value: Value) -> Config {
    Config::from_json(value).expect("the test wrote a map")
}

fn all(variants: &Variants) -> Vec<Config> {
    (0..).map_while(|number| variants.config(number).expect("can be drawn")).collect()
}

fn numbers(configs: &[Config], path: &str) -> Vec<f64> {
    configs.iter().filter_map(|config| config.number(path)).collect()
}

#[test]
fn case_v_02_a_computed_constant() -> Outcome {
    let space = Space::new().with("foo", depends(|_| 2 + 2));
    let made = space.sample(1, 0)?;
    assert_eq!(made, config(json!({"foo": 4})));
    assert_eq!(space.evaluated(&made), [("foo".to_owned(), json!(4))]);
    assert_eq!(tag(0, &space.evaluated(&made)), "0_foo=4");
    Ok(())
}

#[test]
fn case_v_04_two_grids_and_a_function() -> Outcome {
    let space =
        Space::new().with("foo", grid([1, 2, 3])).with("bar", grid([true, false])).with("qux", depends(|_| 2 + 2));
    let variants = Variants::new(space.clone(), 1)?;
    let configs = all(&variants);
    assert_eq!(variants.total(), Some(6));
    assert_eq!(tag(0, &space.evaluated(&configs[0])), "0_bar=True,foo=1,qux=4");
    // The first by path, bar, varies fastest.
    let pairs: Vec<_> = configs.iter().map(|config| (config.value("bar").cloned(), config.number("foo"))).collect();
    assert_eq!(pairs[1], (Some(json!(false)), Some(1.0)));
    assert_eq!(pairs[2], (Some(json!(true)), Some(2.0)));
    assert_eq!(pairs[5], (Some(json!(false)), Some(3.0)));
    Ok(())
}

#[test]
fn case_v_05_functions_of_functions() -> Outcome {
    // Named so that the order of the names is not the order of the dependencies.
    let space = Space::new()
        .with("x", 1)
        .with("b", depends(|values| values.integer("x").map(|x| x + 1)))
        .with("a", depends(|values| values.integer("b").map(|b| b + 1)));
    let made = space.sample(1, 0)?;
    assert_eq!(made, config(json!({"x": 1, "b": 2, "a": 3})));
    let evaluated: Vec<String> = space.evaluated(&made).into_iter().map(|(path, _)| path).collect();
    assert_eq!(evaluated, ["a", "b"]);
    Ok(())
}

#[test]
fn case_v_06_a_function_of_a_grid() -> Outcome {
    let space = Space::new().with("x", grid([1, 2])).with("y", depends(|values| values.integer("x").map(|x| 100 * x)));
    let configs = all(&Variants::new(space, 1)?);
    assert_eq!(numbers(&configs, "x"), [1.0, 2.0]);
    assert_eq!(numbers(&configs, "y"), [100.0, 200.0]);
    Ok(())
}

#[test]
fn case_v_07_a_grid_of_functions() -> Outcome {
    let times = |factor: i64| depends(move |values| values.integer("y").map(|y| factor * y));
    let space = Space::new().with("x", grid([times(100), times(200)])).with("y", depends(|_| 1));
    assert_eq!(numbers(&all(&Variants::new(space, 1)?), "x"), [100.0, 200.0]);
    Ok(())
}

#[test]
fn case_v_08_nested_functions() -> Outcome {
    let inner = Space::new().with("y", Space::new().with("z", depends(|_| 1)));
    let space = Space::new()
        .with("x", inner)
        .with("y", depends(|_| 12))
        .with("z", depends(|values| values.integer("x/y/z").map(|z| z * 100)));
    let made = space.sample(1, 0)?;
    let evaluated: BTreeMap<String, Value> = space.evaluated(&made).into_iter().collect();
    assert_eq!(json!(evaluated), json!({"x/y/z": 1, "y": 12, "z": 100}));
    Ok(())
}

#[test]
fn case_v_09_self_reference() {
    let itself = Space::new().with("foo", depends(|values| values.number("foo").map(|foo| foo + 1.0)));
    let error = itself.check().expect_err("foo needs itself");
    assert_eq!(error.to_string(), "`foo` depends on itself: foo -> foo");

    let wait_for = |path: &'static str| depends(move |values| values.number(path).unwrap_or(0.0));
    let circle = Space::new().with("a", wait_for("net/b")).with("net", Space::new().with("b", wait_for("c")));
    let error = circle.with("c", wait_for("net")).check().expect_err("net/b and c need each other");
    assert_eq!(error.to_string(), "`net/b` depends on itself: net/b -> c -> net/b");
}

#[test]
fn case_v_10_log_uniform_reaches_both_ends() -> Outcome {
    let space = Space::new().with("x", log_uniform(1e-10, 1e-1));
    let values = numbers(&all(&Variants::new(space, 5)?.passes(1000)), "x");
    assert_eq!(values.len(), 1000);
    let logs = values.iter().map(|value| value.log10());
    let (low, high) = logs.fold((0.0, -20.0), |(low, high), log| (f64::min(low, log), f64::max(high, log)));
    assert!((-10.0..=-9.9).contains(&low), "smallest at {low}");
    assert!((-1.1..=-1.0).contains(&high), "largest at {high}");
    Ok(())
}

#[test]
fn case_v_11_grids_in_lists() -> Outcome {
    let space =
        Space::new().with("a", list([Domain::from(1), grid([2, 3])])).with("b", Space::new().with("c", grid([4, 5])));
    let variants = Variants::new(space, 1)?;
    assert_eq!(variants.total(), Some(4));
    let found: Vec<Value> = all(&variants).iter().map(|made| json!([made.value("a"), made.value("b/c")])).collect();
    assert_eq!(found, [json!([[1, 2], 4]), json!([[1, 3], 4]), json!([[1, 2], 5]), json!([[1, 3], 5])]);
    Ok(())
}

#[test]
fn case_v_13_points_that_agree_with_a_constant() -> Outcome {
    let space = Space::new().with("a", 1).with("b", int(0, 100));
    let variants = Variants::new(space, 1)?.passes(2).points([config(json!({"a": 1, "b": 2}))])?;
    let configs = all(&variants);
    assert_eq!(numbers(&configs, "a"), [1.0, 1.0]);
    assert_eq!(numbers(&configs, "b")[0], 2.0);
    assert!(variants.warnings().is_empty());
    Ok(())
}

#[test]
fn case_v_14_a_point_that_differs_from_a_constant() -> Outcome {
    let space = Space::new().with("a", 1).with("b", int(0, 100));
    let variants = Variants::new(space, 1)?.points([config(json!({"a": 2}))])?;
    let warnings: Vec<String> = variants.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["preset point 0: `a` is 2, but must be 1"]);
    assert_eq!(numbers(&all(&variants), "a"), [2.0]);
    Ok(())
}

#[test]
fn case_v_16_points_and_grids() -> Outcome {
    let space = Space::new().with("a", grid([1, 2])).with("b", int(0, 2));
    let points = [json!({"a": 2, "b": 2}), json!({"a": 1}), json!({"b": 2})].map(config);
    let variants = Variants::new(space, 1)?.passes(4).points(points)?;
    assert_eq!(variants.total(), Some(6));
    let configs = all(&variants);
    assert_eq!(numbers(&configs, "a"), [2.0, 1.0, 1.0, 2.0, 1.0, 2.0]);
    let b = numbers(&configs, "b");
    assert_eq!((b[0], b[2], b[3]), (2.0, 2.0, 2.0));
    assert!(b[1] < 2.0 && b[4] < 2.0 && b[5] < 2.0, "drawn ones are within bounds: {b:?}");
    // 2 is outside of 0..2, in the first point and in the third.
    let warned: Vec<usize> = variants.warnings().iter().map(|warning| warning.point).collect();
    assert_eq!(warned, [0, 2]);
    Ok(())
}

#[test]
fn case_v_17_an_unknown_key_in_a_point() -> Outcome {
    let space = Space::new().with("a", 1).with("net", Space::new().with("depth", int(1, 5)));
    let variants = Variants::new(space, 1)?;
    let error = variants.points([config(json!({"a": 1})), config(json!({"net": {"width": 3}}))]).expect_err("no width");
    assert_eq!(error.to_string(), "preset point 1: `net/width` is not in the space; there are depth");
    Ok(())
}

#[test]
fn case_v_18_grids_within_grids_are_counted() -> Outcome {
    let space = Space::new().with("x", grid([Domain::from(3), Space::new().with("y", grid([1, 2])).into()]));
    let variants = Variants::new(space.clone().with("z", grid([7, 8])), 1)?.passes(2);
    assert_eq!(variants.total(), Some(12));
    let configs = all(&variants);
    assert_eq!(configs.len(), 12);
    let first: Vec<String> = configs.iter().take(4).map(ToString::to_string).collect();
    let expected = [r#"{"x":3,"z":7}"#, r#"{"x":{"y":1},"z":7}"#, r#"{"x":{"y":2},"z":7}"#, r#"{"x":3,"z":8}"#];
    assert_eq!(first, expected);
    Ok(())
}

#[test]
fn case_v_19_more_points_than_samples() -> Outcome {
    let space = Space::new().with("a", int(0, 10));
    let points = [1, 2, 3].map(|a| Config::new().with("a", a));
    let variants = Variants::new(space, 1)?.passes(1).points(points)?;
    assert_eq!(variants.total(), Some(3));
    assert_eq!(numbers(&all(&variants), "a"), [1.0, 2.0, 3.0]);
    Ok(())
}

#[test]
fn case_v_20_quantised_integers() -> Outcome {
    let draws = |range| -> Result<BTreeMap<i64, usize>, SpaceError> {
        let space = Space::new().with("x", range);
        let mut counts = BTreeMap::new();
        for number in 0..3000 {
            let value = space.sample(3, number)?.number("x").expect("x is a number") as i64;
            *counts.entry(value).or_default() += 1;
        }
        Ok(counts)
    };
    let fives = draws(int(0, 10).quantized(5))?;
    assert_eq!(fives.keys().copied().collect::<Vec<_>>(), [0, 5, 10]);
    assert!(fives.values().all(|&count| (850..=1150).contains(&count)), "about equally: {fives:?}");
    assert_eq!(draws(int(0, 10).quantized(1))?.into_keys().collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn case_v_22_tags() {
    let values = [("a", json!(0.123456789)), ("net/c", json!("x/y z")), ("list/1", json!(true))];
    let values = values.map(|(path, value)| (path.to_owned(), value));
    assert_eq!(tag(12, &values), "12_a=0.1235,c=x_y_z,1=True");
}

#[test]
fn case_v_23_a_grid_of_functions_that_share_one() -> Outcome {
    let plus = |more: i64| depends(move |values| values.integer("shared").map(|shared| shared + more));
    let space = Space::new().with("x", grid([plus(1), plus(2)])).with("shared", depends(|_| 20));
    let configs = all(&Variants::new(space, 1)?);
    assert_eq!(numbers(&configs, "shared"), [20.0, 20.0]);
    assert_eq!(numbers(&configs, "x"), [21.0, 22.0]);
    Ok(())
}

#[test]
fn the_example_of_the_documentation() -> Outcome {
    let space = Space::new()
        .with("lr", log_uniform(1e-4, 1e-1))
        .with("hidden", choice([16, 32, 64]))
        .with("drop", uniform(0.0, 0.5).quantized(0.1))
        .with("batch", grid([32, 64]))
        .with("wd", 0.1);
    let variants = Variants::new(space.clone(), 1)?.passes(3);
    for made in all(&variants) {
        space.contains(&made)?;
    }
    Ok(())
}
