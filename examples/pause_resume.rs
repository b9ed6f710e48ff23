//! A run controlled from outside: a trial is paused at a report, looked at, and resumed from its checkpoint.

use futures::StreamExt;
use futures::executor::block_on;
use tryout::edge::observe::Seen;
use tryout::extend::EventKind;
use tryout::prelude::*;

/// Comes a little closer to zero with every step.
struct Decay {
    x: f64,
}

impl Trainable for Decay {
    type Config = Config;

    fn setup(config: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { x: config.number("x").unwrap_or(1.0) })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.x *= 0.9995;
        let metrics = [("x", self.x)];
        Ok(if self.x < 1e-9 { Step::done(metrics) } else { Step::next(metrics) })
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("x.json", &self.x)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.x = from.json("x.json")?;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let run = Experiment::new("decay", stepwise::<Decay>())
        .points([Config::new().with("x", 1e9)])
        .objective(Objective::min("x"))
        .batching(Batching::Single)
        .start()?;
    let mut events = run.events(100_000);
    block_on(async {
        let mut asked = false;
        while let Some(seen) = events.next().await {
            let Seen::Event(event) = seen else { continue };
            match &event.kind {
                EventKind::Reported { report } if !asked && report.iteration() >= 100 => {
                    run.pause(report.trial).await?;
                    asked = true;
                }
                EventKind::Saved { checkpoint } => println!("saved at iteration {}", checkpoint.report.iteration()),
                EventKind::Status { trial, to: Status::Paused, .. } => {
                    if let Some(status) = run.trial(*trial).await? {
                        println!("{trial} is {}: it {}", status.record.status, status.waiting);
                    }
                    run.resume(*trial).await?;
                    break;
                }
                _ => {}
            }
        }
        Ok::<(), ControlError>(())
    })?;
    let results = run.wait_blocking()?;
    let last = results.best()?.last.as_ref().ok_or("it reported")?;
    println!(
        "done after {} iterations, {} of them since the pause",
        last.iteration(),
        last.counters.iterations_since_restore
    );
    Ok(())
}
