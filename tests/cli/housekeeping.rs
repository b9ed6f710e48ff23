//! Runs are listed, compared, labelled and deleted, and their checkpoints let go.

use std::fs;

use serde_json::Value;

use super::shell::{Shell, signal};
use super::{SQUARES, endless};

#[test]
fn runs_are_labelled_compared_and_left_out() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    shell.said("run a.toml --quiet --set name=wide --set space.x={grid=[1,9]}");
    assert_eq!(shell.said("tag good first --dir runs/squares"), "runs/squares: tags: first, good\n");
    shell.said("tag first --remove --dir runs/squares");
    assert_eq!(shell.said("note kept --dir runs/squares"), "runs/squares: tags: good\nnote: kept\n");
    let list = shell.said("list --tag good");
    assert!(list.contains("runs/squares") && list.contains("good") && !list.contains("runs/wide"), "{list}");
    let (code, _, stderr) = shell.tryout("tag a,b");
    assert!(code == 2 && stderr.contains("\"a,b\" can't be a tag"), "{stderr}");

    let compared = shell.said("compare runs/squares runs/wide");
    let row = |name: &str| compared.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert_eq!(row("best value").split_whitespace().collect::<Vec<_>>(), ["best", "value", "4", "1"], "{compared}");
    assert!(row("name").contains("wide") && row("note").contains("kept"), "{compared}");
    assert!(row("space.x.grid").contains("9"), "{compared}");
    assert!(!compared.contains("objective.metric"), "only what differs: {compared}");

    shell.said("archive runs/wide");
    assert!(!shell.said("list").contains("runs/wide") && shell.said("list --archived").contains("runs/wide"));
    shell.said("archive runs/wide --undo");
    let listed = shell.said("list --json");
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((listed.len(), &listed[1]["labels"]["note"]), (2, &"kept".into()), "{listed:?}");
}

#[test]
fn a_run_is_deleted_when_it_is_said_twice_and_never_a_live_one() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let shown = shell.said("delete runs/squares");
    assert!(shown.contains("would delete runs/squares: squares, 3 trials, completed; "), "{shown}");
    assert!(shown.ends_with("nothing is deleted yet: say `--yes`\n") && shell.path("runs/squares").is_dir());
    // Who only looks doesn't make it the newest run.
    shell.said("run a.toml --quiet --set name=second");
    shell.said("delete runs/squares");
    assert_eq!(shell.json("status --json")["name"], "second");
    shell.said("delete runs/second --yes");

    shell.write("b.toml", &endless(&shell, "alive"));
    let mut child = shell.started("run b.toml --quiet");
    // Nothing goes if one of them can't.
    let (code, _, stderr) = shell.tryout("delete runs/squares runs/alive --yes");
    assert!(code == 2 && stderr.contains("`runs/alive` isn't deleted: "), "{stderr}");
    assert!(shell.path("runs/squares").is_dir());
    let (code, _, stderr) = shell.tryout("gc --dir runs/alive --yes");
    assert!(code == 2 && stderr.contains("goes on in process"), "{stderr}");
    signal(&child, "-KILL");
    child.wait().unwrap();

    let (code, _, stderr) = shell.tryout("delete runs --yes");
    assert!(code == 2 && stderr.contains("`runs` is no run, but there are runs below it"), "{stderr}");
    shell.said("delete runs/squares runs/alive --yes");
    assert_eq!(fs::read_dir(shell.path("runs")).unwrap().count(), 0);
}

/// A class that can save: its value falls, then rises.
const VALLEY: &str = r#"
import json, os
from tryout_worker import Trainable

class Valley(Trainable):
    def setup(self, config):
        self.at = 0

    def step(self):
        self.at += 1
        return {"loss": abs(self.at - 3)}

    def save(self, directory):
        with open(os.path.join(directory, "at.json"), "w") as file:
            json.dump(self.at, file)

    def load(self, directory):
        with open(os.path.join(directory, "at.json")) as file:
            self.at = json.load(file)
"#;

#[test]
fn checkpoints_are_let_go_later_and_the_run_goes_on() {
    let shell = Shell::with(
        "name = \"valley\"\nworker = [\"python3\", \"-m\", \"tryout_worker\", \"valley.py:Valley\"]\nspace.x = { grid = [1, 2] }\n\
         objective.min = \"loss\"\nstop.iterations.limit = 6\ncheckpoints.every = 1\n",
    );
    shell.write("valley.py", VALLEY);
    shell.said("run a.toml --quiet");
    let kept = || -> Vec<Vec<u64>> {
        let of = |trial: &str| shell.json(&format!("show {trial} --json"))["checkpoints"].as_array().unwrap().clone();
        let index = |checkpoint: &Value| checkpoint["report"]["training_iteration"].as_u64().unwrap();
        ["0", "1"].map(|trial| of(trial).iter().map(index).collect()).to_vec()
    };
    assert_eq!(kept()[0].len(), 6);
    let would = shell.said("gc --keep 1 --best");
    assert!(would.contains("would delete 8 checkpoints of runs/valley") && kept()[0].len() == 6, "{would}");
    let done = shell.json("gc --keep 1 --best --yes --json");
    assert_eq!(done["checkpoints"].as_array().map(Vec::len), Some(8), "{done}");
    // The best one, and the latest.
    assert_eq!(kept(), [[3, 6], [3, 6]]);
    for id in done["checkpoints"].as_array().unwrap() {
        assert!(!shell.path("runs/valley").join(id.as_str().unwrap()).exists(), "{id}");
    }
    let status = shell.json("status --json");
    assert_eq!(status["state"], "completed", "it ended as it had ended: {status}");
    assert!(shell.said("gc --keep 1 --best --yes").starts_with("deleted 0 checkpoints"));
    let (code, _, stderr) = shell.tryout("gc --keep 0");
    assert!(code == 2 && stderr.contains("the latest checkpoint of a trial always stays"), "{stderr}");

    let more = shell.json("run a.toml --quiet --json --resume --extend --set stop.iterations.limit=8");
    assert_eq!((&more["exit_code"], &more["iterations"]), (&0.into(), &16.into()), "{more}");
}
