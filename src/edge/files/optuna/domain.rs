//! Distributions from the values that were seen.

use std::collections::BTreeMap;

use crate::logic::metrics::Value;

/// A choice of more values than that is none.
const CHOICES: usize = 256;

/// What was seen of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Domain {
    range: Range,
    /// The values in the order in which they came; none if there are too many.
    choices: Option<Vec<Value>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Range {
    Ints(i64, i64),
    Floats(f64, f64),
    /// Not only numbers.
    None,
}

/// A parameter's distribution.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Distribution<'a> {
    Int(i64, i64),
    Float(f64, f64),
    Choice(&'a [Value]),
    /// It has none that Optuna knows.
    None,
}

impl Range {
    fn of(value: &Value) -> Self {
        match value {
            Value::Int(value) => Range::Ints(*value, *value),
            Value::Float(value) => Range::Floats(*value, *value),
            Value::Bool(_) | Value::Text(_) => Range::None,
        }
    }

    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Range::Ints(a, b), Range::Ints(c, d)) => Range::Ints(a.min(c), b.max(d)),
            (Range::None, _) | (_, Range::None) => Range::None,
            (a, b) => {
                let ((a, b), (c, d)) = (a.floats(), b.floats());
                Range::Floats(a.min(c), b.max(d))
            }
        }
    }

    fn floats(&self) -> (f64, f64) {
        match self {
            Range::Ints(low, high) => (*low as f64, *high as f64),
            Range::Floats(low, high) => (*low, *high),
            Range::None => (f64::NAN, f64::NAN),
        }
    }
}

/// What was seen of all parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Domains(BTreeMap<String, Domain>);

impl Domains {
    /// Adds the values of one trial.
    pub(super) fn add(&mut self, params: &[(String, Value)]) {
        for (name, value) in params {
            match self.0.get_mut(name) {
                None => {
                    let domain = Domain { range: Range::of(value), choices: Some(vec![value.clone()]) };
                    self.0.insert(name.clone(), domain);
                }
                Some(domain) => {
                    domain.range = std::mem::replace(&mut domain.range, Range::None).join(Range::of(value));
                    let known = domain.choices.as_mut();
                    if let Some(choices) = known.filter(|choices| !choices.contains(value)) {
                        choices.push(value.clone());
                        if choices.len() > CHOICES {
                            domain.choices = None;
                        }
                    }
                }
            }
        }
    }

    /// The distribution of a parameter.
    pub(super) fn of(&self, name: &str) -> Distribution<'_> {
        match self.0.get(name) {
            Some(Domain { range: Range::Ints(low, high), .. }) => Distribution::Int(*low, *high),
            Some(Domain { range: Range::Floats(low, high), .. }) => Distribution::Float(*low, *high),
            Some(Domain { choices: Some(choices), .. }) => Distribution::Choice(choices),
            _ => Distribution::None,
        }
    }
}
