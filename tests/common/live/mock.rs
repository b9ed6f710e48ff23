//! A trainable that does what a test's script says, in a blocking and an async form.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use tryout::prelude::*;

use super::{Diary, Gate};

type Hook<A> = Arc<dyn Fn(&mut Mock, A) -> Result<(), TrialError> + Send + Sync>;
type ExportHook = Arc<dyn Fn(&mut Mock, &Path) -> Result<(), TrialError> + Send + Sync>;
type StepHook = Arc<dyn Fn(&mut Mock) -> Result<Step, TrialError> + Send + Sync>;

/// What mocks do, by the name of their experiment.
static SCRIPTS: LazyLock<Mutex<HashMap<String, Script>>> = LazyLock::new(Mutex::default);

/// What a mock does. Without a word it counts its steps, reports the count as `score`, and can't save or reset.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) diary: Diary,
    setup: Option<Hook<()>>,
    step: Option<StepHook>,
    saves: bool,
    on_save: Option<Hook<()>>,
    on_restore: Option<Hook<()>>,
    reset: Option<Hook<()>>,
    stop: Option<Hook<()>>,
    drop: Option<Hook<()>>,
    export: Option<ExportHook>,
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[must_use]
        pub(crate) fn $name(
            mut self,
            hook: impl Fn(&mut Mock) -> Result<(), TrialError> + Send + Sync + 'static,
        ) -> Self {
            self.$name = Some(Arc::new(move |mock, ()| hook(mock)));
            self
        })+
    };
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A script that can save and whose every step waits at a gate.
    pub(crate) fn gated(gate: &Gate) -> Self {
        let inside = gate.clone();
        Self::new().saves().step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
    }

    hooks!(
        /// At set-up.
        setup,
        /// Before it saves, if it can.
        on_save,
        /// After it has restored.
        on_restore,
        /// It can be reset.
        reset,
        /// At the clean-up.
        stop,
        /// When it is dropped.
        drop,
    );

    /// What a step does, after the count has grown.
    #[must_use]
    pub(crate) fn step(mut self, step: impl Fn(&mut Mock) -> Result<Step, TrialError> + Send + Sync + 'static) -> Self {
        self.step = Some(Arc::new(step));
        self
    }

    /// It saves and restores its count.
    #[must_use]
    pub(crate) fn saves(mut self) -> Self {
        self.saves = true;
        self
    }

    #[must_use]
    pub(crate) fn export(
        mut self,
        export: impl Fn(&mut Mock, &Path) -> Result<(), TrialError> + Send + Sync + 'static,
    ) -> Self {
        self.export = Some(Arc::new(export));
        self
    }

    /// Makes it known to the mocks of an experiment of this name.
    pub(crate) fn install(self, name: &str) {
        SCRIPTS.lock().unwrap().insert(name.to_owned(), self);
    }

    /// An experiment on one worker, reports one by one.
    pub(crate) fn experiment(self, name: &str) -> Experiment {
        self.install(name);
        Experiment::new(name, stepwise::<Mock>()).seed(0).workers(1).batching(Batching::Single)
    }

    /// The same on an arbiter.
    pub(crate) fn async_experiment(self, name: &str) -> Experiment {
        self.install(name);
        Experiment::new(name, async_stepwise::<AsyncMock>()).seed(0).workers(1).batching(Batching::Single)
    }
}

/// A trainable that counts, and follows its script.
pub(crate) struct Mock {
    script: Script,
    pub(crate) info: TrialInfo,
    pub(crate) config: Config,
    /// Steps so far; saved and restored.
    pub(crate) count: u64,
    /// How often this very mock was reset.
    pub(crate) resets: u32,
    /// Whether it was restored since its set-up or reset.
    pub(crate) restored: bool,
}

impl Mock {
    /// The number of its trial.
    pub(crate) fn n(&self) -> u32 {
        self.info.id.number()
    }

    /// A number of its configuration, 0 if it isn't there.
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.config.number(key).unwrap_or(0.0)
    }

    /// Its ordinary report.
    pub(crate) fn score(&self) -> Step {
        Step::next([("score", self.count as f64), ("resets", f64::from(self.resets))])
    }

    fn call(&mut self, hook: impl Fn(&Script) -> Option<Hook<()>>) -> Result<(), TrialError> {
        hook(&self.script).map_or(Ok(()), |hook| hook(self, ()))
    }
}

impl Trainable for Mock {
    type Config = Config;
    const EXPORTS: &'static [&'static str] = &["model", "text"];

    fn setup(config: Config, trial: &TrialInfo) -> Result<Self, TrialError> {
        let script = SCRIPTS.lock().unwrap()[&*trial.experiment].clone();
        let mut mock = Self { script, info: trial.clone(), config, count: 0, resets: 0, restored: false };
        mock.call(|script| script.setup.clone())?;
        Ok(mock)
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.count += 1;
        match self.script.step.clone() {
            Some(step) => step(self),
            None => Ok(self.score()),
        }
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        if !self.script.saves {
            return Err(tryout::ports::error::Unsupported("save").into());
        }
        to.json("count.json", &self.count)?;
        self.call(|script| script.on_save.clone())
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.count = from.json("count.json")?;
        self.restored = true;
        self.call(|script| script.on_restore.clone())
    }

    fn reset(&mut self, config: Config, trial: &TrialInfo) -> Result<(), TrialError> {
        if self.script.reset.is_none() {
            return Err(tryout::ports::error::Unsupported("reset").into());
        }
        (self.config, self.info, self.count, self.restored) = (config, trial.clone(), 0, false);
        self.resets += 1;
        self.call(|script| script.reset.clone())
    }

    fn stop(&mut self) {
        self.call(|script| script.stop.clone()).expect("clean-ups have no errors");
    }

    fn export(&mut self, _: &str, directory: &Path) -> Result<(), TrialError> {
        match self.script.export.clone() {
            Some(export) => export(self, directory),
            None => Err(tryout::ports::error::Unsupported("export").into()),
        }
    }

    /// What the configuration names under `cpu`, `gpu` and `a`.
    fn default_resources(config: &Config) -> Option<ResourceRequest> {
        let names = ["cpu", "gpu", "a"];
        let said = names.iter().filter_map(|name| Some((*name, config.number(name)?)));
        let resources = said.fold(Resources::new(), |all, (name, value)| all.with(name, value));
        ResourceRequest::single(resources).ok()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.call(|script| script.drop.clone()).expect("drops have no errors");
    }
}

/// The same mock, on an arbiter.
pub(crate) struct AsyncMock(Mock);

impl AsyncTrainable for AsyncMock {
    type Config = Config;
    const EXPORTS: &'static [&'static str] = Mock::EXPORTS;

    async fn setup(config: Config, trial: &TrialInfo) -> Result<Self, TrialError> {
        Mock::setup(config, trial).map(Self)
    }

    async fn step(&mut self) -> Result<Step, TrialError> {
        self.0.step()
    }

    async fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        self.0.save(to)
    }

    async fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.0.restore(from)
    }

    async fn reset(&mut self, config: Config, trial: &TrialInfo) -> Result<(), TrialError> {
        self.0.reset(config, trial)
    }

    async fn stop(&mut self) {
        self.0.stop();
    }

    async fn export(&mut self, format: &str, directory: &Path) -> Result<(), TrialError> {
        self.0.export(format, directory)
    }
}
