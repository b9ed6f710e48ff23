//! `tryout run`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clap::Args;
use futures::executor::block_on;
use log::LevelFilter;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::event::TrialId;
use tryout::failure::error_chain;
use tryout::prelude::*;
use tryout::web::{Runs, Serving};
use tryout::{Control, ExperimentFile, RunError, SettingsError};

use super::going_on::GoingOn;
use super::on::On;
use super::{Problem, json_line, python, serve, table};

/// Runs an experiment file.
///
/// The results lie in a directory of the experiment's name below `--dir`. Ctrl-C saves and pauses all trials, and ends the run so
/// that `--resume` goes on with it; a second Ctrl-C ends it at once.
///
/// Exit codes: 0 done, 3 some trials failed, 4 a limit or a stop rule ended it, 130 Ctrl-C or `tryout stop`, 2 something given can't work, 1 it couldn't
/// go on.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The experiment file: TOML, or JSON if its name ends in `.json`.
    file: PathBuf,
    /// Sets something in the file: `samples=5`, `space.lr={uniform=[0,1]}`, `name=second`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Below which directory the run has its own.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
    #[command(flatten)]
    going_on: GoingOn,
    /// How long trials have to report and save when Ctrl-C ends the run; who takes longer goes back to its last checkpoint.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Where the trials run, if not on this machine: `slurm`, with arguments for `sbatch` behind it; `ray`; `ssh FILE` with a file of hosts; FILE.toml with a template of commands; or `join`, for workers that are started by hand with `tryout worker`.
    #[arg(long, value_name = "WHERE")]
    on: Option<String>,
    /// With `--on`: how many workers are asked for at most [default: 100].
    #[arg(long, value_name = "N", requires = "on")]
    most_workers: Option<u32>,
    /// Shows the run in a browser, live: prints a link before the first result [default: 127.0.0.1:8970, or another port if that is taken].
    ///
    /// The address is one of this machine alone; for others, with TLS, there is `tryout serve`. The page stays there, read-only, when the run has ended, until Ctrl-C; with `--json`, or once Ctrl-C has ended the run, it goes
    /// with the run.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, value_parser = serve::serve_address)]
    serve: Option<Option<SocketAddr>>,
    /// Ends with one line of JSON on the standard output.
    #[arg(long)]
    json: bool,
    /// Shows no progress.
    #[arg(long)]
    quiet: bool,
    /// For a program that starts this one, such as the front in Python. A first line of JSON on the standard output says that the run has
    /// begun, or why it is refused, and the run drains as soon as the standard input ends, because that program is gone.
    #[arg(long, hide = true, requires = "json")]
    with_parent: bool,
}

/// With `--json`: what came of it, and before that, for a program that started this one, that it has begun or why it is refused.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Told<'r> {
    Ended {
        /// The experiment's name.
        name: &'r str,
        /// The run's directory.
        dir: &'r str,
        /// How this program ends.
        exit_code: u8,
        /// How the run ended.
        outcome: &'r Outcome,
        /// Why it couldn't go on.
        failure: Option<&'r str>,
        /// How many trials there are.
        trials: usize,
        /// How many of them failed.
        failed: usize,
        /// How many reports were taken.
        iterations: u64,
        /// How long it took, in seconds, all sessions together.
        took_s: f64,
        /// What counts.
        objective: Option<&'r Objective>,
        /// The best trial.
        best: Option<BestOf<'r>>,
    },
    Started {
        /// The run's directory.
        started: &'r Path,
    },
    Refused {
        /// Why.
        refused: String,
    },
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct BestOf<'r> {
    trial: TrialId,
    config: &'r Config,
    /// Its value of the objective.
    value: Option<f64>,
    /// The furthest iteration that it has reported.
    iterations: u64,
}

/// What a shell expects of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

impl Run {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let with_parent = self.with_parent;
        match self.run() {
            Err(Problem::Given(why)) if with_parent => {
                json_line(&mut std::io::stdout().lock(), &Told::Refused { refused: why })?;
                Ok(ExitCode::from(2))
            }
            ended => ended,
        }
    }

    fn run(self) -> Result<ExitCode, Problem> {
        let file = ExperimentFile::read(&self.file, &self.set).map_err(|error| Problem::given(&error))?;
        let name = file.settings().name.clone();
        let file = python::supplied(file, &self.dir)?;
        // Workers go into directories of their own, and read checkpoints by their paths.
        let experiment = match self.on.as_deref().map(On::read).transpose()? {
            Some(on) => on.experiment(file, self.most_workers),
            None => file.experiment(),
        };
        let mut experiment = experiment.dir(std::path::absolute(&self.dir)?).control_socket();
        let dir = self.dir.join(&*name);
        experiment = self.going_on.apply(experiment, &dir)?;
        if !self.quiet {
            experiment = experiment.observer(Console::new());
        }
        let page = self.serve.map(|bind| Served::start(bind, &self.dir, self.quiet)).transpose()?;
        let run = experiment.start().map_err(|error| self.refused(error, &dir))?;
        let drain = Duration::from_secs(self.drain);
        let pressed = on_interrupt(run.control(), drain, page.as_ref().map(|page| page.to.clone()))?;
        if let Some(page) = &page {
            page.show(&run.control(), !self.with_parent)?;
        }
        if self.with_parent {
            drain_without_parent(run.control(), drain, &dir)?;
        }
        let (results, failed) = match run.wait_blocking() {
            Ok(results) => (results, None),
            Err(RunError::Failed { failure, results }) => (*results, Some(error_chain(&failure))),
            Err(RunError::Unwritten { why, results }) => (*results, Some(error_chain(&why))),
            Err(RunError::Lost { why, results: Some(results) }) => (*results, Some(why)),
            Err(error) => return Err(Problem::failed(&error)),
        };
        let code = code(&results, failed.is_some(), pressed.load(Ordering::Relaxed) > 0);
        self.tell(&results, &dir, failed.as_deref(), code)?;
        match page {
            // A program waits for this one's end, and a person who has ended the run wants no more of it.
            Some(page) if !self.json && pressed.load(Ordering::Relaxed) == 0 => page.stay(),
            _ => {}
        }
        Ok(ExitCode::from(code))
    }

    fn refused(&self, error: SettingsError, dir: &Path) -> Problem {
        let (dir, file) = (dir.display(), self.file.display());
        match error {
            SettingsError::Duplicate { .. } => Problem::Given(format!(
                "`{dir}` is there already: go on with its run by `tryout run {file} --resume`, or begin another by \
                 `--set name=..` or `--dir ..`"
            )),
            SettingsError::Changed(change) => {
                Problem::Given(format!("{change}: if that is meant, say `--changed` besides `--resume`"))
            }
            error => Problem::Given(format!("{file}: {}", error_chain(&error))),
        }
    }

    fn tell(&self, results: &Results, dir: &Path, failed: Option<&str>, code: u8) -> Result<(), Problem> {
        let dir = dir.display().to_string();
        let best = results.best().ok();
        let mut out = std::io::stdout().lock();
        if self.json {
            let (iterations, took_s) = (results.iterations(), results.took().as_secs_f64());
            let best = best.map(|best| BestOf {
                trial: best.id,
                config: &best.config,
                value: results.value(best),
                iterations: best.reported,
            });
            let (trials, failed_trials) = (results.trials().len(), results.count(Status::Error));
            let ended = Told::Ended {
                name: results.name(),
                dir: &dir,
                exit_code: code,
                outcome: results.outcome(),
                failure: failed,
                trials,
                failed: failed_trials,
                iterations,
                took_s,
                objective: results.objective(),
                best,
            };
            return json_line(&mut out, &ended);
        }
        if let Some(why) = failed {
            writeln!(out, "the run couldn't go on: {why}")?;
        }
        match best {
            Some(best) => {
                let value = results.value(best).map(table::number);
                let metric = results.objective().map(|objective| objective.metric.as_str());
                let scored =
                    metric.zip(value).map(|(metric, value)| format!(" with {metric} {value}")).unwrap_or_default();
                writeln!(out, "best: trial {}{scored}: {}", best.id.number(), best.config)?;
            }
            None if results.objective().is_none() => {}
            None => writeln!(out, "there is no best trial")?,
        }
        writeln!(out, "{}", ended(results, code))?;
        writeln!(out, "results: {dir}")?;
        writeln!(
            out,
            "look at them: tryout trials --dir {dir}, tryout show {} --dir {dir}",
            best.map_or(0, |best| best.id.number())
        )?;
        if code != 0 {
            let set: String = self.set.iter().map(|set| format!(" --set '{set}'")).collect();
            let parent =
                if self.dir == Path::new("runs") { String::new() } else { format!(" --dir {}", self.dir.display()) };
            writeln!(out, "go on: tryout run {}{set}{parent} --resume", self.file.display())?;
        }
        Ok(())
    }
}

/// The run has ended, and its page is still there.
static PAGE_STAYS: AtomicBool = AtomicBool::new(false);

/// The page of this run.
struct Served {
    serving: Serving,
    runs: Runs,
    to: Sender<()>,
    from: Receiver<()>,
}

impl Served {
    fn start(bind: Option<SocketAddr>, beside: &Path, quiet: bool) -> Result<Self, Problem> {
        // The token may have to lie there.
        std::fs::create_dir_all(beside)?;
        serve::show_log(if quiet { LevelFilter::Warn } else { LevelFilter::Info })?;
        let (runs, (to, from)) = (Runs::new(), channel());
        let serving = serve::start_for_run(runs.clone(), bind, beside)?;
        Ok(Self { serving, runs, to, from })
    }

    /// Says where it is. The standard output is for results.
    fn show(&self, control: &Control, by_enter: bool) -> Result<(), Problem> {
        self.runs.add(control);
        eprintln!("{}\n{}", self.serving.links().another()?, serve::about(&self.serving, "the run"));
        if by_enter {
            serve::listen_to_enter(self.serving.links());
        }
        Ok(())
    }

    /// Stays until Ctrl-C.
    fn stay(self) {
        PAGE_STAYS.store(true, Ordering::Relaxed);
        eprintln!("the run has ended; its page stays, read-only, until Ctrl-C");
        // Nobody is left who could say it if this fails.
        let _ = self.from.recv();
    }
}

fn ended(results: &Results, code: u8) -> String {
    let (all, failed) = (results.trials().len(), results.count(Status::Error));
    let trials = format!("{} of {all} trials ended well, {failed} failed", results.count(Status::Terminated));
    match results.outcome() {
        Outcome::Stopped(why) => format!("stopped, {why}: {trials}"),
        Outcome::Drained => format!("drained, unfinished trials are saved: {trials}"),
        _ if code == INTERRUPTED => format!("interrupted: {trials}"),
        _ => trials,
    }
}

fn code(results: &Results, failed: bool, interrupted: bool) -> u8 {
    match results.outcome() {
        _ if failed => 1,
        Outcome::Completed if results.count(Status::Error) > 0 => 3,
        Outcome::Completed => 0,
        // By Ctrl-C, `tryout stop` or whoever else: it can be gone on with.
        Outcome::Drained => INTERRUPTED,
        _ if interrupted => INTERRUPTED,
        Outcome::Stopped(_) => 4,
        _ => 1,
    }
}

/// The first Ctrl-C drains the run, the second stops it, the third ends this process at once.
fn on_interrupt(control: Control, drain: Duration, page: Option<Sender<()>>) -> Result<&'static AtomicU32, Problem> {
    static PRESSED: AtomicU32 = AtomicU32::new(0);
    ctrlc::set_handler(move || {
        // The page of a run that has ended goes.
        if let Some(page) = &page
            && PAGE_STAYS.load(Ordering::Relaxed)
        {
            let _ = page.send(());
            return;
        }
        // A run that is over already needs neither.
        let _ = match PRESSED.fetch_add(1, Ordering::Relaxed) {
            0 => {
                eprintln!("saving and ending the run; Ctrl-C once more ends it at once");
                block_on(control.drain(drain))
            }
            1 => block_on(control.stop()),
            _ => std::process::exit(INTERRUPTED.into()),
        };
    })
    .map_err(|error| Problem::failed(&error))?;
    Ok(&PRESSED)
}

/// Says that the run has begun, and drains it at the end of the standard input.
fn drain_without_parent(control: Control, drain: Duration, dir: &Path) -> Result<(), Problem> {
    let wait = move || {
        // Whether it ends or breaks: nobody is there any more. A run that is over isn't drained.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = block_on(control.drain(drain));
    };
    std::thread::Builder::new().name("tryout-parent".to_owned()).spawn(wait)?;
    // A parent that is gone already is seen by that thread.
    let mut out = std::io::stdout().lock();
    let _ = json_line(&mut out, &Told::Started { started: dir }).and_then(|()| Ok(out.flush()?));
    Ok(())
}
