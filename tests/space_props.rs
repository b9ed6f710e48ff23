//! Properties of search spaces: bounds are kept, grids are complete, seeds decide, order doesn't matter.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tryout::logic::search::Variants;
use tryout::logic::space::{Domain, Space, choice, grid, int, log_int, log_uniform, normal, uniform};

/// A space that is not random itself: some of everything, its bounds from the arguments.
fn mixed(low: f64, span: f64, first: i64, count: i64) -> Space {
    Space::new()
        .with("uniform", uniform(low, low + span))
        .with("log", log_uniform(span, span * 100.0))
        .with("int", int(first, first + count))
        .with("log_int", log_int(count, count * 50))
        .with("normal", normal(low, span))
        .with("nested", choice([Domain::from(Space::new().with("x", uniform(0.0, 1.0))), count.into()]))
        .with("grid", grid(0..3_i64))
}

proptest! {
    // A failing case belongs into this file, not into one that nobody looks at.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_drawn_is_in_the_space(
        low in -1e6..1e6_f64, span in 1e-3..1e6_f64, first in -1000..1000_i64, count in 1..1000_i64, seed: u64, number: u64,
    ) {
        let space = mixed(low, span, first, count);
        let made = space.sample(seed, number).expect("can be drawn");
        prop_assert_eq!(space.contains(&made), Ok(()));
        let drawn = made.number("int").expect("is a number") as i64;
        prop_assert!((first..first + count).contains(&drawn));
        let drawn = made.number("uniform").expect("is a number");
        prop_assert!(low <= drawn && drawn <= low + span);
        let drawn = made.number("log_int").expect("is a number") as i64;
        prop_assert!((count..count * 50).contains(&drawn));
    }

    #[test]
    fn the_same_seed_and_number_make_the_same(seed: u64, numbers in prop::collection::vec(any::<u64>(), 1..20)) {
        let space = mixed(0.0, 1.0, 0, 10);
        let forward: Vec<_> = numbers.iter().map(|&number| space.sample(seed, number)).collect();
        let backward: Vec<_> = numbers.iter().rev().map(|&number| space.sample(seed, number)).collect();
        prop_assert_eq!(&forward, &backward.into_iter().rev().collect::<Vec<_>>());
        let other = space.with("another", uniform(0.0, 1.0)).sample(seed, numbers[0]).expect("can be drawn");
        let first = forward[0].as_ref().expect("can be drawn");
        prop_assert_eq!(first.value("log"), other.value("log"), "another name changes nothing");
    }

    #[test]
    fn quantised_values_are_multiples(
        step in prop::sample::select(vec![0.1, 0.05, 0.25, 0.3, 2.0, 1e-3]), first in -20..20_i64, count in 1..50_i64,
        whole in 1..20_i64, seed: u64, number: u64,
    ) {
        let (low, high) = (first as f64 * step, (first + count) as f64 * step);
        let from = 1 + first.abs();
        let space = Space::new()
            .with("float", uniform(low, high).quantized(step))
            .with("log", log_uniform(from as f64 * step, (from + count) as f64 * step).quantized(step))
            .with("normal", normal(0.0, 100.0 * step).quantized(step))
            .with("int", int(first * whole, (first + count) * whole).quantized(whole))
            .with("log_int", log_int(from * whole, (from + count) * whole).quantized(whole));
        prop_assert_eq!(space.check(), Ok(()));
        let made = space.sample(seed, number).expect("can be drawn");
        prop_assert_eq!(space.contains(&made), Ok(()));
        for name in ["float", "log", "normal"] {
            let steps = made.number(name).expect("is a number") / step;
            prop_assert!((steps - steps.round()).abs() < 1e-6, "{} is {} steps", name, steps);
        }
        for name in ["int", "log_int"] {
            prop_assert_eq!(made.number(name).expect("is a number") as i64 % whole, 0);
        }
        let float = made.number("float").expect("is a number");
        prop_assert!(low <= float && float <= high);
    }

    #[test]
    fn a_grid_covers_exactly_the_product(sizes in prop::collection::vec(1..5_usize, 1..5), samples in 1..4_u64, inner in 0..4_i64) {
        // The last option of the first variable is a space with a grid of its own, unless `inner` is 0.
        let mut space = Space::new();
        for (name, &size) in sizes.iter().enumerate() {
            let mut options: Vec<Domain> = (0..size).map(Domain::from).collect();
            if name == 0 && inner > 0 {
                options.push(Space::new().with("inner", grid(0..inner)).into());
            }
            space = space.with(name.to_string(), grid(options));
        }
        let product = sizes.iter().enumerate().map(|(name, &size)| size as u64 + if name == 0 { inner as u64 } else { 0 });
        let product: u64 = product.product();
        let variants = Variants::new(space, 1).expect("the space is sound").passes(samples);
        prop_assert_eq!(variants.count(), Some(product * samples));
        let texts: Vec<String> = (0..)
            .map_while(|number| variants.config(number).expect("can be drawn"))
            .map(|config| config.to_string())
            .collect();
        prop_assert_eq!(texts.len() as u64, product * samples);
        for sample in texts.chunks(product as usize) {
            prop_assert_eq!(sample.iter().collect::<BTreeSet<_>>().len() as u64, product);
        }
    }

    #[test]
    fn nothing_panics_on_bad_bounds(low: f64, high: f64, step: f64, first: i64, end: i64, whole: i64, seed: u64) {
        for domain in [
            Domain::from(uniform(low, high)),
            uniform(low, high).quantized(step).into(),
            log_uniform(low, high).into(),
            log_uniform(low, high).quantized(step).into(),
            normal(low, high).quantized(step).into(),
            int(first, end).into(),
            int(first, end).quantized(whole).into(),
            log_int(first, end).into(),
            log_int(first, end).quantized(whole).into(),
        ] {
            let space = Space::new().with("x", domain);
            // Either it is refused, or what is drawn belongs to it.
            if space.check().is_ok() {
                let made = space.sample(seed, 1).expect("the space is sound");
                prop_assert_eq!(space.contains(&made), Ok(()));
            }
        }
    }
}
