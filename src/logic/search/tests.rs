//! What the variants share between settings, and that nothing is expanded before it is needed.

use super::*;
use crate::logic::ids::RunId;
use crate::logic::space::{Domain, Space, SpaceError, depends, grid, uniform};

fn space() -> Space {
    Space::new().with("a", grid([1, 2, 3])).with("x", uniform(0.0, 1.0))
}

fn values(variants: &Variants, path: &str) -> Result<Vec<f64>, SpaceError> {
    let mut found = Vec::new();
    while let Some(config) = variants.config(found.len() as u64)? {
        found.extend(config.number(path));
    }
    Ok(found)
}

#[test]
fn random_values_are_drawn_anew_for_each_grid_point() -> Result<(), SpaceError> {
    let mut drawn = values(&Variants::new(space(), 1)?.passes(2), "x")?;
    drawn.sort_by(f64::total_cmp);
    drawn.dedup();
    assert_eq!(drawn.len(), 6);
    Ok(())
}

#[test]
fn or_once_for_each_sample() -> Result<(), SpaceError> {
    // A domain on the grid draws too, and functions still see the grid's value.
    let space = Space::new()
        .with("a", grid([Domain::from(1), uniform(2.0, 3.0).into(), 4.into()]))
        .with("x", uniform(0.0, 1.0))
        .with("y", depends(|values| values.number("a").map(|a| -a)));
    let variants = Variants::new(space, 1)?.passes(2).redraw(Redraw::PerPass);
    let (a, x, y) = (values(&variants, "a")?, values(&variants, "x")?, values(&variants, "y")?);
    assert_eq!(x.len(), 6);
    assert!(x[..3].iter().all(|&value| value == x[0]) && x[3..].iter().all(|&value| value == x[3]));
    assert_ne!(x[0], x[3]);
    assert_ne!(a[1], a[4]);
    assert!(a.iter().zip(&y).all(|(a, y)| *a == -y));
    Ok(())
}

#[test]
fn the_seed_decides() -> Result<(), SpaceError> {
    let of = |seed| values(&Variants::new(space(), seed)?.passes(5), "x");
    assert_eq!(of(1)?, of(1)?);
    assert_ne!(of(1)?, of(2)?);
    Ok(())
}

#[test]
fn huge_grids_cost_nothing_until_asked() -> Result<(), SpaceError> {
    let thousand = || grid((0..1000).map(Domain::from));
    let space = (0..6).fold(Space::new(), |space, name| space.with(name.to_string(), thousand()));
    let variants = Variants::new(space, 1)?;
    let total = 1_000_000_000_000_000_000;
    assert_eq!(variants.count(), Some(total));
    let last = variants.config(total - 1)?.expect("it is the last");
    assert!((0..6).all(|name| last.number(&name.to_string()) == Some(999.0)));
    assert_eq!(variants.config(total)?, None);
    Ok(())
}

#[test]
fn no_end() -> Result<(), SearchError> {
    let variants = Variants::new(space(), 1).map_err(SearchError::new)?.passes(Samples::Infinite);
    assert_eq!(variants.total(), None);
    let mut variants = variants.starting_at(u64::from(u32::MAX));
    assert!(matches!(variants.suggest(TrialId::new(RunId::new(0), 0))?, Suggestion::Next(_)));
    assert_eq!(variants.position(), u64::from(u32::MAX) + 1);
    Ok(())
}

#[test]
fn a_resumed_run_goes_on_with_the_next() -> Result<(), SearchError> {
    let make = || Variants::new(space(), 1).map(|variants| variants.passes(2)).map_err(SearchError::new);
    let trial = TrialId::new(RunId::new(0), 0);
    let mut first = make()?;
    let expected: Vec<Suggestion> = (0..7).map(|_| first.suggest(trial)).collect::<Result<_, _>>()?;
    let mut second = make()?.starting_at(4);
    let found: Vec<Suggestion> = (0..3).map(|_| second.suggest(trial)).collect::<Result<_, _>>()?;
    assert_eq!(found, expected[4..]);
    assert_eq!(expected[6], Suggestion::Exhausted);
    Ok(())
}

#[test]
fn a_function_that_fails_ends_the_search_with_its_name() -> Result<(), SearchError> {
    // It goes round in a circle for the second grid point only, which the check doesn't draw.
    let function = depends(|values| match values.integer("a") {
        Some(2) => values.number("f"),
        _ => Some(0.0),
    });
    let space = Space::new().with("a", grid([1, 2])).with("f", function);
    let mut variants = Variants::new(space, 1).map_err(SearchError::new)?;
    let trial = TrialId::new(RunId::new(0), 0);
    variants.suggest(trial)?;
    let error = variants.suggest(trial).expect_err("f needs itself");
    assert_eq!(error.to_string(), "`f` depends on itself: f -> f");
    Ok(())
}

/// Suggests for trials from this number on until nothing more comes, and answers the values.
fn rest(variants: &mut Variants, first: u32) -> Result<Vec<f64>, SearchError> {
    let mut found = Vec::new();
    while let Suggestion::Next(config) = variants.suggest(TrialId::new(RunId::new(0), first + found.len() as u32))? {
        found.extend(config.number("a"));
    }
    Ok(found)
}

#[test]
fn a_grid_that_is_changed_is_gone_through_without_repetitions() -> Result<(), SearchError> {
    let trial = |number| TrialId::new(RunId::new(0), number);
    let make = || Variants::new(space(), 1).map(|variants| variants.passes(2)).map_err(SearchError::new);
    let changes = Space::new().with("a", grid([3, 2, 4]));
    let mut variants = make()?;
    for number in 0..4 {
        variants.suggest(trial(number))?;
    }
    // 1, 2, 3 and once more 1; of those only the last hadn't begun, and the second is to be tried again.
    variants.set_space(&changes);
    variants.on_end(trial(3), Ending::Withdrawn, None);
    variants.on_end(trial(1), Ending::Withdrawn, None);
    assert_eq!(variants.total(), Some(9));
    // A later session takes it up.
    let mut later = make()?;
    later.set_space(&changes);
    later.restore(variants.save().expect("it gives its state")).map_err(SearchError::new)?;
    for mut variants in [variants, later] {
        let left = rest(&mut variants, 4)?;
        assert_eq!(
            left,
            [2.0, 4.0, 3.0, 2.0, 4.0],
            "again 2; 4 is new in the first pass; all three are left of the second"
        );
        assert_eq!(variants.total(), Some(9));
        // An option that had gone and comes back is new.
        variants.set_space(&Space::new());
        assert_eq!(rest(&mut variants, 20)?, [1.0, 1.0]);
    }
    Ok(())
}

#[test]
fn preset_points_that_lie_outside_are_passed_over() -> Result<(), SearchError> {
    let points = [1.5, 0.2, 0.9].map(|x| Config::new().with("x", x).with("a", 2));
    let space = space().with("a", grid([1, 2])).with("b", grid([1, 2]));
    let mut variants = Variants::new(space, 1).and_then(|variants| variants.points(points))?;
    variants.suggest(TrialId::new(RunId::new(0), 0))?;
    variants.set_space(&Space::new().with("x", uniform(0.0, 0.5)));
    let mut found = Vec::new();
    while let Suggestion::Next(config) = variants.suggest(TrialId::new(RunId::new(0), 1 + found.len() as u32))? {
        found.extend(config.number("x"));
    }
    assert_eq!(found, [0.2, 0.2], "each point takes the place of a pass; the first was used all the same");
    Ok(())
}
