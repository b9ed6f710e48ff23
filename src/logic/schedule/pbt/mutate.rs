//! How a copy's configuration differs from its donor's: the explore step.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use crate::logic::config::Config;
use crate::logic::space::{Domain, Space, SpaceError};

/// What may be mutated, and how.
#[derive(Clone, Debug)]
pub(super) struct Mutations {
    space: Space,
    rules: Vec<(Vec<String>, Rule)>,
}

#[derive(Clone, Debug)]
enum Rule {
    /// One of these, in an order in which neighbours are alike.
    Listed(Vec<Value>),
    /// A number from a range.
    Ranged(Domain),
}

/// How far a mutation goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) resample: f64,
    pub(super) factors: (f64, f64),
}

/// Why a value can't be mutated.
#[derive(Debug)]
pub(super) enum Refusal {
    Space(SpaceError),
    /// The path of the value, and what it is.
    Kind(String, String),
}

impl Mutations {
    pub(super) fn new(space: Space) -> Result<Self, Refusal> {
        space.check().map_err(Refusal::Space)?;
        let mut rules = Vec::new();
        collect(&space, &[], &mut rules)?;
        Ok(Self { space, rules })
    }

    pub(super) fn into_space(self) -> Space {
        self.space
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Draws what `config` lacks.
    pub(super) fn complete(&self, config: &mut Config, seed: u64, number: u64) {
        let Ok(drawn) = self.space.sample(seed, number) else { return };
        for (path, _) in &self.rules {
            if at(config.as_map(), path).is_none()
                && let Some(value) = at(drawn.as_map(), path)
            {
                put(config.as_map_mut(), path, value.clone());
            }
        }
    }

    /// The configuration of a copy of a trial with `config`: each value drawn anew or moved a little.
    pub(super) fn explore(&self, config: &Config, step: Step, seed: u64, number: u64) -> Config {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let mut explored = config.clone();
        let drawn = self.space.sample(seed, number).unwrap_or_default();
        for (path, rule) in &self.rules {
            let anew = random.random::<f64>() < step.resample;
            let value = match (rule, at(config.as_map(), path)) {
                (Rule::Listed(options), Some(now)) if !anew => neighbour(options, now, &mut random),
                (Rule::Ranged(domain), Some(now)) if !anew => {
                    let factor = if random.random() { step.factors.0 } else { step.factors.1 };
                    now.as_f64().and_then(|now| domain.nearest(now * factor))
                }
                _ => None,
            };
            let value = value.or_else(|| at(drawn.as_map(), path).cloned());
            if let Some(value) = value {
                put(explored.as_map_mut(), path, value);
            }
        }
        explored
    }
}

#[cfg(feature = "gp")]
impl Mutations {
    fn ranged(&self) -> impl Iterator<Item = (&[String], &Domain)> {
        self.rules.iter().filter_map(|(path, rule)| match rule {
            Rule::Ranged(domain) => Some((path.as_slice(), domain)),
            Rule::Listed(_) => None,
        })
    }

    /// How many numbers there are.
    pub(super) fn numbers(&self) -> usize {
        self.ranged().count()
    }

    /// Where the numbers of `config` lie in their ranges; none if one of them is missing.
    pub(super) fn parts(&self, config: &Config) -> Option<Vec<f64>> {
        self.ranged().map(|(path, domain)| domain.part_of(at(config.as_map(), path)?)).collect()
    }

    /// Where numbers at these parts of the `old` ranges lie in these, beyond 0 and 1 as well; none if that can't be said.
    pub(super) fn moved(&self, old: &Mutations, parts: &[f64]) -> Option<Vec<f64>> {
        let ranges = self.ranged().zip(old.ranged()).zip(parts);
        ranges.map(|(((_, new), (_, old)), part)| new.moved(old, *part)).collect()
    }

    pub(super) fn put_parts(&self, config: &mut Config, parts: &[f64]) {
        for ((path, domain), part) in self.ranged().zip(parts) {
            if let Some(value) = domain.value_at(*part) {
                put(config.as_map_mut(), path, value);
            }
        }
    }
}

/// The option before or after `now`; none if `now` isn't an option.
fn neighbour(options: &[Value], now: &Value, random: &mut impl Rng) -> Option<Value> {
    let place = options.iter().position(|option| option == now || same_number(option, now))?;
    let next = if random.random() { place + 1 } else { place.saturating_sub(1) };
    options.get(next.min(options.len() - 1)).cloned()
}

fn same_number(one: &Value, other: &Value) -> bool {
    one.is_number() && one.as_f64() == other.as_f64()
}

fn collect(space: &Space, path: &[String], rules: &mut Vec<(Vec<String>, Rule)>) -> Result<(), Refusal> {
    for (name, domain) in space.iter() {
        let here: Vec<String> = path.iter().cloned().chain([name.to_owned()]).collect();
        let refused = || Err(Refusal::Kind(here.join("/"), domain.to_string()));
        let rule = match domain {
            Domain::Map(inner) => {
                collect(inner, &here, rules)?;
                continue;
            }
            Domain::Float(_) | Domain::Normal(_) | Domain::Int(_) => Rule::Ranged(domain.clone()),
            Domain::Choice(options) => {
                let plain = options.iter().map(|option| match option {
                    Domain::Constant(value) => Some(value.clone()),
                    _ => None,
                });
                match plain.collect::<Option<Vec<Value>>>() {
                    Some(options) => Rule::Listed(options),
                    None => return refused(),
                }
            }
            _ => return refused(),
        };
        rules.push((here, rule));
    }
    Ok(())
}

fn at<'v>(map: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (last, before) = path.split_last()?;
    before.iter().try_fold(map, |map, name| map.get(name)?.as_object())?.get(last)
}

/// What stands in the way is replaced by a map.
fn put(map: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, before)) = path.split_last() else { return };
    let mut map = map;
    for name in before {
        let inner = map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        let Value::Object(inner) = inner else { return };
        map = inner;
    }
    map.insert(last.clone(), value);
}
