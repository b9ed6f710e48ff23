//! What the tests run: a Rust worker that is this test program again, and workers in a few lines of shell.

use tempfile::TempDir;
use tryout::edge::backend::ProcessBackend;
use tryout::prelude::*;

/// A trainable that counts, and does what its configuration says at its third step.
pub(crate) struct Walk {
    act: String,
    at: u64,
    steps: u64,
    count: u64,
    resets: u64,
    seed: u64,
}

fn act(config: &Config) -> String {
    config.value("act").and_then(|act| act.as_str()).unwrap_or_default().to_owned()
}

impl Trainable for Walk {
    type Config = Config;

    fn setup(config: Config, trial: &TrialInfo) -> Result<Self, TrialError> {
        let steps = config.number("steps").unwrap_or(5.0) as u64;
        match act(&config).as_str() {
            "fail setup" => return Err(TrialError::new("no set-up today")),
            "panic setup" => panic!("set-up panics"),
            _ => {}
        }
        println!("{} begins in {}", trial.id, std::env::current_dir()?.display());
        Ok(Self { act: act(&config), at: 3, steps, count: 0, resets: 0, seed: trial.seed })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.count += 1;
        println!("step {}", self.count);
        assert_ne!(self.act, "panic first", "the first step panics");
        if self.count == self.at {
            match self.act.as_str() {
                "error" => return Err(TrialError::new("a bad step")),
                "panic" => panic!("the step panics"),
                "exit" => std::process::exit(7),
                "abort" => std::process::abort(),
                "hang" => hang(),
                "allocate" => {
                    let mut all = Vec::new();
                    loop {
                        all.push(vec![1_u8; 64 << 20]);
                        println!("{}", all.len());
                    }
                }
                "burn" => loop {
                    std::hint::black_box(self.count);
                },
                _ => {}
            }
        }
        let metrics = [("count", self.count as f64), ("resets", self.resets as f64), ("seed", self.seed as f64)];
        Ok(if self.count >= self.steps { Step::done(metrics) } else { Step::next(metrics) })
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("count.json", &self.count)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.count = from.json("count.json")?;
        // It went wrong once.
        self.act.clear();
        Ok(())
    }

    fn reset(&mut self, config: Config, trial: &TrialInfo) -> Result<(), TrialError> {
        if act(&config) == "refuse reset" {
            return Err(TrialError::new("not this one"));
        }
        if act(&config) == "die in reset" {
            std::process::exit(3);
        }
        let resets = self.resets + 1;
        *self = Self { resets, ..Self::setup(config, trial)? };
        Ok(())
    }

    fn stop(&mut self) {
        if self.act == "hang in stop" {
            hang();
        }
    }

    fn export(&mut self, _: &str, directory: &std::path::Path) -> Result<(), TrialError> {
        Ok(std::fs::write(directory.join("product"), self.count.to_string())?)
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

/// Workers that are this program again.
pub(crate) fn rust() -> ProcessBackend {
    let this = std::env::current_exe().expect("this program");
    let arguments = ["--exact", "worker", "--ignored", "--nocapture", "--test-threads=1"];
    process(this).args(arguments).named("walk").after_term(std::time::Duration::from_millis(200))
}

/// What a worker of a few lines begins with: it introduces itself and answers by these words.
const PREAMBLE: &str = r#"
say() { printf '{"lease":%s,"fact":{%s}}\n' "$1" "$2" >&0; }
say 0 '"hello":{"protocol":1,"abilities":["save"]}'
read -r welcome
read -r start
lease=${start#*:}; lease=${lease%%,*}
ready() { say "$lease" '"ready":{}'; }
result() { say "$lease" '"results":{"list":[{"metrics":{"count":1},"seconds":0.1,"at":1}]'"${1:+,\"end\":\"$1\"}"'}'; }
"#;

/// Workers that a shell runs; `text` goes on where the trial has just been started.
pub(crate) fn shell(text: &str) -> ProcessBackend {
    process("sh").args(["-c", &format!("{PREAMBLE}{text}")]).after_term(std::time::Duration::from_millis(200))
}

/// One trial of it, to its end.
pub(crate) fn one(backend: ProcessBackend, config: Config) -> (TrialRecord, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let results = Experiment::new("one", backend)
        .points([config])
        .workers(1)
        .dir(dir.path())
        .grace(std::time::Duration::from_millis(300), AbandonPolicy::Hold)
        .run()
        .expect("a run");
    (results.trials()[0].clone(), dir)
}

pub(crate) fn acts(what: &str) -> Config {
    Config::new().with("act", what)
}
