//! `tryout watch`.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tryout::api::Request;
use tryout::api::{Answer, RunStatus};
use tryout::event::Status;
use tryout::prelude::{Mode, Objective};

use super::live::{Live, unexpected};
use super::open::{Run, Which};
use super::table::{clean, number, time};
use super::{Problem, json_line};

/// Shows what happens in a run that goes on, until it ends: trials that end, fail or are paused, and new best values.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    which: Which,
    /// Writes every event as a JSON object a line; the first says that the run is watched.
    #[arg(long)]
    json: bool,
}

/// With `--json`: what is said beside the events, which come as they are sent.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum Beside<'r> {
    /// From here on all events are told.
    Watching {
        /// The experiment's name.
        name: &'r str,
        /// The run's directory.
        dir: &'r Path,
    },
    /// Events are missing here, because they weren't read fast enough.
    Missed {
        /// So many.
        count: u64,
    },
}

impl Watch {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let mut live = self.which.connect()?;
        // What happens from here on is told; what was before is read from the directory.
        let events = live.again()?.watch().map_err(|error| Problem::failed(&error))?;
        let run = Run::open(live.dir.clone())?;
        let mut out = std::io::stdout().lock();
        let mut view = View::new(&run);
        if self.json {
            json_line(&mut out, &Beside::Watching { name: &live.name.name, dir: &live.dir })?;
        } else {
            writeln!(out, "{} in `{}`, {}", live.name.name, live.dir.display(), clean(&run.state()))?;
            view.progress(&mut out, &mut live)?;
        }
        out.flush()?;
        for event in events {
            match event.map_err(|error| Problem::failed(&error))? {
                Answer::Event(event) if self.json => writeln!(out, "{event}")?,
                Answer::Missed(count) if self.json => {
                    json_line(&mut out, &Beside::Missed { count })?;
                }
                Answer::Event(event) => view.event(&mut out, &event, &mut live)?,
                Answer::Missed(count) => view.line(&mut out, &format!("{count} events came too fast to be shown"))?,
                other => return Err(unexpected(&other)),
            }
            out.flush()?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What a person sees: lines that stay, and on a terminal one below them that changes.
struct View {
    terminal: bool,
    objective: Option<Objective>,
    best: Option<f64>,
}

impl View {
    fn new(run: &Run) -> Self {
        let best = run.results.best().ok().and_then(|best| run.results.value(best));
        Self { terminal: std::io::stdout().is_terminal(), objective: run.results.objective().cloned(), best }
    }

    fn line(&self, out: &mut impl Write, words: &str) -> Result<(), Problem> {
        // What stands in the line that changes is wiped first.
        let wipe = if self.terminal { "\r\u{1b}[K" } else { "" };
        writeln!(out, "{wipe}{}", clean(words))?;
        Ok(())
    }

    fn event(&mut self, out: &mut impl Write, event: &Value, live: &mut Live) -> Result<(), Problem> {
        let words = match event["event"].as_str().unwrap_or_default() {
            "reported" => self.better(&event["report"]),
            "ended" => Some(ended(event)),
            "failed" => Some(failed(event)),
            "paused" => Some(format!("trial {} is paused{}", trial(event), because(&event["reason"]))),
            "warning" => event["message"].as_str().map(|message| format!("warning: {message}")),
            "finished" => {
                Some(format!("{}{}", event["outcome"].as_str().unwrap_or("ended"), because(&event["reason"])))
            }
            _ => None,
        };
        let Some(words) = words else { return Ok(()) };
        let at = event["at"].as_f64().unwrap_or_default();
        self.line(out, &format!("{}  {words}", time(at)))?;
        if event["event"] != "finished" { self.progress(out, live) } else { Ok(()) }
    }

    /// That a report is the best so far.
    fn better(&mut self, report: &Value) -> Option<String> {
        let objective = self.objective.as_ref()?;
        let value = report["metrics"][&*objective.metric].as_f64()?;
        let better = self.best.is_none_or(|best| match objective.mode {
            Mode::Min => value < best,
            Mode::Max => value > best,
        });
        if !better {
            return None;
        }
        self.best = Some(value);
        let (trial, iteration) = (number_of(&report["trial_id"]), &report["training_iteration"]);
        Some(format!("best: trial {trial} with {} {} at iteration {iteration}", objective.metric, number(value)))
    }

    /// The line that changes.
    fn progress(&self, out: &mut impl Write, live: &mut Live) -> Result<(), Problem> {
        if !self.terminal {
            return Ok(());
        }
        // A run that has just ended doesn't answer; its last event follows.
        if let Ok(Answer::Status(status)) = live.ask(&Request::Status) {
            write!(out, "\r\u{1b}[K{}", clean(&in_words(&status)))?;
        }
        Ok(())
    }
}

/// `12 of 100 have ended, 4 running, 1 failed`.
pub(crate) fn in_words(status: &RunStatus) -> String {
    let count = |wanted: Status| {
        Status::ALL.iter().zip(status.counts).find(|(status, _)| **status == wanted).map_or(0, |(_, count)| count)
    };
    let ended = count(Status::Terminated) + count(Status::Error);
    let of = status.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let others = [
        (Status::Running, "running"),
        (Status::Pending, "waiting"),
        (Status::Paused, "paused"),
        (Status::Error, "failed"),
    ];
    let others: Vec<String> = others
        .into_iter()
        .filter(|(status, _)| count(*status) > 0)
        .map(|(status, word)| format!("{} {word}", count(status)))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(", {}", others.join(", ")) };
    format!("{ended}{of} have ended{others}")
}

fn ended(event: &Value) -> String {
    let last = &event["last"]["training_iteration"];
    let at = if last.is_null() { String::new() } else { format!(" at iteration {last}") };
    let how = event["status"].as_str().unwrap_or_default();
    format!("trial {} is {how}{at}{}", trial(event), because(&event["reason"]))
}

fn failed(event: &Value) -> String {
    let failure = &event["failure"];
    let message = failure["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    let again = if event["retry_at"].is_null() { "" } else { ", and is tried again" };
    format!("trial {} failed ({}){again}: {message}", trial(event), failure["kind"].as_str().unwrap_or_default())
}

fn because(reason: &Value) -> String {
    reason.as_str().map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn trial(event: &Value) -> String {
    number_of(&event["trial"])
}

/// The number in a trial's id.
fn number_of(id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    id.parse().map_or_else(|_| id.to_owned(), |id: tryout::event::TrialId| id.number().to_string())
}
