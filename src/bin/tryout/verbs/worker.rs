//! `tryout worker`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::Args;
use log::LevelFilter;
use serde_json::Value;
use tryout::ExperimentFile;
use tryout::backend::{Backend, process};
use tryout::remote::{Agent, AgentEnd, AgentError, Eviction, Welcome};
use tryout::resources::ResourceRequest;

use super::{Problem, serve};

/// Runs trials of a run on another machine, until that run needs it no more.
///
/// The run says where it is by its join file, `join.json` in its directory; copy that file, for its user alone, to where it isn't seen.
/// SIGTERM gives the trial back, which goes on elsewhere from its last checkpoint.
///
/// Exit codes: 0 the run needs it no more, 1 the engine isn't reached or is gone, 2 something given can't work, 143 this machine is taken away.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// The join file.
    #[arg(long, value_name = "FILE")]
    join: PathBuf,
    /// The requests that it serves, as JSON: `{"cpu": 2, "gpu": 1}` [default: those of a trial that asks for nothing particular].
    #[arg(long, value_name = "JSON", value_parser = shape)]
    shape: Option<ResourceRequest>,
    /// The number of the job that it is a part of. Said by whoever asked for it.
    #[arg(long, hide = true)]
    job: Option<u64>,
    /// For how many seconds the engine is looked for.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    connect_for: u64,
    /// A program that speaks the worker protocol, and its arguments [default: what the run says].
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

/// What a shell expects of a program that SIGTERM has ended.
const TERMINATED: u8 = 143;

fn shape(text: &str) -> Result<ResourceRequest, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    ResourceRequest::from_units(value).map_err(|why| format!("{why}; expected amounts by name, as in {{\"cpu\": 2}}"))
}

impl Worker {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        serve::show_log(LevelFilter::Info)?;
        let mut agent = Agent::new(&self.join).connect_for(Duration::from_secs(self.connect_for));
        if let Some(shape) = self.shape {
            agent = agent.shape(shape);
        }
        if let Some(job) = self.job {
            agent = agent.job(job);
        }
        on_signal(agent.eviction())?;
        let program = self.program;
        match agent.run(move |run: &Welcome| backend(&program, run)) {
            Ok(end) => {
                eprintln!("{end}");
                Ok(match end {
                    AgentEnd::Unneeded => ExitCode::SUCCESS,
                    AgentEnd::Evicted(_) => ExitCode::from(TERMINATED),
                    _ => ExitCode::FAILURE,
                })
            }
            Err(error @ (AgentError::JoinFile(_) | AgentError::Backend(_))) => Err(Problem::given(&error)),
            Err(error) => Err(Problem::failed(&error)),
        }
    }
}

/// The program that was given, else the one that the run says.
fn backend(program: &[String], run: &Welcome) -> Result<Box<dyn Backend>, String> {
    match (program.split_first(), &run.program) {
        (Some((program, arguments)), _) => Ok(Box::new(process(program).args(arguments))),
        (None, Some(parts)) => {
            ExperimentFile::backend_elsewhere(parts.clone(), run.home.as_deref().unwrap_or("".as_ref()))
        }
        (None, None) => Err("the run doesn't say what runs its trials: give the program behind `--`".to_owned()),
    }
}

/// The first signal gives the trial back, the second ends this process at once.
fn on_signal(eviction: Eviction) -> Result<(), Problem> {
    static HEARD: AtomicU32 = AtomicU32::new(0);
    ctrlc::set_handler(move || match HEARD.fetch_add(1, Ordering::Relaxed) {
        0 => eviction.evict("this machine is taken away (a signal)"),
        _ => std::process::exit(TERMINATED.into()),
    })
    .map_err(|error| Problem::failed(&error))
}
