//! The program `tryout` itself: experiment files, runs and their ends, and every verb on every state of a run.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use self::shell::{Shell, signal};

mod elsewhere;
mod ended;
mod housekeeping;
mod json_schema;
mod live;
mod schemas;
mod serve;
mod shared_host;
mod shell;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// A quick one: x squared.
const SQUARES: &str = r#"
name = "squares"
command = ["sh", "-c", 'echo "{{\"loss\": $(({x} * {x}))}}"']
space.x = { grid = [3, -2, 5] }
objective.min = "loss"
"#;

#[test]
fn a_text_that_a_spreadsheet_would_compute_stays_a_text() {
    let file = SQUARES.replace("grid = [3, -2, 5] }", "grid = [3] }\nspace.note = { choice = [\"=1+1\"] }");
    let shell = Shell::with(&file);
    shell.said("run a.toml --quiet");
    assert_eq!(shell.said("trials --columns note,x --csv"), "config/note,config/x\n'=1+1,3\n");
    assert!(shell.said("export").lines().nth(1).is_some_and(|row| row.contains(",'=1+1,")));
}

#[test]
fn trials_are_known_by_their_names() {
    let shell = Shell::with(&format!("trial_names = \"tag\"\n{SQUARES}"));
    shell.said("run a.toml --quiet");
    assert_eq!(shell.said("trials --columns name,loss --csv"), "name,loss\n0_x=3,9\n1_x=-2,4\n2_x=5,25\n");
    assert!(shell.said("trials").starts_with("trial  name"), "{}", shell.said("trials"));
    let shown = shell.said("show 1_x=-2");
    assert!(shown.starts_with("trial 1 (") && shown.contains("\nname: 1_x=-2\n"), "{shown}");
    let plain = Shell::with(SQUARES);
    plain.said("run a.toml --quiet");
    let (code, _, error) = plain.tryout("trials --columns name");
    assert!(code == 2 && error.contains("there is no column `name`"), "{code}: {error}");
}

#[test]
fn a_run_is_drawn() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let path = shell.said("plot history").trim_end().to_owned();
    assert!(path.starts_with("runs/squares") && path.ends_with("/history.svg"), "{path}");
    let svg = fs::read_to_string(shell.path(&path)).unwrap();
    assert!(svg.contains("<title>squares: loss by trial (lower is better), 3 trials</title>"), "{svg}");
    assert!(svg.contains("best 4 by trial 1"), "{svg}");
    assert_eq!(shell.said("plot slice --out slice.png"), "slice.png\n");
    assert!(fs::read(shell.path("slice.png")).unwrap().starts_with(b"\x89PNG"));
    let other = shell.said("plot curves --metric accuracy --mode max --out -");
    assert!(other.contains("higher is better") && other.contains("has reported a finite accuracy yet"), "{other}");
    for (line, words) in [
        ("plot history --out history.pdf", "`history.pdf` isn't a picture's name: it must end in `.svg` or `.png`"),
        ("plot everything", "[possible values: history, curves, parallel, importance, rungs, slice]"),
        ("plot history --dir nowhere", "there is no directory `nowhere`"),
    ] {
        let (code, _, error) = shell.tryout(line);
        assert!(code == 2 && error.contains(words), "{line}: {code}, {error}");
    }
    let (code, _, error) = shell.tryout("plot history --out no/such/place.svg");
    assert!(code == 1 && error.contains("`no/such/place.svg` can't be written"), "{code}, {error}");
}

/// Three trials in turn: the second says that it is at work, and then waits to be ended; once.
fn endless(shell: &Shell, name: &str) -> String {
    let fifo = shell.path("at_work").display().to_string();
    format!(
        "name = \"{name}\"\nspace.x = {{ grid = [1, 2, 3] }}\nconcurrency = 1\ndurability = \"every_event\"\n\
         command = [\"sh\", \"-c\", 'echo begun; if [ {{x}} = 2 ] && [ -p {fifo} ]; then echo > {fifo}; exec sleep 1000; fi']\n\
         process.metrics = \"nowhere\"\n"
    )
}

#[test]
fn somebody_is_told_of_the_first_failure_the_end_and_a_silence() {
    let notify = "notify.command = [\"sh\", \"-c\", \"cat >> told.jsonl; echo >> told.jsonl\"]\n";
    let failing =
        SQUARES.replace("echo \"{{", "test {x} -gt 0 && echo \"{{").replace("space.x", &format!("{notify}space.x"));
    let shell = Shell::with(&failing);
    assert_eq!(shell.tryout("run a.toml --quiet").0, 3);
    let told = fs::read_to_string(shell.path("told.jsonl")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.iter().map(|notice| &notice["occasion"]).collect::<Vec<_>>(), ["first_failure", "end"], "{told:?}");
    assert!(told[0]["message"].as_str().unwrap().starts_with("trial 1 failed: "), "{told:?}");
    assert!(told[1]["message"] == "the run has ended: completed" && told[1]["name"] == "squares", "{told:?}");

    // A trial is at work and says nothing: the silence is told of, and by nothing else would this end.
    let silence = "notify = { command = [\"sh\", \"-c\", \"cat > silent\"], on = [\"stall\"], stall_after = 0.05 }\n";
    shell.write("b.toml", &(silence.to_owned() + &endless(&shell, "silent")));
    assert!(std::process::Command::new("mkfifo").arg(shell.path("silent")).status().unwrap().success());
    let mut child = shell.started("run b.toml --quiet");
    let told: Value = serde_json::from_reader(fs::File::open(shell.path("silent")).unwrap()).unwrap();
    assert_eq!(told["message"], "no trial has reported or ended for 0.05 s");
    signal(&child, "-KILL");
    child.wait().unwrap();

    for (line, why) in [
        ("notify={webhook='ftp://x'}", "\"ftp://x\" is no address: expected http://.. or https://.."),
        ("notify={}", "give a `command`"),
        ("notify={command=['true'],on=['noon']}", "noon"),
    ] {
        let (code, _, stderr) = shell.tryout(&format!("check a.toml --set {line}"));
        assert!(code == 2 && stderr.contains(why), "{line}: {stderr}");
    }
}

/// What follows the output of a trial, after its first line has come.
fn followed(shell: &Shell, line: &str) -> (Child, BufReader<ChildStdout>) {
    let mut follows = shell.command(line).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(follows.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert_eq!(first, "begun\n");
    (follows, said)
}

#[test]
fn each_example_is_what_would_run() {
    let shell = Shell::new();
    for (file, trials) in
        [("digits", 100), ("any_program/function", 20), ("any_program/ray_class", 12), ("any_program/command", 20)]
    {
        let checked = shell.json(&format!("check {EXAMPLES}/{file}.toml --json"));
        assert_eq!(checked["trials"], trials, "{file}");
        assert_eq!(checked["first"].as_array().map(Vec::len), Some(5), "{file}");
        assert!(checked["first"][0]["resources"].is_string(), "{file}");
    }
    assert!(!shell.path("runs").exists(), "nothing is written");
}

#[test]
fn a_python_function_and_a_ray_class_run_as_they_are() {
    let shell = Shell::new();
    for (name, trials) in [("function", 20), ("ray_class", 12)] {
        let ended = shell.json(&format!("run {EXAMPLES}/any_program/{name}.toml --quiet --json"));
        assert_eq!((&ended["trials"], &ended["failed"]), (&trials.into(), &0.into()), "{ended}");
        assert!(ended["best"]["value"].as_f64().unwrap() < 1e-3, "{ended}");
    }
    // PBT made copies, and the Ray class went on from their checkpoints.
    let trials = shell.said("trials --dir runs/ray_class --json");
    assert!(trials.lines().all(|trial| serde_json::from_str::<Value>(trial).unwrap()["iterations"] == 20), "{trials}");
    let ended = shell.json(&format!("run {EXAMPLES}/any_program/command.toml --quiet --json"));
    assert_eq!((&ended["iterations"], &ended["exit_code"]), (&100.into(), &0.into()), "{ended}");
}

/// What is wrong with a file, where, and what was perhaps meant.
#[test]
fn a_wrong_file_is_told_with_its_place() {
    let good = "name = \"a\"\ncommand = [\"true\"]\nsamples = 3\n[space]\nx = { uniform = [0, 1] }\n";
    let cases = [
        (("samples", "smaples"), "3:1: there is no setting `smaples`; did you mean `samples`?"),
        (("samples = 3", "samples = 0"), "3:1: `samples` is 0, but must be at least 1"),
        (("samples = 3", "samples = \"many\""), "3:1: found \"many\", expected a number of samples, or \"infinite\""),
        (("samples = 3", "grace = \"soon\""), "3:1: \"soon\" isn't a time: expected seconds, or as in \"90s\""),
        (("samples = 3", "reuse = \"never\""), "3:1: there is no choice `never`; there are no, yes"),
        (("samples = 3", "limits.stepp = 3"), "3:8: there is no setting `stepp`; did you mean `step`?"),
        (
            ("samples = 3", "schedule.asha = { max_tt = 3 }"),
            "3:19: there is no setting `max_tt`; did you mean `max_t`?",
        ),
        (("samples = 3", "schedule.ash = {}"), "3:10: there is no scheduler `ash`; did you mean `asha`?"),
        (("samples = 3", "schedule.asha = { max_t = 0 }"), "3:10: Asha: `max_t` is 0, but must be at least 1"),
        (
            ("samples = 3", "schedule.asha = {}"),
            "3:10: Asha needs an objective: give one to the experiment, as in `objective.min = \"loss\"`",
        ),
        (("samples = 3", "search.tpe = { startup = -1 }"), "3:16: invalid value: integer `-1`, expected u32"),
        (("samples = 3", "search.limiter = {}"), "3:8: there is no searcher `limiter`; there are"),
        (
            ("samples = 3", "stop = [{ iterations = { limit = 0 } }]"),
            "3:11: stop rule `iterations`: the limit is 0, but must be at least 1",
        ),
        (("samples = 3", "stop.at_most = { metric = \"loss\" }"), "3:6: missing field `bound`"),
        (("samples = 3", "checkpoints.evry = 3"), "3:13: there is no setting `evry`; did you mean `every`?"),
        (("samples = 3", "resources.cpu = -1"), "3:1: -1 is not an amount of `cpu`"),
        (
            ("samples = 3", "objective = \"loss\""),
            "3:1: found \"loss\", expected an objective, as in {\"min\": \"loss\"}",
        ),
        (("[0, 1]", "[1, 0]"), "5:1: `x`: the lower bound is 1, but must be less than"),
        (("[0, 1]", "[0]"), "5:1: `uniform`: found [0], expected the smallest and the largest value"),
        (("x = { uniform = [0, 1] }", "x = { grid = [] }"), "5:1: `x`: a grid needs at least one option"),
        (("command = [\"true\"]", "command = []"), "2:1: `command` is empty"),
        (
            ("command = [\"true\"]", "command = [\"\", \"a\"]"),
            "2:1: `command` begins with \"\", but must begin with a program",
        ),
        (("command = [\"true\"]\n", ""), "1:1: nothing says what runs the trials"),
        (("command =", "ask_tell = true\ncommand ="), "2:1: `ask_tell` was given together with a program"),
        (
            ("command = [\"true\"]", "ask_tell = true\nprocess.env = { A = \"b\" }"),
            "3:1: `process` is for a `worker` or a `command`, but there is a `ask_tell`",
        ),
        (
            ("command = [\"true\"]", "ask_tell = true\nlimits.step = \"1m\""),
            "3:1: `limits` is for a `worker` or a `command`",
        ),
        (
            ("command = [\"true\"]", "ask_tell = true\nshared_host = true"),
            "3:1: `shared_host` is for a `worker` or a `command`, but there is a `ask_tell`",
        ),
        (("samples = 3", "shared_host = 3"), "3:1: invalid type: integer `3`, expected a boolean"),
        (("samples = 3", "share_host = true"), "3:1: there is no setting `share_host`; did you mean `shared_host`?"),
        (("name = \"a\"", "name = \"\""), "1:1: `name` is empty"),
        (("samples = 3", "samples = "), "3:11: string values must be quoted"),
    ];
    for ((from, to), expected) in cases {
        let shell = Shell::with(&good.replace(from, to));
        let (code, stdout, stderr) = shell.tryout("check a.toml");
        assert!(stderr.starts_with(&format!("error: a.toml:{expected}")), "{to}: {stderr}");
        assert_eq!((code, stdout.as_str()), (2, ""), "{to}");
    }
}

#[test]
fn json_is_as_good_as_toml_and_set_wins_over_both() {
    let shell = Shell::new();
    shell.write(
        "a.json",
        "{\"name\": \"a\", \"command\": [\"true\"],\n \"space\": {\"net.x\": {\"int\": [0, 9]}},\n  \"sede\": 1}",
    );
    let (code, _, stderr) = shell.tryout("check a.json");
    assert!(stderr.starts_with("error: a.json:3:11: there is no setting `sede`; did you mean `seed`?"), "{stderr}");
    assert_eq!(code, 2);
    shell.write("a.json", "{\"name\": \"a\", \"command\": [\"true\"], \"space\": {\"net.x\": {\"int\": [0, 9]}}}");
    let checked = shell.json("check a.json --json --set samples=7 --set space.net.x={int=[3,4]} --set name=b");
    assert_eq!((&checked["trials"], &checked["settings"]["name"]), (&7.into(), &"b".into()));
    assert_eq!(checked["first"][0]["config"]["net"]["x"], 3);
    let (code, _, stderr) = shell.tryout("check a.json --set samples=0");
    assert_eq!((code, stderr.as_str()), (2, "error: --set samples=0: `samples` is 0, but must be at least 1\n"));
    let (code, _, stderr) = shell.tryout("check a.json --set samples");
    assert!(code == 2 && stderr.contains("expected KEY=VALUE"), "{stderr}");
}

/// Every searcher, scheduler and stop rule can be said in a file, and the schema has them all.
#[test]
fn every_bundled_part_can_be_said() {
    let schema = Shell::new().json("schema");
    let kinds = |sort: &str| -> Vec<String> {
        let names = &schema["$defs"][sort]["anyOf"][0]["enum"];
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let settings = |kind: &str| match kind {
        "capped" => "{ most = 3, inner = { tpe = { startup = 5 } } }",
        "concurrency_limiter" => "{ limit = 2, inner = \"quasi_random\" }",
        "repeater" => "{ repeat = 2, inner = { gaussian_process = {} } }",
        "distinct" | "warm_start" | "within" => "{ inner = { cma_es = { sigma = 0.3 } } }",
        "points" => "{ configs = [{ x = 0.5 }] }",
        "resource_changing" => "{ inner = { asha = { max_t = 9 } }, unit = { cpu = 0.5 } }",
        "patient" => "{ patience = 3, inner = \"median_stopping\" }",
        "pbt" => "{ perturbation_interval = 3, mutations = { x = { uniform = [0, 1] } } }",
        "replay" => "{ policy = { start = { x = 1 }, steps = [{ iteration = 3, config = { x = 2 } }] } }",
        "mo_asha" => "{ objectives = [{ min = \"loss\" }, { max = \"speed\" }] }",
        "threshold" => "{ upper = 3 }",
        "all" | "any" => "{ rules = [{ trial_time = { limit = \"10m\" } }, { iterations = { limit = 3 } }] }",
        "at_least" | "at_most" => "{ metric = \"loss\", bound = 0.5 }",
        "best_reached" => "{ target = 0.1 }",
        "budget" => "{ resource = \"cpu_seconds\", limit = 100 }",
        "experiment_time" | "trial_time" => "{ limit = \"1h 30m\" }",
        "iterations" => "{ limit = 10 }",
        "no_improvement" => "{ trials = 10 }",
        "trial_plateau" => "{ metric = \"loss\" }",
        _ => "{}",
    };
    for (sort, table, least) in [("Searcher", "search", 13), ("Scheduler", "schedule", 12), ("StopRule", "stop", 12)] {
        let kinds = kinds(sort);
        assert!(kinds.len() >= least, "{sort}: {kinds:?}");
        for kind in kinds {
            let text = format!(
                "name = \"a\"\ncommand = [\"true\"]\nobjective.min = \"loss\"\nspace.x = {{ uniform = [0, 1] }}\n\
                 samples = 2\n{table}.{kind} = {}\n",
                settings(&kind)
            );
            let (code, _, stderr) = Shell::with(&text).tryout("check a.toml");
            assert_eq!(code, 0, "{table}.{kind}: {stderr}");
        }
    }
    for name in ["worker", "command", "space", "search", "limits", "checkpoints", "machine", "grace", "files"] {
        assert!(schema["properties"][name].is_object(), "{name}");
    }
}

#[test]
fn a_run_ends_with_a_code_for_its_outcome() {
    let shell = Shell::with(SQUARES);
    let (code, stdout, _) = shell.tryout("run a.toml --quiet");
    assert_eq!(code, 0);
    assert!(stdout.starts_with("best: trial 1 with loss 4: {\"x\":-2}\n"), "{stdout}");
    assert!(stdout.contains("results: runs/squares\n"), "{stdout}");

    let (code, _, stderr) = shell.tryout("run a.toml --quiet");
    assert_eq!(code, 2);
    assert!(stderr.contains("go on with its run by `tryout run a.toml --resume`"), "{stderr}");

    let fails = r#"name=some command=["sh","-c","[\u0020{x}\u0020=\u00205\u0020]\u0020&&\u0020exit\u00203;\u0020echo\u0020'{{\"loss\":1}}'"]"#;
    let sets: String = fails.split(' ').map(|set| format!(" --set {set}")).collect();
    let (code, stdout, _) = shell.tryout(&format!("run a.toml --quiet{sets}"));
    assert_eq!(code, 3, "{stdout}");
    assert!(
        stdout.contains("2 of 3 trials ended well, 1 failed") && stdout.contains("go on: tryout run a.toml"),
        "{stdout}"
    );
    let why = shell.said("why 2 --dir runs/some");
    assert!(why.contains("trial 2 is ERROR") && why.contains("exit code"), "{why}");

    let (code, stdout, _) = shell.tryout(&format!("run a.toml --quiet{sets} --set name=raised --set fail_fast=raise"));
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.starts_with("the run couldn't go on: trial "), "{stdout}");

    let limited = "--set name=limited --set concurrency=1 --set stop.best_reached={target=1000}";
    let (code, stdout, _) = shell.tryout(&format!("run a.toml --quiet {limited}"));
    assert_eq!(code, 4, "{stdout}");
    assert!(stdout.contains("stopped, "), "{stdout}");

    let (code, _, stderr) = shell.tryout("run nowhere.toml");
    assert!(code == 2 && stderr.contains("nowhere.toml: the file can't be read"), "{stderr}");
}

#[test]
fn what_could_never_run_is_found_before_it_does() {
    let shell = Shell::with(SQUARES);
    let (code, _, stderr) = shell.tryout("check a.toml --set resources.gpu=3");
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("no trial could ever run"), "{stderr}");
    let (code, _, stderr) = shell.tryout("check a.toml --set command=[\"no-such-program\"]");
    assert!(
        code == 2 && stderr.contains("a.toml: no-such-program: the program `no-such-program` isn't there"),
        "{stderr}"
    );
    let (code, _, stderr) = shell.tryout("check a.toml --set command=[\"echo\",\"{y}\"]");
    assert!(
        code == 2 && stderr.contains("a.toml: echo: there is no value for `{y}`: a configuration has x"),
        "{stderr}"
    );
    let checked = shell.json("check a.toml --json --set command=[\"echo\",\"{x}\"] --set space.x=7");
    assert_eq!(checked["first"][0]["command"], serde_json::json!(["echo", "7"]));
    let checked = shell.said("check a.toml --first 2");
    assert!(checked.starts_with("squares: 3 trials, least of `loss`\n"), "{checked}");
    assert_eq!(checked.lines().count(), 5, "{checked}");
}

#[test]
fn ctrl_c_drains_and_the_run_goes_on() {
    let shell = Shell::new();
    shell.write("a.toml", &endless(&shell, "endless"));
    let child = shell.started("run a.toml --quiet --drain 1");
    // Another process looks at it meanwhile.
    let status = shell.json("status --json");
    assert_eq!((&status["state"], &status["owner"]["pid"]), (&"running".into(), &child.id().into()), "{status}");
    assert_eq!(shell.said("why 0"), "trial 0 is TERMINATED: it was done\n");
    assert!(shell.said("why 2").contains(": it waits for "));
    let (mut follows, _said) = followed(&shell, "logs 1 --follow");

    signal(&child, "-INT");
    let ended = child.wait_with_output().unwrap();
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stdout}");
    assert!(stdout.contains("go on: tryout run a.toml --resume"), "{stdout}");
    assert!(follows.wait().unwrap().success());
    assert_eq!(shell.json("status --json")["state"], "drained");

    let resumed = shell.json("run a.toml --quiet --resume --json");
    assert_eq!((&resumed["trials"], &resumed["exit_code"]), (&3.into(), &0.into()), "{resumed}");
    assert_eq!(shell.json("status --json")["state"], "completed");
}

#[test]
fn a_killed_run_tells_what_was_reached() {
    let shell = Shell::new();
    shell.write("a.toml", &endless(&shell, "killed"));
    let mut child = shell.started("run a.toml --quiet");
    signal(&child, "-KILL");
    child.wait().unwrap();
    let status = shell.said("status");
    assert!(status.starts_with("killed: cut off: it can be gone on with"), "{status}");
    assert_eq!(shell.said("why 0"), "trial 0 is TERMINATED: it was done\n");
    assert!(shell.said("why 2").ends_with(": the run ended before its turn; a resumed run takes it up\n"));
    assert!(shell.said("list").contains("cut_off"));
    let resumed = shell.json("run a.toml --quiet --resume --json");
    assert_eq!(resumed["exit_code"], 0, "{resumed}");
}

#[test]
fn of_several_live_runs_one_has_to_be_named() {
    let shell = Shell::new();
    let mut live: Vec<Child> = ["one", "other"]
        .iter()
        .map(|name| {
            shell.write("a.toml", &endless(&shell, name));
            shell.started("run a.toml --quiet")
        })
        .collect();
    let (code, _, stderr) = shell.tryout("status");
    assert_eq!(code, 2);
    assert!(
        stderr.contains("several runs are going on")
            && stderr.contains("`runs/one`")
            && stderr.contains("`runs/other`"),
        "{stderr}"
    );
    assert!(shell.said("status --dir runs/one").starts_with("one: running in process "));

    // Who follows a trial's output is told when the run is over.
    let (mut follows, mut said) = followed(&shell, "logs 1 --follow --dir runs/one");
    for child in &mut live {
        signal(child, "-KILL");
        child.wait().unwrap();
    }
    let mut line = String::new();
    assert_eq!(said.read_line(&mut line).unwrap(), 0, "it ends: {line}");
    assert!(follows.wait().unwrap().success());
}

#[test]
fn what_is_no_run_is_said_to_be_none() {
    let shell = Shell::with(SQUARES);
    for verb in ["status", "trials", "show 0", "why 0", "logs 0", "export"] {
        let (code, _, stderr) = shell.tryout(verb);
        assert!(code == 2 && stderr.contains("there is no run below `runs`"), "{verb}: {stderr}");
        let (code, _, stderr) = shell.tryout(&format!("{verb} --dir nowhere"));
        assert!(code == 2 && stderr.contains("there is no directory `nowhere`"), "{verb}: {stderr}");
        let (code, _, stderr) = shell.tryout(&format!("{verb} --dir ."));
        assert!(code == 2 && stderr.contains("`.` is no run"), "{verb}: {stderr}");
    }
    shell.said("run a.toml --quiet");
    let (_, _, stderr) = shell.tryout("status --dir runs");
    assert!(stderr.contains("`runs` is no run, but there are runs below it: `runs/squares`"), "{stderr}");

    // A journal of a later version.
    let journal = first_file(&shell.path("runs/squares/journal"));
    let text = fs::read_to_string(&journal).unwrap();
    let (_, rest) = text.split_once('\n').unwrap();
    fs::write(&journal, format!("{}\n{rest}", later_format())).unwrap();
    let (code, _, stderr) = shell.tryout("status");
    assert!(code == 2 && stderr.contains("the run in `runs/squares` can't be read"), "{stderr}");
    assert!(stderr.contains("has format 99, and this version of tryout reads formats up to 1"), "{stderr}");
    // The others are shown all the same.
    shell.said("run a.toml --quiet --set name=second");
    let list = shell.said("list");
    assert!(list.contains("unreadable: ") && list.contains("runs/second") && list.contains("completed"), "{list}");
}

fn first_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap()
}

/// The first line of a journal's file as a later version would write it, with the checksum that belongs to it.
fn later_format() -> String {
    let body = r#"0,{"segment":{"format":99,"first":1}}"#;
    format!("[\"{:08x}\",{body}]", crc32fast::hash(body.as_bytes()))
}

#[test]
fn trials_are_chosen_sorted_and_written() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let trials = shell.said("trials --sort loss");
    let numbers: Vec<&str> = trials.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(numbers, ["1", "0", "2"], "{trials}");
    assert!(trials.starts_with("trial  status      iterations  loss  x\n"), "{trials}");
    assert_eq!(shell.said("trials --sort loss --reverse --columns x,loss --csv"), "config/x,loss\n5,25\n3,9\n-2,4\n");
    assert_eq!(shell.said("trials --where loss>=9 --where x!=5 --columns trial --json"), "{\"trial\":0}\n");
    assert_eq!(shell.said("trials --where status=error --columns trial --csv"), "trial\n");
    assert_eq!(shell.said("trials --limit 1 --columns trial,x --csv"), "trial,config/x\n0,3\n");
    let (code, _, stderr) = shell.tryout("trials --sort lossy");
    assert!(code == 2 && stderr.contains("there is no column `lossy`; there are trial, id, status"), "{stderr}");
    let (code, _, stderr) = shell.tryout("trials --where loss");
    assert!(code == 2 && stderr.contains("`loss` isn't a filter"), "{stderr}");

    let show = shell.said("show 1");
    assert!(show.contains("configuration: x=-2") && show.contains("last report: iteration 1, loss=4"), "{show}");
    let by_id = shell.json("show 1 --json");
    assert_eq!(shell.json(&format!("show {} --json", by_id["id"].as_str().unwrap())), by_id);
    assert_eq!((&by_id["config"]["x"], &by_id["history"][0]["metrics"]["loss"]), (&(-2).into(), &4.into()));
    assert_eq!(shell.json("why 1 --json")["ending"], "done");
    let (code, _, stderr) = shell.tryout("show 17");
    assert!(code == 2 && stderr.contains("there is no trial `17` in `runs/squares`: it has 0 to 2"), "{stderr}");
    assert_eq!(shell.said("logs 1 --last 1"), "{\"loss\": 4}\n");

    shell.said("export --what reports --to reports.jsonl");
    let reports = fs::read_to_string(shell.path("reports.jsonl")).unwrap();
    assert_eq!(reports.lines().count(), 3);
    assert!(shell.said("export").starts_with("trial,id,status,iterations,"));
}

#[test]
fn a_resumed_run_asks_the_same_question_unless_it_is_said() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let changed = "run a.toml --quiet --resume --set space.x={grid=[3,-2,5,1]}";
    let (code, _, stderr) = shell.tryout(changed);
    assert!(code == 2 && stderr.contains("say `--changed` besides `--resume`"), "{stderr}");
    assert_eq!(shell.json(&format!("{changed} --changed --json"))["best"]["value"], 1.0);
}

#[test]
fn doctor_and_help_say_what_there_is() {
    let shell = Shell::new();
    let found = shell.json("doctor --json");
    assert!(found["cores"].as_u64().is_some_and(|cores| cores > 0), "{found}");
    assert_eq!(found["shell"], "/bin/sh");
    assert!(shell.said("doctor").contains("python"));
    let help = shell.said("--help");
    for verb in ["run", "check", "status", "trials", "show", "why", "logs", "export", "list", "schema", "doctor"] {
        assert!(help.contains(&format!("\n  {verb} ")), "{verb}: {help}");
        assert!(shell.said(&format!("{verb} --help")).len() > 100, "{verb}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever is done to a file, it is read or refused with a place in it.
    #[test]
    fn no_text_is_too_much(which in 0..6_usize, at in 0.0..1.0_f64, cut in 0..20_usize, put in "[\\[\\]{}=\"'.,\n0-9a-z_ #:-]{0,12}") {
        let files = [
            include_str!("../../examples/digits.toml"),
            include_str!("../../examples/any_program/ray_class.toml"),
            include_str!("../../examples/any_program/command.toml"),
            SQUARES,
            r#"{"name": "a", "command": ["true"], "space": {"x": {"grid": [1, {"y": {"int": [0, 2]}}]}}, "search": {"nsga2": {"seed": 3}}}"#,
            r#"{"worker": ["true"], "stop": [{"all": {"rules": [{"at_least": {"metric": "a", "bound": 1}}]}}], "limits": {"step": 3}}"#,
        ];
        let mut text: Vec<char> = files[which].chars().collect();
        let from = (at * text.len() as f64) as usize;
        text.splice(from..(from + cut).min(text.len()), put.chars());
        let text: String = text.into_iter().collect();
        let name = if which < 4 { "a.toml" } else { "a.json" };
        if let Err(error) = tryout::ExperimentFile::parse(name.as_ref(), &text, &[]) {
            let (line, column) = error.at.expect("it has a place");
            proptest::prop_assert!(line >= 1 && line <= text.lines().count() + 1 && column >= 1, "{error}");
        }
    }
}
