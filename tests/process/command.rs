//! Any program as a trial.

use std::time::Duration;

use tryout::edge::backend::CommandBackend;
use tryout::prelude::*;

fn sh(script: &str) -> CommandBackend {
    command("sh").args(["-c", script]).after_term(Duration::from_millis(200))
}

fn run(backend: CommandBackend, config: Config) -> TrialRecord {
    let experiment = Experiment::new("command", backend).points([config]).workers(1);
    experiment.run().expect("a run").trials()[0].clone()
}

fn number(trial: &TrialRecord, name: &str) -> Option<f64> {
    trial.last.as_ref().and_then(|last| last.number(name))
}

#[test]
fn values_go_in_by_arguments_environment_and_files() {
    let script =
        r#"read -r text < in.txt; echo "{{\"a\": $0, \"b\": $VALUE, \"c\": $text, \"d\": $(wc -c < config.json)}}""#;
    let backend =
        sh(script).arg("{lr}").env("VALUE", "{net/size}").file("in.txt", "{@number}.7\n").config_file("config.json");
    let config = Config::from_json(serde_json::json!({"lr": 0.5, "net": {"size": 3}})).expect("a map");
    let text = config.to_string();
    let trial = run(backend, config);
    assert_eq!(trial.status, Status::Terminated, "{:?}", trial.error());
    let values = ["a", "b", "c", "d"].map(|name| number(&trial, name));
    assert_eq!(values, [Some(0.5), Some(3.0), Some(0.7), Some(text.len() as f64 + 1.0)]);
}

#[test]
fn reports_come_by_lines_by_pattern_or_by_file() {
    let lines = r#"echo begins; for i in 1 2 3; do echo "{{\"loss\": $i, \"more\": {{\"x\": NaN}}}}"; done; printf '{{"loss": 4}}'"#;
    let trial = run(sh(lines), Config::new());
    assert_eq!((trial.reported, number(&trial, "loss")), (4, Some(4.0)), "{:?}", trial.error());
    let pattern = MetricsFrom::Pattern(r"epoch (?P<epoch>\d+) loss (?P<loss>\S+)".to_owned());
    let trial = run(sh("for i in 1 2; do echo epoch $i loss 0.$i; done").metrics(pattern), Config::new());
    assert_eq!((trial.reported, number(&trial, "loss"), number(&trial, "epoch")), (2, Some(0.2), Some(2.0)));
    let file = || MetricsFrom::File("out.json".into());
    let trial =
        run(sh(r#"echo '{{"loss": 1}}' > out.json; echo '{{"loss": 2}}' >> out.json"#).metrics(file()), Config::new());
    assert_eq!((trial.reported, number(&trial, "loss")), (2, Some(2.0)));
    let trial = run(sh("true").metrics(file()), Config::new());
    assert!(trial.error().is_some_and(|failure| failure.fault.message.contains("can't read")), "{:?}", trial.error());
    assert_eq!(run(sh("true").metrics(MetricsFrom::Nowhere), Config::new()).status, Status::Terminated);
}

#[test]
fn exit_code_and_silence_are_told() {
    let trial = run(sh(r#"echo '{{"loss": 1}}'; echo oh no >&2; exit 4"#), Config::new());
    let failure = trial.error().expect("a failure");
    assert_eq!((failure.fault.kind, trial.reported), (FailureKind::Exited, 1));
    assert_eq!(failure.fault.message, "the process ended with exit code 4");
    assert_eq!(failure.fault.output.last().map(String::as_str), Some("oh no"));
    let trial = run(sh("echo nothing to report"), Config::new());
    let words = trial.error().map(|failure| failure.fault.message.clone()).unwrap_or_default();
    assert!(words.contains("reported nothing: its reports are looked for in JSON objects"), "{words}");
    let configs = [Config::new().with("lr", 1), Config::new().with("rate", 1)];
    let results = Experiment::new("command", sh("echo {rate}")).points(configs).workers(1).run().expect("one has it");
    let words = results.trials()[0].error().map(|failure| failure.fault.message.clone()).unwrap_or_default();
    assert!(words.starts_with("there is no value for `{rate}`: there are `{lr}`"), "{words}");
}

#[test]
fn a_trial_that_is_stopped_ends_its_program() {
    let script = r#"i=0; while :; do i=$((i+1)); echo "{{\"loss\": $i}}"; done"#;
    let results = Experiment::new("endless", sh(script))
        .points([Config::new(), Config::new(), Config::new()])
        .workers(1)
        .stop(stop::iterations(2500))
        .run()
        .expect("a run");
    for trial in results.trials() {
        assert_eq!((trial.status, trial.reported), (Status::Terminated, 2500));
    }
}

#[test]
fn a_program_that_hangs_is_ended_by_its_limit() {
    let backend = sh(r#"trap '' TERM; echo '{{"loss": 1}}'; sleep 1000"#);
    let trial = run(backend.limits(Limits::new().step(Duration::from_millis(300), OnLimit::Kill)), Config::new());
    let failure = trial.error().expect("a failure");
    assert_eq!((failure.fault.kind, trial.reported), (FailureKind::Timeout, 1), "{failure}");
}

#[test]
fn bad_settings_are_refused() {
    let refused = |backend| {
        let error = Experiment::new("command", backend).points([Config::new()]).run().expect_err("it can't work");
        error.to_string()
    };
    assert!(refused(sh("true").metrics(MetricsFrom::Pattern("(".into()))).contains("`(` isn't a pattern"));
    assert!(refused(sh("true").file("../outside", "")).contains("`../outside` isn't the name of a file"));
}

/// What a value says is read by the program, and never obeyed.
#[test]
fn values_are_not_obeyed() {
    let dir = tempfile::tempdir().expect("a directory");
    let marker = dir.path().join("obeyed");
    let evil = format!("\"; touch {} #", marker.display());
    let config = || Config::new().with("x", evil.as_str()).with("list", serde_json::json!(["$(id)"]));
    for place in ["{x}", "{list}"] {
        let trial = run(sh(&format!("echo \"{place}\"; echo '{{{{\"loss\": 1}}}}'")), config());
        let failure = trial.error().expect("it is refused");
        assert_eq!(failure.fault.kind, FailureKind::SetupFailed, "{failure}");
        assert!(failure.fault.message.contains("can't stand in the text of a program"), "{failure}");
    }
    let script = sh("echo 1").file("train.sh", "echo {x}");
    assert!(run(script, config()).error().is_some_and(|failure| failure.fault.message.contains("`{x}`")));
    // As an argument of its own, in the environment and in JSON, it is what it is.
    let reads = r#"test "$1" = "$X" && cat in.json"#;
    let trial = run(
        sh(reads).args(["sh", "{x}"]).env("X", "{x}").file("in.json", r#"{{"loss": 1, "x": "{x}", "list": {list}}}"#),
        config(),
    );
    assert_eq!(number(&trial, "loss"), Some(1.0), "{:?}", trial.error());
    let said = trial.last.as_ref().and_then(|last| last.value("x")).expect("a text");
    assert_eq!(said.to_string(), evil);
    let line = run(sh("echo 1").file("in.ini", "x = {y}"), Config::new().with("y", "1\nadmin = true"));
    assert!(line.error().is_some_and(|failure| failure.fault.message.contains("control characters")));
    assert!(!marker.exists());
    // Numbers and plain words may stand anywhere.
    let trial = run(
        sh(r#"echo "{{\"loss\": $(({x} * {x})), \"word\": \"{w}\"}}""#),
        Config::new().with("x", -3).with("w", "a-b.c"),
    );
    assert_eq!(number(&trial, "loss"), Some(9.0), "{:?}", trial.error());
}

/// What was run is in the run's directory: the interpreter's version, the script's hash, and what `pip freeze` says, if it says.
#[test]
fn a_script_s_interpreter_and_packages_are_recorded() {
    let root = tempfile::tempdir().expect("a directory");
    let script = root.path().join("train.py");
    std::fs::write(&script, "print('{\"loss\": 1}')").expect("a script");
    let backend = command("python3").arg(&script);
    let experiment = Experiment::new("recorded", backend).points([Config::new()]).dir(root.path());
    let results = experiment.run().expect("a run");
    assert_eq!(results.count(Status::Terminated), 1);
    let [one] = results.provenance().expect("a record").try_into().expect("one session");
    assert_eq!(one.program, ["python3", script.to_str().expect("a name")]);
    assert!(one.complete && one.version.as_ref().is_some_and(|version| version.starts_with("Python 3")), "{one:?}");
    let [file] = one.files.try_into().expect("one file");
    let sum = "0215670fdb62745213bc1ab001c45baf4dd04578d113f105b2d6efd2fa9814a0";
    assert_eq!(
        (file.path.as_str(), file.bytes, file.sha256.as_deref()),
        (script.to_str().expect("a name"), 20, Some(sum))
    );
    let freeze = std::process::Command::new("python3").args(["-m", "pip", "freeze"]).output().expect("a Python");
    let packages = freeze.status.success().then(|| String::from_utf8_lossy(&freeze.stdout).lines().count());
    assert_eq!(one.pip_freeze.map(|freeze| freeze.packages), packages);
}

/// Takes long over the first report.
struct Slow(Option<Duration>);

impl tryout::extend::Scheduler for Slow {
    fn on_report(
        &mut self,
        _: tryout::extend::TrialId,
        _: &tryout::extend::Report,
        _: &dyn tryout::extend::Cohort,
    ) -> tryout::extend::Verdict {
        if let Some(long) = self.0.take() {
            // Nobody says anything.
            let (_never, nothing) = std::sync::mpsc::channel::<()>();
            let _ = nothing.recv_timeout(long);
        }
        tryout::extend::Verdict::CONTINUE
    }
}

/// A step isn't too long because the program waits for us: more than can wait is read only when there is room.
#[test]
fn a_program_that_waits_for_the_engine_is_not_late() {
    let script = r#"i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo "{{\"i\": $i}}"; done"#;
    let limits = Limits::new().step(Duration::from_secs(2), OnLimit::Kill);
    let experiment = Experiment::new("slow", sh(script).limits(limits)).points([Config::new()]).workers(1);
    let results = experiment.batching(Batching::Single).scheduler(Slow(Some(Duration::from_secs(3)))).run();
    let trial = results.expect("a run").trials()[0].clone();
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 20_000), "{:?}", trial.error());
}

/// A program that goes on by itself after a failure or a pause loses no result; one that doesn't say so repeats itself.
#[test]
fn a_program_that_keeps_its_state_goes_on_counting() {
    let script = r#"n=$(cat n 2>/dev/null || echo 0)
        while [ $n -lt 6 ]; do
            n=$((n+1)); echo $n > n; echo "{{\"n\": $n}}"
            [ $n -eq 3 ] && exit 1
        done; true"#;
    let run = |backend: CommandBackend| {
        let dir = tempfile::tempdir().expect("a directory");
        let experiment = Experiment::new("command", backend).points([Config::new()]).workers(1).max_failures(1);
        experiment.dir(dir.path()).run().expect("a run").trials()[0].clone()
    };
    let told = |trial: &TrialRecord| -> Vec<(u64, Option<f64>)> {
        trial.history.iter().map(|report| (report.iteration(), report.number("n"))).collect()
    };
    let trial = run(sh(script).continues());
    assert_eq!((trial.status, trial.failures.len()), (Status::Terminated, 1), "{:?}", trial.error());
    assert_eq!(told(&trial), (1..=6).map(|n| (n, Some(n as f64))).collect::<Vec<_>>());
    let again = r#"for n in 1 2 3 4; do echo "{{\"n\": $n}}"; [ {@attempt} = 1 ] && [ $n = 3 ] && exit 1; done; true"#;
    assert_eq!(told(&run(sh(again))), (1..=4).map(|n| (n, Some(n as f64))).collect::<Vec<_>>());
}

/// What is done already needs no report.
#[test]
fn a_program_that_has_nothing_left_to_do_is_done() {
    let script = r#"[ -e n ] && exit 0; touch n; echo "{{\"n\": 1}}"; exit 1"#;
    let experiment = Experiment::new("command", sh(script).continues()).points([Config::new()]).max_failures(1);
    let dir = tempfile::tempdir().expect("a directory");
    let trial = experiment.workers(1).dir(dir.path()).run().expect("a run").trials()[0].clone();
    assert_eq!((trial.status, trial.reported), (Status::Terminated, 1), "{:?}", trial.error());
}
