//! A run that takes its time to end is ended at once; one that has ended is changed as it is gone on with.

use super::live::WALK;
use super::shell::{Shell, draining, signal};
use super::{SQUARES, endless};

#[test]
fn trials_are_added_to_a_run_that_has_ended() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let (code, _, stderr) = shell.tryout("add x=1");
    assert!(
        code == 2 && stderr.contains("`tryout run FILE --resume` goes on with it") && stderr.contains("`--add`"),
        "{stderr}"
    );
    let ended = shell.json(r#"run a.toml --quiet --json --resume --add x=1 --add {"x":7}"#);
    assert_eq!((&ended["trials"], &ended["best"]["value"]), (&5.into(), &1.0.into()), "{ended}");
    assert_eq!(shell.said("trials --columns x,loss --csv"), "config/x,loss\n3,9\n-2,4\n5,25\n1,1\n7,49\n");
    // They are the run's from then on, and nobody adds them again.
    assert_eq!(shell.json("run a.toml --quiet --json --resume")["trials"], 5);
    for (line, why) in [
        ("--resume --add x", "`x` is no configuration: expected KEY=VALUE, as in lr=0.1 or model.depth=3"),
        ("--resume --add {\"x\":", "is no configuration: "),
        ("--add x=1", "--resume"),
        ("--resume --retry=1", "`--retry=1`: trial 1 is TERMINATED: it hasn't failed: say `--extend`"),
        ("--resume --extend=17", "there is no trial `17` in `runs/squares`: it has 0 to 4"),
        ("--resume --set name=other --retry=1", "there is no directory `runs/other`"),
        ("--resume --set space.x={grid=[3]}", "say `--changed` besides `--resume`"),
    ] {
        let (code, _, stderr) = shell.tryout(&format!("run a.toml --quiet {line}"));
        assert!(code == 2 && stderr.contains(why), "{line}: {stderr}");
    }
}

#[test]
fn single_trials_are_tried_again_and_extended() {
    let shell = Shell::with(
        "name = \"more\"\nworker = [\"python3\", \"-m\", \"tryout_worker\", \"walk.py:Walk\"]\nspace.x = 1\n\
         space.last = { grid = [2, 3, 100, 101] }\nobjective.min = \"loss\"\nstop.iterations.limit = 4\n",
    );
    shell.write("walk.py", WALK);
    let run = |flags: &str| {
        let (code, _, stderr) = shell.tryout(&format!("run a.toml --quiet {flags}"));
        assert_eq!(code, 3, "{flags}: {stderr}");
        shell.said("trials --columns iterations,attempts --csv").lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(run(""), "2,1 3,1 4,1 4,1");
    assert_eq!(run("--resume --retry=1"), "2,1 3,2 4,1 4,1");
    assert_eq!(run("--resume --extend=2 --set stop.iterations.limit=6"), "2,1 3,2 6,2 4,1");
    assert_eq!(run("--resume --retry --extend=2,3 --set stop.iterations.limit=7"), "2,2 3,3 7,3 7,2");
    let (code, _, stderr) = shell.tryout("run a.toml --quiet --resume --extend=0");
    assert!(code == 2 && stderr.contains("trial 0 is ERROR: it has failed: say `--retry`"), "{stderr}");
}

#[test]
fn a_second_ctrl_c_ends_a_run_at_once() {
    let shell = Shell::new();
    shell.write("a.toml", &endless(&shell, "twice"));
    let (mut run, mut watch, events) = draining(&shell);
    signal(&run, "-INT");
    assert_eq!(run.wait().unwrap().code(), Some(130));
    events.for_each(drop);
    watch.wait().unwrap();
    assert_eq!(shell.json("status --json")["state"], "stopped");
}
