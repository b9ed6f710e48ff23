//! Any program as a trial: values go in as arguments, environment and files, metrics come out as lines or a file.

mod attendant;
mod metrics;
mod template;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub use metrics::MetricsFrom;
pub use template::NoSuchValue;

use self::metrics::Reader;
use self::template::Template;
use super::STACK;
use super::limits::Limits;
use super::mailbox::ProcessHandle;
use super::output::Output;
use super::place::{Home, Place};
use super::program::{Environment, Program, from_here, gpus};
use super::shared::{Settings, Shared, cannot};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::pool::Slot;
use crate::logic::trial::{Rests, TrialInfo};
use crate::ports::backend::{Backend, WorkerHandle, WorkerStart};

/// Runs any program as a trial, a process each. Made by [`command`]. Linux only.
pub struct CommandBackend {
    name: String,
    settings: Settings,
    metrics: MetricsFrom,
    files: Vec<(PathBuf, Template)>,
    config_file: Option<PathBuf>,
    /// Made when it is first needed: until then settings may change.
    shared: Option<Arc<Shared>>,
}

/// A backend whose trials are processes of `program`, which needn't know of tryout. It is looked for in `PATH` if it is a bare
/// name.
///
/// In arguments, values of the environment and [files](CommandBackend::file), `{lr}` stands for the configuration's value `lr`
/// (levels joined with `/`), and `{@trial}`, `{@number}`, `{@attempt}`, `{@seed}`, `{@gpus}`, `{@dir}` for the trial's id, its
/// number, its attempt, its seed, the indices of its GPUs, and its working directory; `{{` is a brace. An argument that is the
/// relative path of a file is made absolute, since each trial works in a directory of its own.
///
/// Each line of its standard output that is a JSON object is a report, unless [`metrics`](CommandBackend::metrics) says
/// otherwise. Exit code 0 means that it is done; anything else is its failure. A trial that is stopped or paused gets SIGTERM, and
/// SIGKILL a little later. One that goes on after a pause or a failure starts again, in the directory where it was.
///
/// ```
/// use tryout::prelude::*;
///
/// let script = r#"echo "{{\"loss\": $(({x} * {x}))}}""#;
/// let results = Experiment::new("squares", command("sh").args(["-c", script]))
///     .space(Space::new().with("x", grid([3, -2, 5])))
///     .objective(Objective::min("loss"))
///     .run()?;
/// assert_eq!(results.best()?.config.number("x"), Some(-2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn command(program: impl AsRef<OsStr>) -> CommandBackend {
    let program = Program::new(program.as_ref());
    CommandBackend {
        name: program.name(),
        settings: Settings::new(program),
        metrics: MetricsFrom::default(),
        files: Vec::new(),
        config_file: None,
        shared: None,
    }
}

impl fmt::Debug for CommandBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandBackend").field("program", &self.settings.program.path).finish_non_exhaustive()
    }
}

settings_of_processes!(CommandBackend);

impl CommandBackend {
    /// Where its metrics are read from: [`MetricsFrom::JsonLines`] unless it is said.
    #[must_use]
    pub fn metrics(mut self, from: MetricsFrom) -> Self {
        self.metrics = from;
        self
    }

    /// Writes a file into each trial's working directory before its program starts; the text has places as arguments have.
    #[must_use]
    pub fn file(mut self, name: impl Into<PathBuf>, text: &str) -> Self {
        self.files.push((name.into(), Template::new(text)));
        self
    }

    /// Writes each trial's whole configuration into its working directory, as JSON, before its program starts.
    #[must_use]
    pub fn config_file(mut self, name: impl Into<PathBuf>) -> Self {
        self.config_file = Some(name.into());
        self
    }

    /// The program and its arguments as a trial with this configuration gets them, to be shown or checked. What only a
    /// trial that runs has, as `{@seed}`, stays as it is.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let train = command("train").args(["--lr", "{lr}", "--seed={@seed}"]);
    /// assert_eq!(train.line(&Config::new().with("lr", 0.5))?, ["train", "--lr", "0.5", "--seed={@seed}"]);
    /// assert!(train.line(&Config::new()).is_err());
    /// # Ok::<(), tryout::edge::backend::NoSuchValue>(())
    /// ```
    ///
    /// # Errors
    /// If an argument has a place that the configuration has no value for.
    pub fn line(&self, config: &Config) -> Result<Vec<OsString>, NoSuchValue> {
        let about = ABOUT.map(|name| (name, format!("{{@{name}}}")));
        let Program { path, arguments, .. } = &self.settings.program;
        let arguments = arguments.iter().map(|argument| Text::argument(argument).fill(config, &about));
        std::iter::once(Ok(path.clone())).chain(arguments).collect()
    }
}

impl Backend for CommandBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let reader = self.metrics.reader().map_err(|why| Fault::new(FailureKind::SetupFailed, why))?;
        let recipe = Recipe {
            arguments: self.settings.program.arguments.iter().map(|argument| Text::argument(argument)).collect(),
            environment: self
                .settings
                .program
                .added
                .iter()
                .map(|(name, value)| (name.clone(), Text::new(value)))
                .collect(),
            files: self.files.clone(),
            config_file: self.config_file.clone(),
            reader,
        };
        let (handle, mail) = ProcessHandle::new()?;
        let shared = self.shared();
        let thread = std::thread::Builder::new().name(format!("tryout-{}", start.worker)).stack_size(STACK);
        let spawned = thread.spawn(move || attendant::Attendant::run(shared, recipe, start, mail));
        spawned.map_err(|error| cannot("have a thread for a worker's attendant", &error))?;
        Ok(Box::new(handle))
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// Its program is ended when its trial leaves.
    fn rests(&self) -> Rests {
        Rests::WhenReleased
    }

    fn settle(&mut self, directory: &Path) -> io::Result<()> {
        self.shared().settle(Place::Run(std::path::absolute(directory)?));
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        self.settings.limits.check()?;
        let names = self.files.iter().map(|(name, _)| name).chain(&self.config_file);
        for name in names {
            let inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if !inside || name.as_os_str().is_empty() {
                return Err(format!("`{}` isn't the name of a file in a trial's working directory", name.display()));
            }
        }
        self.metrics.reader().map(drop)
    }
}

/// What places with `@` can stand for.
const ABOUT: [&str; 6] = ["trial", "number", "attempt", "seed", "gpus", "dir"];

/// An argument or a value: a template if it is a text.
#[derive(Clone, Debug)]
enum Text {
    Template(Template),
    Bytes(OsString),
}

impl Text {
    fn new(text: &OsStr) -> Self {
        text.to_str().map_or_else(|| Self::Bytes(text.to_owned()), |text| Self::Template(Template::new(text)))
    }

    /// An argument; one that names a file from here names it from everywhere.
    fn argument(text: &OsStr) -> Self {
        let template = Self::new(text);
        let plain = matches!(&template, Self::Template(template) if template.is_plain());
        if plain && Path::new(text).is_file() { Self::Bytes(from_here(text)) } else { template }
    }

    fn fill(&self, config: &Config, about: &[(&str, String)]) -> Result<OsString, NoSuchValue> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Template(template) => template.fill(config, about).map(OsString::from),
        }
    }
}

impl From<NoSuchValue> for Fault {
    fn from(error: NoSuchValue) -> Self {
        Fault::new(FailureKind::SetupFailed, error.to_string())
    }
}

/// How a trial becomes a command.
#[derive(Clone, Debug)]
struct Recipe {
    arguments: Vec<Text>,
    environment: Vec<(OsString, Text)>,
    files: Vec<(PathBuf, Template)>,
    config_file: Option<PathBuf>,
    reader: Reader,
}

impl Recipe {
    /// The command of a trial, its files written.
    fn prepare(
        &self,
        program: &Program,
        slot: &Slot,
        info: &TrialInfo,
        config: &Config,
        home: &Home,
    ) -> Result<Command, Fault> {
        let gpus: Vec<String> = gpus(slot).iter().map(u32::to_string).collect();
        let values: [String; ABOUT.len()] = [
            info.id.to_string(),
            info.id.number().to_string(),
            info.attempt.to_string(),
            info.seed.to_string(),
            gpus.join(","),
            home.work.display().to_string(),
        ];
        let about: Vec<_> = ABOUT.into_iter().zip(values).collect();
        for (name, text) in &self.files {
            write(&home.work.join(name), &text.fill(config, &about)?)?;
        }
        if let Some(name) = &self.config_file {
            write(&home.work.join(name), &format!("{config}\n"))?;
        }
        let mut command = program.command(slot);
        command.current_dir(&home.work);
        for argument in &self.arguments {
            command.arg(argument.fill(config, &about)?);
        }
        for (name, value) in &self.environment {
            command.env(name, value.fill(config, &about)?);
        }
        Ok(command)
    }
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text))
        .map_err(|error| Fault::new(FailureKind::SetupFailed, format!("can't write `{}`: {error}", path.display())))
}
