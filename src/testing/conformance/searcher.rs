//! What every searcher must do.

use crate::logic::event::Ending;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Counters, Metrics, Objective, Report};
use crate::logic::mix::mix;
use crate::logic::search::{Searcher, Suggestion};
use crate::logic::space::{self, Domain, FloatRange, IntRange, Space};
use crate::testing::Renewed;
use std::time::Duration;

const RUN: RunId = RunId::new(0xc0_4f0);
/// Beyond this, a searcher counts as infinite.
const MANY: u32 = 2_000;
const SCRAMBLES: u64 = 40;
const TURNS: u64 = 200;
const RENEWALS: u32 = 8;
/// So many searchers have their spaces changed, and are asked and told so often under each of them.
const CHANGED: u64 = 4;
const FEW_TURNS: u64 = 40;

fn report(trial: TrialId, iteration: u64, loss: f64) -> Report {
    let mut counters = Counters { training_iteration: iteration - 1, ..Counters::default() };
    counters.stamp(trial, Metrics::from([("loss", loss)]), Duration::from_secs(1), 0.0)
}

/// What it suggests when every trial reports once and is done, up to a number of trials.
fn suggestions(searcher: &mut dyn Searcher) -> (Vec<String>, Suggestion) {
    let mut given = Vec::new();
    loop {
        let trial = TrialId::new(RUN, given.len() as u32);
        match searcher.suggest(trial) {
            Ok(Suggestion::Next(config)) => given.push(config.to_string()),
            Ok(last) => return (given, last),
            Err(error) => panic!("it failed at trial {}: {error}", given.len()),
        }
        let loss = f64::from(given.len() as u32 % 17);
        searcher.on_report(trial, &report(trial, 1, loss));
        searcher.on_end(trial, Ending::Done, Some(&report(trial, 2, loss)));
        if given.len() as u32 == MANY {
            return (given, Suggestion::Wait);
        }
    }
}

/// Asks, reports and ends as a seed says, with several trials live at a time; their numbers begin with `next`. Each suggestion must be
/// in the domains that `changes` gives.
fn scramble(searcher: &mut dyn Searcher, seed: u64, turns: u64, mut next: u32, changes: &Space) {
    let mut live = Vec::new();
    for turn in 0..turns {
        let chance = mix(seed ^ mix(turn));
        let which = (chance >> 8) as usize % live.len().max(1);
        let loss = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1]
            .get((chance >> 16) as usize % 20)
            .copied()
            .unwrap_or((chance >> 32) as f64 / 7.0);
        match (chance % 4, live.get(which).copied()) {
            (0, Some(trial)) => searcher.on_report(trial, &report(trial, 1 + turn, loss)),
            (1, Some(trial)) => {
                live.remove(which);
                let endings = [Ending::Done, Ending::Error, Ending::Client, Ending::Scheduler, Ending::Withdrawn];
                let ending = endings[(chance >> 4) as usize % 5];
                let last = report(trial, 1 + turn, loss);
                let reported = chance & 128 == 0 && ending != Ending::Withdrawn;
                searcher.on_end(trial, ending, reported.then_some(&last));
            }
            _ => {
                let trial = TrialId::new(RUN, next);
                if let Ok(Suggestion::Next(config)) = searcher.suggest(trial) {
                    if let Some(outside) = changes.shuts_out(&config) {
                        panic!("the space was changed, and it suggests {config}: {outside}");
                    }
                    live.push(trial);
                    next += 1;
                }
            }
        }
    }
}

/// Narrows and widens the space of a searcher that takes up another one.
fn changes_its_space(searcher: &mut dyn Searcher, space: &Space, seed: u64) {
    let mut changes = Space::new();
    for turn in 0..4 {
        scramble(searcher, mix(seed ^ turn), FEW_TURNS, turn as u32 * 1_000, &changes);
        let chance = mix(seed ^ mix(turn));
        let next = if turn == 2 { Space::new() } else { changed(space, chance) };
        let with = searcher.space_with(&next);
        assert_eq!(with.ok(), space.changed(&next).ok(), "its space is the one that it was made with, changed");
        searcher.set_space(&next);
        changes = next;
    }
    scramble(searcher, seed, FEW_TURNS, 4_000, &changes);
    let back = searcher.space_with(&Space::new()).ok();
    assert_eq!(back.as_ref(), Some(space), "no changes mean the space that it was made with");
}

/// Some of the values with other ranges and options.
fn changed(space: &Space, chance: u64) -> Space {
    let mut changes = Space::new();
    for (index, (name, domain)) in (0_u64..).zip(space.iter()) {
        let chance = mix(chance ^ mix(index));
        if !chance.is_multiple_of(3)
            && let Some(domain) = changed_domain(domain, chance >> 8)
        {
            changes = changes.with(name, domain);
        }
    }
    changes
}

fn changed_domain(domain: &Domain, chance: u64) -> Option<Domain> {
    let wide = chance.is_multiple_of(4);
    let options = |options: &[Domain]| {
        let kept = options.iter().enumerate().filter(|(index, _)| *index == 0 || chance >> index & 1 == 1);
        let mut kept: Vec<Domain> = kept.map(|(_, option)| option.clone()).collect();
        kept.extend(wide.then(|| Domain::from("another")));
        if chance & 2 == 2 {
            kept.reverse();
        }
        kept
    };
    match domain {
        Domain::Float(range) if range.quantum.is_none() => {
            let middle = range.low / 2.0 + range.high / 2.0;
            let (low, high) = if chance & 1 == 1 { (range.low, middle) } else { (middle, range.high) };
            let high = if wide { range.high + (range.high - range.low).abs() } else { high };
            Some(FloatRange { low, high, ..*range }.into())
        }
        Domain::Int(range) if range.quantum.is_none() => {
            let end = if wide { range.end.saturating_add(3) } else { (range.low + 1).max(range.end - 1) };
            Some(IntRange { end, ..*range }.into())
        }
        Domain::Choice(all) => Some(space::choice(options(all))),
        Domain::Grid(grid) => Some(space::grid(options(grid.options()))),
        _ => None,
    }
}

/// Holds what `make` makes against the contract of [`Searcher`]. Each call must make an equal searcher, with an objective
/// that is called `loss`, if it has one. If it [gives its state](Searcher::save), others take that up on the way. If it
/// [takes up other spaces](Searcher::space_with), it must suggest nothing outside of them.
///
/// # Panics
/// If a rule is broken; the message names it.
pub fn searcher(make: impl Fn() -> Box<dyn Searcher>) {
    let fresh = || {
        let mut searcher = make();
        searcher.prepare(Some(&Objective::min("loss"))).expect("it takes over the experiment's objective");
        searcher
    };

    let mut one = fresh();
    assert!(one.lookahead() >= 1, "a lookahead is at least 1");
    assert!(!one.name().is_empty(), "it has a name");
    let total = one.total();
    let (given, last) = suggestions(one.as_mut());
    if (given.len() as u32) < MANY {
        assert_eq!(last, Suggestion::Exhausted, "it waits although no trial runs");
        if let Some(total) = total {
            assert_eq!(given.len() as u64, total, "its total is what it suggests");
        }
        let late = TrialId::new(RUN, MANY);
        for _ in 0..3 {
            let again = one.suggest(late).expect("asking an exhausted searcher is no failure");
            assert_eq!(again, Suggestion::Exhausted, "exhausted is exhausted");
        }
    }

    let (again, _) = suggestions(fresh().as_mut());
    assert_eq!(given, again, "the same searcher suggests the same");

    for seed in 0..SCRAMBLES {
        let spares: Vec<Box<dyn Searcher>> = (0..RENEWALS).map(|_| fresh()).collect();
        let mut renewed = Renewed::new(fresh(), spares, seed);
        scramble(&mut renewed, seed, TURNS, 0, &Space::new());
    }

    if let Ok(space) = fresh().space_with(&Space::new()) {
        for seed in 0..CHANGED {
            let spares: Vec<Box<dyn Searcher>> = (0..RENEWALS).map(|_| fresh()).collect();
            changes_its_space(&mut Renewed::new(fresh(), spares, seed), &space, seed);
        }
    }

    let mut hostile = fresh();
    let stranger = TrialId::new(RUN, 77_777);
    hostile.on_report(stranger, &report(stranger, 1, f64::NAN));
    hostile.on_end(stranger, Ending::Client, None);
    hostile.on_end(stranger, Ending::Error, Some(&report(stranger, 1, f64::INFINITY)));
    for number in 0..20 {
        let trial = TrialId::new(RUN, number);
        match hostile.suggest(trial).expect("it goes on after reports of strangers") {
            Suggestion::Next(_) => {
                let without = Report { metrics: Metrics::new(), ..report(trial, 1, 0.0) };
                hostile.on_report(trial, &without);
                let ending =
                    [Ending::Error, Ending::Client, Ending::Scheduler, Ending::Experiment][number as usize % 4];
                hostile.on_end(trial, ending, (number % 2 == 0).then_some(&without));
            }
            Suggestion::Wait => panic!("it waits although no trial runs"),
            Suggestion::Exhausted => break,
        }
    }
}
