//! The values of configurations as axes of a picture.

use std::collections::BTreeMap;

use super::scale::Scale;
use super::source::{Shown, Source};
use crate::edge::observe::words::number;
use crate::logic::space::{Dimensions, Extent, Scale as Spread};

/// One value of the configurations.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// What each trial that is drawn has, if it has it: a number, or that of an option.
    pub(super) values: Vec<Option<f64>>,
}

pub(super) enum Kind {
    Number(Scale),
    Options(Vec<String>),
}

/// Those by which the trials differ, the most important first if that is known, else by name: at most `most`, and how many there
/// are.
pub(super) fn parameters(source: &Source<'_>, shown: &Shown<'_>, most: usize) -> (Vec<Parameter>, usize) {
    let dimensions = Dimensions::of(source.space, shown.trials.iter().map(|valued| &*valued.trial.config));
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, dimension) in dimensions.all.iter().enumerate() {
        by_name.entry(&dimension.name).or_default().push(index);
    }
    let all = by_name.iter().filter_map(|(name, numbers)| Parameter::of(name, numbers, &dimensions));
    let mut all: Vec<Parameter> = all.collect();
    if let Ok(found) = (source.importance)() {
        let place = |name: &str| found.values.iter().position(|value| value.name == name).unwrap_or(usize::MAX);
        all.sort_by_key(|parameter| place(&parameter.name));
    }
    let count = all.len();
    all.truncate(most);
    (all, count)
}

/// What is said of those that aren't drawn.
pub(super) fn left_out(drawn: usize, all: usize) -> String {
    if drawn < all { format!("; the first {drawn} of {all} values by importance") } else { String::new() }
}

impl Parameter {
    /// None if it is the same in all trials.
    fn of(name: &str, numbers: &[usize], dimensions: &Dimensions) -> Option<Self> {
        let found = |row: &Vec<(usize, f64)>| row.iter().find(|(number, _)| numbers.contains(number)).copied();
        let places: Vec<Option<(usize, f64)>> = dimensions.rows.iter().map(found).collect();
        if places.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
            return None;
        }
        let extents =
            || numbers.iter().filter_map(|number| dimensions.all.get(*number)).map(|dimension| &dimension.extent);
        if extents().any(|extent| matches!(extent, Extent::Options(_))) {
            return Some(Self::options(name, &places, dimensions));
        }
        let values: Vec<Option<f64>> = places.into_iter().map(|place| Some(place?.1)).collect();
        let seen = values.iter().flatten().copied();
        let (mut low, mut high) =
            seen.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let (mut log, mut all_whole) = (true, true);
        for extent in extents() {
            if let Extent::Number { low: from, high: to, scale, whole, .. } = extent {
                (low, high) = (low.min(*from), high.max(*to));
                log &= *scale == Spread::Log;
                all_whole &= whole;
            } else {
                (log, all_whole) = (false, false);
            }
        }
        let kind = Kind::Number(Scale::new(low, high, log).whole(all_whole && !log));
        Some(Self { name: name.to_owned(), kind, values })
    }

    /// The options of several dimensions together; a number among them is one too.
    fn options(name: &str, places: &[Option<(usize, f64)>], dimensions: &Dimensions) -> Self {
        let mut options: Vec<String> = Vec::new();
        for dimension in dimensions.all.iter().filter(|dimension| dimension.name == name) {
            if let Extent::Options(more) = &dimension.extent {
                options.extend(more.iter().filter(|option| !options.contains(option)).cloned().collect::<Vec<_>>());
            }
        }
        let mut place = |(number_of, value): (usize, f64)| {
            let text = match dimensions.all.get(number_of).map(|dimension| &dimension.extent) {
                Some(Extent::Options(of)) => of.get(value as usize).cloned().unwrap_or_default(),
                _ => number(value),
            };
            let found = options.iter().position(|option| *option == text);
            found.unwrap_or_else(|| {
                options.push(text);
                options.len() - 1
            }) as f64
        };
        let values = places.iter().map(|known| known.map(&mut place)).collect();
        Self { name: name.to_owned(), kind: Kind::Options(options), values }
    }
}

impl Kind {
    /// The scale between two places of the picture: an option has a part of its own.
    pub(super) fn between(&self, from: f32, to: f32) -> Scale {
        match self {
            Kind::Number(scale) => scale.between(from, to),
            Kind::Options(options) => Scale::new(-0.5, options.len() as f64 - 0.5, false).between(from, to),
        }
    }

    /// What is named along it, about `count` values.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        match self {
            Kind::Number(scale) => scale.ticks(count),
            Kind::Options(options) => {
                let every = options.len().div_ceil(count.max(1)).max(1);
                options.iter().enumerate().step_by(every).map(|(place, text)| (place as f64, shown(text))).collect()
            }
        }
    }
}

fn shown(text: &str) -> String {
    if text.trim().is_empty() { "(empty)".to_owned() } else { text.to_owned() }
}
