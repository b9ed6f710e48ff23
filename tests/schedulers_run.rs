//! HyperBand and the median stopping rule over real workers that pause, fail and come back: every run completes.

use tryout::prelude::*;

/// Counts its steps, and fails at some of them.
struct Flaky {
    slope: f64,
    fails_at: Vec<u64>,
    steps: u64,
}

#[derive(serde::Deserialize)]
struct Settings {
    slope: f64,
    fails_at: u64,
}

impl Trainable for Flaky {
    type Config = Settings;

    fn setup(settings: Settings, trial: &TrialInfo) -> Result<Self, TrialError> {
        // Every third trial fails again and again, others once or never.
        let again = trial.id.number().is_multiple_of(3);
        let fails_at = if again || trial.attempt == 1 { vec![settings.fails_at] } else { Vec::new() };
        Ok(Self { slope: settings.slope, fails_at, steps: 0 })
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        self.steps += 1;
        if self.fails_at.contains(&self.steps) {
            return Err(TrialError::new("it was to fail here"));
        }
        Ok(Step::next([("score", self.slope * self.steps as f64)]))
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("steps", &self.steps)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.steps = from.json("steps")?;
        Ok(())
    }
}

fn experiment(name: &str) -> Experiment {
    Experiment::new(name, stepwise::<Flaky>())
        .space(Space::new().with("slope", uniform(0.0, 1.0)).with("fails_at", int(1, 40)))
        .samples(40)
        .workers(4)
        .max_failures(2)
        .stop(stop::iterations(20))
        .objective(Objective::max("score"))
        .patience(std::time::Duration::from_secs(60))
}

fn all_ended(results: &Results) {
    assert_eq!(results.outcome(), &Outcome::Completed);
    assert_eq!(results.trials().len(), 40);
    for trial in results.trials() {
        assert!(trial.status.is_terminal(), "{trial:?}");
        let explained = trial.ending != Some(Ending::Scheduler) || trial.reason.is_some();
        assert!(explained, "{trial:?}");
    }
}

#[test]
fn hyperband_ends_every_trial() {
    for at_max_t in [AtMaxT::Stop, AtMaxT::RunOn] {
        let hyperband = HyperBand::new().max_t(9).at_max_t(at_max_t);
        let results = experiment("hyperband").scheduler(hyperband).run().expect("it runs");
        all_ended(&results);
        let stopped = results.trials().iter().filter(|trial| trial.ending == Some(Ending::Scheduler)).count();
        assert!(stopped > 15, "{stopped} were stopped");
    }
}

#[test]
fn the_median_rule_ends_every_trial() {
    for when_behind in [WhenBehind::Stop, WhenBehind::PauseOnce] {
        let median = MedianStopping::new().time_attr("training_iteration").grace_period(3.0).when_behind(when_behind);
        all_ended(&experiment("median").scheduler(median).run().expect("it runs"));
    }
}
