//! `tryout run --resume`: how a run goes on that is there already, and what is changed of it.

use std::path::Path;

use clap::Args;
use tryout::event::TrialId;
use tryout::prelude::*;

use super::Problem;
use super::act::configuration;
use super::open::{Run, run_at};

/// How a run goes on.
#[derive(Debug, Args)]
pub(crate) struct GoingOn {
    /// Goes on with the run that is there.
    #[arg(long)]
    resume: bool,
    /// With `--resume`: the space or the objective may differ from what they were.
    #[arg(long, requires = "resume")]
    changed: bool,
    /// With `--resume`: trials that have failed are tried again, from their last checkpoints; all of them, or these.
    #[arg(long, requires = "resume", value_name = "TRIAL,..", num_args = 0.., require_equals = true, value_delimiter = ',')]
    retry: Option<Vec<String>>,
    /// With `--resume`: trials that have ended go on, until the stop rules that the file has now end them; all that ended without the
    /// scheduler's word, or these.
    #[arg(long, requires = "resume", value_name = "TRIAL,..", num_args = 0.., require_equals = true, value_delimiter = ',')]
    extend: Option<Vec<String>>,
    /// With `--resume`: one more trial, with these values as `tryout add` has them: `--add 'lr=0.1 model.depth=3'`.
    #[arg(long, requires = "resume", value_name = "KEY=VALUE ..")]
    add: Vec<String>,
}

impl GoingOn {
    pub(crate) fn apply(&self, experiment: Experiment, dir: &Path) -> Result<Experiment, Problem> {
        if !self.resume {
            return Ok(experiment);
        }
        let mut how = Resume::new();
        match &self.retry {
            Some(all) if all.is_empty() => how = how.errored(OnResume::Resume),
            these => {
                for trial in self.ended(dir, these, "--retry", |status| status == Status::Error)? {
                    how = how.revive(trial);
                }
            }
        }
        match &self.extend {
            Some(all) if all.is_empty() => how = how.extend(),
            these => {
                for trial in self.ended(dir, these, "--extend", |status| status == Status::Terminated)? {
                    how = how.revive(trial);
                }
            }
        }
        for text in &self.add {
            let values: Vec<String> = if text.trim_start().starts_with('{') {
                vec![text.clone()]
            } else {
                text.split_whitespace().map(str::to_owned).collect()
            };
            how = how.with_trial(configuration(&values)?);
        }
        let experiment = experiment.existing(Existing::Resume).on_resume(how);
        Ok(if self.changed { experiment.with_changed_space().with_changed_objective() } else { experiment })
    }

    /// Trials by their names, all of which must stand as `fits` says.
    fn ended(
        &self,
        dir: &Path,
        names: &Option<Vec<String>>,
        flag: &str,
        fits: impl Fn(Status) -> bool,
    ) -> Result<Vec<TrialId>, Problem> {
        let Some(names) = names else { return Ok(Vec::new()) };
        let run = Run::open(run_at(dir.to_owned())?)?;
        let one = |name: &String| {
            let trial = run.trial(name)?;
            let words = match trial.status {
                status if fits(status) => return Ok(trial.id),
                Status::Error => "it has failed: say `--retry`",
                Status::Terminated => "it hasn't failed: say `--extend`",
                _ => "it hasn't ended, and goes on anyway",
            };
            Err(Problem::Given(format!("`{flag}={name}`: trial {} is {}: {words}", trial.id.number(), trial.status)))
        };
        names.iter().map(one).collect()
    }
}
