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
    let trial = run(sh("echo {rate}"), Config::new().with("lr", 1));
    let words = trial.error().map(|failure| failure.fault.message.clone()).unwrap_or_default();
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
