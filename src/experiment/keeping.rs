//! The settings about what is kept of a run, and where.

use std::any::type_name;
use std::path::PathBuf;
use std::sync::Arc;

use super::builder::Experiment;
use crate::logic::checkpoint::Retention;
use crate::logic::config::Config;
use crate::logic::engine::AtEnd;
use crate::logic::ids::TrialId;
use crate::logic::names::TrialNames;
use crate::logic::settings::{Durability, Files, OrCode, short_name};
use crate::logic::trial::Export;
use crate::ports::store::Store;

impl Experiment {
    /// Keeps the run's files in a directory of its name below `parent`: its journal, from which it can be resumed, and its
    /// checkpoints. Without it everything is kept in memory, and ends with the process.
    #[must_use]
    pub fn dir(mut self, parent: impl Into<PathBuf>) -> Self {
        self.session.dir = Some(parent.into());
        self
    }

    /// When the journal is made durable. Default: in groups of 50 ms. A process that dies loses nothing that was
    /// written, whatever is said here; this is about the machine.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// Compacts the journal once it has grown by `bytes` and at least doubled since the last snapshot. Default: 4 MiB.
    #[must_use]
    pub fn snapshot_after(mut self, bytes: u64) -> Self {
        self.settings.snapshot_after = bytes;
        self
    }

    /// What the journal's files are written through, made for their directory: to put faults in its place.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn journal_files(
        mut self,
        files: impl Fn(&std::path::Path) -> Arc<dyn crate::edge::log::Files> + Send + Sync + 'static,
    ) -> Self {
        self.journal_files = Arc::new(files);
        self
    }

    /// Writes files that others can read into the run's directory, which [`dir`](Self::dir) names.
    #[must_use]
    pub fn files(mut self, files: Files) -> Self {
        self.settings.files = files;
        self
    }

    /// What trials are called besides their ids. Default: nothing.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let work = function("work", |_: Config, trial| Ok(trial.report([("loss", 0.5)])?));
    /// let space = Space::new().with("lr", grid([0.1, 0.2]));
    /// let results = Experiment::new("named", work).space(space).trial_names(TrialNames::Tag).run()?;
    /// assert_eq!(results.trials()[1].called(), "1_lr=0.2000");
    /// # Ok::<(), RunError>(())
    /// ```
    #[must_use]
    pub fn trial_names(mut self, names: TrialNames) -> Self {
        self.settings.trial_names = Some(OrCode::Data(names));
        self.given.names = None;
        self
    }

    /// What trials are called besides their ids, by a function of the id and the configuration. A name has 1 to 120 letters and digits of
    /// ASCII, `.`, `_`, `-`, `=`, `,` and `+`, and begins with none of `.` and `-`; a trial with another one is refused. A name that
    /// another trial has is followed by the trial's number. A trial keeps its name when it is resumed, and when it becomes a copy of another. The
    /// function isn't stored: a resumed run is supplied with it again.
    ///
    /// A run in a directory has a link for each trial, `by_name/NAME`, to the trial's own directory, which is called by its id.
    #[must_use]
    pub fn name_trials(mut self, name: impl Fn(TrialId, &Config) -> String + Send + Sync + 'static) -> Self {
        self.given.names = Some(Arc::new(name));
        self
    }

    /// Keeps checkpoints in a store of your own. It isn't stored: a resumed run is supplied with it again.
    #[must_use]
    pub fn store<S: Store + 'static>(mut self, store: S) -> Self {
        self.given.store = Some((short_name(type_name::<S>()).to_owned(), Arc::new(store)));
        self
    }

    /// Keeps a copy of the run in an object store, from which another machine can go on: see
    /// [`CloudRun`](crate::store::CloudRun). The run has a [`dir`](Self::dir) too. It isn't stored: a resumed run is supplied with it
    /// again, and a warning says so if it isn't.
    #[cfg(feature = "cloud")]
    #[must_use]
    pub fn cloud(mut self, cloud: crate::edge::cloud::CloudRun) -> Self {
        self.given.cloud = Some(cloud);
        self
    }

    /// A checkpoint at every iteration that is a multiple of this.
    #[must_use]
    pub fn checkpoint_every(mut self, iterations: u32) -> Self {
        self.settings.checkpoint_every = Some(iterations);
        self
    }

    /// Whether a checkpoint is written when a trial stops. Reports then travel one by one.
    #[must_use]
    pub fn at_end(mut self, at_end: AtEnd) -> Self {
        self.settings.at_end = at_end;
        self
    }

    /// Which checkpoints of a trial are kept. Default: all.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.settings.retention = retention;
        self
    }

    /// How many bytes the checkpoints of all trials may take together. Default: as many as they take. When they take more, the oldest go that aren't their trial's last, then the last ones of trials that have ended, the oldest
    /// first. What a trial that hasn't ended would go on from stays in any case; a warning says so if that is too much.
    #[must_use]
    pub fn checkpoint_budget(mut self, bytes: u64) -> Self {
        self.settings.checkpoint_budget = Some(bytes);
        self
    }

    /// What a trial exports of its final state: when it is done, and at every stop that lets it finish its step (by a stop rule,
    /// the scheduler, a client, a time limit that saves). One that is paused has no worker, so it exports nothing when it is
    /// stopped; so do those that run when the whole run is stopped. Each format has a directory, which is there once the export is
    /// whole: [`Results::export`](crate::results::Results::export). An export that fails is the trial's failure. Reports travel one by
    /// one, so that what is exported is what was reported last. Default: [`Export::No`].
    ///
    /// [`Export::AtEnd`] is the format `model`; [`Export::formats`] names others. One that the trainable doesn't have is refused
    /// before anything runs; a process is asked when it runs, and one without an `export` fails.
    #[must_use]
    pub fn export(mut self, export: Export) -> Self {
        self.settings.export = export;
        self
    }
}
