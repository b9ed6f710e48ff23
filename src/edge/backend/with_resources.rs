//! A backend whose trials ask for resources by their configurations, whatever kind of backend it is.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::logic::config::Config;
use crate::logic::failure::Fault;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::trial::Rests;
use crate::ports::backend::{Backend, ResourceRule, WorkerHandle, WorkerStart};
use crate::ports::control::GivesTrials;

/// What `backend` runs, with resources by configuration: for closures, processes and commands, and in the place of a
/// trainable's own `default_resources`. Where `rule` answers none, what is around it decides: the backend's own rule, else
/// one cpu. What the experiment says with `per_trial` wins over it.
///
/// ```
/// use tryout::backend::with_resources;
/// use tryout::prelude::*;
///
/// let train = function("train", |_: Config, trial| Ok(trial.report([("loss", 0.5)])?));
/// let train = with_resources(train, |config| {
///     let threads = config.number("threads")?;
///     ResourceRequest::single(Resources::new().with("cpu", threads)).ok()
/// });
/// let results = Experiment::new("sized", train)
///     .space(Space::new().with("threads", grid([1, 2])))
///     .workers(2)
///     .run()?;
/// assert_eq!(results.count(Status::Terminated), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn with_resources<B: Backend>(
    backend: B,
    rule: impl Fn(&Config) -> Option<ResourceRequest> + Send + Sync + 'static,
) -> WithResources<B> {
    WithResources { backend, rule: Arc::new(rule) }
}

/// See [`with_resources`].
pub struct WithResources<B> {
    backend: B,
    rule: ResourceRule,
}

impl<B: fmt::Debug> fmt::Debug for WithResources<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithResources").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl<B: Backend> Backend for WithResources<B> {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        self.backend.spawn(start)
    }

    fn name(&self) -> &str {
        self.backend.name()
    }

    fn metrics(&self) -> &[&'static str] {
        self.backend.metrics()
    }

    fn exports(&self) -> Option<&[&'static str]> {
        self.backend.exports()
    }

    fn rests(&self) -> Rests {
        self.backend.rests()
    }

    fn in_processes(&self) -> bool {
        self.backend.in_processes()
    }

    fn set_resources(&mut self, total: &Resources) {
        self.backend.set_resources(total);
    }

    fn check(&self) -> Result<(), String> {
        self.backend.check()
    }

    fn places(&self) -> Vec<String> {
        self.backend.places()
    }

    fn gives_trials(&self) -> Option<Arc<dyn GivesTrials>> {
        self.backend.gives_trials()
    }

    fn takes_objects(&self) -> bool {
        self.backend.takes_objects()
    }

    fn set_run_dir(&mut self, directory: &Path) -> io::Result<()> {
        self.backend.set_run_dir(directory)
    }

    fn resource_rule(&self) -> ResourceRule {
        let (rule, own) = (self.rule.clone(), self.backend.resource_rule());
        Arc::new(move |config| rule(config).or_else(|| own(config)))
    }
}
