//! Settings as the journal stores them, and as journals of format 1 did.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{OrCode, Settings};
use crate::logic::place;
use crate::logic::search::Samples;

/// Reads the settings that opened a session, be they of this form or of format 1.
pub(crate) fn stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
    let mut map = Map::deserialize(deserializer)?;
    // All fields are always written, and format 1 hadn't this one.
    if !map.contains_key("patience") {
        renew(&mut map);
    }
    let had_passes = map.contains_key("passes");
    let refused = |(setting, why)| D::Error::custom(format!("the setting `{setting}` can't be read: {why}"));
    let mut settings = place::read(&Value::Object(map)).map_err(refused)?;
    if !had_passes {
        renew_samples(&mut settings);
    }
    Ok(settings)
}

/// `samples` were passes over a space, and all suggestions of a searcher if nobody said how many; of points alone all were tried.
fn renew_samples(settings: &mut Settings) {
    match (&settings.searcher, &settings.space) {
        (Some(_), _) => drop(settings.samples.get_or_insert(Samples::Infinite)),
        // Without a grid a pass is one trial.
        (None, Some(OrCode::Data(space))) if space.grid_size() <= 1 => {}
        (None, Some(_)) => settings.passes = settings.samples.take(),
        (None, None) => settings.samples = None,
    }
}

/// From the form of format 1 to this one.
fn renew(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for name in ["grace", "time_limit", "retry", "batching"] {
        if let Some(value) = map.get_mut(name) {
            durations(value);
        }
    }
    if let Some(pair) = map.get_mut("time_limit")
        && let Some([after, then]) = pair.as_array().map(Vec::as_slice)
    {
        *pair = json!({ "after": after, "then": then });
    }
    if let Some(samples) = map.get_mut("samples")
        && let Some(count) = samples.get("finite").cloned()
    {
        *samples = count;
    }
    if let Some(resources) = map.get_mut("resources") {
        units(resources);
    }
    if let Some(request) = map.get_mut("per_trial") {
        *request = request.get_mut("bundles").map(Value::take).unwrap_or_default();
        request.as_array_mut().into_iter().flatten().for_each(units);
    }
    if let Some(retry) = map.get_mut("retry") {
        retry.get_mut("max_failures").into_iter().for_each(budget);
        let kinds = retry.get_mut("kinds").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
        kinds.filter_map(|kind| kind.get_mut("free")).for_each(budget);
    }
}

/// Seconds and nanoseconds become a number of seconds.
fn durations(value: &mut Value) {
    if let (Some(secs), Some(nanos)) = (value["secs"].as_u64(), value["nanos"].as_u64()) {
        *value = if nanos == 0 { json!(secs) } else { json!(secs as f64 + nanos as f64 / 1e9) };
        return;
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(durations),
        Value::Object(map) => map.values_mut().for_each(durations),
        _ => {}
    }
}

/// Hundred-thousandths become units.
fn units(resources: &mut Value) {
    for amount in resources.as_object_mut().into_iter().flat_map(Map::values_mut) {
        *amount = json!(amount.as_f64().unwrap_or(0.0) / 100_000.0);
    }
}

fn budget(value: &mut Value) {
    if let Some(count) = value.get("limited").cloned() {
        *value = count;
    }
}
