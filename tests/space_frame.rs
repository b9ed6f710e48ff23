//! A space as coordinates: every configuration has a point, every point a configuration, and what doesn't count is ignored.

use proptest::prelude::*;
use tryout::logic::config::Config;
use tryout::logic::space::{
    AxisKind, Domain, Frame, Space, SpaceError, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform,
};

/// Some of everything that can be modelled.
fn mixed() -> Space {
    let sgd = Space::new().with("momentum", uniform(0.0, 1.0)).with("nesterov", choice([true, false]));
    let adam = Space::new().with("beta", uniform(0.8, 1.0).quantized(0.05)).with("steps", log_int(10, 1000));
    Space::new()
        .with("lr", log_uniform(1e-5, 1.0))
        .with("depth", int(1, 9))
        .with("width", int(32, 512).quantized(32))
        .with("noise", normal(1.0, 3.0))
        .with("optimizer", choice([Domain::from(sgd), Domain::from(adam), "none".into()]))
        .with("layers", list([uniform(0.0, 1.0).into(), choice(["relu", "tanh"]), 7.into()]))
        .with("fixed", "constant")
        .with("warmup", depends(|values| values.number("lr").map(|lr| lr * 10.0)))
}

fn frame() -> Frame {
    Frame::new(mixed()).expect("it can be modelled")
}

#[test]
fn axes_are_the_variables() {
    let frame = frame();
    let shown: Vec<String> = frame
        .axes()
        .iter()
        .map(|axis| format!("{} {:?}{}", axis.path(), axis.kind(), if axis.when().is_empty() { "" } else { " when" }))
        .collect();
    let expected = [
        "depth Steps(8)",
        "layers/0 Number",
        "layers/1 Options(2)",
        "lr Number",
        "noise Number",
        "optimizer Options(3)",
        "optimizer/momentum Number when",
        "optimizer/nesterov Options(2) when",
        "optimizer/beta Steps(5) when",
        "optimizer/steps Number when",
        "width Steps(16)",
    ];
    assert_eq!(shown, expected);
    assert_eq!(frame.axes()[8].when(), [(5, 1)]);
    assert_eq!(frame.axes()[2].kind(), AxisKind::Options(2));
}

#[test]
fn only_what_an_option_holds_counts_in_it() {
    let frame = frame();
    let mut point = vec![0.5; frame.axes().len()];
    for (part, counting) in [(0.1, [true, true, false, false]), (0.5, [false, false, true, true]), (0.9, [false; 4])] {
        point[5] = part;
        assert_eq!([6, 7, 8, 9].map(|axis| frame.counts(axis, &point)), counting);
        let there = frame.point(&frame.config(&point, 0, 0).expect("it has one")).expect("it is in the space");
        assert_eq!([6, 7, 8, 9].map(|axis: usize| there[axis].is_some()), counting);
    }
    assert!(frame.counts(0, &point) && !frame.counts(99, &point));
}

#[test]
fn grids_and_strangers_are_refused() {
    let error = Frame::new(Space::new().with("net", Space::new().with("batch", grid([1, 2])))).expect_err("a grid");
    assert_eq!(error, SpaceError::Grid { key: "net/batch".to_owned() });
    assert!(error.to_string().starts_with("`net/batch` is a grid"), "{error}");
    let outside = frame().point(&Config::new().with("lr", 3.0)).expect_err("not of this space");
    assert!(outside.to_string().contains("`lr` is 3") || outside.to_string().contains("missing"), "{outside}");
}

#[test]
fn odd_coordinates_are_the_nearest_possible() {
    let frame = Frame::new(Space::new().with("x", uniform(2.0, 4.0))).expect("it can be modelled");
    let x = |point: &[f64]| frame.config(point, 0, 0).expect("it has one").number("x");
    assert_eq!([x(&[-3.0]), x(&[7.0]), x(&[f64::NAN]), x(&[])], [Some(2.0), Some(4.0), Some(3.0), Some(3.0)]);
}

#[test]
fn the_widest_range_of_whole_numbers_is_all_there() {
    let frame = Frame::new(Space::new().with("x", int(i64::MIN, i64::MAX))).expect("it can be modelled");
    for part in [0.1, 0.3, 0.5, 0.7, 0.9] {
        let config = frame.config(&[part], 0, 0).expect("it has one");
        let expected = (part - 0.5) * 2.0 * i64::MAX as f64;
        let x = config.number("x").expect("it is there");
        assert!((x - expected).abs() < 1e6 * expected.abs().max(1e13) / 1e15, "{part}: {x}, not {expected}");
        assert!((frame.point(&config).expect("it is in the space")[0].expect("it counts") - part).abs() < 1e-9);
    }
}

proptest! {
    // A failing case belongs into this file, not into one that nobody looks at.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_configuration_has_a_point(seed: u64, number: u64) {
        let frame = frame();
        let drawn = frame.space().sample(seed, number).expect("can be drawn");
        let point = frame.point(&drawn).expect("it is in the space");
        let whole: Vec<f64> = point.iter().map(|part| part.unwrap_or(0.3)).collect();
        let again = frame.config(&whole, seed, number).expect("it has one");
        for path in ["depth", "width", "optimizer", "layers/1"] {
            prop_assert_eq!(again.value(path).is_some(), drawn.value(path).is_some());
        }
        for path in ["lr", "noise", "layers/0", "optimizer/momentum", "optimizer/beta", "optimizer/steps", "depth", "width"] {
            match (drawn.number(path), again.number(path)) {
                (Some(was), Some(is)) => prop_assert!((was - is).abs() <= 1e-6 * (1.0 + was.abs()), "{} {} {}", path, was, is),
                (was, is) => prop_assert_eq!(was, is),
            }
        }
    }

    #[test]
    fn every_point_is_in_the_space(parts in prop::collection::vec(0.0..=1.0_f64, 11)) {
        let frame = frame();
        let config = frame.config(&parts, 0, 0).expect("it has one");
        prop_assert_eq!(frame.space().contains(&config), Ok(()));
        let point = frame.point(&config).expect("it is in the space");
        for (axis, part) in point.iter().enumerate() {
            prop_assert_eq!(part.is_some(), frame.counts(axis, &parts), "{}", frame.axes()[axis].path());
        }
        let whole: Vec<f64> = point.iter().map(|part| part.unwrap_or(0.5)).collect();
        let again = frame.point(&frame.config(&whole, 0, 0).expect("it has one")).expect("it is in the space");
        for (one, other) in point.iter().zip(&again) {
            prop_assert!((one.unwrap_or(0.0) - other.unwrap_or(0.0)).abs() < 1e-6, "{:?} {:?}", point, again);
        }
    }
}
