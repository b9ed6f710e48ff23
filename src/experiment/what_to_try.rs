//! What an experiment tries, and how much of it: the searcher, within the space and the number of samples.

use std::collections::BTreeSet;

use crate::error::SettingsError;
use crate::logic::one_line::OneLine;
use crate::logic::schedule::Scheduler;
use crate::logic::search::{Capped, Points, Samples, Searcher, Variants, Within};
use crate::logic::settings::{Settings, WrongSetting};
use crate::logic::space::Space;
use crate::ports::backend::Backend;

/// The searcher; without one, all that the space and the points hold. `timed` says that the run's time is limited, `more` that
/// there are trials besides the searcher's.
pub(super) fn searcher(
    settings: &Settings,
    searcher: Option<Box<dyn Searcher>>,
    space: Option<Space>,
    (timed, more): (bool, bool),
) -> Result<Box<dyn Searcher>, SettingsError> {
    match (searcher, space) {
        (Some(searcher), space) => given(settings, searcher, space, timed),
        (None, Some(space)) if space.is_empty() => Err(SettingsError::NothingToTry),
        (None, Some(space)) => variants(settings, space, timed),
        (None, None) if settings.points.is_empty() && !more => Err(SettingsError::NothingToTry),
        (None, None) if settings.passes.is_some() => {
            Err(WrongSetting::new("passes", "given without a space", "used with a `space`, which can be gone through")
                .into())
        }
        (None, None) => Ok(capped(Box::new(Points::new(settings.points.clone())), settings.samples)),
    }
}

fn capped(searcher: Box<dyn Searcher>, samples: Option<Samples>) -> Box<dyn Searcher> {
    match samples {
        Some(Samples::Finite(most)) => Box::new(Capped::new(searcher, most)),
        _ => searcher,
    }
}

/// As many suggestions of a searcher as were asked for: all of one that ends by itself; else one, or as many as there is time for.
fn given(
    settings: &Settings,
    searcher: Box<dyn Searcher>,
    space: Option<Space>,
    timed: bool,
) -> Result<Box<dyn Searcher>, SettingsError> {
    let both = |other, why| Err(SettingsError::Both { one: "searcher", other, why });
    if !settings.points.is_empty() {
        return both("points", "give the points to the searcher, if it takes any");
    }
    if settings.passes.is_some() {
        return both("passes", "only a space is gone through; `.samples(..)` says how many trials there are to be");
    }
    let searcher = match space {
        Some(space) => Box::new(Within::new(space, searcher)),
        None => searcher,
    };
    let once = !timed && searcher.is_endless();
    Ok(capped(searcher, settings.samples.or(once.then_some(Samples::Finite(1)))))
}

/// The space, gone through. A grid has an end of its own; random values have none.
fn variants(settings: &Settings, space: Space, timed: bool) -> Result<Box<dyn Searcher>, SettingsError> {
    let endless = space.grid_size() <= 1;
    let mut variants = Variants::new(space, settings.seed.unwrap_or_default())?.points(settings.points.clone())?;
    variants.warnings().iter().for_each(|warning| log::warn!("{}", OneLine(warning)));
    match (settings.passes, settings.samples) {
        (None, None) if timed && endless => variants = variants.samples(Samples::Infinite),
        (passes, samples) => {
            variants = passes.into_iter().fold(variants, Variants::passes);
            variants = samples.into_iter().fold(variants, Variants::samples);
        }
    }
    Ok(Box::new(variants))
}

/// A searcher that learns would learn from configurations that it didn't suggest.
pub(super) fn check_learning(scheduler: &dyn Scheduler, searcher: &dyn Searcher) -> Result<(), SettingsError> {
    if !scheduler.replaces_configs() || searcher.objectives().is_empty() {
        return Ok(());
    }
    let value = format!("`{}`, which learns from the results of its suggestions", searcher.name());
    let expected = format!(
        "one that doesn't, with `{}`, which replaces configurations: `.space(..)` alone draws a population",
        scheduler.name()
    );
    Err(WrongSetting::new("searcher", value, expected).into())
}

/// Whether the configurations can have the values that the trainable has places for. What can't be known isn't judged: what a
/// searcher or scheduler of one's own gives.
pub(super) fn check_places(
    settings: &Settings,
    space: Option<&Space>,
    backend: &dyn Backend,
) -> Result<(), SettingsError> {
    let places = backend.places();
    let Some(spaces) = known_spaces(settings, space).filter(|_| !places.is_empty()) else { return Ok(()) };
    let in_points = |place: &str| settings.points.iter().any(|point| point.value(place).is_some());
    let can_be = |place: &&String| spaces.iter().any(|space| space.may_have(place)) || in_points(place);
    let Some(place) = places.iter().find(|place| !can_be(place)) else { return Ok(()) };
    let points = settings.points.iter().flat_map(|point| point.as_map().keys().map(String::as_str));
    let there: BTreeSet<&str> = spaces.iter().flat_map(Space::keys).chain(points).collect();
    let there = there.into_iter().collect::<Vec<_>>().join(", ");
    let why = format!("there is no value for `{{{place}}}`: a configuration has {there}");
    Err(SettingsError::Backend { trainable: backend.name().to_owned(), why })
}

/// All spaces that a configuration's values can be from.
fn known_spaces(settings: &Settings, space: Option<&Space>) -> Option<Vec<Space>> {
    let read = |value: &serde_json::Value| serde_json::from_value::<Space>(value.clone()).ok();
    let tried = match (space, &settings.searcher) {
        (Some(space), _) => Some(space.clone()),
        (None, Some(searcher)) => Some(read(searcher.data()?.find("space")?)?),
        (None, None) => None,
    };
    let filled_in = settings.scheduler.data()?.find("mutations").and_then(read);
    Some(tried.into_iter().chain(filled_in).collect())
}
