//! A run controlled from outside: a trial is paused at a report, looked at, and resumed from its checkpoint.

use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use tryout::prelude::*;

/// Counts, and takes a millisecond for each step. It never ends by itself.
struct Count(u64);

impl Trainable for Count {
    type Config = Config;

    fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self(0))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        std::thread::sleep(Duration::from_millis(1));
        self.0 += 1;
        Ok(Step::next([("count", self.0)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("count", &self.0)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.0 = from.json("count")?;
        Ok(())
    }
}

/// Lets events pass by until one is `wanted`.
async fn until(events: &mut EventStream, wanted: impl Fn(&EventKind) -> bool) {
    while let Some(seen) = events.next().await {
        if matches!(seen, Seen::Event(event) if wanted(&event.kind)) {
            break;
        }
    }
}

async fn play(run: &Control) -> Result<(), Box<dyn std::error::Error>> {
    let mut events = run.events(1_000);
    until(&mut events, |event| matches!(event, EventKind::Reported { .. })).await;
    let trial = run.trials(0, 1).await?.first().ok_or("one trial has reported")?.record.id;

    run.pause(trial).await?;
    until(&mut events, |event| matches!(event, EventKind::Status { to: Status::Paused, .. })).await;
    let paused = run.trial(trial).await?.ok_or("it is still known")?;
    println!("{trial} is {}: it {}", paused.record.status, paused.waiting);

    run.resume(trial).await?;
    until(&mut events, |event| matches!(event, EventKind::Restored { .. })).await;
    until(&mut events, |event| matches!(event, EventKind::Reported { .. })).await;
    Ok(run.stop().await?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let run = Experiment::new("count", stepwise::<Count>()).points([Config::new()]).start()?;
    block_on(play(&run.control()))?;
    let results = run.wait_blocking()?;
    let last = results.trials()[0].last.as_ref().ok_or("it has reported")?;
    println!("{} reports, {} of them since the pause", last.iteration(), last.counters.iterations_since_restore);
    println!("it has counted to {}: no step was lost, and none done twice", last.number("count").unwrap_or(0.0));
    Ok(())
}
