//! `shared_host` in experiment files: two processes, one GPU.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use super::shell::{Shell, signal};

/// A trial that says that it is at work, and then waits. One that begins before there is the file `over` says so too.
fn file(shell: &Shell) -> String {
    let path = |name: &str| shell.path(name).display().to_string();
    format!(
        "resources.gpu = 1\nshared_host = true\nspace.x = 1\nprocess.metrics = \"nowhere\"\ncommand = [\"sh\", \"-c\", \
         '[ -e {} ] || echo {{x}} >> {}; echo > {}; read wait < {}']\n",
        path("over"),
        path("early"),
        path("at_work"),
        path("go_on")
    )
}

/// Starts a run on a host with one GPU, of which nobody but this test knows.
fn started(shell: &Shell, name: &str) -> Child {
    let mut command = shell.command(&format!("run a.toml --quiet --json --with-parent --set name={name}"));
    command.env("CUDA_VISIBLE_DEVICES", "GPU-tryout-test-cli").env("XDG_RUNTIME_DIR", shell.path("runtime"));
    command.env_remove("HIP_VISIBLE_DEVICES").env_remove("ROCR_VISIBLE_DEVICES");
    let mut run = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(run.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("\"started\""), "{first}");
    run
}

#[test]
fn a_file_shares_the_host_with_other_processes() {
    let shell = Shell::new();
    shell.write("a.toml", &file(&shell));
    fs::create_dir(shell.path("runtime")).unwrap();
    for name in ["at_work", "go_on"] {
        assert!(std::process::Command::new("mkfifo").arg(shell.path(name)).status().unwrap().success());
    }
    // Opening it waits until a trial opens it too.
    let at_work = || _ = fs::File::open(shell.path("at_work")).unwrap().read_to_end(&mut Vec::new()).unwrap();
    let mut one = started(&shell, "one");
    at_work();
    let mut other = started(&shell, "other");
    assert_eq!(shell.json("add x=2 --dir runs/other --json")["number"], 1);
    let status = shell.json("status --dir runs/other --json");
    assert_eq!(status["live"]["pool"]["total"]["gpu"], serde_json::json!([0]), "{status}");
    shell.write("over", "");
    assert_eq!(fs::read_to_string(shell.path("early")).unwrap(), "1\n", "the other one's trial doesn't run yet");

    // The system gives back what a killed process had.
    signal(&one, "-KILL");
    one.wait().unwrap();
    for _ in 0..2 {
        at_work();
        fs::write(shell.path("go_on"), "\n").unwrap();
    }
    // Waiting would close its standard input, and it drains when that is closed.
    let _input = other.stdin.take();
    assert_eq!(other.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_to_string(shell.path("early")).unwrap(), "1\n");
}

#[test]
fn what_is_not_used_is_not_shared() {
    let shell = Shell::with("command = [\"true\"]\nspace.x = 1\nshared_host = true\n");
    shell.said("check a.toml");
    let (code, _, stderr) = shell.tryout("run a.toml --quiet --on join");
    assert!(
        code == 2 && stderr.contains("all trials run on workers that join") && stderr.contains("in a file `machine`"),
        "{code}: {stderr}"
    );
    assert!(!shell.path("runs").exists(), "nothing is written");
    assert_eq!(shell.json("schema")["properties"]["shared_host"]["type"], "boolean");
}
