//! The values that configurations differ by, as numbers: for whoever analyses or draws many of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::domain::Domain;
use super::function::join;
use super::range::{Normal, Scale};
use super::{Space, inside, leaves};
use crate::logic::config::Config;

/// A range that nobody gave is taken for one on a log scale if its ends are so many times apart.
const WIDE: f64 = 1000.0;

/// One value that configurations differ by.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// Its path, levels joined with `/`.
    pub name: String,
    /// What it may be.
    pub extent: Extent,
}

/// What a [`Dimension`] may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Extent {
    /// A number between two others, both included.
    Number {
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
        /// How they are spread.
        scale: Scale,
        /// The distance of neighbours, if not all numbers between occur.
        step: Option<f64>,
        /// Whether all are integers.
        whole: bool,
    },
    /// A number without bounds.
    Normal(Normal),
    /// One of these, which are told apart by their numbers; here are their names.
    Options(Vec<String>),
}

/// What configurations differ by, and where each of them lies.
#[derive(Clone, Debug, Default)]
pub struct Dimensions {
    /// All there are. A name occurs twice if what it may be depends on another value.
    pub all: Vec<Dimension>,
    /// For each configuration the numbers of the dimensions that it has, with its values there: the number itself, or that of
    /// its option.
    pub rows: Vec<Vec<(usize, f64)>>,
}

impl Dimensions {
    /// What `configs` differ by: all that `space` leaves open, and what else varies; of that, the range is what was seen. Values
    /// outside of the space, as of points or after the space was changed, make its ranges wider, and are further options.
    /// Values that are functions of others are left out.
    pub fn of<'a>(space: Option<&Space>, configs: impl IntoIterator<Item = &'a Config>) -> Self {
        let mut found = Found::default();
        let rows = configs.into_iter().map(|config| {
            if let Some(space) = space {
                space.coordinates(config.as_map(), "", &mut found);
            }
            let row = std::mem::take(&mut found.row);
            let open = leaves(config).into_iter().filter(|(path, _)| !found.is_known(path));
            (row, open.collect::<Vec<_>>())
        });
        let (mut rows, open): (Vec<_>, Vec<_>) = rows.collect();
        found.widen(&rows);
        for (name, values) in by_name(&open) {
            found.seen(name, &values, &mut rows);
        }
        Self { all: found.all, rows }
    }
}

/// The values that the space doesn't say, each with the number of its configuration.
fn by_name(open: &[Vec<(String, Value)>]) -> BTreeMap<&str, Vec<(usize, &Value)>> {
    let mut names: BTreeMap<&str, Vec<(usize, &Value)>> = BTreeMap::new();
    for (row, leaves) in open.iter().enumerate() {
        for (name, value) in leaves {
            names.entry(name).or_default().push((row, value));
        }
    }
    names
}

#[derive(Default)]
struct Found {
    all: Vec<Dimension>,
    /// The dimensions of each name.
    numbers: HashMap<String, Vec<usize>>,
    /// The paths that the space has something to say of, with all below them.
    known: HashSet<String>,
    /// Options that the space doesn't have, by the number of their dimension.
    more: HashMap<usize, Vec<String>>,
    row: Vec<(usize, f64)>,
}

impl Found {
    fn is_known(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.filter_map(|end| path.get(..end)).any(|part| self.known.contains(part))
    }

    fn number(&mut self, name: &str, extent: Extent) -> usize {
        let numbers = self.numbers.entry(name.to_owned()).or_default();
        let known = numbers.iter().find(|&&number| self.all.get(number).is_some_and(|known| known.extent == extent));
        known.copied().unwrap_or_else(|| {
            numbers.push(self.all.len());
            self.all.push(Dimension { name: name.to_owned(), extent });
            self.all.len() - 1
        })
    }

    fn add(&mut self, name: &str, extent: Extent, value: f64) {
        let number = self.number(name, extent);
        self.row.push((number, value));
    }

    /// An option that isn't one of the space's.
    fn add_option(&mut self, name: &str, known: Vec<String>, option: String) {
        let first = known.len();
        let number = self.number(name, Extent::Options(known));
        let more = self.more.entry(number).or_default();
        let place = more.iter().position(|known| *known == option).unwrap_or_else(|| {
            more.push(option);
            more.len() - 1
        });
        self.row.push((number, (first + place) as f64));
    }

    /// Makes room for what lies outside of the space.
    fn widen(&mut self, rows: &[Vec<(usize, f64)>]) {
        for (number, value) in rows.iter().flatten() {
            let Some(Dimension { extent: Extent::Number { low, high, scale, .. }, .. }) = self.all.get_mut(*number)
            else {
                continue;
            };
            if *scale == Scale::Linear || *value > 0.0 {
                (*low, *high) = (low.min(*value), high.max(*value));
            }
        }
        for (number, more) in self.more.drain() {
            if let Some(Dimension { extent: Extent::Options(options), .. }) = self.all.get_mut(number) {
                options.extend(more);
            }
        }
    }

    /// What is known of a name by its values alone. One that never differs is no dimension.
    fn seen(&mut self, name: &str, values: &[(usize, &Value)], rows: &mut [Vec<(usize, f64)>]) {
        let numbers: Option<Vec<f64>> = values.iter().map(|(_, value)| value.as_f64()).collect();
        let (extent, places) = match numbers {
            Some(numbers) => {
                let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let scale = if low > 0.0 && high / low >= WIDE { Scale::Log } else { Scale::Linear };
                let whole = values.iter().all(|(_, value)| value.is_i64() || value.is_u64());
                let step = (whole && scale == Scale::Linear).then_some(1.0);
                if low >= high {
                    return;
                }
                (Extent::Number { low, high, scale, step, whole }, numbers)
            }
            None => {
                let texts: Vec<String> = values.iter().map(|(_, value)| text(value)).collect();
                let mut options: Vec<String> = texts.clone();
                options.sort_unstable();
                options.dedup();
                if options.len() < 2 {
                    return;
                }
                let places = texts.iter().map(|text| options.binary_search(text).unwrap_or_default() as f64).collect();
                (Extent::Options(options), places)
            }
        };
        let number = self.number(name, extent);
        for ((row, _), place) in values.iter().zip(places) {
            if let Some(row) = rows.get_mut(*row) {
                row.push((number, place));
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Space {
    fn coordinates(&self, map: &serde_json::Map<String, Value>, path: &str, found: &mut Found) {
        for (name, domain) in self.iter() {
            if let Some(value) = map.get(name) {
                domain.coordinates(value, join(path, &name), found);
            }
        }
    }
}

impl Domain {
    fn coordinates(&self, value: &Value, path: String, found: &mut Found) {
        match (self, value) {
            (Domain::Map(space), Value::Object(map)) => return space.coordinates(map, &path, found),
            (Domain::List(items), Value::Array(values)) => {
                let each = items.iter().zip(values).enumerate();
                each.for_each(|(index, (item, value))| item.coordinates(value, join(&path, &index), found));
            }
            (Domain::Choice(options), value) => chosen(options, value, &path, found),
            (Domain::Grid(grid), value) => chosen(grid.options(), value, &path, found),
            (Domain::Float(_) | Domain::Normal(_) | Domain::Int(_), value) => {
                if let (Some(extent), Some(value)) = (self.extent(), value.as_f64()) {
                    found.add(&path, extent, value);
                }
            }
            (Domain::Constant(_) | Domain::Depends(_) | Domain::Map(_) | Domain::List(_), _) => {}
        }
        if !found.known.contains(&path) {
            found.known.insert(path);
        }
    }

    /// What a number of a range may be.
    fn extent(&self) -> Option<Extent> {
        Some(match self {
            Domain::Float(range) => {
                let step = range.quantum.filter(|_| range.scale == Scale::Linear);
                Extent::Number { low: range.low, high: range.high, scale: range.scale, step, whole: false }
            }
            Domain::Int(range) => {
                let (low, high) = (range.low as f64, range.last() as f64);
                let step = (range.scale == Scale::Linear).then(|| range.quantum.unwrap_or(1) as f64);
                Extent::Number { low, high, scale: range.scale, step, whole: true }
            }
            Domain::Normal(normal) => Extent::Normal(*normal),
            _ => return None,
        })
    }

    /// The name of an option: the value, or what tells it best.
    fn label(&self) -> String {
        match self {
            Domain::Constant(value) => text(value),
            Domain::Map(space) => {
                let texts = space.iter().filter_map(|(_, domain)| match domain {
                    Domain::Constant(value) => value.as_str().map(str::to_owned),
                    _ => None,
                });
                texts.into_iter().next().unwrap_or_else(|| self.to_string())
            }
            other => other.to_string(),
        }
    }
}

/// Which option was taken, and what was drawn within it.
fn chosen(options: &[Domain], value: &Value, path: &str, found: &mut Found) {
    let labels = options.iter().map(Domain::label).collect();
    let Some((index, option)) = inside::first(options, value) else {
        return found.add_option(path, labels, text(value));
    };
    found.add(path, Extent::Options(labels), index as f64);
    match option {
        Domain::Constant(_) => {}
        Domain::Map(_) | Domain::List(_) => option.coordinates(value, path.to_owned(), found),
        // A number within a choice of numbers has no name of its own.
        other => other.coordinates(value, format!("{path} ({other})"), found),
    }
}
