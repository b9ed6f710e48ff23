//! HyperBand: the cases of group H.

mod common;

use common::roster::Roster;
use common::{report, trial};
use tryout::logic::config::Config;
use tryout::logic::decision::Decision::{self, Continue, Pause, Stop};
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::schedule::{AtMaxT, Buffering, Cohort, HyperBand, ScheduleError, Scheduler};
use tryout::logic::trial::Status::{self, Error, Paused, Pending, Running, Terminated};

/// A scheduler and its trials, of which all that it chooses run.
struct Band {
    scheduler: HyperBand,
    roster: Roster,
}

impl Band {
    fn new(scheduler: HyperBand, trials: u32) -> Self {
        let mut scheduler = scheduler;
        scheduler.prepare(Some(&Objective { metric: "score".to_owned(), mode: Mode::Max })).expect("valid settings");
        let mut roster = Roster::default();
        for number in 0..trials {
            roster.add(trial(number));
            scheduler.on_add(trial(number), &Config::new());
        }
        let mut band = Self { scheduler, roster };
        band.launch();
        band
    }

    fn launch(&mut self) -> Vec<TrialId> {
        std::iter::from_fn(|| self.roster.launch(&mut self.scheduler)).collect()
    }

    fn decide(&mut self, number: u32, time: u64, value: f64) -> Decision {
        let (verdict, _) = self.roster.report(&mut self.scheduler, report(trial(number), time, "score", value));
        verdict.decision
    }

    fn end(&mut self, number: u32, ending: Ending) -> Vec<TrialId> {
        self.roster.end(&mut self.scheduler, trial(number), ending)
    }

    fn statuses(&self, numbers: std::ops::Range<u32>) -> Vec<Status> {
        numbers.filter_map(|number| self.roster.status(trial(number))).collect()
    }
}

/// Li's example: brackets of 5, 8, 15, 34 and 81 trials.
const FULL: u32 = 5 + 8 + 15 + 34 + 81;

#[test]
fn case_h_20_a_band_of_81_and_3() {
    let band = HyperBand::new().band();
    assert_eq!(band.len(), 5);
    assert_eq!(band[0], [(5, 81)]);
    assert_eq!(band[4], [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]);
    let full = Band::new(HyperBand::new(), FULL + 1);
    let brackets: Vec<Option<usize>> =
        [0, 4, 5, 13, 28, 62, 142, 143].map(|number| full.scheduler.bracket_of(trial(number))).to_vec();
    assert_eq!(brackets, [0, 0, 1, 2, 3, 4, 4, 5].map(Some));
}

#[test]
fn case_h_21_the_last_bracket_is_not_lost_to_rounding() {
    let band = HyperBand::new().max_t(1000).reduction_factor(10.0).band();
    assert_eq!((band.len(), &band[0], band[3][0]), (4, &vec![(4, 1000)], (1000, 1)));
    assert_eq!(HyperBand::new().max_t(243).band().len(), 6);
    assert_eq!(HyperBand::new().max_t(125).reduction_factor(5.0).band().len(), 4);
}

#[test]
fn progress_says_where_each_bracket_is() {
    let mut band = Band::new(HyperBand::new().max_t(9), 5);
    band.decide(0, 9, 1.0);
    assert_eq!(
        band.scheduler.progress().as_deref(),
        Some("2 brackets; 0: 3 up to 9, 2 of them not there yet; 1: 2 up to 3, 2 of them not there yet")
    );
}

#[test]
fn case_h_23_four_halvings_of_the_largest_bracket() {
    let mut band = Band::new(HyperBand::new(), FULL);
    let mut left: Vec<u32> = (FULL - 81..FULL).collect();
    for (time, survivors) in [(1, 27), (3, 9), (9, 3), (27, 1)] {
        let (last, others) = left.split_last().expect("somebody is left");
        for number in others {
            assert_eq!(band.decide(*number, time, f64::from(*number)), Pause);
        }
        assert_eq!(band.decide(*last, time, f64::from(*last)), Continue);
        left.drain(..left.len() - survivors);
        band.launch();
        let running: Vec<TrialId> = left.iter().map(|number| trial(*number)).collect();
        assert_eq!(band.roster.with(Running).split_off(62), running, "the {survivors} best at {time}");
        assert!(band.roster.with(Paused).is_empty());
    }
    assert_eq!(band.decide(FULL - 1, 81, 0.0), Stop);
}

#[test]
fn case_h_24_the_last_one_stops_if_it_is_behind() {
    let mut band = Band::new(HyperBand::new(), 13);
    let decisions: Vec<Decision> = (5..13).map(|number| band.decide(number, 27, -f64::from(number))).collect();
    assert_eq!(decisions, [Pause, Pause, Pause, Pause, Pause, Pause, Pause, Stop]);
    assert_eq!(band.launch(), [5, 6, 7].map(trial));
}

#[test]
fn case_h_25_a_bracket_without_halvings_ends_together() {
    let mut band = Band::new(HyperBand::new(), 5);
    assert_eq!([0, 1, 2, 3].map(|number| band.decide(number, 81, 1.0)), [Pause; 4]);
    let (verdict, ended) = band.roster.report(&mut band.scheduler, report(trial(4), 81, "score", 0.0));
    assert_eq!((verdict.decision, ended.len()), (Stop, 5));
    assert_eq!(verdict.reason.as_deref(), Some("training_iteration 81 has reached 81, the end of its bracket"));
}

#[test]
fn case_h_26_a_bracket_goes_on_without_who_ended_early() {
    for ending in [Ending::Error, Ending::Done, Ending::StopRule, Ending::Client] {
        let mut band = Band::new(HyperBand::new(), 8);
        assert!(band.end(7, ending).len() == 1);
        assert_eq!(band.decide(5, 27, 10.0), Pause, "{ending:?}");
        assert_eq!(band.decide(6, 27, 10.0), Continue, "{ending:?}");
        assert_eq!(band.launch(), [trial(5)]);
    }
}

#[test]
fn case_h_30_a_pending_trial_that_ends_leaves_its_bracket() {
    let mut band = Band::new(HyperBand::new(), 0);
    for number in 0..5 {
        band.roster.add(trial(number));
        band.scheduler.on_add(trial(number), &Config::new());
    }
    band.end(3, Ending::Client);
    assert_eq!(band.scheduler.bracket_of(trial(3)), None);
    band.scheduler.on_add(trial(5), &Config::new());
    assert_eq!(band.scheduler.bracket_of(trial(5)), Some(0), "its place is free again");
    assert_eq!(band.launch(), [0, 1, 2, 4].map(trial));
}

#[test]
fn case_h_31_brackets_without_a_place_in_time_are_left_out() {
    let scheduler = HyperBand::new().max_t(20);
    assert_eq!(scheduler.band().iter().map(|rounds| rounds[0]).collect::<Vec<_>>(), [(4, 20), (6, 6), (12, 2)]);
    assert_eq!(Band::new(scheduler, 100).roster.with(Running).len(), 100);
}

/// Two brackets of four; the second one halved once, at 4.
fn two_brackets(at_max_t: AtMaxT) -> Band {
    let mut band = Band::new(HyperBand::new().max_t(8).reduction_factor(2.0).at_max_t(at_max_t), 8);
    assert_eq!([0, 1, 2, 3].map(|number| band.decide(number, 4, 0.0)), [Continue; 4]);
    let decisions = [4, 5, 6, 7].map(|number| band.decide(number, 4, f64::from(number)));
    assert_eq!(decisions, [Pause, Pause, Pause, Continue]);
    band
}

#[test]
fn case_h_32_the_better_half_runs_on() {
    let mut band = two_brackets(AtMaxT::Stop);
    assert_eq!(band.statuses(0..8), [Running, Running, Running, Running, Terminated, Terminated, Paused, Running]);
    assert_eq!(band.launch(), [trial(6)]);
}

#[test]
fn case_h_33_at_max_t() {
    for (at_max_t, expected) in [(AtMaxT::Stop, Terminated), (AtMaxT::RunOn, Running)] {
        let mut band = two_brackets(at_max_t);
        band.launch();
        for number in [0, 1, 2, 3, 6, 7] {
            band.decide(number, 8, 0.0);
        }
        assert_eq!(band.statuses(0..4), [expected; 4]);
        assert_eq!(band.statuses(6..8), [expected; 2]);
    }
}

#[test]
fn case_h_34_a_milestone_that_was_jumped_over() {
    for (at_max_t, expected) in [(AtMaxT::Stop, Terminated), (AtMaxT::RunOn, Running)] {
        let mut band = Band::new(HyperBand::new().max_t(8).reduction_factor(2.0).at_max_t(at_max_t), 8);
        for number in 4..8 {
            band.decide(number, 8, f64::from(number));
        }
        band.launch();
        assert_eq!(band.statuses(4..6), [Terminated; 2]);
        assert_eq!(band.statuses(6..8), [expected; 2], "{at_max_t:?}");
    }
}

#[test]
fn everybody_beyond_the_next_milestone_is_halved_again_at_once() {
    let mut band = Band::new(HyperBand::new().max_t(8).reduction_factor(2.0), 14);
    let decisions: Vec<Decision> = (8..14).map(|number| band.decide(number, 5, f64::from(number))).collect();
    assert_eq!(decisions, [Pause, Pause, Pause, Pause, Pause, Continue]);
    assert_eq!(band.launch(), [trial(12)], "6 at 2, 3 at 4, and 2 run to 8");
    assert_eq!(band.roster.with(Terminated).len(), 4);
}

/// A bracket of nine, halved once: trials 14, 15 and 16 run to 3. Eight trials fill the brackets before it.
fn halved_nine() -> Band {
    let mut band = Band::new(HyperBand::new().max_t(9), 17);
    for number in 8..17 {
        band.decide(number, 1, f64::from(number));
    }
    assert_eq!(band.launch(), [14, 15].map(trial));
    band
}

#[test]
fn case_h_40_the_last_one_that_fails_leaves_nobody_waiting() {
    let mut band = halved_nine();
    assert_eq!((band.decide(14, 3, 5.0), band.decide(15, 3, 6.0)), (Pause, Pause));
    let ended = band.end(16, Ending::Error);
    assert_eq!(ended, [16, 14].map(trial), "of the two that are left, the worse one ends");
    assert_eq!(band.statuses(14..17), [Terminated, Paused, Error]);
    assert_eq!(band.launch(), [trial(15)]);
    assert_eq!(band.decide(15, 9, 0.0), Stop);
}

#[test]
fn case_h_41_the_same_without_a_failure() {
    let mut band = halved_nine();
    assert_eq!([(14, 5.0), (15, 6.0), (16, 7.0)].map(|(n, value)| band.decide(n, 3, value)), [Pause, Pause, Continue]);
    assert_eq!(band.statuses(14..17), [Terminated, Terminated, Running]);
    assert_eq!((band.decide(16, 8, 7.0), band.decide(16, 9, 7.0)), (Continue, Stop));
}

#[test]
fn case_h_42_strange_numbers_rank_last_or_where_they_belong() {
    let mut band = Band::new(HyperBand::new(), 13);
    let values = [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, 0.0, f64::NAN, -1.0, f64::NAN];
    for (number, value) in (5..).zip(values) {
        assert_eq!(band.decide(number, 27, value), Pause);
    }
    assert_eq!(band.decide(12, 27, f64::NAN), Stop);
    assert_eq!(band.launch(), [7, 8, 10].map(trial));
}

#[test]
fn a_report_without_metric_or_time_changes_nothing() {
    let mut band = Band::new(HyperBand::new(), 1);
    let missing = report(trial(0), 81, "other", 1.0);
    assert_eq!(band.roster.hear(&mut band.scheduler, missing).decision, Continue);
    assert_eq!(band.decide(0, 81, 1.0), Stop);
}

#[test]
fn a_trial_that_is_tried_again_is_chosen_again() {
    let mut band = Band::new(HyperBand::new(), 1);
    band.roster.set(trial(0), Pending);
    assert_eq!(band.scheduler.on_retry(trial(0), &band.roster), []);
    assert_eq!(band.launch(), [trial(0)]);
    // So is one that a client paused and resumed, of which no scheduler hears.
    band.roster.set(trial(0), Pending);
    assert_eq!(band.launch(), [trial(0)]);
}

#[test]
fn the_bracket_with_the_least_progress_comes_first() {
    let mut band = Band::new(HyperBand::new().max_t(9), 2);
    band.decide(0, 8, 0.0);
    for number in 2..8 {
        band.roster.add(trial(number));
        band.scheduler.on_add(trial(number), &Config::new());
    }
    assert_eq!(band.launch(), [3, 4, 5, 6, 7, 2].map(trial));
}

#[test]
fn reasons_say_who_is_waited_for_and_who_was_better() {
    let mut band = Band::new(HyperBand::new(), 7);
    let (paused, _) = band.roster.report(&mut band.scheduler, report(trial(5), 27, "score", 0.5));
    assert_eq!(paused.reason.as_deref(), Some("milestone 27: waits for 1 of the 2 in its bracket"));
    let mut band = Band::new(HyperBand::new(), 13);
    (5..12).for_each(|number| assert_eq!(band.decide(number, 27, 0.25), Pause));
    let (stopped, ended) = band.roster.report(&mut band.scheduler, report(trial(12), 27, "score", 0.125));
    let expected = "milestone 27: 0.125 isn't among the best 3 of 8 (the last of them has 0.25)";
    assert_eq!((stopped.reason.as_deref(), ended.len()), (Some(expected), 5));
}

#[test]
fn settings_are_checked() {
    let refused = |hyperband: HyperBand| match hyperband.objective(Objective::min("loss")).prepare(None) {
        Err(ScheduleError::Setting { setting, .. }) => setting,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(HyperBand::new().max_t(0)), "max_t");
    for factor in [1.0, 0.5, -3.0, f64::NAN, f64::INFINITY, 1.001] {
        assert_eq!(refused(HyperBand::new().reduction_factor(factor)), "reduction_factor", "{factor}");
    }
    assert_eq!(refused(HyperBand::new().time_attr("")), "time_attr");
    assert!(matches!(HyperBand::new().prepare(None), Err(ScheduleError::NoObjective { .. })));
    assert_eq!(HyperBand::new().buffering(), Buffering::Refused);
}
