//! HyperBand for searchers that model by budget (BOHB): the cases of group H that are about it.

mod common;

use common::roster::Roster;
use common::{report, trial};
use tryout::extend::*;
use tryout::logic::decision::Decision::{self, Continue, Pause, Stop};
use tryout::logic::engine::{Engine, EngineSettings};
use tryout::logic::ids::RunId;
use tryout::logic::pool::Pool;
use tryout::logic::settings::Settings;
use tryout::logic::trial::TrialSettings;
use tryout::prelude::*;
use tryout::testing::{Script, Sim};

/// A scheduler and its trials, of which all that it chooses run.
struct Band {
    scheduler: HyperBand,
    roster: Roster,
}

impl Band {
    fn new(scheduler: HyperBand, mode: Mode, trials: u32) -> Self {
        let mut scheduler = scheduler;
        scheduler.prepare(Some(&Objective { metric: "score".to_owned(), mode })).expect("valid settings");
        let mut band = Self { scheduler, roster: Roster::default() };
        (0..trials).for_each(|number| band.add(number));
        band
    }

    fn add(&mut self, number: u32) {
        self.roster.add(trial(number));
        self.scheduler.on_add(trial(number), &Config::new());
        while self.launch().is_some() {}
    }

    fn launch(&mut self) -> Option<TrialId> {
        self.roster.launch(&mut self.scheduler)
    }

    fn decide(&mut self, number: u32, time: u64, value: f64) -> Decision {
        self.roster.report(&mut self.scheduler, report(trial(number), time, "score", value)).0.decision
    }
}

#[test]
fn case_h_36_the_last_of_a_full_bracket_lets_the_best_go_on() {
    // The searcher hears of each pause with the report that led to it: `on_pause`; that report's time is the budget.
    for (mode, last, launched) in [(Mode::Max, Stop, Some(trial(1))), (Mode::Min, Continue, None)] {
        let mut band = Band::new(HyperBand::for_bohb().max_t(3), mode, 3);
        assert_eq!(band.scheduler.band(), [vec![(3, 1), (1, 3)], vec![(2, 3)]], "the largest bracket first");
        assert_eq!([band.decide(0, 1, 1.0), band.decide(1, 1, 2.0), band.decide(2, 1, 0.0)], [Pause, Pause, last]);
        assert_eq!((band.launch(), band.launch()), (launched, None));
    }
}

#[test]
fn a_bracket_that_is_not_full_waits_although_all_it_has_are_there() {
    let mut band = Band::new(HyperBand::for_bohb().max_t(3), Mode::Max, 2);
    let (verdict, _) = band.roster.report(&mut band.scheduler, report(trial(0), 1, "score", 1.0));
    assert_eq!(verdict.reason.as_deref(), Some("milestone 1: waits for 1 of the 2 in its bracket"));
    let (verdict, _) = band.roster.report(&mut band.scheduler, report(trial(1), 1, "score", 2.0));
    assert_eq!(verdict.reason.as_deref(), Some("milestone 1: waits until 1 more have joined its bracket"));
    band.add(2);
    assert_eq!(band.decide(2, 1, 3.0), Continue);
}

#[test]
fn case_h_38_a_run_at_rest_halves_what_it_has_once() {
    let mut band = Band::new(HyperBand::for_bohb().max_t(9), Mode::Max, 5);
    (0..5).for_each(|number| assert_eq!(band.decide(number, 1, f64::from(number)), Pause));
    // Nine were to come; three of them go on in any case.
    let chosen: Vec<TrialId> = std::iter::from_fn(|| band.launch()).collect();
    assert_eq!(chosen, [2, 3, 4].map(trial));
    let (verdict, ended) = band.roster.report(&mut band.scheduler, report(trial(2), 2, "score", 2.0));
    assert_eq!((verdict.decision, ended), (Continue, vec![trial(0), trial(1)]), "they end with the next report");
    assert_eq!([2, 3].map(|number| band.decide(number, 3, f64::from(number))), [Pause, Pause]);
    assert_eq!(band.decide(4, 3, 4.0), Continue, "the bracket is halved as ever from then on");
    assert_eq!(band.roster.with(tryout::logic::trial::Status::Running), [trial(4)]);
}

#[test]
fn those_at_the_last_milestone_end_alone() {
    let mut band = Band::new(HyperBand::for_bohb().max_t(3), Mode::Max, 5);
    let (verdict, ended) = band.roster.report(&mut band.scheduler, report(trial(3), 3, "score", 1.0));
    assert_eq!((verdict.decision, ended), (Stop, vec![trial(3)]));
    assert_eq!(verdict.reason.as_deref(), Some("training_iteration 3 has reached 3, the end of its bracket"));
}

#[test]
fn case_h_39_some_run_to_the_end() {
    let reports = |config: &Config, iteration: u64| {
        Metrics::from([("score", config.number("x").unwrap_or(0.0) * iteration as f64)])
    };
    let mut bohb = HyperBand::for_bohb().max_t(16).reduction_factor(4.0).at_max_t(AtMaxT::RunOn);
    bohb.prepare(Some(&Objective::max("score"))).expect("valid settings");
    let settings = EngineSettings::new(RunId::new(1), "bohb", Resources::cpus(4));
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let searcher = tryout::logic::search::Variants::new(space, 3).expect("the space is fine").passes(20);
    let engine = Engine::new(settings, Box::new(searcher), Box::new(bohb), Box::new(stop::iterations(32)));
    let pool = Pool::new(Resources::cpus(4), Settings::default());
    let end = Sim::new(1, engine, pool, TrialSettings::default(), Script::new(reports)).run().expect("it ends");
    assert_eq!(end.outcome, Outcome::Completed);
    let last = |record: &tryout::logic::engine::TrialRecord| record.last.as_ref().map_or(0, |last| last.iteration());
    let far = end.ledger.iter().filter(|record| last(record) == 32).count();
    assert!((2..10).contains(&far), "{far} reached 32");
}
