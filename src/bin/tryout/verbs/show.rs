//! `tryout show`.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use tryout::prelude::*;

use super::Problem;
use super::open::{Run, Which};
use super::table::{clean, flattened, number, time};

/// Shows one trial: its configuration, its results, its failures, its checkpoints, and why it ended.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its number, or its id. With `--json` it may be left out: then all trials are shown.
    #[arg(required_unless_present = "json")]
    trial: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Writes JSON, with all reports that are kept: an object a line.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let trials = match &self.trial {
            Some(name) => std::slice::from_ref(run.trial(name)?),
            None => run.results.trials(),
        };
        let mut out = BufWriter::new(std::io::stdout().lock());
        for trial in trials {
            if self.json {
                writeln!(out, "{}", as_json(&run, trial)?)?;
            } else {
                tell(&mut out, &run, trial)?;
            }
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn as_json(run: &Run, trial: &TrialRecord) -> Result<Value, Problem> {
    let mut object = serde_json::to_value(trial)?;
    object["value"] = json!(run.results.value(trial));
    object["id"] = json!(trial.id);
    object["name"] = json!(trial.name);
    object["number"] = json!(trial.id.number());
    object["config"] = json!(&*trial.config);
    object["iterations"] = json!(trial.reported);
    object["last"] = json!(trial.last.as_deref());
    object["history"] = trial.history.iter().map(|report| json!(&**report)).collect();
    object["lineage"] = trial.lineage.iter().map(|copy| json!(&**copy)).collect();
    Ok(object)
}

fn tell(out: &mut impl Write, run: &Run, trial: &TrialRecord) -> Result<(), Problem> {
    let pairs = |pairs: Vec<(String, String)>| {
        pairs.iter().map(|(name, value)| clean(&format!("{name}={value}"))).collect::<Vec<_>>().join(" ")
    };
    writeln!(out, "trial {} ({}) of {}: {}", trial.id.number(), trial.id, run.results.name(), trial.status)?;
    if let Some(name) = &trial.name {
        writeln!(out, "name: {}", clean(name))?;
    }
    writeln!(out, "configuration: {}", pairs(flattened(&trial.config)))?;
    if let Some(last) = &trial.last {
        let metrics = last
            .metrics
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_f64().map_or(value.to_string(), number)));
        writeln!(out, "last report: iteration {}, {}", last.iteration(), pairs(metrics.collect()))?;
        writeln!(out, "worked for: {}", time(last.counters.time_total_s))?;
    }
    if let (Some(objective), Some(last)) = (run.results.objective(), &trial.last)
        && let Some(best) = run.results.best_report(trial, objective)
        && best.iteration() != last.iteration()
        && let Some(value) = best.number(&objective.metric)
    {
        writeln!(out, "its best {}: {} at iteration {}", objective.metric, number(value), best.iteration())?;
    }
    if let Some(reason) = &trial.reason {
        writeln!(out, "why: {}", clean(reason))?;
    }
    for copy in &trial.lineage {
        writeln!(out, "became a copy: {}", clean(&json!(&**copy).to_string()))?;
    }
    for checkpoint in &trial.checkpoints {
        writeln!(out, "checkpoint: at iteration {}, {} bytes", checkpoint.report.iteration(), checkpoint.bytes)?;
    }
    for failure in &trial.failures {
        failed(out, failure)?;
    }
    let home = run.dir.join(trial.id.to_string());
    if home.is_dir() {
        writeln!(out, "directory: {}", home.display())?;
    }
    Ok(())
}

/// A failure with the last lines that its process printed.
pub(crate) fn failed(out: &mut impl Write, failure: &tryout::failure::Failure) -> std::io::Result<()> {
    let words = failure.to_string();
    let mut lines = words.lines();
    writeln!(out, "failure: {}", clean(lines.next().unwrap_or_default()))?;
    lines.try_for_each(|line| writeln!(out, "  {}", clean(line)))?;
    let output = &failure.fault.output;
    output.iter().skip(output.len().saturating_sub(20)).try_for_each(|line| writeln!(out, "  | {}", clean(line)))
}
