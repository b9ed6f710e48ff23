//! Ray: a program in Python beside the engine, which asks the cluster for actors.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::logic::launch::{LaunchError, LaunchListed, LaunchState};
use crate::logic::one_line::OneLine;
use crate::logic::pool::ResourceRequest;
use crate::ports::launcher::{LaunchJob, Launcher};

/// The program; its interpreter must have `ray`.
const PROGRAM: &str = include_str!("../../../python/tryout_ray.py");
/// How bundles can lie on nodes.
const STRATEGIES: [&str; 4] = ["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"];

/// Workers as actors of a Ray cluster. It needs a Python with `ray` of the cluster's own version.
///
/// ```no_run
/// use tryout::launch::Ray;
///
/// let ray = Ray::new().python("/opt/venv/bin/python").address("ray://head:10001");
/// ```
///
/// Each worker is an actor that runs the agent, in a placement group of the job; `cpu`, `gpu`, `memory` and all other names of a shape are
/// Ray's resources. A job and its workers outlive the engine, and the next session finds them.
pub struct Ray {
    python: OsString,
    address: String,
    namespace: String,
    strategy: String,
    variables: Vec<(String, String)>,
    connect: Duration,
    patience: Duration,
    sidecar: Option<Sidecar>,
}

/// The program at work.
struct Sidecar {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

/// What the program answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ray(String),
    Failed(String),
    Id(String),
    Refused(String),
    Unavailable(String),
    Jobs(Vec<Listed>),
    Cancelled(bool),
}

#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    name: String,
    state: State,
    says: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Waiting,
    Running,
    Ended,
}

/// A job as the program takes it.
#[derive(Debug, Serialize)]
struct Job<'a> {
    name: &'a str,
    bundles: Vec<serde_json::Value>,
    workers: u32,
    command: Vec<String>,
    variables: serde_json::Value,
    strategy: &'a str,
    output: Option<PathBuf>,
}

impl fmt::Debug for Ray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ray").field("python", &self.python).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Default for Ray {
    fn default() -> Self {
        Self::new()
    }
}

impl Ray {
    /// The cluster that `ray` finds by itself: that of this machine, or of `RAY_ADDRESS`.
    pub fn new() -> Self {
        Self {
            python: "python3".into(),
            address: "auto".to_owned(),
            namespace: "tryout".to_owned(),
            strategy: "PACK".to_owned(),
            variables: Vec::new(),
            connect: Duration::from_secs(120),
            patience: Duration::from_secs(60),
            sidecar: None,
        }
    }

    /// The interpreter. Default: `python3`.
    #[must_use]
    pub fn python(mut self, interpreter: impl Into<OsString>) -> Self {
        self.python = interpreter.into();
        self
    }

    /// The cluster's address, as `ray.init` takes it. Default: `auto`.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Where the actors have their names. Default: `tryout`.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// How bundles lie on nodes: `PACK` (default), `SPREAD`, `STRICT_PACK` or `STRICT_SPREAD`.
    #[must_use]
    pub fn strategy(mut self, name: impl Into<String>) -> Self {
        self.strategy = name.into();
        self
    }

    /// A variable for the agents.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// How long an answer may take. Default: one minute; the first may take two.
    #[must_use]
    pub fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    fn request(&self, job: &LaunchJob) -> serde_json::Value {
        let amounts = |bundle: &crate::logic::pool::Resources| {
            let all = bundle.iter().map(|(name, amount)| (name.to_owned(), json!(amount.as_f64())));
            serde_json::Value::Object(all.collect())
        };
        let mut variables: serde_json::Map<_, _> =
            self.variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        variables.insert("TRYOUT_JOB".to_owned(), json!(job.number.to_string()));
        let job = Job {
            name: &job.name,
            bundles: job.shape.as_bundles().iter().map(amounts).collect(),
            workers: job.workers,
            command: job.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            variables: variables.into(),
            strategy: &self.strategy,
            output: job.directory.as_ref().map(|directory| directory.join(format!("{}.out", job.name))),
        };
        json!({ "submit": job })
    }

    /// One request and its answer. A program that fails is started anew the next time.
    fn ask(&mut self, request: &serde_json::Value) -> Result<Answer, LaunchError> {
        let running = self.sidecar.take().map_or_else(|| self.start(), Ok);
        let asked = running.and_then(|mut running| Ok((running.ask(request, self.patience)?, running)));
        let (answer, running) = asked.map_err(LaunchError::Unavailable)?;
        self.sidecar = Some(running);
        match answer {
            Answer::Refused(words) => Err(LaunchError::Refused(words)),
            Answer::Unavailable(words) => Err(LaunchError::Unavailable(words)),
            answer => Ok(answer),
        }
    }

    fn start(&self) -> Result<Sidecar, String> {
        let mut command = Command::new(&self.python);
        command.args(["-u", "-c", PROGRAM, "--address", &self.address, "--namespace", &self.namespace]);
        let mut running = Sidecar::start(&mut command)
            .map_err(|error| format!("`{}` can't be started: {error}", self.python.to_string_lossy()))?;
        match running.answer(self.connect)? {
            Answer::Ray(version) => {
                log::info!("Ray {version} is asked for workers");
                Ok(running)
            }
            Answer::Failed(words) => Err(words),
            other => Err(format!("the program said {other:?} before anything was asked")),
        }
    }
}

impl Sidecar {
    fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let none = || io::Error::other("there are no pipes");
        let (stdin, stdout) = (child.stdin.take().ok_or_else(none)?, child.stdout.take().ok_or_else(none)?);
        let stderr = child.stderr.take().ok_or_else(none)?;
        let (sender, answers) = mpsc::channel();
        let reads = move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
        thread::Builder::new().name("tryout-ray".to_owned()).spawn(move || drop(reads()))?;
        let says = move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| log::debug!("Ray: {}", OneLine(&line)));
        };
        thread::Builder::new().name("tryout-ray".to_owned()).spawn(says)?;
        Ok(Self { child, stdin, answers })
    }

    fn ask(&mut self, request: &serde_json::Value, patience: Duration) -> Result<Answer, String> {
        let ended = |error| format!("the program that asks Ray has ended: {error}");
        writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush()).map_err(ended)?;
        self.answer(patience)
    }

    fn answer(&mut self, patience: Duration) -> Result<Answer, String> {
        match self.answers.recv_timeout(patience) {
            // What an answer says beside that is for people.
            Ok(line) => first_of(&line)
                .ok_or_else(|| format!("the program that asks Ray said {:?}", OneLine(&line).to_string())),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("Ray didn't answer within {} s", patience.as_secs())),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(format!("the program that asks Ray ended with {status}; is `ray` installed for that Python?"))
            }
        }
    }
}

/// The answer in a line: an object whose first known key says which it is.
fn first_of(line: &str) -> Option<Answer> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    object.into_iter().find_map(|(key, value)| serde_json::from_value(json!({ key: value })).ok())
}

impl Drop for Sidecar {
    /// What it has asked for outlives it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Launcher for Ray {
    fn name(&self) -> &str {
        "Ray"
    }

    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError> {
        match self.ask(&self.request(job))? {
            Answer::Id(id) => Ok(id),
            other => Err(LaunchError::Unavailable(format!("Ray's program answered {other:?}"))),
        }
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError> {
        let Answer::Jobs(jobs) = self.ask(&json!({ "list": prefix }))? else {
            return Err(LaunchError::Unavailable("Ray's program has no list".to_owned()));
        };
        let state = |state| match state {
            State::Waiting => LaunchState::Waiting,
            State::Running => LaunchState::Running,
            State::Ended => LaunchState::Ended,
        };
        let listed =
            |Listed { id, name, state: of, says }| LaunchListed { id, name, state: state(of), says, ends_in: None };
        Ok(jobs.into_iter().map(listed).collect())
    }

    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError> {
        match self.ask(&json!({ "cancel": ids }))? {
            Answer::Cancelled(true) => Ok(()),
            other => Err(LaunchError::Unavailable(format!("Ray's program answered {other:?}"))),
        }
    }

    fn dry_run(&self, job: &LaunchJob) -> String {
        format!("{}\n", self.request(job))
    }

    fn check(&mut self) -> Result<(), String> {
        if !STRATEGIES.contains(&self.strategy.as_str()) {
            return Err(format!("`{}` isn't a strategy of Ray: {}", self.strategy, STRATEGIES.join(", ")));
        }
        self.list("tryout-").map(|_| ()).map_err(LaunchError::into_words)
    }

    /// The cluster may grow: what it can't serve now, it says when it is asked.
    fn may_serve(&self, _request: &ResourceRequest) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert!(
            matches!(first_of(r#"{"ray": "2.60.0", "protocol": 1}"#), Some(Answer::Ray(version)) if version == "2.60.0")
        );
        let jobs = r#"{"jobs": [{"id": "a", "name": "a", "state": "waiting", "says": "waits for cpu 1"}]}"#;
        assert!(matches!(first_of(jobs), Some(Answer::Jobs(jobs)) if jobs.len() == 1));
        assert!(first_of("hello").is_none() && first_of("{}").is_none());
    }

    #[test]
    fn a_python_without_ray_says_so() {
        let mut ray = Ray::new().python("false");
        assert!(ray.check().is_err_and(|why| why.contains("exit status: 1") && why.contains("`ray`")));
        assert!(Ray::new().python("no-such-python").check().is_err_and(|why| why.contains("can't be started")));
    }
}
