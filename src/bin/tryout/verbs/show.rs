//! `tryout show`.

use std::collections::VecDeque;
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tryout::event::{Exploit, Moment, TrialId};
use tryout::failure::Failure;
use tryout::logic::trial::Inherited;
use tryout::metrics::Report;
use tryout::prelude::*;
use tryout::store::Checkpoint;

use super::open::{Run, Which};
use super::table::{clean, flattened, number, time};
use super::{Problem, json_line};

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
                json_line(&mut out, &Shown::of(&run, trial))?;
            } else {
                tell(&mut out, &run, trial)?;
            }
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// With `--json`: a trial.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown<'r> {
    number: u32,
    id: TrialId,
    /// What it is called besides, if the experiment names its trials.
    name: Option<&'r str>,
    config: &'r Config,
    status: Status,
    /// The furthest iteration that it has reported.
    iterations: u64,
    /// Its value of the objective.
    value: Option<f64>,
    /// Its last report.
    last: Option<&'r Report>,
    /// Its newest reports, as many as the experiment keeps.
    history: &'r VecDeque<Arc<Report>>,
    /// The number of its attempts, from 1.
    attempts: u32,
    /// All its failures, those that were tried again included.
    failures: &'r [Arc<Failure>],
    /// Its checkpoints that are kept, the oldest first.
    checkpoints: &'r [Arc<Checkpoint>],
    /// Where it goes on from, if that isn't its own last checkpoint.
    inherited: Option<&'r Inherited>,
    /// What it became, and of whom, each time it became a copy of another trial.
    lineage: &'r [Arc<Exploit>],
    /// What it needs, if it was given other resources than its configuration asks for.
    resized: Option<String>,
    /// How it ended.
    ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    reason: Option<&'r str>,
    /// When it first ran.
    started: Option<Moment>,
    /// When it ended.
    ended: Option<Moment>,
}

impl<'r> Shown<'r> {
    fn of(run: &Run, trial: &'r TrialRecord) -> Self {
        Self {
            number: trial.id.number(),
            id: trial.id,
            name: trial.name.as_deref(),
            config: &trial.config,
            status: trial.status,
            iterations: trial.reported,
            value: run.results.value(trial),
            last: trial.last.as_deref(),
            history: &trial.history,
            attempts: trial.attempts,
            failures: &trial.failures,
            checkpoints: &trial.checkpoints,
            inherited: trial.inherited.as_ref(),
            lineage: &trial.lineage,
            resized: trial.resized.as_ref().map(ToString::to_string),
            ending: trial.ending,
            reason: trial.reason.as_deref(),
            started: trial.started,
            ended: trial.ended,
        }
    }
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
