//! `tryout why`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::api::{Answer, Request};
use tryout::event::TrialId;
use tryout::failure::Failure;
use tryout::prelude::*;

use super::open::{Run, Which};
use super::show::failed;
use super::table::clean;
use super::{Problem, json_line};

/// Says why a trial is where it is: why it ended, was paused, failed, or hasn't run.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Its number, or its id.
    trial: String,
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// With `--json`: why a trial is where it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Because<'r> {
    trial: TrialId,
    status: Status,
    /// How it ended.
    ending: Option<Ending>,
    /// Why it ended or was paused, if anybody said.
    reason: Option<&'r str>,
    /// All of it in words.
    why: String,
    /// All its failures, those that were tried again included.
    failures: &'r [Arc<Failure>],
}

impl Why {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let trial = run.trial(&self.trial)?;
        let why = now(&run, trial).unwrap_or_else(|| why(&run, trial));
        let mut out = std::io::stdout().lock();
        if self.json {
            let TrialRecord { id, status, ending, reason, failures, .. } = trial;
            let (trial, status, ending, reason) = (*id, *status, *ending, reason.as_deref());
            json_line(&mut out, &Because { trial, status, ending, reason, why, failures })?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "trial {} is {}: {}", trial.id.number(), trial.status, clean(&why))?;
        trial.failures.iter().try_for_each(|failure| failed(&mut out, failure))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What the run itself says of a trial that hasn't ended, if it goes on and has a socket.
fn now(run: &Run, trial: &TrialRecord) -> Option<String> {
    let mut client = run.client()?;
    let Answer::Trial(Some(view)) = client.ask(&Request::Trial(trial.id)).ok()? else { return None };
    if view.status.is_terminal() || view.status == Status::Running {
        return None;
    }
    let Answer::Pool(pool) = client.ask(&Request::Pool { trial: Some(trial.id) }).ok()? else { return None };
    let pool = pool.why.map(|why| format!("; {why}")).unwrap_or_default();
    let reason = view.reason.map(|reason| format!(" (it was paused: {reason})")).unwrap_or_default();
    Some(format!("it {}{pool}{reason}", view.waits))
}

fn why(run: &Run, trial: &TrialRecord) -> String {
    let reason = trial.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let live = run.owner.is_some();
    match (trial.status, trial.ending) {
        (Status::Error, _) => format!("its last failure wasn't tried again, after {} attempts{reason}", trial.attempts),
        (_, Some(Ending::Done)) => format!("it was done{reason}"),
        (_, Some(Ending::StopRule)) => format!("a stop rule ended it{reason}"),
        (_, Some(Ending::Scheduler)) => format!("the scheduler ended it{reason}"),
        (_, Some(Ending::Client)) => format!("somebody ended it{reason}"),
        (_, Some(Ending::Experiment)) => format!("the whole run was ended{reason}"),
        (_, Some(Ending::Restarted)) => "another trial with its configuration took its place".to_owned(),
        (_, Some(Ending::Withdrawn)) => format!("it was withdrawn before it began{reason}"),
        (_, Some(_)) => format!("it has ended{reason}"),
        (Status::Paused, None) => format!("it was paused{reason}"),
        (Status::Running, None) if live => "it has a worker and works".to_owned(),
        (Status::Running, None) => "the run was cut off while it worked; a resumed run goes on with it".to_owned(),
        (_, None) if live => "it waits for its turn or for resources".to_owned(),
        (_, None) => "the run ended before its turn; a resumed run takes it up".to_owned(),
    }
}
