//! Runs whose trials run on workers that join: `run --on join`, `worker`, `doctor --join`, `launch`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::SQUARES;
use super::shell::{Shell, signal};

/// Starts a run whose workers join, and waits until they can. It drains when its standard input is closed.
fn joinable(shell: &Shell) -> (Child, ChildStdin) {
    let mut command = shell.command("run a.toml --quiet --on join --json --with-parent");
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(run.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("\"started\""), "{first}");
    let input = run.stdin.take().unwrap();
    (run, input)
}

#[test]
fn trials_run_on_a_worker_that_joins() {
    let shell = Shell::with(SQUARES);
    let (mut run, _input) = joinable(&shell);
    let doctor = shell.said("doctor --join runs/squares/join.json");
    assert!(doctor.contains("the engine, TLS and token are right") && doctor.contains("seen from here"), "{doctor}");
    let why = shell.said("why 0");
    assert!(why.contains("`tryout worker --join"), "{why}");
    let (code, _, said) = shell.tryout("worker --join runs/squares/join.json");
    assert!(code == 0 && said.contains("the run needs this worker no more"), "{code}: {said}");
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(shell.said("trials --columns x,loss --csv"), "config/x,loss\n3,9\n-2,4\n5,25\n");
    assert!(!shell.path("runs/squares/join.json").exists());
}

#[test]
fn a_worker_that_is_told_to_end_gives_its_trial_back() {
    let shell = Shell::new();
    // Each trial waits until somebody hears that it is there.
    let there = shell.path("there");
    assert!(Command::new("mkfifo").arg(&there).status().unwrap().success());
    shell.write("a.toml", &SQUARES.replace("echo \"{{", &format!("echo > {}; echo \"{{{{", there.display())));
    let (mut run, _input) = joinable(&shell);
    let mut first = shell.command("worker --join runs/squares/join.json").spawn().unwrap();
    fs::read(&there).unwrap();
    signal(&first, "-TERM");
    assert_eq!(first.wait().unwrap().code(), Some(143));
    let mut second = shell.command("worker --join runs/squares/join.json").spawn().unwrap();
    // It waits for the next one to be there when this test is over, and ends with it.
    std::thread::spawn(move || while fs::read(&there).is_ok() {});
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert_eq!(shell.said("trials --columns x,loss --csv"), "config/x,loss\n3,9\n-2,4\n5,25\n");
}

#[test]
fn what_can_not_work_is_said() {
    let shell = Shell::with(SQUARES);
    for (line, words) in [
        ("run a.toml --on nowhere", "`--on nowhere`: `nowhere` isn't a launcher"),
        ("run a.toml --on ssh", "`ssh` needs a file of hosts"),
        ("run a.toml --most-workers 3", "--on"),
        ("worker --join join.json", "can't read the join file `join.json`"),
        ("worker --join join.json --shape {}", "--shape"),
        ("doctor --join join.json", "can't read the join file `join.json`"),
        ("launch a.toml --on join", "`--on join` asks nobody"),
        ("launch a.toml --on slurm", "join.json"),
    ] {
        let (code, _, error) = shell.tryout(line);
        assert!(code == 2 && error.contains(words), "{line}: {code}, {error}");
    }
    let shown = shell.said("launch a.toml --on slurm --dry-run -n 2");
    assert!(shown.starts_with("sbatch ") && shown.contains("worker --join"), "{shown}");
}

#[test]
fn an_engine_that_was_killed_goes_on_with_the_trials_that_workers_still_have() {
    let shell = Shell::new();
    let (there, go) = (shell.path("there"), shell.path("go"));
    for pipe in [&there, &go] {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let script = format!(
        r#"echo "{{{{\"loss\": 9}}}}"; echo {{x}} >> {starts}; echo > {there}; read x < {go}; echo "{{{{\"loss\": 5}}}}"; echo "{{{{\"loss\": 7}}}}""#,
        starts = shell.path("starts").display(),
        there = there.display(),
        go = go.display(),
    );
    shell.write("a.toml", &SQUARES.replace(r#"echo "{{\"loss\": $(({x} * {x}))}}""#, &script));
    let (mut engine, _input) = joinable(&shell);
    let mut worker = shell.command("worker --join runs/squares/join.json").spawn().unwrap();
    fs::read(&there).unwrap();
    engine.kill().unwrap();
    engine.wait().unwrap();

    let mut command = shell.command("run a.toml --quiet --on join --json --with-parent --resume");
    let mut engine = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let _parent = engine.stdin.take();
    fs::write(&go, "\n").unwrap();
    // The trials that follow don't wait.
    let (then, on) = (there.clone(), go.clone());
    std::thread::spawn(move || while fs::read(&then).is_ok() && fs::write(&on, "\n").is_ok() {});
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_to_string(shell.path("starts")).unwrap(), "3\n-2\n5\n", "each trial began once");
    let rows = shell.said("trials --columns x,loss,iterations --csv");
    assert_eq!(rows, "config/x,loss,iterations\n3,7,3\n-2,7,3\n5,7,3\n");
}
