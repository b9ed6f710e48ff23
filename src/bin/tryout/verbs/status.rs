//! `tryout status`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::api::{Answer, PoolStatus, Request, RunStatus};
use tryout::edge::log::Owner;
use tryout::event::TrialId;
use tryout::prelude::*;

use super::open::{Run, RunState, Which};
use super::table::{clean, number, time};
use super::watch::in_words;
use super::{Problem, json_line};

/// Says how a run stands: whether it goes on, its trials, its best.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let mut out = std::io::stdout().lock();
        if self.json {
            json_line(&mut out, &Stands { run: Told::of(&run), live: now(&run) })?;
        } else {
            tell(&mut out, &run)?;
            now(&run).iter().try_for_each(|Now { status, pool }| tell_now(&mut out, status, pool))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// With `--json`: how a run stands.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Stands<'r> {
    #[serde(flatten)]
    run: Told<'r>,
    /// What the run itself says of this moment; nothing if no process runs it, or if it can't be asked.
    live: Option<Now>,
}

#[derive(Serialize, JsonSchema)]
struct Now {
    /// The run.
    status: RunStatus,
    /// Its workers and what there is for them.
    pool: PoolStatus,
}

/// A run as its directory tells it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Told<'r> {
    /// The experiment's name.
    name: &'r str,
    /// The run's directory.
    dir: &'r Path,
    /// How it stands.
    state: RunState,
    /// How its last session ended.
    outcome: &'r Outcome,
    /// The process that runs it.
    owner: Option<&'r Owner>,
    /// How long it took, in seconds, all sessions together.
    took_s: f64,
    /// How many trials there are.
    trials: usize,
    /// How many of them have each status.
    counts: BTreeMap<tryout::event::Status, usize>,
    /// How many reports were taken.
    iterations: u64,
    /// What counts.
    objective: Option<&'r Objective>,
    /// The best trial.
    best: Option<Best<'r>>,
}

#[derive(Serialize, JsonSchema)]
struct Best<'r> {
    trial: TrialId,
    number: u32,
    /// Its value of the objective.
    value: Option<f64>,
    config: &'r Config,
}

impl<'r> Told<'r> {
    pub(crate) fn of(run: &'r Run) -> Self {
        let results = &run.results;
        let best = results.best().ok().map(|best| Best {
            trial: best.id,
            number: best.id.number(),
            value: results.value(best),
            config: &best.config,
        });
        Self {
            name: results.name(),
            dir: &run.dir,
            state: run.word(),
            outcome: results.outcome(),
            owner: run.owner.as_ref(),
            took_s: results.took().as_secs_f64(),
            trials: results.trials().len(),
            counts: counts(results).collect(),
            iterations: results.iterations(),
            objective: results.objective(),
            best,
        }
    }
}

/// What the run itself says of this moment, if it goes on and has a socket.
fn now(run: &Run) -> Option<Now> {
    let mut client = run.client()?;
    match (client.ask(&Request::Status).ok()?, client.ask(&Request::Pool { trial: None }).ok()?) {
        (Answer::Status(status), Answer::Pool(pool)) => Some(Now { status: *status, pool: *pool }),
        _ => None,
    }
}

/// Where it stands at this moment, and why it waits if it does.
fn tell_now(out: &mut impl Write, status: &RunStatus, pool: &PoolStatus) -> Result<(), Problem> {
    writeln!(out, "now: {}", in_words(status))?;
    writeln!(out, "free: {} of {}", pool.free, pool.total)?;
    for joined in &pool.elsewhere {
        writeln!(out, "elsewhere: {}", clean(&joined.to_string()))?;
    }
    if let Some(cap) = &pool.cap {
        writeln!(out, "it shares the host with other runs, which leave it at most {cap}")?;
    }
    if let Some(scheduler) = &status.scheduler {
        writeln!(out, "scheduler: {}", clean(scheduler))?;
    }
    if let Some(closing) = &status.closing {
        let by =
            closing.by.map(|by| format!(", at the latest {} after its start", time(by.since_start().as_secs_f64())));
        writeln!(out, "it ends: {}{}", clean(&closing.outcome.to_string()), by.unwrap_or_default())?;
    }
    if let Some(why) = &status.held {
        writeln!(out, "no results are taken: {}", clean(why))?;
    }
    if let Some(hold) = &status.hold {
        writeln!(out, "no trial is launched until `tryout proceed`: {}", clean(&hold.to_string()))?;
    }
    if let Some(searcher) = &status.thinking {
        writeln!(out, "{searcher} thinks about its next suggestion")?;
    }
    Ok(())
}

/// How many trials have each status, none left out.
fn counts(results: &Results) -> impl Iterator<Item = (tryout::event::Status, usize)> {
    tryout::event::Status::ALL.into_iter().map(|status| (status, results.count(status)))
}

fn tell(out: &mut impl Write, run: &Run) -> Result<(), Problem> {
    let results = &run.results;
    writeln!(out, "{}: {}", results.name(), clean(&run.state()))?;
    writeln!(out, "directory: {}", run.dir.display())?;
    let counts: Vec<String> = counts(results)
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {}", status.to_string().to_lowercase()))
        .collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    writeln!(out, "trials: {}{counts}", results.trials().len())?;
    writeln!(out, "iterations: {} in {}", results.iterations(), time(results.took().as_secs_f64()))?;
    match results.best() {
        Ok(best) => {
            let value = results.value(best).map(number).unwrap_or_default();
            let metric = results.objective().map_or("", |objective| &objective.metric);
            writeln!(out, "best: trial {}, {metric} {value}: {}", best.id.number(), clean(&best.config.to_string()))?;
        }
        Err(ResultsError::NoObjective) => {}
        Err(why) => writeln!(out, "{}", clean(&why.to_string()))?,
    }
    if let Some(failed) = results.errors().next()
        && let Some(failure) = failed.error()
    {
        let words = failure.to_string();
        writeln!(
            out,
            "first error: trial {}: {}",
            failed.id.number(),
            clean(words.lines().next().unwrap_or_default())
        )?;
    }
    Ok(())
}
