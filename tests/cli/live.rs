//! The verbs that act on a run that goes on, and what they say where none does.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use super::shell::{Shell, signal};

/// A class in Python that goes on until it is ended, and fails where its configuration says so.
pub(crate) const WALK: &str = r#"
import json, os, time
from tryout_worker import Trainable

class Walk(Trainable):
    def setup(self, config):
        self.config, self.at = config, 0

    def step(self):
        time.sleep(0.002)
        self.at += 1
        if self.at > self.config.get("last", 1 << 60):
            raise ValueError("too far")
        return {"loss": self.config["x"] / self.at}

    def save(self, directory):
        with open(os.path.join(directory, "at.json"), "w") as file:
            json.dump(self.at, file)

    def load(self, directory):
        with open(os.path.join(directory, "at.json")) as file:
            self.at = json.load(file)
"#;

/// A run that goes on until it is ended. It ends with the value, whatever becomes of the test.
pub(crate) struct Walking {
    pub(crate) shell: Shell,
    child: Child,
}

impl Walking {
    /// Two trials at once of three.
    pub(crate) fn begin(name: &str) -> Self {
        let shell = Shell::new();
        shell.write("walk.py", WALK);
        let file = format!(
            "name = \"{name}\"\nworker = [\"python3\", \"-m\", \"tryout_worker\", \"walk.py:Walk\"]\nspace.x = {{ grid = [1, 2, 3] }}\n\
             objective.min = \"loss\"\nmachine.cpu = 2\ndurability = \"every_event\"\n"
        );
        shell.write("a.toml", &file);
        let child = shell.command("run a.toml --quiet --json").stdout(Stdio::piped()).spawn().unwrap();
        let walking = Self { shell, child };
        // The socket is there as soon as the run is; what happens is told from then on.
        let first = |event: &Value| event["report"]["trial_id"].as_str().is_some_and(|id| id.ends_with("_00000"));
        walking.watch().until(first);
        walking
    }

    /// Watches from now on.
    fn watch(&self) -> Watching {
        // The socket comes a moment after the directory; until then there is no run to be watched.
        loop {
            let mut watch =
                self.shell.command("watch --json").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut watching = Watching { lines: BufReader::new(watch.stdout.take().unwrap()).lines(), watch };
            if watching.lines.next().is_some() {
                return watching;
            }
        }
    }

    /// Ends the run as Ctrl-C does, and says what it came to.
    fn end(mut self) -> Value {
        signal(&self.child, "-INT");
        self.ended()
    }

    /// What it says when it has ended.
    fn ended(&mut self) -> Value {
        let mut said = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        self.child.wait().unwrap();
        serde_json::from_str(&said).unwrap()
    }
}

/// What happens in it.
struct Watching {
    watch: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    /// Waits until something has happened.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        let found = self.lines.by_ref().any(|line| wanted(&serde_json::from_str(&line.unwrap()).unwrap()));
        assert!(found, "the run ended before");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

impl Drop for Walking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn trials_are_paused_saved_ended_and_added() {
    let run = Walking::begin("acts");
    let shell = &run.shell;
    let saved = shell.json("save 0 --json");
    assert!(saved["done"].as_str().unwrap().starts_with("saved at iteration "), "{saved}");
    let paused = shell.said("pause 0 1");
    let lines: Vec<&str> = paused.lines().collect();
    assert!(
        lines[0].starts_with("trial 0: paused at iteration ") && lines[1].starts_with("trial 1: paused"),
        "{paused}"
    );
    let (_, path) = lines[0].split_once("its checkpoint is `").unwrap();
    assert!(shell.path(path.trim_end_matches('`')).join("at.json").is_file(), "{path}");
    let why = shell.said("why 0");
    assert!(why.starts_with("trial 0 is PAUSED: it waits for a client to resume it"), "{why}");

    // What can't be done to one is done to the others, and said.
    let (code, stdout, stderr) = shell.tryout("unpause 0 77");
    assert_eq!((code, stdout.as_str()), (2, "trial 0: goes on when there is room\n"));
    assert!(stderr.contains("there is no trial") && stderr.contains("_00077"), "{stderr}");
    let (code, _, stderr) = shell.tryout("pause banana");
    assert!(code == 2 && stderr.contains("`banana` is no trial: give its number, or its id as in `"), "{stderr}");

    let mut watching = run.watch();
    assert!(shell.said("stop 0").starts_with("trial 0: ends"));
    let added = shell.json("add x=7 last=3 --json");
    assert_eq!(added["number"], 3, "{added}");
    let (code, _, stderr) = shell.tryout("add x");
    assert!(code == 2 && stderr.contains("`x` is no configuration: expected KEY=VALUE"), "{stderr}");
    shell.said("stop 2");
    watching.until(|event| event["event"] == "ended" && event["trial"].as_str().unwrap().ends_with("_00003"));
    let why = shell.said("why 3");
    assert!(why.contains("trial 3 is ERROR") && why.contains("too far"), "{why}");
    assert_eq!(shell.said("retry 3"), "trial 3: is tried again\n");

    let ended = run.end();
    assert_eq!((&ended["exit_code"], &ended["trials"]), (&130.into(), &4.into()), "{ended}");
}

#[test]
fn settings_change_while_a_run_goes_on_and_stay() {
    let run = Walking::begin("sets");
    let shell = &run.shell;
    assert_eq!(shell.said("set concurrency=1 staged=5"), "set in `runs/sets`: concurrency=1, staged=5\n");
    shell.said("set priority=9 --trial 2");
    let mut watching = run.watch();
    shell.said("set space.x={grid=[1,2,3,4]}");
    watching.until(|event| event["event"] == "space_changed" && event["version"] == 1);
    shell.said("set limits.time=2h");
    shell.said("set stop.iterations.limit=100000000");
    let status = shell.json("status --json");
    assert_eq!(status["live"]["status"]["settings"][1]["stop"][0]["kind"], "iterations", "{status}");
    assert_eq!(status["live"]["status"]["settings"][0]["time_limit"]["after"], 7200, "{status}");
    assert_eq!(status["live"]["pool"]["total"]["cpu"], 2.0, "{status}");
    for (line, why) in [
        ("set concurrency=0", "`concurrency` can't be 0: expected a whole number of at least 1"),
        ("set speed=3", "`speed` can't be set while a run goes on: concurrency, staged, "),
        ("set priority=3", "`priority` is a trial's: say which one by `--trial`"),
        ("set concurrency=3 --trial 1", "`concurrency` is the run's and not a trial's"),
        ("set concurrency", "expected KEY=VALUE"),
        ("set space.speed={uniform=[0,1]}", "speed"),
        ("set limits.step=3", "only `limits.time` can be set"),
        ("set limits.time=soon", "`limits` can't be"),
        ("set machine={cpu=0.5}", "could never run"),
        ("set stop={iterations={limit=0}}", "the stop rules stay as they are: stop rule `iterations`"),
        ("set stop.forever={}", "there is no stop rule called `forever`"),
    ] {
        let (code, _, stderr) = shell.tryout(line);
        assert!(code == 2 && stderr.contains(why), "{line}: {stderr}");
    }
    // A run that is told to end says so, and is waited for.
    assert_eq!(shell.said("stop --drain 20"), "the run in `runs/sets` has ended\n");
    // Nobody has it any more.
    shell.said("gc --yes");
    let mut run = run;
    let ended = run.ended();
    assert_eq!((&ended["outcome"]["outcome"], &ended["exit_code"]), (&"drained".into(), &130.into()), "{ended}");
    let journal: String = std::fs::read_dir(run.shell.path("runs/sets/journal"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(journal.contains("concurrency"), "it is in the journal");
}

#[test]
fn what_does_not_go_on_can_not_be_steered() {
    let run = Walking::begin("gone");
    let shell = &run.shell;
    for verb in [
        "pause 0",
        "unpause 0",
        "stop 0",
        "stop",
        "save 0",
        "retry 0",
        "extend 0",
        "add x=1",
        "set staged=1",
        "proceed",
        "watch",
    ] {
        let (code, _, stderr) = shell.tryout(&format!("{verb} --dir nowhere"));
        assert!(code == 2 && stderr.contains("there is no directory `nowhere`"), "{verb}: {stderr}");
    }
    let (code, _, stderr) = shell.tryout("proceed");
    assert!(code == 2 && stderr.contains("the run isn't held"), "{stderr}");
    let mut run = run;
    signal(&run.child, "-KILL");
    run.child.wait().unwrap();
    let shell = &run.shell;
    for verb in ["pause 0", "stop", "set staged=1", "watch"] {
        let (code, _, stderr) = shell.tryout(verb);
        assert!(
            code == 2
                && stderr
                    .contains("the run in `runs/gone` doesn't go on at the moment (cut off: it can be gone on with"),
            "{verb}: {stderr}"
        );
    }
}

#[test]
fn who_watches_sees_a_run_to_its_end() {
    let run = Walking::begin("seen");
    let mut watch = run.shell.command("watch").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with("seen in `runs/seen`, running in process "));
    run.shell.said("stop 1");
    let ended = lines.find(|line| line.contains("trial 1 is TERMINATED")).unwrap();
    assert!(ended.contains(" at iteration "), "{ended}");
    let (code, _, _) = run.shell.tryout("stop --now");
    assert_eq!(code, 0);
    let last = lines.last().unwrap();
    assert!(last.contains("stopped"), "{last}");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn a_resumed_run_tries_again_and_goes_further_if_it_is_said() {
    let shell = Shell::with(
        "name = \"more\"\nworker = [\"python3\", \"-m\", \"tryout_worker\", \"walk.py:Walk\"]\nspace.x = 1\nspace.last = { grid = [2, 100] }\n\
         objective.min = \"loss\"\nstop.iterations.limit = 4\n",
    );
    shell.write("walk.py", WALK);
    let iterations = |line: &str, code: i32| {
        let (ended, _, stderr) = shell.tryout(line);
        assert_eq!(ended, code, "{line}: {stderr}");
        let trials = shell.said("trials --json");
        let rows = trials.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["iterations"].as_u64().unwrap(), row["attempts"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(iterations("run a.toml --quiet", 3), [(2, 1), (4, 1)]);
    assert_eq!(iterations("run a.toml --quiet --resume --retry", 3), [(2, 2), (4, 1)]);
    assert_eq!(iterations("run a.toml --quiet --resume --extend --set stop.iterations.limit=6", 3)[1].0, 6);
    let (code, _, stderr) = shell.tryout("run a.toml --retry");
    assert!(code == 2 && stderr.contains("--resume"), "{stderr}");
    let (code, _, stderr) = shell.tryout("retry 0");
    assert!(code == 2 && stderr.contains("nothing of it can be steered") && stderr.contains("--retry"), "{stderr}");
}
