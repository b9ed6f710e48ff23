//! Population-based training, case by case: who is saved, who becomes whose copy, whose turn it is.

mod common;

use common::town::{Run, start};
use common::trial;
use tryout::logic::config::Config;
use tryout::logic::decision::{Decision, Verdict};
use tryout::logic::event::Ending;
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{Cohort, Pbt, Rounds, ScheduleError, Scheduler};
use tryout::logic::space::{Space, choice, depends, grid, int, list, log_uniform, uniform};
use tryout::logic::trial::Status;

fn whole(config: &Config, key: &str) -> Option<i64> {
    config.value(key).and_then(|value| value.as_i64())
}

fn mutations() -> Space {
    Space::new().with("id", choice([100])).with("float", uniform(0.0, 1000.0)).with("int", int(0, 1000))
}

fn pbt() -> Pbt {
    Pbt::new().time_attr("training_iteration").perturbation_interval(10.0).mutations(mutations())
}

#[test]
fn case_p_01_the_better_quarter_is_saved() {
    let mut run = Run::of_five(pbt());
    assert_eq!(run.reports(0, 15, 200.0).decision, Decision::Continue);
    assert_eq!(run.saves, 0, "its interval isn't over");
    for (number, time, score, saves) in [(0, 20, 200.0, 1), (1, 30, 201.0, 2), (4, 30, 199.0, 2)] {
        assert_eq!(run.reports(number, time, score).decision, Decision::Continue);
        assert_eq!((run.saves, run.copies.len()), (saves, 0));
    }
}

#[test]
fn case_p_02_all_wait_for_the_last_one() {
    let mut run = Run::of(pbt().rounds(Rounds::Synchronous), 5);
    for number in 0..5 {
        assert_eq!(run.reports(number, 10, f64::from(number) * 50.0).decision, Decision::Pause);
    }
    (run.saves, run.copies) = (0, Vec::new());
    while run.launch().is_some() {}
    assert_eq!(run.reports(0, 15, 200.0).decision, Decision::Continue);
    for number in 0..4 {
        assert_eq!(run.reports(number, 20, f64::from(number)).decision, Decision::Pause);
        assert_eq!((run.saves, run.copies.len(), run.launch()), (0, 0, None));
    }
    assert_eq!(run.reports(4, 20, 200.0).decision, Decision::Pause);
    assert_eq!((run.saves, run.copies.len()), (2, 2));
    assert!(run.launch().is_some(), "the next round has begun");
}

#[test]
fn case_p_03_the_worse_quarter_become_copies() {
    let mut run = Run::of_five(pbt());
    assert_eq!(run.reports(0, 15, -100.0).decision, Decision::Continue);
    assert!(run.copies.is_empty());
    let verdict = run.reports(0, 20, -100.0);
    assert_eq!(verdict.decision, Decision::Pause);
    let (copy, donor, _) = run.copies[0].clone();
    assert_eq!(copy, trial(0));
    assert!([3, 4].contains(&donor.number()), "{donor}");
    let best = if donor.number() == 3 { 150 } else { 200 };
    let reason = format!(
        "training_iteration 20: -100 is in the worse part of 5; goes on as a copy of {donor}, which has {best}"
    );
    assert_eq!(verdict.reason.as_deref(), Some(&*reason));
    run.reports(2, 20, 40.0);
    assert_eq!(run.copies.len(), 2);
}

#[test]
fn case_p_05_values_move_a_little() {
    let mut run = Run::of_five(pbt().resample_probability(0.0));
    run.reports(0, 20, -100.0);
    let config = &run.copies[0].2;
    assert_eq!(whole(config, "id"), Some(100), "0 isn't an option");
    assert!([2.4, 1.6].contains(&config.number("float").expect("it is a number")), "{config}");
    assert!([12, 8].contains(&whole(config, "int").expect("it is whole")), "{config}");
    assert_eq!(whole(config, "constant"), Some(3));
}

#[test]
fn case_p_06_values_are_drawn_anew() {
    let narrow = Space::new().with("id", choice([100])).with("float", uniform(100.0, 100.5)).with("int", int(70, 71));
    let mut run = Run::of_five(pbt().mutations(narrow).resample_probability(1.0));
    run.reports(0, 20, -100.0);
    let config = &run.copies[0].2;
    assert_eq!((whole(config, "id"), whole(config, "int"), whole(config, "constant")), (Some(100), Some(70), Some(3)));
    assert!((100.0..=100.5).contains(&config.number("float").expect("it is a number")));
    assert_eq!(run.town.status(trial(0)), Some(Status::Paused));
}

fn refused(pbt: Pbt) -> String {
    pbt.clone_prepared().expect_err("it is refused").to_string()
}

trait Prepared {
    fn clone_prepared(self) -> Result<Self, ScheduleError>
    where
        Self: Sized;
}

impl Prepared for Pbt {
    fn clone_prepared(mut self) -> Result<Self, ScheduleError> {
        self.prepare(Some(&Objective::max("score"))).map(|()| self)
    }
}

#[test]
fn case_p_07_choices_can_be_mutated_and_functions_not() {
    assert!(pbt().mutations(Space::new().with("kind", choice(["a", "b"]))).clone_prepared().is_ok());
    let others = [
        Space::new().with("net", Space::new().with("x", depends(|_| 1))),
        Space::new().with("net", Space::new().with("x", grid([1, 2]))),
        Space::new().with("net", Space::new().with("x", list([uniform(0.0, 1.0)]))),
        Space::new().with("net", Space::new().with("x", choice([Space::new()]))),
    ];
    for space in others {
        let text = refused(pbt().mutations(space));
        assert!(text.starts_with("Pbt: `mutations` is ") && text.contains("`net/x`"), "{text}");
    }
}

#[test]
fn case_p_10_whole_numbers_stay_whole() {
    let space = || Space::new().with("int", int(0, 1000)).with("float", uniform(0.0, 1000.0));
    for seed in 0..20 {
        let mut run = Run::of_five(pbt().mutations(space()).resample_probability(0.0).seed(seed));
        for number in 0..5 {
            run.town.configs.insert(trial(number), Config::new().with("int", 100).with("float", 100.0));
        }
        run.reports(0, 20, -100.0);
        let config = &run.copies[0].2;
        assert!([80, 120].contains(&whole(config, "int").expect("it is whole")), "{config}");
        assert!([80.0, 120.0].contains(&config.number("float").expect("it is a number")), "{config}");
        assert!(whole(config, "float").is_none(), "{config}");
    }
}

#[test]
fn case_p_11_nested_values_move_and_the_last_word_is_said_once() {
    let nested =
        Space::new().with("a", Space::new().with("b", choice([1, 2, 3, 4])).with("c", log_uniform(1.0, 100.0)));
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let last_word = move |config: Config| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        config
    };
    let mut run = Run::of(pbt().mutations(nested).resample_probability(0.0).explore(last_word), 2);
    assert!(run.pbt.spec().is_none(), "a function isn't data");
    for number in 0..2 {
        let config = Config::from_json(serde_json::json!({"a": {"b": 3, "c": 10.0}})).expect("it is a map");
        run.town.configs.insert(trial(number), config);
    }
    run.reports(1, 10, 100.0);
    for turn in 1..=100 {
        let before = run.town.configs[&trial(1)].clone();
        run.reports(1, turn * 20, 100.0);
        run.reports(0, turn * 20 + 15, -1.0);
        let config = &run.copies.last().expect("there is one").2;
        assert!([2, 4].contains(&whole(config, "a/b").expect("it is whole")), "{config} of {before}");
        assert!([8.0, 12.0].contains(&config.number("a/c").expect("it is a number")), "{config}");
    }
    assert_eq!((run.copies.len(), count.load(std::sync::atomic::Ordering::SeqCst)), (100, 100));
}

#[test]
fn case_p_12_room_is_made_for_those_that_wait() {
    let mut run = Run::of_five(pbt());
    run.pbt.on_add(trial(9), &start());
    run.town.statuses.insert(trial(9), Status::Pending);
    let verdict = run.reports(1, 20, 1000.0);
    assert_eq!(verdict.decision, Decision::Pause);
    assert_eq!(verdict.reason.as_deref(), Some("training_iteration 20: makes room for those that wait"));
    assert_eq!(run.launch(), Some(9));
}

#[test]
fn case_p_13_the_least_trained_go_first() {
    let mut run = Run::of(pbt(), 5);
    for (number, time) in [800, 700, 600, 500, 700].into_iter().enumerate() {
        run.town.statuses.insert(trial(99), Status::Pending);
        run.reports(number as u32, time, 1.0);
        run.town.statuses.remove(&trial(99));
        run.town.statuses.insert(trial(number as u32), Status::Running);
    }
    assert_eq!(run.launch(), None, "all run");
    for number in 0..5 {
        run.town.statuses.insert(trial(number), Status::Pending);
    }
    assert_eq!(run.launch(), Some(3));
}

#[test]
fn case_p_15_a_copy_inherits_its_donor_s_times() {
    let mut run = Run::of(pbt().quantile_fraction(0.5), 4);
    for (number, time, score) in [(0, 10_000, 1005.0), (1, 10_000, 1004.0), (2, 600, 1003.0)] {
        run.reports(number, time, score);
    }
    run.copies.clear();
    run.reports(3, 500, 1002.0);
    assert_eq!(run.copies.len(), 1);
    run.reports(3, 600, 100.0);
    assert_eq!(run.copies.len(), 1, "its donor was compared at 10000");
    run.reports(3, 11_000, 100.0);
    assert_eq!(run.copies.len(), 2);
}

#[test]
fn case_p_16_a_report_without_the_time_changes_nothing() {
    let mut run = Run::of(pbt().time_attr("epoch"), 2);
    assert_eq!(run.reports(0, 10, 1.0), Verdict::CONTINUE);
    assert_eq!(run.pbt.objectives(), [Objective::max("score")], "the metric is asked of every report");
}

#[test]
fn case_p_19_the_last_word_on_a_configuration() {
    let mut run = Run::of_five(pbt().explore(|config| config.with("id", 42).with("float", 43.0)));
    run.reports(0, 20, -100.0);
    let config = &run.copies[0].2;
    assert_eq!(
        (whole(config, "id"), config.number("float"), whole(config, "constant")),
        (Some(42), Some(43.0), Some(3))
    );
}

#[test]
fn case_p_20_the_first_report_of_all_can_be_enough() {
    let mut run = Run::of(pbt().perturbation_interval(1.0), 2);
    run.reports(0, 1, 5.0);
    run.reports(1, 1, 1.0);
    assert_eq!((run.copies.len(), run.copies[0].1), (1, trial(0)));
    let mut run = Run::of(pbt().perturbation_interval(1.0), 2);
    run.town.unsaved.push(trial(0));
    run.reports(0, 1, 5.0);
    assert_eq!(run.reports(1, 1, 1.0), Verdict::CONTINUE, "there is nothing to go on from yet");
}

#[test]
fn case_p_24_what_a_configuration_lacks_is_drawn() {
    let nested = Space::new().with("a", Space::new().with("b", uniform(1.0, 2.0))).with("id", choice([7]));
    let pbt = pbt().mutations(nested).clone_prepared().expect("the settings are fine");
    let mut drawn = Vec::new();
    for number in 0..3 {
        let mut pbt = pbt.clone();
        let mut config = Config::new().with("id", 5);
        pbt.complete(trial(number), &mut config);
        assert_eq!(whole(&config, "id"), Some(5), "what is there stays");
        drawn.push(config.number("a/b").expect("it was drawn"));
        assert!((1.0..=2.0).contains(&drawn[number as usize]));
    }
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
}

#[test]
fn case_p_27_settings_out_of_range_are_refused() {
    let cases = [
        (pbt().quantile_fraction(0.6), "Pbt: `quantile_fraction` is 0.6, but must be from 0 to 0.5"),
        (pbt().perturbation_interval(0.0), "Pbt: `perturbation_interval` is 0, but must be finite and above 0"),
        (
            pbt().mutations(Space::new()),
            "Pbt: `mutations` is empty, but must be given, or `explore` must be: else a copy is only a copy",
        ),
        (pbt().burn_in(f64::NAN), "Pbt: `burn_in` is NaN, but must be a finite number from 0 on"),
        (pbt().resample_probability(-0.1), "Pbt: `resample_probability` is -0.1, but must be from 0 to 1"),
        (
            pbt().perturbation_factors(f64::INFINITY, 0.8),
            "Pbt: `perturbation_factors` is inf and 0.8, but must be two finite numbers",
        ),
    ];
    for (pbt, expected) in cases {
        assert_eq!(refused(pbt), expected);
    }
}

#[test]
fn case_p_28_a_round_that_everybody_has_passed_is_over() {
    let mut run = Run::of(pbt().rounds(Rounds::Synchronous), 3);
    for number in 0..3 {
        run.reports(number, 35, f64::from(number));
    }
    assert_eq!(run.launch(), Some(0), "the next round ends beyond 35");
    // Resumed with a round that is long over.
    let state = run.pbt.save().expect("it gives its state").to_string().replace("45.0", "10.0");
    let mut later = pbt().rounds(Rounds::Synchronous).clone_prepared().expect("the settings are fine");
    later.restore(serde_json::from_str(&state).expect("it is JSON")).expect("it is its state");
    run.pbt = later;
    run.town.statuses.insert(trial(0), Status::Paused);
    assert!(run.launch().is_some());
}

#[test]
fn a_round_goes_on_without_those_that_end() {
    let mut run = Run::of(pbt().rounds(Rounds::Synchronous), 4);
    for number in 0..3 {
        assert_eq!(run.reports(number, 10, f64::from(number)).decision, Decision::Pause);
    }
    assert_eq!(run.launch(), None);
    run.ends(3, Ending::Error);
    assert_eq!((run.saves, run.copies.len()), (1, 1));
    assert!(run.launch().is_some());
}

#[test]
fn numbers_stay_in_their_range() {
    let space = Space::new().with("momentum", uniform(0.5, 1.0)).with("depth", int(1, 4));
    for seed in 0..20 {
        let mut run = Run::of_five(pbt().mutations(space.clone()).resample_probability(0.0).seed(seed));
        for number in 0..5 {
            run.town.configs.insert(trial(number), Config::new().with("momentum", 0.9).with("depth", 1));
        }
        run.reports(0, 20, -100.0);
        let config = &run.copies[0].2;
        assert!([0.9 * 0.8, 1.0].contains(&config.number("momentum").expect("it is a number")), "{config}");
        assert_eq!(whole(config, "depth"), Some(1), "0.8 and 1.2 are nearest to 1");
    }
}
