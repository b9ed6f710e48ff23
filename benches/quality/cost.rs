//! What a report costs a scheduler, by how many trials it has heard of.

use std::time::{Duration, Instant};

use tryout::logic::config::Config;
#[cfg(feature = "gp")]
use tryout::logic::decision::Directive;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Counters, Metrics, Objective, Report};
use tryout::logic::schedule::{
    Asha, AshaForm, Cohort, HyperBand, MedianStopping, MoAsha, Pbt, Percentile, ResourceChanging, Scheduler, Wilcoxon,
};
use tryout::logic::space::{Space, uniform};
use tryout::logic::trial::Status;

/// So many reports are timed.
const TIMED: u32 = 2_000;

/// Trials that all run, with one configuration.
struct Crowd(Config);

impl Cohort for Crowd {
    fn status(&self, _: TrialId) -> Option<Status> {
        Some(Status::Running)
    }

    fn last_report(&self, _: TrialId) -> Option<&Report> {
        None
    }

    fn config(&self, _: TrialId) -> Option<&Config> {
        Some(&self.0)
    }

    fn count(&self, _: Status) -> usize {
        0
    }

    fn first_pending(&self) -> Option<TrialId> {
        None
    }

    fn first_paused(&self) -> Option<TrialId> {
        None
    }
}

fn report(trial: TrialId) -> Report {
    let loss = f64::from(trial.number().wrapping_mul(2_654_435_761)) / f64::from(u32::MAX);
    let metrics = Metrics::from([("loss", loss), ("size", 1.0 - loss * loss)]);
    Counters::default().stamp(trial, metrics, Duration::from_secs(1), 0.0)
}

/// Microseconds a report, once so many trials were added and have reported.
fn micros(mut scheduler: Box<dyn Scheduler>, trials: u32) -> f64 {
    scheduler.prepare(Some(&Objective::min("loss"))).expect("the settings are fine");
    let crowd = Crowd(Config::new().with("x", 0.5));
    let id = |number| TrialId::new(RunId::new(1), number);
    let hear = |scheduler: &mut dyn Scheduler, number| {
        scheduler.on_add(id(number), &crowd.0);
        std::hint::black_box(scheduler.on_report(id(number), &report(id(number)), &crowd));
    };
    (0..trials).for_each(|number| hear(scheduler.as_mut(), number));
    let began = Instant::now();
    (trials..trials + TIMED).for_each(|number| hear(scheduler.as_mut(), number));
    began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMED)
}

pub(crate) fn print() {
    type Make = fn() -> Box<dyn Scheduler>;
    let all: [(&str, Make); 9] = [
        ("Asha", || Box::new(Asha::new().max_t(81))),
        ("Asha, promotion", || Box::new(Asha::new().max_t(81).form(AshaForm::Promotion))),
        ("HyperBand", || Box::new(HyperBand::new().max_t(81))),
        ("MedianStopping", || Box::new(MedianStopping::new().time_attr("training_iteration").grace_period(1.0))),
        ("MoAsha", || Box::new(MoAsha::new([Objective::min("loss"), Objective::min("size")]).max_t(81))),
        ("Pbt", || {
            let mutations = Space::new().with("x", uniform(0.0, 1.0));
            Box::new(Pbt::new().time_attr("training_iteration").perturbation_interval(1.0).mutations(mutations))
        }),
        ("Percentile", || Box::new(Percentile::new())),
        ("ResourceChanging of Asha", || Box::new(ResourceChanging::new(Asha::new().max_t(81)))),
        ("Wilcoxon", || Box::new(Wilcoxon::new())),
    ];
    println!("\nMicroseconds for a new trial and its report, the making of the report included:\n");
    println!("| scheduler | 1,000 trials | 10,000 | 100,000 |\n|---|---|---|---|");
    for (name, make) in all {
        let cells: Vec<String> = [1_000, 10_000, 100_000].map(|trials| format!("{:.2}", micros(make(), trials))).into();
        println!("| {name} | {} |", cells.join(" | "));
    }
    #[cfg(feature = "gp")]
    println!("\nA copy that PB2 chooses, two numbers, all that it remembers being there: {:.1} ms", copy_millis());
}

/// Milliseconds a copy, when the population has seen more than it remembers.
#[cfg(feature = "gp")]
fn copy_millis() -> f64 {
    use tryout::logic::schedule::Exploration;
    let mutations = Space::new().with("x", uniform(0.0, 1.0)).with("y", uniform(0.0, 1.0));
    let pbt = Pbt::new().time_attr("training_iteration").perturbation_interval(1.0).mutations(mutations);
    let mut pbt = pbt.exploration(Exploration::Bandit);
    pbt.prepare(Some(&Objective::min("loss"))).expect("the settings are fine");
    let crowds = [0.1, 0.4, 0.6, 0.9].map(|x| Crowd(Config::new().with("x", x).with("y", 1.0 - x * x)));
    let (mut copies, mut spent) = (0, Duration::ZERO);
    for iteration in 1..=80_u64 {
        for number in 0..16 {
            let mut counters = Counters { training_iteration: iteration - 1, ..Counters::default() };
            let loss = f64::from((number * 7 + iteration as u32 * 5) % 16) - iteration as f64;
            let id = TrialId::new(RunId::new(1), number);
            let report = counters.stamp(id, Metrics::from([("loss", loss)]), Duration::from_secs(1), 0.0);
            let began = Instant::now();
            let verdict = pbt.on_report(id, &report, &crowds[number as usize % 4]);
            let copied = verdict.directives.iter().any(|said| matches!(said, Directive::Exploit { .. }));
            if copied && iteration > 20 {
                copies += 1;
                spent += began.elapsed();
            }
        }
    }
    spent.as_secs_f64() * 1e3 / f64::from(copies.max(1))
}
