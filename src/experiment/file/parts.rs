//! The searcher, the scheduler and the stop rules of a file, made from its tables by the registries of their kinds
//! (`src/logic/search/spec.rs`, `src/logic/schedule/spec.rs`, `src/logic/stop/spec.rs`).

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::Wrong;
use super::error::{in_words, unknown};
use super::space;
use crate::logic::failure::error_chain;
use crate::logic::metrics::Objective;
use crate::logic::schedule::{self, Scheduler};
use crate::logic::search::{self, Searcher};
use crate::logic::spec::{Kind, Kinds, PartSpec, SpecError, snake_case};
use crate::logic::stop::{self, StopRule};

/// The parts of the file that a part takes over where it says nothing itself.
#[derive(Debug, Default)]
pub(super) struct Common {
    pub(super) space: Option<Value>,
    pub(super) seed: Option<Value>,
    pub(super) samples: Option<Value>,
    pub(super) points: Option<Value>,
    pub(super) objective: Option<Value>,
    /// What the searcher, or one within it, has taken over.
    pub(super) taken: Vec<&'static str>,
}

/// A part's sort: its kinds, and where further parts stand in its settings.
struct Sort<P: ?Sized + 'static> {
    kinds: &'static Kinds<P>,
    inner: &'static str,
}

const SEARCH: Sort<dyn Searcher> = Sort { kinds: &search::KINDS, inner: "inner" };
const SCHEDULE: Sort<dyn Scheduler> = Sort { kinds: &schedule::KINDS, inner: "inner" };
const STOP: Sort<dyn StopRule> = Sort { kinds: &stop::KINDS, inner: "rules" };

/// The searcher of `[search]`.
pub(super) fn searcher(value: Value, common: &mut Common) -> Result<Value, Wrong> {
    let (settled, spec) = SEARCH.settle(value, "search", common)?;
    let made = search::from_spec(&spec).map_err(|error| refused(&settled, error))?;
    Ok(written(made.spec(), spec))
}

/// The scheduler of `[schedule]`.
pub(super) fn scheduler(value: Value, common: &mut Common) -> Result<Value, Wrong> {
    let (settled, spec) = SCHEDULE.settle(value, "schedule", common)?;
    let mut made = schedule::from_spec(&spec).map_err(|error| refused(&settled, error))?;
    let written = written(made.spec(), spec);
    let objective = common.objective.clone().and_then(|value| serde_json::from_value::<Objective>(value).ok());
    made.prepare(objective.as_ref()).map_err(|error| Wrong::new(settled, error_chain(&error)))?;
    Ok(written)
}

/// The rules of `[stop]`: a table of rules by their names, or a list of such.
pub(super) fn rules(value: Value, common: &mut Common) -> Result<Value, Wrong> {
    let each: Vec<(String, Value)> = match value {
        Value::Object(rules) => {
            rules.into_iter().map(|(name, rule)| ("stop".to_owned(), json!({ name: rule }))).collect()
        }
        Value::Array(rules) => rules.into_iter().enumerate().map(|(at, rule)| (format!("stop[{at}]"), rule)).collect(),
        other => {
            return Err(Wrong::new(
                "stop",
                format!("found {other}, expected rules by their names, as in {{\"iterations\": {{\"limit\": 10}}}}"),
            ));
        }
    };
    let rule = |(place, rule): (String, Value)| {
        let (settled, spec) = STOP.settle(rule, &place, common)?;
        let made = stop::from_spec(&spec).map_err(|error| refused(&settled, error))?;
        made.validate().map_err(|error| Wrong::new(settled, error_chain(&error)))?;
        Ok(written(made.spec(), spec))
    };
    each.into_iter().map(rule).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// A part as the settings hold it: as it says itself what it is.
fn written(own: Option<PartSpec>, read: PartSpec) -> Value {
    let PartSpec { kind, settings } = own.unwrap_or(read);
    json!({ "kind": kind, "settings": settings })
}

fn refused(place: &str, error: SpecError) -> Wrong {
    match error {
        SpecError::Settings { at, source, .. } => {
            let place = if at == "." { place.to_owned() } else { format!("{place}.{at}") };
            Wrong::new(place, in_words(&source.to_string()))
        }
        SpecError::Refused { source, .. } => Wrong::new(place, error_chain(source.as_ref())),
        other => Wrong::new(place, error_chain(&other)),
    }
}

impl<P: ?Sized> Sort<P> {
    /// A part with all that it takes over, and where its settings stand.
    fn settle(&self, value: Value, place: &str, common: &mut Common) -> Result<(String, PartSpec), Wrong> {
        let sort = self.kinds.sort;
        let names: Vec<String> = self.kinds.all.iter().map(|kind| snake_case(kind.name)).collect();
        let (name, settings) = match value {
            Value::String(name) => (name, Value::Null),
            Value::Object(map) if map.len() == 1 => map.into_iter().next().unwrap_or_default(),
            other => {
                let why = format!("found {}, expected one {sort} by its name: {}", short(&other), names.join(", "));
                return Err(Wrong::new(place, why));
            }
        };
        let inside = format!("{place}.{name}");
        let Some(kind) = self.kinds.find(&name) else {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            return Err(Wrong::new(inside, unknown(sort, &name, &known)));
        };
        let mut settings = match settings {
            Value::Null => Map::new(),
            Value::Object(map) => map,
            other => {
                let why =
                    format!("found {}, expected the settings of `{name}` by their names, as in {{}}", short(&other));
                return Err(Wrong::new(inside, why));
            }
        };
        let known = Known::of(kind);
        self.settle_inner(&mut settings, &known, &inside, common)?;
        common.fill(&mut settings, &known, &inside)?;
        if kind.name == "ResourceChanging" {
            in_parts(&mut settings);
        }
        Ok((inside, PartSpec { kind: kind.name.into(), settings: Value::Object(settings) }))
    }

    /// The parts within a part.
    fn settle_inner(
        &self,
        settings: &mut Map<String, Value>,
        known: &Known,
        place: &str,
        common: &mut Common,
    ) -> Result<(), Wrong> {
        let Some(inner) = settings.get_mut(self.inner).filter(|_| known.has(self.inner)) else { return Ok(()) };
        let place = format!("{place}.{}", self.inner);
        let mut settle = |value: &mut Value, place: &str| {
            let (_, spec) = self.settle(value.take(), place, common)?;
            *value = json!({ "kind": spec.kind, "settings": spec.settings });
            Ok(())
        };
        match inner {
            Value::Array(parts) => {
                parts.iter_mut().enumerate().try_for_each(|(at, part)| settle(part, &format!("{place}[{at}]")))
            }
            part => settle(part, &place),
        }
    }
}

/// The settings that a kind has, by its schema.
struct Known(Value);

impl Known {
    fn of<P: ?Sized>(kind: &Kind<P>) -> Self {
        let mut generator = SchemaGenerator::default();
        let schema = (kind.schema)(&mut generator).to_value();
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        Self(name.and_then(|name| generator.definitions().get(name)).cloned().unwrap_or(schema))
    }

    fn has(&self, setting: &str) -> bool {
        self.0.get("properties").and_then(|all| all.get(setting)).is_some()
    }

    fn needs(&self, setting: &str) -> bool {
        let needed = self.0.get("required").and_then(Value::as_array);
        needed.is_some_and(|needed| needed.iter().any(|name| name == setting))
    }
}

impl Common {
    /// What isn't said is what the whole file says.
    fn fill(&mut self, settings: &mut Map<String, Value>, known: &Known, place: &str) -> Result<(), Wrong> {
        for name in ["space", "mutations"] {
            if let Some(own) = settings.get_mut(name).filter(|_| known.has(name)) {
                *own = space::read(own.take(), &format!("{place}.{name}"))?;
            }
        }
        let samples = self.samples.as_ref().map(|samples| match samples {
            Value::Number(count) => json!({ "finite": count }),
            word => word.clone(),
        });
        let all = [
            ("space", self.space.clone()),
            // Only what goes through a space has both.
            ("trials", samples.filter(|_| known.has("redraw"))),
            ("points", self.points.clone()),
            ("seed", self.seed.clone()),
            ("objective", self.objective.clone().filter(|_| known.needs("objective"))),
        ];
        // One that chooses by how many trials there are hears of it, and makes as many as it is asked for.
        if let Some(count) = self.samples.clone().filter(Value::is_number)
            && known.has("samples")
        {
            settings.entry("samples").or_insert(count);
        }
        for (name, value) in all {
            if let Some(value) = value.filter(|_| known.has(name) && !settings.contains_key(name)) {
                settings.insert(name.to_owned(), value);
                self.taken.push(name);
            }
        }
        Ok(())
    }
}

/// The amounts of `ResourceChanging`, which it keeps in hundred-thousandths.
fn in_parts(settings: &mut Map<String, Value>) {
    for name in ["unit", "reserved"] {
        for amount in settings.get_mut(name).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            if let Some(units) = amount.as_f64().filter(|units| (0.0..9e13).contains(units)) {
                *amount = json!((units * 100_000.0).round() as u64);
            }
        }
    }
}

/// A value, as short as a message wants it.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(59).collect::<String>() + "…" }
}
