//! Which run is meant, and what is known of it: read from its directory, whoever else has it open.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
pub(crate) use tryout::edge::journal::runs_below as runs;
use tryout::edge::journal::{LOCK, is_run};
use tryout::edge::log::Owner;
use tryout::failure::error_chain;
use tryout::prelude::*;

use super::Problem;

/// The run that is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The run's directory [default: that of the newest run below `runs`].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// A run as its directory tells it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) dir: PathBuf,
    pub(crate) results: Results,
    /// Who runs it at this moment.
    pub(crate) owner: Option<Owner>,
}

/// How a run stands, in one word.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunState {
    /// A process runs it.
    Running,
    /// All trials have ended.
    Completed,
    /// A stop rule, a limit or somebody ended it.
    Stopped,
    /// It was ended so that it can be gone on with.
    Drained,
    /// It couldn't go on.
    Failed,
    /// Its process was killed.
    CutOff,
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunState::Running => "running",
            RunState::Completed => "completed",
            RunState::Stopped => "stopped",
            RunState::Drained => "drained",
            RunState::Failed => "failed",
            RunState::CutOff => "cut_off",
        })
    }
}

impl Which {
    /// The directory of the run that is meant.
    pub(crate) fn find(&self) -> Result<PathBuf, Problem> {
        let Some(dir) = &self.dir else { return newest(Path::new("runs")) };
        run_at(dir.clone())
    }

    pub(crate) fn open(&self) -> Result<Run, Problem> {
        Run::open(self.find()?)
    }
}

impl Run {
    pub(crate) fn open(dir: PathBuf) -> Result<Self, Problem> {
        // Asked first: a run that ends meanwhile has ended in its journal too.
        let owner = owner(&dir);
        let results = Experiment::open(&dir).map_err(|error| {
            Problem::Given(format!("the run in `{}` can't be read: {}", dir.display(), error_chain(&error)))
        })?;
        Ok(Self { dir, results, owner })
    }

    /// How it stands, in words.
    pub(crate) fn state(&self) -> String {
        match (self.results.outcome(), &self.owner) {
            (_, Some(owner)) => format!("running in process {} on {}", owner.pid, owner.host),
            (Outcome::Completed, None) => "completed".to_owned(),
            (Outcome::Stopped(why), None) => format!("stopped: {why}"),
            (Outcome::Drained, None) => "drained: it can be gone on with by `tryout run FILE --resume`".to_owned(),
            (Outcome::Failed(why), None) => format!("failed: {}", error_chain(why)),
            (_, None) => "cut off: it can be gone on with by `tryout run FILE --resume`".to_owned(),
        }
    }

    /// The same in one word, for programs.
    pub(crate) fn word(&self) -> RunState {
        match (self.results.outcome(), &self.owner) {
            (_, Some(_)) => RunState::Running,
            (Outcome::Completed, None) => RunState::Completed,
            (Outcome::Stopped(_), None) => RunState::Stopped,
            (Outcome::Drained, None) => RunState::Drained,
            (Outcome::Failed(_), None) => RunState::Failed,
            (_, None) => RunState::CutOff,
        }
    }

    /// A trial by its number, its id or its name.
    pub(crate) fn trial(&self, name: &str) -> Result<&TrialRecord, Problem> {
        let trials = self.results.trials();
        let found = match name.parse::<usize>() {
            Ok(number) => trials.get(number),
            Err(_) => name.parse().ok().and_then(|id| self.results.trial(id)),
        };
        let named = || trials.iter().find(|trial| trial.name.as_deref() == Some(name));
        let found = found.or_else(named);
        found.ok_or_else(|| {
            let there = match trials {
                [] => "it has none yet".to_owned(),
                [first, ..] => format!("it has 0 to {}, or by their ids, as in `{}`", trials.len() - 1, first.id),
            };
            Problem::Given(format!("there is no trial `{name}` in `{}`: {there}", self.dir.display()))
        })
    }
}

/// The directory, if it is a run's.
pub(crate) fn run_at(dir: PathBuf) -> Result<PathBuf, Problem> {
    if is_run(&dir) {
        return Ok(dir);
    }
    if !dir.is_dir() {
        return Err(Problem::Given(format!("there is no directory `{}`", dir.display())));
    }
    let below = runs(&dir);
    let why = if below.is_empty() {
        format!("`{}` is no run: there is no journal in it, nor in a directory below it", dir.display())
    } else {
        format!("`{}` is no run, but there are runs below it: {}", dir.display(), names(&below))
    };
    Err(Problem::Given(why))
}

/// Who has the run at this moment.
pub(crate) fn owner(dir: &Path) -> Option<Owner> {
    Owner::holding(&dir.join(LOCK))
}

fn newest(parent: &Path) -> Result<PathBuf, Problem> {
    let found = runs(parent);
    let live: Vec<PathBuf> = found.iter().filter(|dir| owner(dir).is_some()).cloned().collect();
    match (live.as_slice(), found.first()) {
        ([_, _, ..], _) => {
            Err(Problem::Given(format!("several runs are going on: say which by `--dir`: {}", names(&live))))
        }
        (_, Some(newest)) => Ok(newest.clone()),
        (_, None) => Err(Problem::Given(format!("there is no run below `{}`: say where by `--dir`", parent.display()))),
    }
}

fn names(dirs: &[PathBuf]) -> String {
    let shown: Vec<String> = dirs.iter().take(20).map(|dir| format!("`{}`", dir.display())).collect();
    let more = if dirs.len() > 20 { format!(" and {} more", dirs.len() - 20) } else { String::new() };
    shown.join(", ") + &more
}
