//! Experiment files: an experiment without a program of one's own. `docs/command-line.md` says how they are written.
//!
//! | file | what it does |
//! |---|---|
//! | `source` | TOML or JSON, and where in the text each value stands |
//! | `places` | which of the crate's settings stands where in a file |
//! | `parts`, `space` | the searcher, the scheduler, the stop rules and the space in their short forms |
//! | `program` | what runs the trials |
//! | `schema` | the JSON Schema of it all |
//! | `preview` | what would run |

mod error;
mod parts;
mod places;
mod preview;
mod program;
mod schema;
mod source;
mod space;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

pub use error::FileError;
pub use preview::{Preview, Previewed};
pub use schema::schema;

use self::error::{in_words, unknown};
use self::parts::Common;
use self::program::{AnyBackend, Program};
use self::source::Source;
use super::builder::Experiment;
use crate::edge::backend::PlaceError;
use crate::logic::config::Config;
use crate::logic::limit::OnLimit;
use crate::logic::place;
use crate::logic::settings::Settings;
use crate::ports::backend::Backend;

/// Something wrong at a place in the tree of a file.
#[derive(Debug)]
struct Wrong {
    place: String,
    why: String,
}

impl Wrong {
    fn new(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { place: place.into(), why: why.into() }
    }
}

/// An experiment as a file says it: the crate's [`Settings`], and the program that runs the trials.
///
/// ```
/// use tryout::ExperimentFile;
///
/// let text = r#"
/// name = "digits"
/// samples = 20
/// command = ["train", "--lr", "{lr}"]
/// space.lr = { log_uniform = [1e-4, 1e-1] }
/// objective.min = "loss"
/// schedule.asha = { max_t = 81 }
/// "#;
/// let file = ExperimentFile::parse("digits.toml".as_ref(), text, &[])?;
/// assert_eq!(&*file.settings().name, "digits");
///
/// let wrong = ExperimentFile::parse("digits.toml".as_ref(), &text.replace("samples", "sampels"), &[]);
/// let why = wrong.expect_err("there is no such setting").to_string();
/// assert_eq!(why, "digits.toml:3:1: there is no setting `sampels`; did you mean `samples`?");
/// # Ok::<(), tryout::FileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExperimentFile {
    settings: Settings,
    program: Program,
    /// The parts that say what runs the trials, as they were read.
    source: Map<String, Value>,
    /// The directory from which its paths go.
    home: PathBuf,
    env: Vec<(String, String)>,
}

impl ExperimentFile {
    /// Reads a file. `set` are changes to it, as in `samples=5` or `space.lr={uniform=[0,1]}`.
    ///
    /// # Errors
    /// If it can't be read, or anything in it can't work: where that is, and what would be right.
    pub fn read(path: &Path, set: &[String]) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError {
            file: path.display().to_string(),
            at: None,
            why: format!("the file can't be read: {error}"),
        })?;
        Self::parse(path, &text, set)
    }

    /// The same from a text. It is JSON if the path ends in `.json`, else TOML; relative paths in it go from the path's directory.
    ///
    /// # Errors
    /// If anything in it can't work: where that is, and what would be right.
    pub fn parse(path: &Path, text: &str, set: &[String]) -> Result<Self, FileError> {
        let source = Source::new(path, text.to_owned());
        let mut tree = source.tree()?;
        if let Some(stem) = path.file_stem().filter(|_| !tree.contains_key("name")) {
            tree.insert("name".to_owned(), stem.to_string_lossy().into());
        }
        for change in set {
            assign(&mut tree, change).map_err(|why| FileError { file: format!("--set {change}"), at: None, why })?;
        }
        let home = path.parent().map(Path::to_owned).unwrap_or_default();
        let parts = of_program(&tree);
        let (settings, program) = read(tree).map_err(|Wrong { place, why }| {
            // Parts say how a program in Rust would put it right.
            let why = why.replace(".objective(Objective::min(\"loss\"))", "objective.min = \"loss\"");
            let from_set = set.iter().find(|change| {
                let key = change.split('=').next().unwrap_or_default().trim();
                !place.is_empty() && (place == key || place.starts_with(&format!("{key}.")))
            });
            match from_set {
                Some(change) => FileError { file: format!("--set {change}"), at: None, why },
                None => source.wrong(&place, why),
            }
        })?;
        Ok(Self { settings, program, source: parts, home, env: Vec::new() })
    }

    /// The settings that it comes to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The program of its trials, if they are workers that speak the protocol.
    pub fn worker(&self) -> Option<&str> {
        self.program.worker.as_ref().and_then(|words| words.first()).map(String::as_str)
    }

    /// The program of its trials, whichever kind it is: a bare name, or a path.
    pub fn program(&self) -> String {
        let words = self.program.worker.as_ref().or(self.program.command.as_ref());
        words.and_then(|words| words.first()).map_or_else(String::new, |word| program::program_from(&self.home, word))
    }

    /// The command line of a trial with this configuration; none if its trials are workers that speak the protocol.
    ///
    /// # Errors
    /// If it has a place that the configuration has no value for.
    pub fn line(&self, config: &Config) -> Result<Option<Vec<OsString>>, PlaceError> {
        match self.program.backend(&self.home) {
            AnyBackend::Worker(_) | AnyBackend::AskTell(_) => Ok(None),
            AnyBackend::Command(backend) => backend.line(config).map(Some),
        }
    }

    /// One more variable in the environment of its processes, unless the file sets it.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What runs the trials, for agents elsewhere: the parts `worker` or `command`, `process` and `limits`, and the directory from
    /// which its paths go.
    pub fn elsewhere(&self) -> (Value, PathBuf) {
        let mut source = self.source.clone();
        // These are the engine's own.
        ["notify", "shared_host"].iter().for_each(|name| _ = source.remove(*name));
        if !self.env.is_empty() {
            let process = source.entry("process").or_insert_with(|| json!({}));
            if let Some(process) = process.as_object_mut() {
                let env = process.entry("env").or_insert_with(|| json!({}));
                let own = env.as_object().cloned().unwrap_or_default();
                let mut all: Map<String, Value> =
                    self.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                all.extend(own);
                *env = Value::Object(all);
            }
        }
        (Value::Object(source), std::path::absolute(&self.home).unwrap_or_else(|_| self.home.clone()))
    }

    /// The backend that such parts say, as an agent gets them.
    ///
    /// # Errors
    /// If there is no such program, or they aren't understood.
    pub fn backend_elsewhere(parts: Value, home: &Path) -> Result<Box<dyn Backend>, String> {
        let words = |Wrong { place, why }: Wrong| if place.is_empty() { why } else { format!("`{place}`: {why}") };
        let program: Program = typed(parts, |place| place).map_err(words)?;
        program.check().map_err(|(place, why)| words(Wrong::new(place, why)))?;
        Ok(match program.backend(home) {
            AnyBackend::Worker(backend) => Box::new(backend),
            AnyBackend::Command(backend) => Box::new(backend),
            AnyBackend::AskTell(_) => {
                return Err(
                    "`ask_tell`: its trials are given to whoever asks, so a worker has nothing to run".to_owned()
                );
            }
        })
    }

    /// The experiment, to be given observers and a directory, and run.
    pub fn experiment(mut self) -> Experiment {
        self.program.process.add_env(std::mem::take(&mut self.env));
        let notify = self.program.notify.take();
        // The last notice has its time, unless the file says otherwise.
        if notify.is_some() && self.settings.patience == Settings::default().patience {
            self.settings.patience = program::NOTIFY_PATIENCE;
        }
        let experiment = match self.program.backend(&self.home) {
            AnyBackend::AskTell(backend) => Experiment::with_settings(self.settings, backend),
            AnyBackend::Worker(backend) => Experiment::with_settings(self.settings, backend),
            AnyBackend::Command(backend) => Experiment::with_settings(self.settings, backend),
        };
        #[cfg(all(target_os = "linux", not(tryout_portable)))]
        let experiment = if self.program.shared_host { experiment.shared_host() } else { experiment };
        notify.into_iter().fold(experiment, |experiment, notify| experiment.observer(notify.observer()))
    }
}

/// Puts a change, as in `lr=0.1` or `model.depth=3`, into a tree: the value is one of TOML, and what isn't TOML is a text.
///
/// # Errors
/// If it has no `=`.
#[doc(hidden)]
pub fn assign(tree: &mut Map<String, Value>, change: &str) -> Result<(), String> {
    let Some((key, value)) = change.split_once('=') else {
        return Err("expected KEY=VALUE, as in samples=5 or space.lr={uniform=[0,1]}".to_owned());
    };
    let (key, value) = (key.trim(), source::value_of(value.trim()));
    let (mut map, mut rest) = (tree, key);
    loop {
        // A name with dots in it goes before what lies deeper.
        let whole = map.contains_key(rest);
        match rest.split_once('.').filter(|_| !whole) {
            Some((first, deeper)) => {
                let inner = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                let Value::Object(inner) = inner else { return Err(format!("`{first}` isn't a table")) };
                (map, rest) = (inner, deeper);
            }
            None => {
                map.insert(rest.to_owned(), value);
                return Ok(());
            }
        }
    }
}

/// The parts of a tree that say what runs the trials.
fn of_program(tree: &Map<String, Value>) -> Map<String, Value> {
    places::PROGRAM.iter().filter_map(|name| Some(((*name).to_owned(), tree.get(*name)?.clone()))).collect()
}

fn read(mut tree: Map<String, Value>) -> Result<(Settings, Program), Wrong> {
    let names = places::names();
    if let Some(name) = tree.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(Wrong::new(name.as_str(), unknown("setting", name, &names)));
    }
    let program = of_program(&tree);
    places::PROGRAM.iter().for_each(|name| {
        tree.remove(*name);
    });
    let program: Program = typed(Value::Object(program), |place| place)?;
    program.check().map_err(|(place, why)| Wrong::new(place, why))?;
    let mut settings = places::settings(tree)?;
    if let Some(limit) = program.limits.time {
        let (after, then) = limit.or(OnLimit::SaveThenStop);
        settings.insert("time_limit".to_owned(), json!({ "after": after.as_secs_f64(), "then": then }));
    }
    parts_of(&mut settings)?;
    let settings: Settings = typed(Value::Object(settings), places::in_file)?;
    settings.check().map_err(|wrong| Wrong::new(places::in_file(wrong.setting.to_owned()), wrong.to_string()))?;
    Ok((settings, program))
}

/// The space and the parts, checked and in the form of the settings.
fn parts_of(settings: &mut Map<String, Value>) -> Result<(), Wrong> {
    if let Some(space) = settings.get_mut("space") {
        *space = space::read(space.take(), "space")?;
    }
    let common = |name: &str| settings.get(name).cloned();
    let mut common = Common {
        space: common("space"),
        seed: common("seed"),
        samples: common("samples"),
        points: common("points"),
        objective: common("objective"),
        taken: Vec::new(),
    };
    if let Some(rules) = settings.remove("stop") {
        settings.insert("stop".to_owned(), parts::rules(rules, &mut common)?);
    }
    if let Some(scheduler) = settings.remove("scheduler") {
        settings.insert("scheduler".to_owned(), parts::scheduler(scheduler, &mut common)?);
    }
    if let Some(searcher) = settings.remove("searcher") {
        common.taken.clear();
        settings.insert("searcher".to_owned(), parts::searcher(searcher, &mut common)?);
        // What the searcher has is its own: the experiment doesn't say it once more.
        for name in common.taken.iter().filter(|name| ["space", "trials", "points"].contains(name)) {
            settings.remove(if *name == "trials" { "samples" } else { name });
        }
    }
    Ok(())
}

/// A tree as a type; a place in it is one in the file by `in_file`.
fn typed<T: serde::de::DeserializeOwned>(tree: Value, in_file: impl Fn(String) -> String) -> Result<T, Wrong> {
    place::read(&tree).map_err(|(at, error)| {
        let found = lookup(&tree, &at).filter(|found| !found.is_object() && !found.is_array());
        let (place, words) = (in_file(at), in_words(&error.to_string()));
        // Most of serde's words name the value; those of a choice of forms don't.
        let why = match found {
            Some(found) if words.starts_with("expected") => format!("found {}, {words}", parts::short(found)),
            _ => words,
        };
        Wrong::new(if place == "." { String::new() } else { place }, why)
    })
}

fn lookup<'v>(tree: &'v Value, place: &str) -> Option<&'v Value> {
    place.split('.').try_fold(tree, |value, step| match step.split_once('[') {
        None => value.get(step),
        Some((key, index)) => value.get(key)?.get(index.trim_end_matches(']').parse::<usize>().ok()?),
    })
}
