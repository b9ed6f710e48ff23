//! Functions of other values, and the order in which they can be computed.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Space;
use super::error::SpaceError;
use crate::logic::function;

/// A function of the other values of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Function(function::Function<dyn Fn(&Values<'_>) -> Value + Send + Sync>);

impl Function {
    pub(super) fn new<F, R>(function: F) -> Self
    where
        F: Fn(&Values<'_>) -> R + Send + Sync + 'static,
        R: Into<Value>,
    {
        Self(function::Function(Arc::new(move |values| function(values).into())))
    }
}

/// A configuration in the making.
#[derive(Debug)]
pub(super) enum Draft<'a> {
    /// Made.
    Done(Value),
    /// A map, parts of which may still be open.
    Map(Vec<(&'a str, Draft<'a>)>),
    /// A list, parts of which may still be open.
    List(Vec<Draft<'a>>),
    /// Still to be computed.
    Open(&'a Function),
}

/// What stands at a path of a draft.
enum Found {
    Value(Value),
    Open,
    Nothing,
}

impl<'a> Draft<'a> {
    /// The value, unless a part of it is still open.
    fn value(&self) -> Option<Value> {
        match self {
            Draft::Done(value) => Some(value.clone()),
            Draft::Map(entries) => {
                let entries = entries.iter().map(|(key, draft)| Some(((*key).to_owned(), draft.value()?)));
                entries.collect::<Option<Map<_, _>>>().map(Value::Object)
            }
            Draft::List(items) => items.iter().map(Draft::value).collect::<Option<Vec<_>>>().map(Value::Array),
            Draft::Open(_) => None,
        }
    }

    fn find(&self, path: &str) -> Found {
        let mut draft = self;
        let mut rest = path.split('/');
        while let Some(part) = rest.next() {
            let inner = match draft {
                Draft::Map(entries) => entries.iter().find(|(key, _)| *key == part).map(|(_, inner)| inner),
                Draft::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                Draft::Done(value) => {
                    let inner = std::iter::once(part).chain(rest).try_fold(value, |value, part| step(value, part));
                    return inner.cloned().map_or(Found::Nothing, Found::Value);
                }
                Draft::Open(_) => return Found::Open,
            };
            match inner {
                Some(inner) => draft = inner,
                None => return Found::Nothing,
            }
        }
        draft.value().map_or(Found::Open, Found::Value)
    }

    /// All open places, each as its path and the position of the part to take at each level.
    fn open(&self, path: &str, steps: &mut Vec<usize>, found: &mut Vec<Pending<'a>>) {
        let mut inner = |index: usize, name: &dyn fmt::Display, draft: &Self| {
            steps.push(index);
            draft.open(&join(path, name), steps, found);
            steps.pop();
        };
        match self {
            Draft::Done(_) => {}
            Draft::Map(entries) => {
                entries.iter().enumerate().for_each(|(index, (key, draft))| inner(index, key, draft));
            }
            Draft::List(items) => items.iter().enumerate().for_each(|(index, draft)| inner(index, &index, draft)),
            Draft::Open(function) => {
                found.push(Pending { path: path.to_owned(), steps: steps.clone(), function, waits_for: String::new() });
            }
        }
    }

    fn put(&mut self, steps: &[usize], value: Value) {
        match (self, steps) {
            (Draft::Map(entries), [first, rest @ ..]) => {
                if let Some((_, inner)) = entries.get_mut(*first) {
                    inner.put(rest, value);
                }
            }
            (Draft::List(items), [first, rest @ ..]) => {
                if let Some(inner) = items.get_mut(*first) {
                    inner.put(rest, value);
                }
            }
            (place, _) => *place = Draft::Done(value),
        }
    }

    /// Computes the open places, over and over while another one becomes possible. `space` says which paths there can be.
    pub(super) fn resolve(mut self, space: &Space) -> Result<Map<String, Value>, SpaceError> {
        let mut pending = Vec::new();
        self.open("", &mut Vec::new(), &mut pending);
        while !pending.is_empty() {
            let before = pending.len();
            let mut waiting = Vec::new();
            for mut place in pending {
                match compute(&place, &self, space)? {
                    Ok(value) => self.put(&place.steps, value),
                    Err(missing) => {
                        place.waits_for = missing;
                        waiting.push(place);
                    }
                }
            }
            if waiting.len() == before {
                return Err(cycle(&waiting));
            }
            pending = waiting;
        }
        match self.value() {
            Some(Value::Object(map)) => Ok(map),
            _ => Ok(Map::new()),
        }
    }
}

/// A place that is still to be computed.
struct Pending<'a> {
    path: String,
    steps: Vec<usize>,
    function: &'a Function,
    waits_for: String,
}

/// The function's value, or the first path it asked for that is open.
fn compute(place: &Pending<'_>, draft: &Draft<'_>, space: &Space) -> Result<Result<Value, String>, SpaceError> {
    let values = Values { draft, space, open: RefCell::default(), unknown: RefCell::default() };
    let value = (place.function.0)(&values);
    if let Some(asked) = values.unknown.into_inner() {
        let known = space.keys().map(str::to_owned).collect();
        return Err(SpaceError::UnknownDependency { key: place.path.clone(), asked, known });
    }
    Ok(values.open.into_inner().map_or(Ok(value), Err))
}

/// Follows what each waits for until a path comes round again.
fn cycle(waiting: &[Pending<'_>]) -> SpaceError {
    let within = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut way: Vec<usize> = Vec::new();
    let mut at = 0;
    while !way.contains(&at) {
        way.push(at);
        let asked = &waiting[at].waits_for;
        let next = waiting.iter().position(|place| within(asked, &place.path) || within(&place.path, asked));
        at = next.unwrap_or(at);
    }
    let round = way.iter().skip_while(|&&place| place != at).chain([&at]);
    SpaceError::Cycle {
        key: waiting[at].path.clone(),
        cycle: round.map(|&place| waiting[place].path.clone()).collect(),
    }
}

pub(super) fn join(path: &str, name: &dyn fmt::Display) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}/{name}") }
}

pub(super) fn step<'v>(value: &'v Value, part: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The values that a function can ask for, by path, levels joined with `/`.
///
/// A value that isn't known yet is `None`; whatever the function returns then is dropped, and it is called again once the
/// value is known. A value that this configuration doesn't have, because another option was chosen, is `None` for good.
/// Asking for a path that the space can't have at all is an error of the space.
#[derive(Debug)]
pub struct Values<'a> {
    draft: &'a Draft<'a>,
    space: &'a Space,
    open: RefCell<Option<String>>,
    unknown: RefCell<Option<String>>,
}

impl Values<'_> {
    /// The value at `path`.
    pub fn get(&self, path: &str) -> Option<Value> {
        match self.draft.find(path) {
            Found::Value(value) => return Some(value),
            Found::Open => _ = self.open.borrow_mut().get_or_insert_with(|| path.to_owned()),
            Found::Nothing if self.space.may_have(path) => {}
            Found::Nothing => _ = self.unknown.borrow_mut().get_or_insert_with(|| path.to_owned()),
        }
        None
    }

    /// The number at `path`.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.get(path)?.as_f64()
    }

    /// The integer at `path`.
    pub fn integer(&self, path: &str) -> Option<i64> {
        self.get(path)?.as_i64()
    }

    /// The text at `path`.
    pub fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}
