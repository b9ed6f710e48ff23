//! The program in Python: how it is started, asked and heard.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use crate::logic::one_line::OneLine;

/// The program at work.
pub(super) struct Sidecar {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<String>,
}

/// What the program answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Ray(String),
    Failed(String),
    Id(String),
    Refused(String),
    Unavailable(String),
    Jobs(Vec<Listed>),
    Cancelled(bool),
}

#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) says: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Waiting,
    Running,
    Ended,
}

impl Sidecar {
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
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

    pub(super) fn ask(&mut self, request: &serde_json::Value, patience: Duration) -> Result<Answer, String> {
        let ended = |error| format!("the program that asks Ray has ended: {error}");
        writeln!(self.stdin, "{request}").and_then(|()| self.stdin.flush()).map_err(ended)?;
        self.answer(patience)
    }

    pub(super) fn answer(&mut self, patience: Duration) -> Result<Answer, String> {
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
}
