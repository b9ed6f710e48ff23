//! `tryout compare`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};
use tryout::prelude::*;

use super::Problem;
use super::labels::Labels;
use super::open::{Run, run_at};
use super::table::{Table, shown, time};

/// Compares runs: what came of them, and the settings in which they differ.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Their directories.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Writes a JSON object a run.
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let runs: Vec<PathBuf> = self.runs.into_iter().map(run_at).collect::<Result<_, _>>()?;
        let runs: Vec<(Run, Labels)> = runs
            .into_iter()
            .map(|dir| Ok((Run::open(dir.clone())?, Labels::read(&dir)?)))
            .collect::<Result<_, Problem>>()?;
        let outcomes: Vec<Vec<(&str, Value)>> = runs.iter().map(|(run, labels)| outcome(run, labels)).collect();
        let settings: Vec<BTreeMap<String, Value>> =
            runs.iter().map(|(run, _)| settings(&run.results)).collect::<Result<_, Problem>>()?;
        let mut names: Vec<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| {
            settings.iter().any(|each| each.get(*name) != settings.first().and_then(|first| first.get(*name)))
        });

        let mut out = std::io::stdout().lock();
        if self.json {
            for ((run, _), (outcome, settings)) in runs.iter().zip(outcomes.iter().zip(&settings)) {
                let differing: Map<String, Value> =
                    names.iter().filter_map(|name| Some(((*name).clone(), settings.get(*name)?.clone()))).collect();
                let outcome: Map<String, Value> =
                    outcome.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                writeln!(out, "{}", json!({ "dir": run.dir, "outcome": outcome, "differing": differing }))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let heads = runs.iter().map(|(run, _)| run.dir.display().to_string());
        let mut table = Table::new(std::iter::once(String::new()).chain(heads));
        for (index, (name, _)) in outcomes.first().into_iter().flatten().enumerate() {
            let cells = outcomes.iter().map(|each| shown(each.get(index).map(|(_, value)| value)));
            table.row(std::iter::once((*name).to_owned()).chain(cells));
        }
        for name in names {
            table.row(std::iter::once(name.clone()).chain(settings.iter().map(|each| shown(each.get(name)))));
        }
        table.write(&mut out)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What came of a run, the same names for each.
fn outcome(run: &Run, labels: &Labels) -> Vec<(&'static str, Value)> {
    let results = &run.results;
    let best = results.best().ok();
    let tags: Vec<&str> = labels.tags.iter().map(String::as_str).collect();
    vec![
        ("state", json!(run.word())),
        ("trials", json!(results.trials().len())),
        ("failed", json!(results.count(Status::Error))),
        ("iterations", json!(results.iterations())),
        ("took", json!(time(results.took().as_secs_f64()))),
        ("best value", json!(best.and_then(|best| results.value(best)))),
        ("best trial", json!(best.map(|best| best.id.number()))),
        ("tags", json!(tags.join(", "))),
        ("note", json!(labels.note)),
    ]
}

/// All settings as a flat list: names within names are joined with dots.
fn settings(results: &Results) -> Result<BTreeMap<String, Value>, Problem> {
    let mut found = BTreeMap::new();
    flatten(serde_json::to_value(results.settings())?, String::new(), &mut found);
    Ok(found)
}

fn flatten(value: Value, name: String, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            map.into_iter().for_each(|(key, value)| flatten(value, inner(&key), found));
        }
        value => {
            found.insert(name, value);
        }
    }
}
