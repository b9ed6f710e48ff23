//! How good searchers and schedulers are, on functions and curves whose answers are known: `cargo bench --bench quality`.

mod cost;
mod curves;
mod functions;
mod problems;
mod suites;

use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Counters, Metrics, Objective};
use tryout::logic::search::{Nsga2, Searcher, Suggestion, Variants};
use tryout::logic::space::Space;

use functions::{FUNCTIONS, Function};

/// So many runs each: the seeds are 0, 1, 2 and so on.
const SEEDS: u64 = 20;
/// So many evaluations a run.
const BUDGET: u32 = 100;

/// Makes a searcher of a space, from a seed; none if it can't search such a space.
pub(crate) type Make = fn(Space, u64) -> Option<Box<dyn Searcher>>;

pub(crate) fn searchers() -> Vec<(&'static str, Make)> {
    let all: &[(&'static str, Make)] = &[
        ("random", |space, seed| Some(Box::new(Variants::new(space, seed).ok()?.samples(u64::from(BUDGET))))),
        ("NSGA-II (20)", |space, seed| {
            Some(Box::new(Nsga2::new(space, &[Objective::min("value")], seed).ok()?.population(20)))
        }),
        #[cfg(feature = "sobol")]
        ("Sobol", |space, seed| Some(Box::new(tryout::logic::search::QuasiRandom::new(space, seed).ok()?))),
        ("TPE", |space, seed| Some(Box::new(tryout::logic::search::Tpe::new(space, seed).ok()?))),
        #[cfg(feature = "cma-es")]
        ("CMA-ES", |space, seed| Some(Box::new(tryout::logic::search::CmaEs::new(space, seed).ok()?))),
        #[cfg(feature = "gp")]
        ("GP", |space, seed| Some(Box::new(tryout::logic::search::GaussianProcess::new(space, seed).ok()?))),
    ];
    all.to_vec()
}

/// The best value after the whole budget, one trial at a time.
fn best(make: Make, function: &Function, seed: u64) -> Option<f64> {
    let mut searcher = make((function.space)(), seed)?;
    searcher.prepare(Some(&Objective::min("value"))).ok()?;
    let mut best = f64::INFINITY;
    for number in 0..BUDGET {
        let trial = TrialId::new(RunId::new(1), number);
        let Ok(Suggestion::Next(config)) = searcher.suggest(trial) else { break };
        let value = (function.value)(&config);
        best = best.min(value);
        let metrics = Metrics::from([("value", value)]);
        let report = Counters::default().stamp(trial, metrics, std::time::Duration::ZERO, 0.0);
        searcher.on_end(trial, Ending::Done, Some(&report));
    }
    Some(best)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn functions() {
    let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    println!("Median best of {SEEDS} seeds above the least value, {BUDGET} evaluations:\n");
    println!("| searcher | {} | seconds a run |\n|---|{}---|", names.join(" | "), "---|".repeat(names.len()));
    for (name, make) in searchers() {
        let began = std::time::Instant::now();
        let cells: Vec<String> = FUNCTIONS
            .iter()
            .map(|function| {
                let found: Option<Vec<f64>> = (0..SEEDS).map(|seed| best(make, function, seed)).collect();
                found.map_or("-".to_owned(), |found| format!("{:.3}", median(found) - function.least))
            })
            .collect();
        let seconds = began.elapsed().as_secs_f64() / (SEEDS as f64 * FUNCTIONS.len() as f64);
        println!("| {name} | {} | {seconds:.3} |", cells.join(" | "));
    }
}

fn main() {
    // `cargo test` builds and starts every bench: nothing is measured there.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if std::env::args().all(|argument| argument != "--bench") {
        return;
    }
    match arguments.first().map(String::as_str) {
        Some("serve") => suites::serve(),
        Some("speed") => suites::speed(&setup(&arguments).searcher),
        Some("suites") => suites::print(&setup(&arguments)),
        _ => {
            functions();
            curves::print();
            cost::print();
        }
    }
}

/// What `suites` is to measure.
fn setup(arguments: &[String]) -> suites::Setup {
    let given = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let number = |name: &str, otherwise: u64| given(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    suites::Setup {
        set: given("--set").unwrap_or("held".to_owned()),
        searcher: given("--searcher").unwrap_or("tpe".to_owned()),
        seeds: number("--seeds", SEEDS),
        in_flight: number("--in-flight", 1) as usize,
        peer: given("--peer"),
    }
}
