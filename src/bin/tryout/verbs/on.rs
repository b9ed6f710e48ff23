//! `--on`: where the trials of an experiment file run, if not on this machine.

use tryout::launch::{LaunchSettings, Launcher, launcher};
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
    /// `join`, or a launcher with words of its own: `slurm --partition=gpu --time=60`.
    pub(crate) fn read(text: &str) -> Result<Self, Problem> {
        if text.trim() == "join" {
            return Ok(Self::Hand);
        }
        let wrong = |why| Problem::Given(format!("`--on {text}`: {why}; or `join`, if workers are started by hand"));
        launcher(text).map(Self::Launcher).map_err(wrong)
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
