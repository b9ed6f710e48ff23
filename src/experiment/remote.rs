//! Workers that join from elsewhere.

use std::sync::Arc;

use super::builder::Experiment;
use crate::edge::launch::{LaunchSettings, Launcher};
use crate::edge::remote::{About, Launching, RemoteSettings, RemoteWorkers};
use crate::error::SettingsError;
use crate::logic::failure::{Budget, FailureKind};
use crate::logic::ids::RunId;
use crate::logic::pool::ResourceRequest;
use crate::logic::settings::Settings;
use crate::ports::elsewhere::Elsewhere;
use crate::ports::store::Store;

/// So many lost workers a trial is forgiven.
const LOST: u32 = 3;

/// What was said of them.
#[derive(Default)]
pub(super) struct Remote {
    settings: RemoteSettings,
    launching: Option<Launching>,
}

impl Remote {
    /// What is otherwise than on one machine, unless it was said: machines are lost at times, and a system is asked for as many workers
    /// as there may be.
    pub(super) fn adapt(&self, settings: &mut Settings) {
        let defaults = Settings::default();
        if settings.retry == defaults.retry {
            settings.retry = std::mem::take(&mut settings.retry).free(FailureKind::WorkerLost, Budget::Limited(LOST));
        }
        if let Some(launching) = self.launching.as_ref().filter(|_| settings.staged == defaults.staged) {
            settings.staged = launching.settings.most.max(defaults.staged);
        }
    }
}

impl Experiment {
    /// Lets workers join from other machines: by hand with `tryout worker --join FILE`, or by a program of one's own with
    /// [`Agent`](crate::remote::Agent). The run listens on a port and writes a join file, `join.json` in its directory unless the settings
    /// say another one.
    ///
    /// A worker serves the trials whose request equals its shape. What there is to run on here is used first; unless it is said with
    /// [`resources`](Self::resources), that is nothing: all trials run on workers that join.
    ///
    /// ```no_run
    /// use tryout::prelude::*;
    /// use tryout::remote::RemoteSettings;
    ///
    /// let results = Experiment::new("scripts", process("python3").arg("train.py"))
    ///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
    ///     .samples(20)
    ///     .dir("runs")
    ///     .joinable(RemoteSettings::default())
    ///     .run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn joinable(mut self, settings: RemoteSettings) -> Self {
        self.given.remote.get_or_insert_default().settings = settings;
        self
    }

    /// Asks an existing system for workers: so many as trials wait for, each of the shape that a trial asks for. Nothing in the trainable
    /// changes. How workers join is said with [`joinable`](Self::joinable), how the system is asked with
    /// [`launch_settings`](Self::launch_settings).
    ///
    /// Trials of a backend of processes are run by `tryout worker` on the other machine; others need a program of one's own that calls
    /// [`Agent::run`](crate::remote::Agent::run), named in the settings of `joinable`.
    ///
    /// ```no_run
    /// use tryout::launch::Slurm;
    /// use tryout::prelude::*;
    ///
    /// let results = Experiment::new("scripts", process("python3").arg("train.py"))
    ///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
    ///     .samples(20)
    ///     .dir("runs")
    ///     .workers_from(Slurm::new())
    ///     .run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn workers_from(mut self, launcher: impl Launcher + 'static) -> Self {
        let remote = self.given.remote.get_or_insert_default();
        let settings = remote.launching.take().map(|launching| launching.settings).unwrap_or_default();
        remote.launching = Some(Launching { launcher: Some(Box::new(launcher)), settings });
        self
    }

    /// How the system of [`workers_from`](Self::workers_from) is asked: how many workers at most, how many in one job, how often.
    #[must_use]
    pub fn launch_settings(mut self, settings: LaunchSettings) -> Self {
        self.given.remote.get_or_insert_default().launching.get_or_insert_default().settings = settings;
        self
    }
}

/// Opens the port.
pub(super) fn open(
    remote: Remote,
    (run, name): (RunId, &str),
    dir: Option<&std::path::Path>,
    store: &Arc<dyn Store>,
    (default_shape, worker): (Arc<ResourceRequest>, Vec<std::ffi::OsString>),
) -> Result<Box<dyn Elsewhere>, SettingsError> {
    let checkpoints = store.root().map(std::path::PathBuf::from).filter(|root| root.is_dir());
    let about = About { run, name: name.to_owned(), dir: dir.map(Into::into), checkpoints, default_shape, worker };
    let workers = RemoteWorkers::open(remote.settings, about, remote.launching).map_err(SettingsError::Remote)?;
    Ok(Box::new(workers))
}
