//! The examples that end quickly, run as a reader would run them.
//!
//! `cargo test` builds them beside the tests. `cargo test --test examples` alone doesn't: `cargo build --examples` first.

#[cfg(all(feature = "ctrl-c", target_os = "linux"))]
use std::io::BufRead;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

#[cfg(feature = "console")]
use serde_json::Value;

/// Far more than any of them needs, even unoptimised on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// `target/<profile>/examples/<name>`; this test is `target/<profile>/deps/examples-<hash>`.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.parent().and_then(Path::parent).expect("a test lies two folders deep");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.exists(), "{} isn't built: run `cargo build --examples`", path.display());
    path
}

/// Runs an example in a directory of its own, and kills it if it doesn't end.
fn run(name: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(example(name));
    command.args(arguments).current_dir(directory.path()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");

    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    // It closes its outputs when it ends, and only then.
    let ended = out.recv_timeout(PATIENCE).and_then(|out| Ok((out, err.recv_timeout(PATIENCE)?)));
    let Ok((stdout, stderr)) = ended else {
        child.kill().expect("it can be killed");
        panic!("`{name} {}` didn't end within {PATIENCE:?}", arguments.join(" "));
    };
    Output { status: child.wait().expect("it has ended"), stdout, stderr }
}

/// Reads a stream to its end, on a thread of its own.
fn collect(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.expect("it is piped").read_to_end(&mut bytes).expect("it can be read");
        // Nobody waits any more if the time was up.
        let _ = sender.send(bytes);
    });
    receiver
}

/// What an example prints, if it ends well.
fn printed(name: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(name, arguments);
    assert!(status.success(), "{name}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

#[test]
fn the_first_ones_say_what_they_promise() {
    assert!(printed("hello", &[]).starts_with("best: {\"x\":"));
    assert!(printed("custom_scheduler", &[]).contains("times the best"));
    assert!(printed("async_io", &[]).contains("50 trials awaited"));
    let front = printed("multi_objective", &[]);
    assert!(front.starts_with(" numbers  accuracy  configuration\n") && front.lines().count() > 9, "{front}");
    let population = printed("pbt", &[]);
    assert!(
        population.contains("its last change: ") && population.contains("best loss of a population"),
        "{population}"
    );
    let resumed = printed("pause_resume", &[]);
    assert!(resumed.contains("is PAUSED: it waits for a client to resume it"), "{resumed}");
    assert!(resumed.contains("no step was lost"), "{resumed}");
    let extended = printed("extend", &[]);
    assert!(extended.contains("  {\"of\":99.0} ERROR after 0 iterations"), "{extended}");
    assert!(extended.contains("  {\"of\":99.0} TERMINATED after 6 iterations"), "{extended}");
}

#[test]
#[cfg(all(feature = "process", target_os = "linux"))]
fn those_with_processes_say_what_they_promise() {
    let hanging = printed("hanging_trial", &[]);
    assert!(hanging.contains("{\"grid\":8} hung: a step took longer than the 0.3 s that it may take\n"), "{hanging}");
    assert!(hanging.contains("the last it said: looking for a smaller residual"), "{hanging}");
    assert!(hanging.ends_with("2 hung, 3 came to their end; best: {\"grid\":128}\n"), "{hanging}");
    let tuned = printed("command", &["--demo"]);
    assert!(
        tuned.starts_with("20 came to their end, 0 failed\nbest loss: 0.0000") && tuned.contains("\nawk '"),
        "{tuned}"
    );
    if Command::new("python3").arg("--version").output().is_ok_and(|python| python.status.success()) {
        let trained = printed("python_script", &[]);
        assert!(trained.starts_with("the best recognises 9"), "{trained}");
        assert!(trained.lines().last().is_some_and(|last| last.starts_with("epochs: ")), "{trained}");
    }
}

#[test]
#[cfg(all(feature = "process", target_os = "linux"))]
fn command_lines_that_make_no_sense_are_refused_with_a_reason() {
    for (arguments, reason) in [
        ("--param lr -- echo {lr}", "invalid value 'lr' for '--param <NAME=VALUES>': there is no `=` in it"),
        ("--param lr=x..1 -- echo {lr}", "`x` is no number: write `NAME=LOW..HIGH`"),
        ("--param lr=0..1.5:sqrt -- echo {lr}", "`sqrt` is no scale: there is `log`, or nothing"),
        ("--param lr=1e-1..1e-4 -- echo {lr}", "the lower bound is 0.1, but must be less than the upper bound 0.0001"),
        ("--param lr=0..1 -- echo", "`--param lr=..` has no place in the command: write `{lr}` where it belongs"),
        ("--param lr=0..1 -- echo {lr} {mu}", "there is no value for `{mu}`: there are `{lr}`"),
        ("--time-limit never -- true", "`never` isn't a number of seconds above 0"),
        ("--pattern ( --param a=0..1 -- echo {a}", "`(` isn't a pattern"),
        ("-- true", "required arguments were not provided"),
        ("--mode up -- true", "[possible values: min, max]"),
        ("--samples 1 --param a=0..1 -- no-such-program {a}", "the program `no-such-program` isn't there"),
    ] {
        let Output { status, stderr, .. } = run("command", &arguments.split(' ').collect::<Vec<_>>());
        let told = String::from_utf8_lossy(&stderr);
        assert!(!status.success() && told.contains(reason), "{told}");
    }
}

#[test]
#[cfg(feature = "console")]
fn digits_is_the_same_twice_with_one_worker() {
    let tune = || {
        let text = printed("digits", &["--samples", "6", "--iterations", "3", "--workers", "1", "--json"]);
        let last = text.lines().last().expect("a line");
        let Value::Object(mut outcome) = serde_json::from_str(last).expect("JSON") else { panic!("{last}") };
        let mut keys: Vec<_> = outcome.keys().cloned().collect();
        keys.sort();
        let expected = ["best_accuracy", "best_config", "dir", "iterations", "iterations_saved", "trials", "wall_s"];
        assert_eq!(keys, expected);
        // Without `--dir` each run has a directory of its own.
        assert!(outcome.remove("dir").is_some_and(|dir| dir.is_string()));
        assert!(outcome.remove("wall_s").is_some_and(|seconds| seconds.as_f64() > Some(0.0)));
        outcome
    };
    let (first, second) = (tune(), tune());
    assert_eq!(first, second);
    assert_eq!(first["trials"], 6);
    let number = |key: &str| first[key].as_u64().expect("a count");
    assert_eq!(number("iterations") + number("iterations_saved"), 18);
    assert!(first["best_accuracy"].as_f64().is_some_and(|accuracy| (0.1..=1.0).contains(&accuracy)));
}

#[test]
#[cfg(feature = "console")]
fn digits_keeps_quiet_when_told() {
    let arguments = ["--samples", "2", "--iterations", "1", "--workers", "64", "--quiet"];
    let Output { status, stdout, stderr } = run("digits", &arguments);
    assert!(status.success());
    assert_eq!(String::from_utf8_lossy(&stderr), "");
    assert!(String::from_utf8_lossy(&stdout).starts_with("best: "));
}

#[test]
#[cfg(feature = "console")]
fn flags_that_make_no_sense_are_refused_with_a_reason() {
    for (arguments, reason) in [
        (["--samples", "0"], "0 is not in 1..="),
        (["--iterations", "0"], "0 is not in 1..="),
        (["--workers", "1000"], "1000 is not in 1..="),
        (["--seed", "x"], "invalid digit"),
        (["--sample", "5"], "unexpected argument '--sample'"),
    ] {
        let Output { status, stdout, stderr } = run("digits", &arguments);
        let told = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{told}");
        assert!(told.contains(reason), "{told}");
        assert!(stdout.is_empty());
    }
}

/// The first Ctrl-C saves what runs and says how it goes on; the same program goes on then.
#[test]
#[cfg(all(feature = "ctrl-c", target_os = "linux"))]
fn a_run_that_is_interrupted_says_how_it_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let runs = directory.path().join("runs");
    let mut command = Command::new(example("resume"));
    command.arg("--dir").arg(&runs).current_dir(directory.path()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("it is piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("is saved at iteration"))), "it runs");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
    let rest: Vec<String> = lines.map(|line| line.expect("text")).collect();
    let told = collect(child.stderr.take()).recv_timeout(PATIENCE).expect("it ends");
    let told = String::from_utf8(told).expect("text");
    assert!(child.wait().expect("it has ended").success(), "{told}");
    assert!(rest.last().is_some_and(|last| last.contains("of 600 iterations are done")), "{rest:?}");
    assert!(told.contains("`walk` saves what runs, and ends; start the program again and it goes on"), "{told}");
    let again = printed("resume", &["--dir", &runs.display().to_string()]);
    assert!(again.starts_with("goes on after "), "{again}");
}

#[test]
fn the_embedded_demo_ends_by_itself() {
    let text = printed("embedded", &["--demo"]);
    for expected in [
        "POST /run: HTTP/1.1 201 Created",
        "POST /trials/0/pause: HTTP/1.1 204 No Content",
        "POST /trials/1/stop: HTTP/1.1 204 No Content",
        "POST /trials/1/resume: HTTP/1.1 409 Conflict",
        ": waits for a client to resume it",
        "Drained, 5 trials paused",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

/// `RUST_LOG` shows what the engine does, in every example that has a logger.
#[test]
fn an_example_logs_what_becomes_of_its_trials() {
    let output =
        Command::new(example("custom_scheduler")).env("RUST_LOG", "tryout=debug").stdin(Stdio::null()).output();
    let text = String::from_utf8(output.expect("it runs").stderr).expect("text");
    assert!(text.contains("DEBUG tryout") && text.contains("PENDING -> RUNNING"), "{text}");
}
