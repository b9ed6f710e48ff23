//! What runs the trials: `worker` or `command`, with `[process]` and `[limits]`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::edge::ask_tell::{AskTellBackend, ask_tell};
use crate::edge::backend::{CommandBackend, Environment, MetricsFrom, Output, ProcessBackend, command, process};
use crate::edge::observe::{Notify, Occasion};
use crate::logic::limit::OnLimit;
use crate::logic::settings::form::Time;
use crate::logic::settings::seconds;
use crate::logic::worker::Limits;

/// The part of an experiment file that says what runs the trials.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Program {
    /// A program that speaks the worker protocol, and its arguments: `["python3", "train.py"]`.
    pub(super) worker: Option<Vec<String>>,
    /// Any program, and its arguments, with `{lr}` where the value of `lr` stands: `["train", "--lr", "{lr}"]`.
    pub(super) command: Option<Vec<String>>,
    /// Whether its trials are given to whoever asks for them over the control socket, in the place of a `worker` or a `command`.
    pub(super) ask_tell: bool,
    /// How its processes are run.
    pub(super) process: Process,
    /// Limits of a trial, and of the whole run. Default: none.
    pub(super) limits: FileLimits,
    /// Who is told when the run ends, fails for the first time, is held, or stalls. Default: nobody.
    pub(super) notify: Option<FileNotify>,
    /// Whether cores and GPUs are shared with the runs of all processes of this user that say the same, so that none is used twice; on
    /// Linux alone. Default: false.
    pub(super) shared_host: bool,
}

/// How processes are run.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Process {
    /// Variables of their environment, besides those that `tryout` has itself.
    env: BTreeMap<String, String>,
    /// Variables that they don't get.
    without_env: Vec<String>,
    /// Whether they get only the variables in `env`. Default: false.
    empty_env: bool,
    /// How a command says its metrics. Default: lines of JSON on its standard output.
    metrics: Option<Metrics>,
    /// Files that are written for each trial of a command, with places as in its arguments: `{"input.yaml" = "lr: {lr}"}`.
    files: BTreeMap<PathBuf, String>,
    /// The name of a file to which a command's whole configuration is written, as JSON.
    config_file: Option<PathBuf>,
    /// How many bytes of what a trial prints are kept in each of its files; at least 1. Default: 10 MiB.
    output_bytes: Option<u64>,
    /// How many older files of what it prints are kept. Default: 1.
    output_files: Option<u32>,
    /// How long a process has after SIGTERM before it gets SIGKILL. Default: 5 s.
    #[serde(with = "seconds::optional")]
    #[schemars(with = "Option<Time>")]
    after_term: Option<Duration>,
    /// After what silence a worker is given up. Default: 120 s.
    #[serde(with = "seconds::optional")]
    #[schemars(with = "Option<Time>")]
    lost_after: Option<Duration>,
    /// How long a worker may take from its start to its first word. Default: 300 s.
    #[serde(with = "seconds::optional")]
    #[schemars(with = "Option<Time>")]
    start_up: Option<Duration>,
    /// How many workers are started before anybody asks for them. Default: 0.
    prestart: usize,
    /// What the run calls the program. Default: the last words of its path. A resumed run must have the same.
    name: Option<String>,
}

/// How a command says its metrics.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Metrics {
    /// Lines of its standard output that are JSON objects.
    JsonLines,
    /// Lines that match a regular expression, by its named groups: `loss (?P<loss>\S+)`.
    Pattern(String),
    /// A file that it writes: one JSON object, or one a line.
    File(PathBuf),
    /// It says none.
    Nowhere,
}

/// How long observers have at the end if somebody is to be told: three attempts of ten seconds, and some.
pub(super) const NOTIFY_PATIENCE: Duration = Duration::from_secs(35);

/// Who is told of what.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileNotify {
    /// A program and its arguments, which gets the notice as JSON on its standard input.
    #[serde(default)]
    command: Option<Vec<String>>,
    /// An address to which the notice is posted as JSON, by the program `curl`.
    #[serde(default)]
    webhook: Option<String>,
    /// On which occasions. Default: all of them.
    #[serde(default)]
    on: Option<Vec<Occasion>>,
    /// After how long without a report it is a stall. Default: half an hour.
    #[serde(default, with = "seconds::optional")]
    #[schemars(with = "Option<Time>")]
    stall_after: Option<Duration>,
}

impl FileNotify {
    fn check(&self) -> Result<(), (&'static str, String)> {
        match (&self.command, &self.webhook) {
            (Some(_), Some(_)) => Err(("notify", "`command` and `webhook` were both given: which one?".into())),
            (None, None) => {
                Err(("notify", "give a `command`, as in [\"mail\", \"me\"], or a `webhook`, an address".into()))
            }
            (Some(words), None) if words.is_empty() => {
                Err(("notify.command", "`command` is empty, but must begin with a program".into()))
            }
            (None, Some(address)) if !["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)) => {
                Err(("notify.webhook", format!("\"{address}\" is no address: expected http://.. or https://..")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn observer(self) -> Notify {
        let notify = match self.webhook {
            Some(address) => Notify::webhook(address),
            None => Notify::command(self.command.unwrap_or_default()),
        };
        let notify = self.on.into_iter().fold(notify, Notify::on);
        self.stall_after.into_iter().fold(notify, Notify::stall_after)
    }
}

/// Limits of a trial, and of the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileLimits {
    /// How long the run may take, all sessions together. By default trials are saved, then stopped.
    pub(super) time: Option<Limit>,
    /// How long a step may take. By default its process is killed.
    step: Option<Limit>,
    /// How long a trial may work. By default it is saved, then stopped.
    trial: Option<Limit>,
    /// How much processor time a trial may use. By default its process is killed.
    cpu_time: Option<Limit>,
    /// How many bytes of address space a process may have.
    memory: Option<u64>,
    /// How long setting up, saving and the like may take, each.
    #[serde(with = "seconds::optional")]
    #[schemars(with = "Option<Time>")]
    answer: Option<Duration>,
}

/// A limit on time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected a time, as in \"10m\", or {\"after\": \"10m\", \"then\": \"kill\"}"
)]
pub(super) enum Limit {
    /// With what is done by default.
    After(
        #[serde(with = "seconds")]
        #[schemars(with = "Time")]
        Duration,
    ),
    /// With what is done then.
    Then {
        /// The time.
        #[serde(with = "seconds")]
        #[schemars(with = "Time")]
        after: Duration,
        /// What is done.
        then: OnLimit,
    },
}

impl Limit {
    pub(super) fn or(self, default: OnLimit) -> (Duration, OnLimit) {
        match self {
            Limit::After(after) => (after, default),
            Limit::Then { after, then } => (after, then),
        }
    }
}

/// A backend for each of them.
#[derive(Debug)]
pub(super) enum AnyBackend {
    AskTell(AskTellBackend),
    Worker(ProcessBackend),
    Command(CommandBackend),
}

/// The same settings for both kinds of backend.
macro_rules! with_process {
    ($backend:expr, $process:ident, $limits:expr) => {{
        let mut backend = $backend.limits($limits);
        for (name, value) in &$process.env {
            backend = backend.env(name, value);
        }
        for name in &$process.without_env {
            backend = backend.without_env(name);
        }
        if $process.empty_env {
            backend = backend.environment(Environment::Empty);
        }
        let mut output = Output::new();
        if let Some(bytes) = $process.output_bytes {
            output = output.file_bytes(bytes);
        }
        if let Some(files) = $process.output_files {
            output = output.older_files(files);
        }
        if let Some(wait) = $process.after_term {
            backend = backend.after_term(wait);
        }
        if let Some(name) = &$process.name {
            backend = backend.named(name);
        }
        backend.output(output)
    }};
}

impl Process {
    /// More variables, where the file says nothing of them.
    pub(super) fn add_env(&mut self, more: Vec<(String, String)>) {
        for (name, value) in more {
            self.env.entry(name).or_insert(value);
        }
    }
}

impl Program {
    /// What is wrong with it: where, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let words = |words: &Option<Vec<String>>| words.as_ref().map(Vec::len);
        let kind = match (words(&self.worker), words(&self.command)) {
            (None, None) if self.ask_tell => "ask_tell",
            (Some(_), _) | (_, Some(_)) if self.ask_tell => {
                let why = "`ask_tell` was given together with a program: who works on the trials, whoever asks or the program?";
                return Err(("ask_tell", why.into()));
            }
            (Some(_), Some(_)) => return Err(("command", "`worker` and `command` were both given: which one?".into())),
            (Some(0), _) => return Err(("worker", "`worker` is empty, but must begin with a program".into())),
            (_, Some(0)) => return Err(("command", "`command` is empty, but must begin with a program".into())),
            (Some(_), None) => "worker",
            (None, Some(_)) => "command",
            (None, None) => {
                let why = "nothing says what runs the trials: give a `worker = [\"python3\", \"train.py\"]` that speaks the worker \
                           protocol, or any `command = [\"train\", \"--lr\", \"{lr}\"]`, or `ask_tell = true` if others ask for them";
                return Err(("", why.into()));
            }
        };
        for (place, words) in [("worker", &self.worker), ("command", &self.command)] {
            if let Some(first) = words.as_ref().and_then(|words| words.first()).filter(|first| first.trim().is_empty())
            {
                return Err((place, format!("`{place}` begins with {first:?}, but must begin with a program")));
            }
        }
        self.notify.as_ref().map_or(Ok(()), FileNotify::check)?;
        if self.shared_host && cfg!(not(all(target_os = "linux", not(tryout_portable)))) {
            let why = "`shared_host` is true, but only Linux has what it needs: leave it out, and say in `machine` what the run may use";
            return Err(("shared_host", why.into()));
        }
        let Process { metrics, files, config_file, lost_after, start_up, prestart, .. } = &self.process;
        let misplaced = match kind {
            "worker" if metrics.is_some() => Some(("process.metrics", "command")),
            "worker" if !files.is_empty() => Some(("process.files", "command")),
            "worker" if config_file.is_some() => Some(("process.config_file", "command")),
            "command" if lost_after.is_some() => Some(("process.lost_after", "worker")),
            "command" if start_up.is_some() => Some(("process.start_up", "worker")),
            "command" if *prestart > 0 => Some(("process.prestart", "worker")),
            "ask_tell" if self.process != Process::default() => Some(("process", "worker` or a `command")),
            "ask_tell" if self.limits() != Limits::new() => Some(("limits", "worker` or a `command")),
            "ask_tell" if self.shared_host => Some(("shared_host", "worker` or a `command")),
            _ => None,
        };
        match misplaced {
            Some((place, whose)) => Err((place, format!("`{place}` is for a `{whose}`, but there is a `{kind}`"))),
            None => Ok(()),
        }
    }

    fn limits(&self) -> Limits {
        let FileLimits { time: _, step, trial, cpu_time, memory, answer } = self.limits;
        let mut limits = Limits::new();
        if let Some((after, then)) = step.map(|limit| limit.or(OnLimit::Kill)) {
            limits = limits.step(after, then);
        }
        if let Some((after, then)) = trial.map(|limit| limit.or(OnLimit::SaveThenStop)) {
            limits = limits.trial(after, then);
        }
        if let Some((after, then)) = cpu_time.map(|limit| limit.or(OnLimit::Kill)) {
            limits = limits.cpu_time(after, then);
        }
        if let Some(bytes) = memory {
            limits = limits.memory(bytes);
        }
        answer.into_iter().fold(limits, Limits::answer)
    }

    /// The backend. Programs and arguments that name a file from `home` name it from everywhere.
    pub(super) fn backend(&self, home: &Path) -> AnyBackend {
        if self.ask_tell {
            return AnyBackend::AskTell(ask_tell("ask_tell"));
        }
        let (process_settings, limits) = (&self.process, self.limits());
        let placed = |words: &[String]| -> Vec<String> { words.iter().map(|word| from(home, word)).collect() };
        if let Some((program, arguments)) = self.worker.as_deref().and_then(<[String]>::split_first) {
            let backend = process(program_from(home, program)).args(placed(arguments));
            let mut backend = with_process!(backend, process_settings, limits);
            if let Some(silence) = process_settings.lost_after {
                backend = backend.heartbeat(Duration::from_secs(5).min(silence / 4), silence);
            }
            if let Some(most) = process_settings.start_up {
                backend = backend.start_up(most);
            }
            return AnyBackend::Worker(backend.prestart(process_settings.prestart));
        }
        let (program, arguments) = self.command.as_deref().and_then(<[String]>::split_first).unzip();
        let program = program.map(|program| program_from(home, program)).unwrap_or_default();
        let backend = command(program).args(placed(arguments.unwrap_or_default()));
        let mut backend = with_process!(backend, process_settings, limits).metrics(match &process_settings.metrics {
            None | Some(Metrics::JsonLines) => MetricsFrom::JsonLines,
            Some(Metrics::Pattern(pattern)) => MetricsFrom::Pattern(pattern.clone()),
            Some(Metrics::File(path)) => MetricsFrom::File(path.clone()),
            Some(Metrics::Nowhere) => MetricsFrom::Nowhere,
        });
        for (name, text) in &process_settings.files {
            backend = backend.file(name, text);
        }
        if let Some(name) = &process_settings.config_file {
            backend = backend.config_file(name);
        }
        AnyBackend::Command(backend)
    }
}

/// A word that is the path of a file from `home`, from the root; any other word as it is. With `FILE:NAME`, FILE is meant.
fn from(home: &Path, word: &str) -> String {
    let (file, name) = match word.split_once(':') {
        Some((file, name)) if file.ends_with(".py") => (file, Some(name)),
        _ => (word, None),
    };
    let path = home.join(file);
    if file.is_empty() || !path.is_file() {
        return word.to_owned();
    }
    let path = std::path::absolute(&path).unwrap_or(path).display().to_string();
    name.map_or(path.clone(), |name| format!("{path}:{name}"))
}

/// A program with a `/` in it is one from `home`; a bare name is looked for in `PATH`.
pub(super) fn program_from(home: &Path, program: &str) -> String {
    if program.contains('/') { home.join(program).display().to_string() } else { program.to_owned() }
}
