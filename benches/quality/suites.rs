//! Searchers on suites of problems, beside a peer: ratios of median regrets, and who wins by a test.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, Write};

use tryout::logic::config::Config;
use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Counters, Metrics, Objective};
use tryout::logic::search::{Searcher, Suggestion};
use tryout::logic::space::{Space, choice, int, uniform};

use crate::problems::{self, Problem};
use crate::{Make, median, searchers};

/// What is compared after so many trials. The first is what random points reach.
const BUDGETS: [usize; 4] = [10, 50, 100, 200];
/// Regrets below this part of what random points reach count as this much: whoever is there has found it.
const FOUND: f64 = 1e-3;

type Regrets = [f64; 4];
/// The regrets of all seeds, by suite and problem.
type Table = BTreeMap<(String, String), Vec<Regrets>>;

/// What is measured.
pub(crate) struct Setup {
    pub(crate) set: String,
    pub(crate) searcher: String,
    pub(crate) seeds: u64,
    pub(crate) in_flight: usize,
    /// A file with the peer's regrets, as `optuna_twin.py` writes it.
    pub(crate) peer: Option<String>,
}

/// Answers a peer's questions: number of the problem, seed, trial, and the point.
pub(crate) fn serve() {
    let all = problems::all();
    let mut out = std::io::stdout().lock();
    for problem in &all {
        let _ = writeln!(out, "{}", problem.line());
    }
    let _ = writeln!(out).and_then(|()| out.flush());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = line.split_whitespace();
        let mut whole = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(number), Some(seed), Some(trial)) = (whole(), whole(), whole()) else { return };
        let x: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
        let Some(problem) = all.get(number as usize) else { return };
        let _ =
            writeln!(out, "{} {}", problem.observed(&x, seed, trial), problem.regret(&x)).and_then(|()| out.flush());
    }
}

/// The regret of the best that was observed, after each of the budgets.
fn regrets(make: Make, problem: &Problem, seed: u64, in_flight: usize) -> Option<Regrets> {
    let mut searcher: Box<dyn Searcher> = make(problem.space(), seed)?;
    searcher.prepare(Some(&Objective::min("value"))).ok()?;
    let mut live: VecDeque<(u32, Config)> = VecDeque::new();
    let (mut asked, mut ended, mut best, mut found) = (0, 0, (f64::INFINITY, 0.0), [0.0; 4]);
    while ended < BUDGETS[3] {
        while live.len() < in_flight && asked < BUDGETS[3] as u32 {
            let Ok(Suggestion::Next(config)) = searcher.suggest(TrialId::new(RunId::new(1), asked)) else {
                return None;
            };
            live.push_back((asked, config));
            asked += 1;
        }
        let (number, config) = live.pop_front()?;
        let x = problem.point(&config);
        let value = problem.observed(&x, seed, u64::from(number));
        if value < best.0 {
            best = (value, problem.regret(&x));
        }
        let trial = TrialId::new(RunId::new(1), number);
        let report =
            Counters::default().stamp(trial, Metrics::from([("value", value)]), std::time::Duration::ZERO, 0.0);
        searcher.on_end(trial, Ending::Done, Some(&report));
        ended += 1;
        if let Some(budget) = BUDGETS.iter().position(|budget| *budget == ended) {
            found[budget] = best.1;
        }
    }
    Some(found)
}

/// The searcher whose name begins so, whatever the case: `tpe`, `cma`.
fn named(name: &str) -> Option<(&'static str, Make)> {
    searchers().into_iter().find(|(known, _)| known.to_lowercase().starts_with(&name.to_lowercase()))
}

/// Measures; prints each run's regrets, or the comparison with the peer's.
pub(crate) fn print(setup: &Setup) {
    let Some((_, make)) = named(&setup.searcher) else {
        return println!("there is no searcher {}", setup.searcher);
    };
    let mut ours = Table::new();
    for problem in problems::all().iter().filter(|problem| problem.set == setup.set) {
        for seed in 0..setup.seeds {
            let Some(found) = regrets(make, problem, seed, setup.in_flight) else { break };
            if setup.peer.is_none() {
                let numbers: Vec<String> = found.iter().map(f64::to_string).collect();
                println!("{} {} {seed} {}", problem.suite, problem.name, numbers.join(" "));
            }
            ours.entry((problem.suite.clone(), problem.name.clone())).or_default().push(found);
        }
    }
    if let Some(peer) = &setup.peer {
        compare(&ours, &read(peer));
    }
}

/// What a suggestion costs, by how many trials it has heard of: ten axes, six of them numbers.
pub(crate) fn speed(name: &str) {
    let Some((name, make)) = named(name) else {
        return println!("there is no searcher {name}");
    };
    let mut space = (0..6).fold(Space::new(), |space, number| space.with(format!("x{number}"), uniform(0.0, 1.0)));
    for number in 0..2 {
        space = space.with(format!("n{number}"), int(0, 16)).with(format!("c{number}"), choice(["a", "b", "c"]));
    }
    for trials in [100, 1_000, 10_000] {
        let Some(mut searcher) = make(space.clone(), 1) else { return };
        let _ = searcher.prepare(Some(&Objective::min("value")));
        for number in 0..trials {
            let Ok(config) = space.sample(2, number) else { return };
            let value: f64 =
                (0..6).filter_map(|axis| config.number(&format!("x{axis}"))).map(|x| (x - 0.3).powi(2)).sum();
            let _ = searcher.observe(&config, &Metrics::from([("value", value)]));
        }
        let began = std::time::Instant::now();
        for number in 0..50 {
            let trial = TrialId::new(RunId::new(1), number);
            let _ = searcher.suggest(trial);
            searcher.on_end(trial, Ending::Client, None);
        }
        println!("{name}, {trials} trials: {:.2} ms a suggestion", began.elapsed().as_secs_f64() * 1e3 / 50.0);
    }
}

fn read(path: &str) -> Table {
    let mut table = Table::new();
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [suite, name, _, numbers @ ..] = &words[..] else { continue };
        let numbers: Vec<f64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        if let Ok(regrets) = numbers.try_into() {
            table.entry(((*suite).to_owned(), (*name).to_owned())).or_default().push(regrets);
        }
    }
    table
}

/// A suite's logarithms of ratios by budget, and who won.
#[derive(Default)]
struct Row {
    problems: f64,
    ratios: [f64; 3],
    wins: [u32; 3],
}

fn compare(ours: &Table, theirs: &Table) {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for ((suite, name), own) in ours {
        let Some(other) = theirs.get(&(suite.clone(), name.clone())) else { continue };
        let row = rows.entry(suite).or_default();
        row.problems += 1.0;
        let at = |runs: &[Regrets], budget: usize| -> Vec<f64> { runs.iter().map(|run| run[budget]).collect() };
        let found = FOUND * median([at(own, 0), at(other, 0)].concat());
        for budget in 1..BUDGETS.len() {
            let (own, other) = (at(own, budget), at(other, budget));
            match significance(&own, &other) {
                z if z < -1.96 => row.wins[0] += 1,
                z if z > 1.96 => row.wins[2] += 1,
                _ => row.wins[1] += 1,
            }
            row.ratios[budget - 1] += ((median(own) + found) / (median(other) + found)).ln();
        }
    }
    println!("| suite | problems | ratio at 50 | at 100 | at 200 | wins, ties, losses |\n|---|---|---|---|---|---|");
    for (suite, row) in rows {
        let [early, middle, late] = row.ratios.map(|sum| (sum / row.problems).exp());
        let [wins, ties, losses] = row.wins;
        println!("| {suite} | {} | {early:.2} | {middle:.2} | {late:.2} | {wins}, {ties}, {losses} |", row.problems);
    }
}

/// The standard score of Mann and Whitney's test, below 0 if the first are less.
fn significance(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|value| (*value, true)).collect();
    all.extend(other.iter().map(|value| (*value, false)));
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mut rank, mut sum, mut ties) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|(one, _), (other, _)| one == other) {
        let size = group.len() as f64;
        sum += group.iter().filter(|(_, own)| *own).count() as f64 * (rank + (size + 1.0) / 2.0);
        rank += size;
        ties += size * size * size - size;
    }
    let (n, m) = (one.len() as f64, other.len() as f64);
    let deviation = (n * m / 12.0 * (rank + 1.0 - ties / (rank * (rank - 1.0)))).sqrt();
    let away = sum - n * (n + 1.0) / 2.0 - n * m / 2.0;
    if deviation > 0.0 { away / deviation } else { 0.0 }
}
