//! The trial: one configuration of the network, one epoch per step.

use std::num::NonZeroUsize;

use tryout::prelude::*;

use crate::data::{Digits, digits};
use crate::network::{Descent, Network};

const NETWORK: &str = "network.bin";
const BEST: &str = "best.json";

/// What is tuned.
#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct Settings {
    lr: f32,
    momentum: f32,
    weight_decay: f32,
    hidden: NonZeroUsize,
    batch_size: NonZeroUsize,
}

/// A network in training.
pub(crate) struct DigitsTrial {
    digits: &'static Digits,
    hidden: usize,
    descent: Descent,
    network: Network,
    /// The best accuracy so far.
    best: f64,
}

impl Trainable for DigitsTrial {
    type Config = Settings;
    const METRICS: &'static [&'static str] = &["loss", "val_loss", "accuracy"];

    fn setup(config: Settings, trial: &TrialInfo) -> Result<Self, TrialError> {
        let Settings { lr, momentum, weight_decay, hidden, batch_size } = config;
        let hidden = hidden.get();
        Ok(Self {
            digits: digits(),
            hidden,
            descent: Descent { lr, momentum, weight_decay, batch_size: batch_size.get() },
            network: Network::new(hidden, trial.seed),
            best: 0.0,
        })
    }

    /// One pass over the training images, and how the network does on the others. One that does better than ever before
    /// is worth a checkpoint.
    fn step(&mut self) -> Result<Step, TrialError> {
        let loss = self.network.train_epoch(&self.digits.train, &self.descent);
        let held_out = self.network.evaluate(&self.digits.held_out);
        let metrics = [("loss", loss), ("val_loss", held_out.loss), ("accuracy", held_out.accuracy)];
        if held_out.accuracy > self.best {
            self.best = held_out.accuracy;
            return Ok(Step::save(metrics));
        }
        Ok(Step::next(metrics))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        to.bytes(NETWORK, &self.network.to_bytes())?;
        Ok(to.json(BEST, &self.best)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.network = Network::from_bytes(self.hidden, &from.bytes(NETWORK)?)?;
        self.best = from.json(BEST)?;
        Ok(())
    }

    fn reset(&mut self, config: Settings, trial: &TrialInfo) -> Result<(), TrialError> {
        // The data is shared by all trials anyway: a new network is all it takes.
        *self = Self::setup(config, trial)?;
        Ok(())
    }
}
