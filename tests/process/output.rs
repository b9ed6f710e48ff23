//! What trials print, each in its own files.

use tryout::prelude::*;

use crate::program::{acts, one, rust, shell};

#[test]
fn case_c_34_each_trial_has_its_own_output_also_when_its_worker_is_reused() {
    let dir = tempfile::tempdir().expect("a directory");
    let results = Experiment::new("walk", rust())
        .points([3, 4, 5].map(|steps| acts("").with("steps", steps)))
        .workers(1)
        .dir(dir.path())
        .run()
        .expect("a run");
    for (trial, steps) in results.trials().iter().zip([3, 4, 5]) {
        let said = std::fs::read_to_string(dir.path().join("walk").join(trial.id.to_string()).join("stdout.txt"));
        let said = said.expect("it printed");
        let own: Vec<&str> = said.lines().filter(|line| line.starts_with("step ") || line.contains("begins")).collect();
        assert!(own[0].contains(&trial.id.to_string()), "{said}");
        assert_eq!(own.len(), steps + 1, "{said}");
    }
}

#[test]
fn a_flood_is_bounded_and_holds_nobody_up() {
    let text = "ready; yes 0123456789 | head -c 50000000; echo the end >&2; result done; read -r stop";
    let (trial, dir) = one(shell(text).output(Output::new().file_bytes(100_000).older_files(2)), Config::new());
    assert_eq!(trial.status, Status::Terminated, "{:?}", trial.error());
    let home = dir.path().join("one").join(trial.id.to_string());
    let sizes: Vec<u64> = ["stdout.txt", "stdout.txt.1", "stdout.txt.2", "stdout.txt.3"]
        .iter()
        .map(|name| std::fs::metadata(home.join(name)).map_or(0, |about| about.len()))
        .collect();
    assert!(sizes[0] <= 100_000 && sizes[1..] == [100_000, 100_000, 0], "{sizes:?}");
    assert_eq!(std::fs::read_to_string(home.join("stderr.txt")).expect("errors"), "the end\n");
}

#[test]
fn the_last_lines_are_part_of_an_error() {
    let text = "ready; i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done; exit 9";
    let (trial, _dir) = one(shell(text), Config::new());
    let output = &trial.error().expect("a failure").fault.output;
    assert_eq!((output.len(), output[0].as_str(), output[99].as_str()), (100, "line 201", "line 300"));
}

#[test]
fn a_checkpoint_that_comes_with_a_report_is_taken_away() {
    let dir = "${start#*\\\"dir\\\":\\\"}";
    let text = format!(
        r#"ready; dir={dir}; dir=${{dir%%\"*}}; mkdir "$dir/mine"; echo 42 > "$dir/mine/state"
        say "$lease" '"results":{{"list":[{{"metrics":{{"count":1}}}}],"end":"done","checkpoint":"'"$dir"'/mine"}}'; read -r stop"#
    );
    let (trial, dir) = one(shell(&text), Config::new());
    assert_eq!(trial.status, Status::Terminated, "{:?}", trial.error());
    assert_eq!(trial.checkpoints.len(), 1);
    let home = dir.path().join("one").join(trial.id.to_string());
    let state = home.join(trial.checkpoints[0].id.directory()).join("state");
    assert_eq!(std::fs::read_to_string(state).expect("a state"), "42\n");
    assert!(!home.join("work/mine").exists(), "it was taken away");
    let elsewhere =
        r#"ready; say "$lease" '"results":{"list":[{"metrics":{"count":1}}],"checkpoint":"/etc"}'; read -r stop"#;
    let (trial, _dir) = one(shell(elsewhere), Config::new());
    let failure = trial.error().expect("that isn't its own");
    assert_eq!(failure.fault.kind, FailureKind::SaveFailed, "{failure}");
    assert_eq!(trial.reported, 1, "the report that it came with is kept");
}

/// What a trial leaves in the place of our files isn't followed.
#[test]
fn output_doesn_t_go_through_a_link() {
    let script = r#"cd ..; if [ -e precious ]; then echo again; echo '{{"loss": 1}}'; exit; fi
        echo first; echo thesis > precious; rm -f stdout.txt; ln -s precious stdout.txt; exit 1"#;
    let dir = tempfile::tempdir().expect("a directory");
    let results = Experiment::new("one", command("sh").args(["-c", script]))
        .points([Config::new()])
        .max_failures(1)
        .workers(1)
        .dir(dir.path())
        .run()
        .expect("a run");
    let trial = &results.trials()[0];
    assert_eq!(trial.status, Status::Terminated, "{:?}", trial.error());
    let home = dir.path().join("one").join(trial.id.to_string());
    assert_eq!(std::fs::read_to_string(home.join("precious")).expect("it is there"), "thesis\n");
}
