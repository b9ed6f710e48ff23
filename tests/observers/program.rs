//! A program that is handed the events: what it gets, and what becomes of one that doesn't do well.

use tryout::edge::observe::{EventProgram, JsonLines};
use tryout::ports::observer::Observer;

use super::script::{Capture, short_run};

/// A script of the shell; `$0` is a file for it.
fn shell(script: &str, file: &std::path::Path) -> EventProgram {
    EventProgram::new("sh").args(["-c", script]).arg(file)
}

#[test]
fn a_program_gets_every_event_as_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("got");
    let mut program = shell("cat >\"$0\"; echo \"$WORD\" >>\"$0\"", &file).env("WORD", "the end");
    let capture = Capture::default();
    let mut lines = JsonLines::new(capture.clone());
    for event in short_run() {
        program.on_event(&event).unwrap();
        lines.on_event(&event).unwrap();
    }
    // After the last event it is waited for.
    assert_eq!(std::fs::read_to_string(&file).unwrap(), capture.text() + "the end\n");
}

#[test]
fn what_is_buffered_goes_out_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("got");
    let done = dir.path().join("got.done");
    assert!(std::process::Command::new("mkfifo").arg(&done).status().unwrap().success());
    let mut program = shell("read -r line; echo \"$line\" >\"$0\"; echo x >\"$0.done\"; cat >/dev/null", &file);
    program.on_event(&short_run()[0]).unwrap();
    program.on_quiet().unwrap();
    // Blocks until the program has read its line.
    assert_eq!(std::fs::read_to_string(done).unwrap(), "x\n");
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"started\""));
}

#[test]
fn one_that_fails_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = shell("cat >/dev/null; echo 'no such server' >&2; exit 3", dir.path());
    let run = short_run();
    let (last, before) = run.split_last().unwrap();
    before.iter().for_each(|event| program.on_event(event).unwrap());
    let error = program.on_event(last).unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.ends_with("its last words:\nno such server"), "{error}");

    let mut gone = shell("echo 'no module named mlflow' >&2; exit 1", dir.path());
    // It needn't have ended when the first line is written.
    let mut told = (0..).map(|_| gone.on_event(&run[0]).and_then(|()| gone.on_quiet()));
    let error = told.find_map(Result::err).unwrap().to_string();
    assert!(error.contains("ended before the run was over with exit status: 1"), "{error}");
    assert!(error.ends_with("no module named mlflow"), "{error}");

    let error = EventProgram::new("./not there").on_event(&run[0]).unwrap_err().to_string();
    assert!(error.starts_with("`./not there` can't be started: "), "{error}");
}
