//! `tryout launch`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use tryout::ExperimentFile;
use tryout::launch::{LaunchJob, Launcher};
use tryout::remote::{JoinFile, agent_line};
use tryout::resources::ResourceRequest;

use super::Problem;
use super::on::On;
use super::worker::shape;

/// Asks a system for workers of a run that goes on, besides those that the run asks for itself; or shows what would be asked.
///
/// A run asks by itself with `tryout run FILE --on slurm`. Workers that were asked for in this way stay to the run's end.
#[derive(Debug, Args)]
pub(crate) struct Launch {
    /// The experiment file, for the shape of a trial and the place of the join file [default: say both].
    file: Option<PathBuf>,
    /// Who is asked: as in `tryout run --on`.
    #[arg(long, value_name = "WHERE")]
    on: String,
    /// The join file [default: `join.json` in the run's directory].
    #[arg(long, value_name = "FILE", required_unless_present = "file")]
    join: Option<PathBuf>,
    /// The requests that each worker serves, as JSON [default: those of a trial of the file, else one cpu].
    #[arg(long, value_name = "JSON", value_parser = shape)]
    shape: Option<ResourceRequest>,
    /// How many workers.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: u32,
    /// Below which directory the run has its own.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
    /// Prints what would be submitted, verbatim, and submits nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Launch {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let On::Launcher(mut launcher) = On::read(&self.on)? else {
            return Err(Problem::Given(
                "`--on join` asks nobody: start `tryout worker --join FILE` where it is to run".into(),
            ));
        };
        let file = self.file.as_ref().map(|file| ExperimentFile::read(file, &[])).transpose();
        let file = file.map_err(|error| Problem::given(&error))?;
        let asked = file.as_ref().and_then(|file| file.settings().per_trial.clone());
        let shape = Arc::new(self.shape.or(asked).unwrap_or_default());
        let run = file.as_ref().map_or_else(PathBuf::new, |file| self.dir.join(&*file.settings().name));
        let join = std::path::absolute(self.join.unwrap_or_else(|| run.join("join.json")))?;
        launcher.may_serve(&shape).map_err(|why| Problem::Given(format!("{}: {why}", launcher.name())))?;
        let known = match (JoinFile::read(&join), self.dry_run) {
            (Ok(known), _) => known.run,
            (Err(_), true) => "RUN".to_owned(),
            (Err(error), false) => return Err(Problem::given(&error)),
        };
        // A number that no job of the run has.
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let directory = join.parent().map(|run| run.join("agents")).filter(|agents| agents.is_dir());
        let job = LaunchJob {
            name: format!("tryout-{known}-{number}"),
            number,
            command: agent_line(&[], &join, None, &shape, &[]),
            shape,
            workers: self.workers,
            directory,
        };
        let mut out = std::io::stdout().lock();
        if self.dry_run {
            writeln!(out, "{}", launcher.dry_run(&job).trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        launcher.check().map_err(|why| Problem::Given(format!("{}: {why}", launcher.name())))?;
        let id = launcher.submit(&job).map_err(|error| Problem::failed(&error))?;
        writeln!(out, "{} has job {id}: {}, {} workers of {}", launcher.name(), job.name, job.workers, job.shape)?;
        Ok(ExitCode::SUCCESS)
    }
}
