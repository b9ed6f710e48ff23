//! `tryout pause`, `unpause`, `stop`, `save`, `retry`, `extend`, `add`, `proceed`: what is done to a run that goes on.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustix::fs::{FlockOperation, flock};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tryout::api::{Answer, ClientOrder, Request};
use tryout::edge::journal::LOCK;
use tryout::event::TrialId;
use tryout::prelude::Config;
use tryout::store::CheckpointId;

use super::live::{Live, unexpected};
use super::open::Which;
use super::{Problem, json_line};

/// Which trials of which run.
#[derive(Debug, Args)]
pub(crate) struct These {
    /// Their numbers, or their ids.
    #[arg(required = true, value_name = "TRIAL")]
    trials: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Writes a JSON object a trial.
    #[arg(long)]
    json: bool,
}

impl These {
    /// Does one thing after the other. All are tried; the first that can't be done is the verb's problem.
    fn each(&self, mut act: impl FnMut(&mut Live, TrialId) -> Result<Done, Problem>) -> Result<ExitCode, Problem> {
        let mut live = self.which.connect()?;
        let trials = live.trials(&self.trials)?;
        let mut problem = None;
        for trial in trials {
            match act(&mut live, trial) {
                Ok(done) => done.tell(trial, self.json)?,
                Err(error) => {
                    if let Some(earlier) = problem.replace(error) {
                        eprintln!("error: {earlier}");
                    }
                }
            }
        }
        problem.map_or(Ok(ExitCode::SUCCESS), Err)
    }

    fn order(&self, words: &'static str, order: impl Fn(TrialId) -> ClientOrder) -> Result<ExitCode, Problem> {
        self.each(|live, trial| live.order(order(trial)).map(|_| Done { words: words.to_owned(), checkpoint: None }))
    }
}

/// What was done to a trial.
struct Done {
    words: String,
    checkpoint: Option<CheckpointId>,
}

/// With `--json`: what was done to a trial.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DoneTo<'r> {
    trial: TrialId,
    /// What was done, in words.
    done: &'r str,
    /// The checkpoint that was waited for.
    checkpoint: Option<CheckpointId>,
}

impl Done {
    fn tell(&self, trial: TrialId, as_json: bool) -> Result<(), Problem> {
        let mut out = std::io::stdout().lock();
        if as_json {
            json_line(&mut out, &DoneTo { trial, done: &self.words, checkpoint: self.checkpoint })?;
        } else {
            writeln!(out, "trial {}: {}", trial.number(), self.words)?;
        }
        Ok(())
    }

    /// The answer to what waits for a checkpoint.
    fn saved(live: &Live, answer: Answer, words: &str) -> Result<Self, Problem> {
        match answer {
            Answer::Saved(Some(checkpoint)) => {
                let id = checkpoint.id;
                let words = format!(
                    "{words} at iteration {}, its checkpoint is `{}`",
                    checkpoint.report.iteration(),
                    live.dir.join(id.path()).display()
                );
                Ok(Self { words, checkpoint: Some(id) })
            }
            Answer::Saved(None) => Ok(Self { words: format!("{words}, without a checkpoint"), checkpoint: None }),
            other => Err(unexpected(&other)),
        }
    }
}

/// Pauses trials at their next reports, and waits until they are paused.
///
/// Those that can save go on from there, others begin anew.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    these: These,
    /// Doesn't wait.
    #[arg(long)]
    no_wait: bool,
}

impl Pause {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if self.no_wait {
            return self.these.order("will be paused at its next report", ClientOrder::Pause);
        }
        self.these.each(|live, trial| {
            let answer = live.act(Request::PauseAndWait(trial))?;
            Done::saved(live, answer, "paused")
        })
    }
}

/// Lets paused trials go on when there is room.
#[derive(Debug, Args)]
pub(crate) struct Unpause {
    #[command(flatten)]
    these: These,
}

impl Unpause {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        self.these.order("goes on when there is room", ClientOrder::Resume)
    }
}

/// Writes checkpoints of trials at their next reports, and waits until they are there.
#[derive(Debug, Args)]
pub(crate) struct Save {
    #[command(flatten)]
    these: These,
    /// Doesn't wait.
    #[arg(long)]
    no_wait: bool,
}

impl Save {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if self.no_wait {
            return self.these.order("will be saved at its next report", ClientOrder::Save);
        }
        self.these.each(|live, trial| {
            let answer = live.act(Request::SaveAndWait(trial))?;
            Done::saved(live, answer, "saved")
        })
    }
}

/// Tries trials again that have failed, from their last checkpoints.
#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    these: These,
}

impl Retry {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        self.these.order("is tried again", ClientOrder::Revive)
    }
}

/// Lets trials go on that have ended, from their last checkpoints.
///
/// What a stop rule has ended is ended by it again at its next report, unless the rule is another one by then.
#[derive(Debug, Args)]
pub(crate) struct Extend {
    #[command(flatten)]
    these: These,
}

impl Extend {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        self.these.order("goes on", ClientOrder::Revive)
    }
}

/// Adds a trial with a configuration of yours.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its values, as in `lr=0.1 model.depth=3`, or all of them as one JSON object.
    #[arg(required = true, value_name = "KEY=VALUE")]
    values: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// With `--json`: the trial that was added.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Added {
    trial: Option<TrialId>,
    number: Option<u32>,
}

impl Add {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let config = configuration(&self.values)?;
        let mut live = self.which.connect()?;
        let trial = live.order(ClientOrder::Add(config))?;
        let mut out = std::io::stdout().lock();
        match trial {
            _ if self.json => json_line(&mut out, &Added { trial, number: trial.map(TrialId::number) })?,
            Some(trial) => writeln!(out, "added: trial {} ({trial})", trial.number())?,
            None => writeln!(out, "added")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A configuration of values as in `lr=0.1`, or of one JSON object.
pub(crate) fn configuration(given: &[String]) -> Result<Config, Problem> {
    let wrong = |text: &str, why: String| Problem::Given(format!("`{text}` is no configuration: {why}"));
    if let [text] = given
        && text.trim_start().starts_with('{')
    {
        return serde_json::from_str(text).map_err(|error| wrong(text, error.to_string()));
    }
    let mut values = Map::new();
    for text in given {
        tryout::assign(&mut values, text)
            .map_err(|_| wrong(text, "expected KEY=VALUE, as in lr=0.1 or model.depth=3".to_owned()))?;
    }
    let object = Value::Object(values);
    serde_json::from_value(object.clone()).map_err(|error| wrong(&object.to_string(), error.to_string()))
}

/// Ends trials; without any, the whole run.
///
/// The run ends as by Ctrl-C: all trials are saved and paused, and `tryout run FILE --resume` goes on with it.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Their numbers, or their ids; none: the whole run.
    #[arg(value_name = "TRIAL")]
    trials: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// How long the trials of a run that ends have to report and save; who takes longer goes back to its last checkpoint.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, conflicts_with = "now")]
    drain: u64,
    /// Ends the run at once: nothing more is saved, trials that run count as ended.
    #[arg(long, conflicts_with = "trials")]
    now: bool,
    /// Doesn't wait until the run has ended.
    #[arg(long, conflicts_with = "trials")]
    no_wait: bool,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// With `--json`, without trials: what was done to the run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StoppedRun<'r> {
    /// The experiment's name.
    run: &'r str,
    /// The run's directory.
    dir: &'r Path,
    /// Whether it has ended; else it is ending.
    ended: bool,
}

impl Stop {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if !self.trials.is_empty() {
            let these = These { trials: self.trials, which: self.which, json: self.json };
            return these.order("ends, at its next report if something is to be saved", ClientOrder::Stop);
        }
        let mut live = self.which.connect()?;
        let events =
            if self.no_wait { None } else { Some(live.again()?.watch().map_err(|error| Problem::failed(&error))?) };
        if self.now {
            live.order(ClientOrder::StopAll)?;
        } else {
            live.act(Request::Drain { within_s: Duration::from_secs(self.drain).as_secs_f64() })?;
        }
        let ended = match events {
            None => false,
            Some(events) => {
                // They end with the run; then its journal is closed.
                events.for_each(drop);
                wait_for_lock(&live.dir)?;
                true
            }
        };
        let mut out = std::io::stdout().lock();
        let words = if ended { "has ended" } else { "is ending" };
        if self.json {
            json_line(&mut out, &StoppedRun { run: &live.name.name, dir: &live.dir, ended })?;
        } else {
            writeln!(out, "the run in `{}` {words}", live.dir.display())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits until nobody has the run any more: it can be gone on with.
fn wait_for_lock(dir: &Path) -> Result<(), Problem> {
    let locked = File::open(dir.join(LOCK)).and_then(|lock| Ok(flock(&lock, FlockOperation::LockShared)?));
    locked.map_err(|error| Problem::Failed(format!("the end of the run in `{}` can't be seen: {error}", dir.display())))
}

/// Lets a run go on that is held, because the same error came from several workers.
#[derive(Debug, Args)]
pub(crate) struct Proceed {
    #[command(flatten)]
    which: Which,
}

impl Proceed {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        self.which.connect()?.order(ClientOrder::Proceed)?;
        writeln!(std::io::stdout(), "the run goes on")?;
        Ok(ExitCode::SUCCESS)
    }
}
