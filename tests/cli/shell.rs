//! The program as it is typed in a shell.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tryout");

/// A directory in which the program is run.
pub(crate) struct Shell(TempDir);

impl Shell {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with a file `a.toml`.
    pub(crate) fn with(text: &str) -> Self {
        let shell = Self::new();
        shell.write("a.toml", text);
        shell
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.0.path()).args(line.split_whitespace()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: exit code, standard output, standard error.
    pub(crate) fn tryout(&self, line: &str) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code().expect("it isn't killed"), text(stdout), text(stderr))
    }

    /// The standard output of what must end with 0.
    pub(crate) fn said(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.tryout(line);
        assert_eq!(code, 0, "tryout {line}: {stdout}{stderr}");
        stdout
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.said(line)).unwrap()
    }

    /// Starts it, and waits until its run has a trial at work: one that has made the file `at_work`.
    pub(crate) fn started(&self, line: &str) -> Child {
        let made = Command::new("mkfifo").arg(self.path("at_work")).status().unwrap();
        assert!(made.success());
        let child = self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Opening it waits until a trial opens it too.
        BufReader::new(fs::File::open(self.path("at_work")).unwrap()).read_line(&mut String::new()).unwrap();
        fs::remove_file(self.path("at_work")).unwrap();
        child
    }
}

/// A run of `a.toml` that drains, since it was told to end once, with who watches it and what that hears from then on.
pub(crate) fn draining(shell: &Shell) -> (Child, Child, impl Iterator<Item = String>) {
    let run = shell.started("run a.toml --quiet --drain 1000");
    let mut watch = shell.command("watch --json").stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(events.next().is_some_and(|first| first.contains("watching")));
    signal(&run, "-INT");
    assert!(events.any(|event| event.contains("\"event\":\"closing\"")), "it ended before");
    (run, watch, events)
}

pub(crate) fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}
