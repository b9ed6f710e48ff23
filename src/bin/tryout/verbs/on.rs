//! `--on`: where the trials of an experiment file run, if not on this machine.

use tryout::launch::{LaunchSettings, Launcher, Slurm};
use tryout::remote::RemoteSettings;
use tryout::{Experiment, ExperimentFile};

use super::Problem;

/// Who is asked for workers.
pub(crate) enum On {
    /// Nobody: they are started by hand.
    Hand,
    /// A system.
    Launcher(Box<dyn Launcher>),
}

impl On {
    /// `join`, or a launcher with arguments that are handed on to it: `slurm --partition=gpu --time=60`.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        let mut words = text.split_whitespace();
        match words.next() {
            Some("join") if words.next().is_none() => Ok(Self::Hand),
            Some("slurm") => Ok(Self::Launcher(Box::new(words.fold(Slurm::new(), |slurm, word| slurm.arg(word))))),
            _ => {
                let why = format!(
                    "`--on {text}`: expected `slurm`, with arguments for `sbatch` behind it, or `join`, if workers are started by hand"
                );
                Err(Problem::Given(why))
            }
        }
    }

    /// The experiment with its workers from there.
    pub(crate) fn experiment(self, file: ExperimentFile, most: Option<u32>) -> Experiment {
        let mut remote = RemoteSettings::default();
        let (program, home) = file.elsewhere();
        (remote.program, remote.home) = (Some(program), Some(home));
        let experiment = file.experiment().joinable(remote);
        match self {
            Self::Hand => experiment,
            Self::Launcher(launcher) => {
                let mut settings = LaunchSettings::default();
                settings.most = most.unwrap_or(settings.most);
                experiment.workers_from(launcher).launch_settings(settings)
            }
        }
    }
}
