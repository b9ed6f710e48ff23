//! HyperBand over trials that save and restore: each runs as far as it deserves.

use tryout::prelude::*;

/// A loss that falls towards a floor: how fast and how far is what is searched for.
struct Curve {
    settings: Settings,
    epoch: u32,
}

#[derive(serde::Deserialize)]
struct Settings {
    rate: f64,
    floor: f64,
}

impl Trainable for Curve {
    type Config = Settings;

    fn setup(settings: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self { settings, epoch: 0 })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.epoch += 1;
        Ok(Step::next([("loss", self.settings.floor + (-self.settings.rate * f64::from(self.epoch)).exp())]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("epoch", &self.epoch)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.epoch = from.json("epoch")?;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let hyperband = HyperBand::new().max_t(27).reduction_factor(3.0);
    let trials: u64 = hyperband.band().iter().map(|rounds| rounds[0].0).sum();
    let results = Experiment::new("curves", stepwise::<Curve>())
        .space(Space::new().with("rate", log_uniform(0.01, 1.0)).with("floor", uniform(0.0, 0.5)))
        .samples(trials)
        .seed(0)
        .objective(Objective::min("loss"))
        .scheduler(hyperband)
        .run()?;
    println!("best: {} after {} epochs for {trials} trials", results.best()?.config, results.iterations());
    Ok(())
}
