//! Workers that join from elsewhere.

use std::sync::Arc;

use super::builder::Experiment;
use crate::edge::remote::{About, RemoteSettings, RemoteWorkers};
use crate::error::SettingsError;
use crate::logic::ids::RunId;
use crate::logic::pool::ResourceRequest;
use crate::ports::elsewhere::Elsewhere;
use crate::ports::store::Store;

/// What was said of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Remote {
    settings: RemoteSettings,
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
}

/// Opens the port.
pub(super) fn open(
    remote: Remote,
    (run, name): (RunId, &str),
    dir: Option<&std::path::Path>,
    store: &Arc<dyn Store>,
    default_shape: Arc<ResourceRequest>,
) -> Result<Box<dyn Elsewhere>, SettingsError> {
    let checkpoints = store.root().map(std::path::PathBuf::from).filter(|root| root.is_dir());
    let about = About { run, name: name.to_owned(), dir: dir.map(Into::into), checkpoints, default_shape };
    let workers = RemoteWorkers::open(remote.settings, about).map_err(SettingsError::Remote)?;
    Ok(Box::new(workers))
}
