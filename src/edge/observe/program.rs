//! Events for a program: each one a line of JSON on its standard input.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, BufWriter, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use super::json::JsonLines;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::one_line::OneLine;
use crate::ports::error::ObserverError;
use crate::ports::observer::Observer;

/// So many of a program's last lines stand in the error if it fails, and so much of each.
const LAST: usize = 5;
const LONGEST: u64 = 1_000;

/// Starts a program and hands it every event as a line of JSON on its standard input, as [`JsonLines`] writes them: for loggers in
/// other languages. `python/tryout_observer.py` is the other end in Python, `python/tryout_trackers.py` has MLflow, Weights &
/// Biases, Comet and Aim.
///
/// The program begins with the run. After the last event its standard input ends, and it has the experiment's
/// [`patience`](crate::prelude::Experiment::patience) to come to its end. What it writes is logged as `info`, line by line. One that
/// can't be started, ends early or fails at its end is disabled as any observer, with its last words; the run goes on.
///
/// ```no_run
/// use tryout::observe::EventProgram;
/// # fn example(experiment: tryout::prelude::Experiment) {
/// let tracker = EventProgram::new("python3").args(["-m", "tryout_trackers", "mlflow"]).env("MLFLOW_TRACKING_URI", "http://localhost:5000");
/// let experiment = experiment.observer(tracker);
/// # }
/// ```
#[derive(Debug)]
pub struct EventProgram {
    command: Command,
    title: String,
    running: Option<Running>,
    /// It has ended.
    over: bool,
}

/// The program at work.
#[derive(Debug)]
struct Running {
    child: Child,
    lines: Option<JsonLines<BufWriter<ChildStdin>>>,
    listeners: Vec<JoinHandle<VecDeque<String>>>,
}

impl EventProgram {
    /// A program, by its path or as the system finds it.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let title = program.as_ref().to_string_lossy().into_owned();
        Self { command: Command::new(program), title, running: None, over: false }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        for arg in args {
            self.title = format!("{} {}", self.title, arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets a variable of its environment; the others are the engine's own.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The directory that it works in. Default: the engine's own.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    fn running(&mut self) -> Result<&mut Running, ObserverError> {
        if self.running.is_none() {
            let started = Running::start(&mut self.command);
            self.running = Some(started.map_err(|error| format!("`{}` can't be started: {error}", self.title))?);
        }
        self.running.as_mut().ok_or_else(|| "it isn't running".into())
    }

    /// Tells it something. If it doesn't listen any more, it has ended, and its end says why.
    fn tell(
        &mut self,
        what: impl FnOnce(&mut JsonLines<BufWriter<ChildStdin>>) -> Result<(), ObserverError>,
    ) -> Result<(), ObserverError> {
        if self.over {
            return Ok(());
        }
        let Some(lines) = &mut self.running()?.lines else { return Ok(()) };
        what(lines).map_err(|error| match self.running.take() {
            Some(running) => running.broken(&self.title),
            None => error,
        })
    }
}

impl Observer for EventProgram {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.tell(|lines| lines.on_event(event))?;
        if matches!(event.kind, EventKind::Finished { .. })
            && let Some(mut running) = self.running.take()
        {
            self.over = true;
            // Its standard input ends.
            running.lines = None;
            let (status, words) = running.wait();
            return if status.as_ref().is_ok_and(ExitStatus::success) {
                Ok(())
            } else {
                Err(failed(&self.title, "", status, &words))
            };
        }
        Ok(())
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        self.tell(|lines| lines.on_missed(events))
    }

    fn on_quiet(&mut self) -> Result<(), ObserverError> {
        if self.running.is_none() {
            return Ok(());
        }
        self.tell(JsonLines::flush)
    }

    fn name(&self) -> &str {
        &self.title
    }
}

impl Running {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = child.stdin.take().map(|stdin| JsonLines::new(BufWriter::new(stdin)));
        let mut running = Self { child, lines, listeners: Vec::new() };
        let stdout = running.child.stdout.take().map(|out| listen(out, false)).transpose()?;
        let stderr = running.child.stderr.take().map(|out| listen(out, true)).transpose()?;
        running.listeners.extend(stdout.into_iter().chain(stderr));
        Ok(running)
    }

    /// How it ended, and its last words on the standard error.
    fn wait(&mut self) -> (std::io::Result<ExitStatus>, String) {
        let status = self.child.wait();
        let words = self.listeners.drain(..).filter_map(|listener| listener.join().ok()).flatten();
        (status, words.collect::<Vec<_>>().join("\n"))
    }

    /// It doesn't listen any more.
    fn broken(mut self, title: &str) -> ObserverError {
        // What only closed its standard input would never be told that it is over.
        let _ = self.child.kill();
        self.lines = None;
        let (status, words) = self.wait();
        failed(title, " before the run was over", status, &words)
    }
}

impl Drop for Running {
    /// The run has no end: the program is told so by the end of its standard input.
    fn drop(&mut self) {
        self.lines = None;
        let _ = self.child.wait();
    }
}

fn failed(title: &str, when: &str, status: std::io::Result<ExitStatus>, words: &str) -> ObserverError {
    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let words = if words.is_empty() { String::new() } else { format!("; its last words:\n{words}") };
    format!("`{title}` ended{when} with {how}{words}").into()
}

/// Logs what comes, and keeps the last lines if they are wanted.
fn listen(out: impl Read + Send + 'static, keep: bool) -> std::io::Result<JoinHandle<VecDeque<String>>> {
    thread::Builder::new().name("tryout-program".to_owned()).spawn(move || {
        let (mut out, mut last, mut line) = (BufReader::new(out), VecDeque::new(), Vec::new());
        loop {
            line.clear();
            // A line without end comes in pieces.
            let Ok(1..) = out.by_ref().take(LONGEST).read_until(b'\n', &mut line) else { return last };
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            log::info!("{}", OneLine(&text));
            if keep {
                last.push_back(text);
                if last.len() > LAST {
                    last.pop_front();
                }
            }
        }
    })
}
