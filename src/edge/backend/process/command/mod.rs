//! Any program as a trial: values go in as arguments, environment and files, metrics come out as lines or a file.

mod metrics;
mod supervisor;
mod template;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub use metrics::MetricsFrom;
pub use template::PlaceError;

use self::metrics::Reader;
use self::template::{Reads, Template};
use super::STACK;
use super::mailbox::ProcessHandle;
use super::output::Output;
use super::place::{Home, Place};
use super::program::{Environment, Program, from_here};
use super::shared::{Settings, Shared, cannot};
use crate::edge::plain_file;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::pool::{Resources, Slot};
use crate::logic::trial::{Rests, TrialInfo};
use crate::logic::worker::Limits;
use crate::ports::backend::{Backend, WorkerHandle, WorkerStart};

/// Runs any program as a trial, a process each. Made by [`command`]. On Unix; see [`Limits`] for what only Linux has.
pub struct CommandBackend {
    name: String,
    settings: Settings,
    metrics: MetricsFrom,
    files: Vec<(PathBuf, Template)>,
    config_file: Option<PathBuf>,
    continues: bool,
    /// Made when it is first needed: until then settings may change.
    shared: Option<Arc<Shared>>,
}

/// A backend whose trials are processes of `program`, which needn't know of tryout. It is looked for in `PATH` if it is a bare
/// name.
///
/// In arguments, values of the environment and [files](CommandBackend::file), `{lr}` stands for the configuration's value `lr`
/// (levels joined with `/`), and `{@trial}`, `{@number}`, `{@attempt}`, `{@seed}`, `{@gpus}`, `{@dir}` for the trial's id, its
/// number, its attempt, its seed, its GPUs (as in `CUDA_VISIBLE_DEVICES`), and its working directory; `{{` is a brace. An argument that is the
/// relative path of a file is made absolute, since each trial works in a directory of its own.
///
/// # What values may hold
///
/// An argument and a variable of the environment are handed over whole: any value is safe there, as long as the program
/// doesn't run it. In the text of a program (behind `sh -c`, `python -c` and the like) a value would be obeyed, so only
/// letters, digits and `_.+-/:,@%` may stand there, and a trial with any other value fails. Let the script read it instead:
/// `command("sh").args(["-c", r#"train --name "$1""#, "sh", "{name}"])`. Files: see [`file`](CommandBackend::file).
///
/// Each line of its standard output that is a JSON object is a report, unless [`metrics`](CommandBackend::metrics) says
/// otherwise. Exit code 0 means that it is done; anything else is its failure. A trial that is stopped or paused gets SIGTERM, and
/// SIGKILL a little later. One that goes on after a pause or a failure starts again, in the directory where it was if the run has
/// one, and is expected to report from its first step on: what it had reported before isn't a result again. See
/// [`continues`](CommandBackend::continues).
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
        continues: false,
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
    ///
    /// In `.json`, `.yaml` and `.toml`, texts are escaped as within double quotes, so write `"name": "{name}"`; numbers, lists
    /// and maps stand as JSON. In scripts (`.sh`, `.py` and the like) only letters, digits and `_.+-/:,@%` may stand. In all
    /// other files a value mustn't have control characters, so that it stays on its line. [`config_file`](Self::config_file)
    /// writes any configuration as it is.
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

    /// The program keeps its own state in its directory, and when it is started again it reports only what comes after its last
    /// report: iterations are counted on from there. Without this it is expected to begin again, as it is in a run without a
    /// directory (`Experiment::dir`): there nothing is left of what it wrote.
    ///
    /// After a failure it goes on from what it wrote last. Let it write before it reports: of a step that it reports twice, the
    /// second counts as the next one.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// // A step at each start: what is done stands in a file.
    /// let script = r#"n=$(($(cat n || echo 0) + 1)); echo $n > n; echo "{{\"n\": $n}}"; [ $n -ge 3 ]"#;
    /// # let dir = tempfile::tempdir()?;
    /// let results = Experiment::new("steps", command("sh").args(["-c", script]).continues())
    ///     .points([Config::new()])
    ///     .max_failures(5)
    ///     .dir(dir.path())
    ///     .run()?;
    /// let last = results.trials()[0].last.as_ref().map(|last| (last.iteration(), last.number("n")));
    /// assert_eq!(last, Some((3, Some(3.0))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn continues(mut self) -> Self {
        self.continues = true;
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
    /// # Ok::<(), tryout::backend::PlaceError>(())
    /// ```
    ///
    /// # Errors
    /// If an argument has a place that the configuration has no value for.
    pub fn line(&self, config: &Config) -> Result<Vec<OsString>, PlaceError> {
        let about = ABOUT.map(|name| (name, format!("{{@{name}}}")));
        let Program { path, arguments, .. } = &self.settings.program;
        let filled = texts(path, arguments).into_iter().map(|(text, reads)| text.fill(config, &about, reads));
        std::iter::once(Ok(path.clone())).chain(filled).collect()
    }
}

impl CommandBackend {
    /// All texts with places.
    fn all_places(&self) -> Vec<Template> {
        let Program { path, arguments, added, .. } = &self.settings.program;
        let arguments = texts(path, arguments).into_iter().map(|(text, _)| text);
        let all = arguments.chain(added.iter().map(|(_, value)| Text::new(value)));
        let templates = all.filter_map(|text| match text {
            Text::Template(template) => Some(template),
            Text::Bytes(_) => None,
        });
        templates.chain(self.files.iter().map(|(_, text)| text.clone())).collect()
    }
}

impl Backend for CommandBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        let reader = self.metrics.reader().map_err(|why| Fault::new(FailureKind::SetupFailed, why))?;
        let recipe = Recipe {
            arguments: texts(&self.settings.program.path, &self.settings.program.arguments),
            environment: self
                .settings
                .program
                .added
                .iter()
                .map(|(name, value)| (name.clone(), Text::new(value)))
                .collect(),
            files: self.files.clone(),
            config_file: self.config_file.clone(),
            continues: self.continues,
            reader,
        };
        let (handle, mail) = ProcessHandle::new()?;
        let shared = self.shared();
        let thread = std::thread::Builder::new().name(format!("tryout-{}", start.worker)).stack_size(STACK);
        let spawned = thread.spawn(move || supervisor::CommandSupervisor::run(shared, recipe, start, mail));
        spawned.map_err(|error| cannot("have a thread for a worker's supervisor", &error))?;
        Ok(Box::new(handle))
    }

    /// A command writes what it likes into its trial's directory, and is never asked to.
    fn exports(&self) -> Option<&[&'static str]> {
        Some(&[])
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// Its program is ended when its trial leaves.
    fn rests(&self) -> Rests {
        Rests::WhenReleased
    }

    fn program(&self) -> Vec<OsString> {
        self.settings.program.words()
    }

    fn in_processes(&self) -> bool {
        true
    }

    fn set_resources(&mut self, total: &Resources) {
        self.shared().set_resources(total);
    }

    fn set_run_dir(&mut self, directory: &Path) -> io::Result<()> {
        self.shared().set_place(Place::Run(std::path::absolute(directory)?));
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        self.settings.check_limits()?;
        let names = self.files.iter().map(|(name, _)| name).chain(&self.config_file);
        for name in names {
            let inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if !inside || name.as_os_str().is_empty() {
                return Err(format!("`{}` isn't the name of a file in a trial's working directory", name.display()));
            }
        }
        self.metrics.reader().map(drop)?;
        let unknown = |place: &&str| place.strip_prefix('@').is_some_and(|name| !ABOUT.contains(&name));
        if let Some(place) = self.all_places().iter().flat_map(|template| template.places()).find(unknown) {
            let there = ABOUT.map(|name| format!("`{{@{name}}}`")).join(", ");
            return Err(format!("nothing is called `{{{place}}}`: there are {there}"));
        }
        self.settings.program.check()
    }

    fn places(&self) -> Vec<String> {
        let of_values = |place: &&str| !place.starts_with('@');
        let all = self.all_places();
        all.iter().flat_map(|template| template.places()).filter(of_values).map(str::to_owned).collect()
    }

    fn takes_objects(&self) -> bool {
        false
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

/// Arguments, and what becomes of the values in each.
fn texts(program: &OsStr, arguments: &[OsString]) -> Vec<(Text, Reads)> {
    let words: Vec<String> = std::iter::once(program)
        .chain(arguments.iter().map(OsString::as_os_str))
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let reads = |at: usize| Reads::argument(words.get(..=at).unwrap_or_default());
    arguments.iter().enumerate().map(|(at, argument)| (Text::argument(argument), reads(at))).collect()
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

    fn fill(&self, config: &Config, about: &[(&str, String)], reads: Reads) -> Result<OsString, PlaceError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Template(template) => template.fill(config, about, reads).map(OsString::from),
        }
    }
}

impl From<PlaceError> for Fault {
    fn from(error: PlaceError) -> Self {
        Fault::new(FailureKind::SetupFailed, error.to_string())
    }
}

/// How a trial becomes a command.
#[derive(Clone, Debug)]
struct Recipe {
    arguments: Vec<(Text, Reads)>,
    environment: Vec<(OsString, Text)>,
    files: Vec<(PathBuf, Template)>,
    config_file: Option<PathBuf>,
    continues: bool,
    reader: Reader,
}

impl Recipe {
    /// The command of a trial, its files written.
    fn prepare(
        &self,
        shared: &Shared,
        slot: &Slot,
        info: &TrialInfo,
        config: &Config,
        home: &Home,
    ) -> Result<Command, Fault> {
        let program = &shared.settings.program;
        let values: [String; ABOUT.len()] = [
            info.id.to_string(),
            info.id.number().to_string(),
            info.attempt.to_string(),
            info.seed.to_string(),
            program.gpu_names(slot).join(","),
            home.work.display().to_string(),
        ];
        let about: Vec<_> = ABOUT.into_iter().zip(values).collect();
        for (name, text) in &self.files {
            write(&home.work.join(name), &text.fill(config, &about, Reads::file(name))?)?;
        }
        if let Some(name) = &self.config_file {
            write(&home.work.join(name), &format!("{config}\n"))?;
        }
        let mut command = program.command(slot, shared.gpus_counted());
        command.current_dir(&home.work);
        for (argument, reads) in &self.arguments {
            command.arg(argument.fill(config, &about, *reads)?);
        }
        for (name, value) in &self.environment {
            command.env(name, value.fill(config, &about, Reads::Whole)?);
        }
        Ok(command)
    }
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| plain_file::create(path).and_then(|mut file| file.write_all(text.as_bytes())))
        .map_err(|error| Fault::new(FailureKind::SetupFailed, format!("can't write `{}`: {error}", path.display())))
}
