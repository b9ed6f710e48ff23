//! The experiment that is killed, and how its process lives until then.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};

use futures::StreamExt;
use tryout::prelude::*;

use crate::killer::{Fuse, KillerFiles, KillerStore};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Group,
    Every,
    Compacting,
    Checkpoints,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Group, Kind::Every, Kind::Compacting, Kind::Checkpoints];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap()
    }
}

/// Where it is paced, a step waits until the report before it was acknowledged: so there are as many operations as reports,
/// however fast the disk is.
static PACE: OnceLock<Mutex<Receiver<()>>> = OnceLock::new();

/// Goes down, the faster the greater its rate; what it is at is all its state.
struct Descent {
    at: f64,
    rate: f64,
}

#[derive(serde::Deserialize)]
struct Settings {
    rate: f64,
}

impl Trainable for Descent {
    type Config = Settings;

    fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { at: 1.0, rate: config.rate })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        if let Some(pace) = PACE.get() {
            // Nobody paces what nobody hears of any more.
            let _ = pace.lock().unwrap().recv();
        }
        self.at *= 1.0 - self.rate;
        Ok(Step::next([("loss", self.at)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("at.json", &self.at)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.at = from.json("at.json")?;
        Ok(())
    }
}

/// The same every time, as long as nobody is killed.
pub(crate) fn experiment(dir: &Path, kind: Kind) -> Experiment {
    let experiment = Experiment::new("crash", stepwise::<Descent>())
        .space(Space::new().with("rate", uniform(0.01, 0.5)))
        .samples(24)
        .seed(5)
        .objective(Objective::min("loss"))
        .scheduler(Asha::new().max_t(9).reduction_factor(3.0))
        .checkpoint_every(2)
        .retention(Retention::last(2))
        .batching(Batching::Single)
        .workers(1)
        .dir(dir);
    match kind {
        Kind::Every => experiment.durability(Durability::EveryEvent),
        Kind::Compacting => experiment.snapshot_after(500),
        Kind::Group | Kind::Checkpoints => experiment,
    }
}

/// Runs it until the fuse has burnt down. What is known to be durable is written to a file of its own.
pub(crate) fn run_and_die(dir: &Path, kind: Kind, at: u64) {
    let fuse = Fuse::new(at);
    let counter = fuse.clone();
    let experiment = experiment(dir, kind);
    let experiment = if kind == Kind::Checkpoints {
        experiment.store(KillerStore::new(&dir.join("crash"), fuse)).existing(Existing::Resume)
    } else {
        experiment.journal_files(move |dir| Arc::new(KillerFiles::new(dir, fuse.clone())))
    };
    let (go_on, pace) = channel();
    if kind != Kind::Every {
        PACE.set(Mutex::new(pace)).unwrap();
    }
    let handle = experiment.start().unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("acknowledged")).unwrap();
    let control = handle.control();
    let mut events = control.events(100_000);
    // The first step begins when its report will be heard of.
    go_on.send(()).unwrap();
    let told = async {
        while let Some(seen) = events.next().await {
            if let Seen::Event(event) = seen
                && let EventKind::Reported { report } = &event.kind
            {
                // Only what is durable counts as acknowledged.
                if kind != Kind::Every && control.sync().await.is_err() {
                    break;
                }
                let loss = report.number("loss").unwrap();
                file.write_all(format!("{} {} {loss}\n", report.trial.number(), report.iteration()).as_bytes())
                    .unwrap();
                // Nobody may be waiting.
                let _ = go_on.send(());
            }
        }
        drop(go_on);
    };
    futures::executor::block_on(told);
    handle.wait_blocking().unwrap();
    std::fs::write(dir.join("operations"), counter.count().to_string()).unwrap();
}
