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
        .seed(0)
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

/// Counts what it can walk over; stops whoever has the worst last report of all that are open.
#[derive(Debug, Default)]
struct Walker(std::sync::Arc<std::sync::Mutex<Vec<(usize, usize)>>>);

impl tryout::extend::Scheduler for Walker {
    fn on_report(
        &mut self,
        trial: TrialId,
        report: &Report,
        cohort: &dyn tryout::extend::Cohort,
    ) -> tryout::extend::Verdict {
        let (all, open) = (cohort.trials().count(), cohort.open().count());
        self.0.lock().expect("nobody panics").push((all, open));
        assert!(cohort.trials().all(|trial| cohort.status(trial).is_some() && cohort.config(trial).is_some()));
        assert!(cohort.open().all(|trial| cohort.request(trial).is_some()), "one that is open needs something");
        let own = report.number("score");
        let scores = cohort.trials().filter(|other| *other != trial).filter_map(|other| cohort.last_report(other));
        let worst = scores.filter_map(|last| last.number("score")).reduce(f64::min);
        match (own, worst) {
            (Some(own), Some(worst)) if own < worst => tryout::extend::Verdict::stop("the worst of all"),
            _ => tryout::extend::Verdict::CONTINUE,
        }
    }
}

/// A scheduler of one's own walks over all trials, those that have ended included, and over those that haven't.
#[test]
fn a_scheduler_walks_over_its_cohort() -> Result<(), Box<dyn std::error::Error>> {
    let walks = std::sync::Arc::default();
    let constant = function("constant", |config: Config, trial| {
        for _ in 0..3 {
            trial.report([("score", config.number("score").unwrap_or(0.0))])?;
        }
        Ok(())
    });
    let results = Experiment::new("walk", constant)
        .points([3.0, 2.0, 5.0, 1.0].map(|score| Config::new().with("score", score)))
        .workers(1)
        .scheduler(Walker(std::sync::Arc::clone(&walks)))
        .run()?;
    let iterations: Vec<_> =
        results.trials().iter().filter_map(|trial| Some(trial.last.as_ref()?.iteration())).collect();
    assert_eq!(iterations, [3, 1, 3, 1], "the worst so far are stopped at their first report");
    let walks = walks.lock().expect("nobody panics");
    assert!(walks.iter().all(|(all, open)| (1..=4).contains(all) && (1..=*all).contains(open)), "{walks:?}");
    // The last trial is alone among those that are open.
    assert_eq!(walks.last(), Some(&(4, 1)));
    Ok(())
}
