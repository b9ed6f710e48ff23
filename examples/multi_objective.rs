//! Two objectives that pull in different directions: how well a nearest-neighbour model reads handwritten digits, and how
//! many numbers it has to remember for that. There is no best trial, only a front of compromises.

use std::time::Duration;

use tryout::prelude::*;
use tryout::search::Nsga2;

#[path = "digits/data.rs"]
#[allow(dead_code, reason = "the example `digits` uses the rest of it")]
mod data;

use data::Sample;

/// What is remembered: so many images, each shrunk to `side` times `side` pixels; and how many of the nearest have a vote.
#[derive(serde::Deserialize)]
struct Model {
    images: usize,
    side: usize,
    neighbours: usize,
}

impl Model {
    /// The means of equal squares of the eight by eight pixels.
    fn shrink(&self, sample: &Sample) -> Vec<f32> {
        let width = 8 / self.side;
        let mut small = vec![0.0; self.side * self.side];
        for (place, pixel) in sample.image.iter().enumerate() {
            small[place / 8 / width * self.side + place % 8 / width] += pixel / (width * width) as f32;
        }
        small
    }

    fn accuracy(&self) -> f64 {
        let data::Digits { train, held_out } = data::digits();
        let known: Vec<_> = train.iter().take(self.images).map(|sample| (self.shrink(sample), sample.digit)).collect();
        let read = |image: &[f32]| {
            let apart = |other: &[f32]| image.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let mut nearest: Vec<_> = known.iter().map(|(other, digit)| (apart(other), *digit)).collect();
            nearest.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            let mut votes = [0; data::CLASSES];
            nearest.iter().take(self.neighbours).for_each(|(_, digit)| votes[usize::from(*digit)] += 1);
            (0..data::CLASSES).max_by_key(|digit| votes[*digit])
        };
        let right = held_out.iter().filter(|sample| read(&self.shrink(sample)) == Some(usize::from(sample.digit)));
        right.count() as f64 / held_out.len() as f64
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let objectives = [Objective::max("accuracy"), Objective::min("numbers")];
    let space =
        Space::new().with("images", log_int(5, 500)).with("side", choice([1, 2, 4, 8])).with("neighbours", int(1, 10));
    let trainable = function("neighbours", |model: Model, trial| {
        let numbers = (model.images * model.side * model.side) as f64;
        Ok(trial.report([("accuracy", model.accuracy()), ("numbers", numbers)])?)
    });
    let search = Nsga2::new(space, &objectives, 0)?.population(20);
    let experiment = Experiment::new("compromises", trainable).searcher(search).samples(150).seed(0);
    // Ctrl-C ends it, with the front that is known by then.
    let results = experiment.on_ctrl_c(Duration::from_secs(5)).run()?;

    let mut front = results.pareto(&objectives, Scope::Last);
    let value =
        |trial: &TrialRecord, of: usize| results.value_by(trial, &objectives[of], Scope::Last).unwrap_or(f64::NAN);
    front.sort_by(|a, b| value(a, 1).total_cmp(&value(b, 1)));
    front.dedup_by(|a, b| value(a, 1) == value(b, 1)); // whoever is as small on the front is as accurate
    println!("{:>8} {:>9}  configuration", "numbers", "accuracy");
    for trial in front {
        println!("{:>8} {:>9.3}  {}", value(trial, 1), value(trial, 0), trial.config);
    }
    Ok(())
}
