//! Searchers that are resumed with other settings, or without a state; all else is in their conformance suite.

use serde_json::json;
use tryout::logic::config::Config;
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::Objective;
use tryout::logic::search::{
    Capped, ConcurrencyLimiter, Distinct, Feedback, Nsga2, Points, Repeater, Searcher, Suggestion, Variants,
};
use tryout::logic::space::{Space, choice, grid, int, uniform};
use tryout::logic::state::StateError;

use crate::common::{report, trial};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn variants(samples: u64) -> Variants {
    let space = Space::new().with("x", uniform(0.0, 1.0)).with("kind", grid(["a", "b"]));
    Variants::new(space, 5).expect("the space is fine").passes(samples)
}

fn points(count: u32) -> Points {
    Points::new((0..count).map(|x| Config::new().with("x", x)))
}

/// The x of each suggestion, until there is none.
fn given(searcher: &mut dyn Searcher, numbers: std::ops::Range<u32>) -> Vec<f64> {
    let ask = |number| match searcher.suggest(trial(number)).expect("it doesn't fail") {
        Suggestion::Next(config) => config.number("x"),
        Suggestion::Wait | Suggestion::Exhausted => None,
    };
    numbers.map_while(ask).collect()
}

fn moved(from: &dyn Searcher, to: &mut dyn Searcher) -> Result<(), StateError> {
    to.restore(serde_json::from_str(&from.save().expect("it has one").to_string()).expect("it is JSON"))
}

fn end(searcher: &mut dyn Searcher, id: TrialId) {
    searcher.on_end(id, Ending::Done, Some(&report(id, 1, "score", f64::from(id.number()))));
}

#[test]
fn more_of_them_are_asked_for() -> Outcome {
    let mut first = variants(2);
    assert_eq!(given(&mut first, 0..9).len(), 4);
    let mut second = variants(3);
    moved(&first, &mut second)?;
    let all = given(&mut variants(3), 0..6);
    assert_eq!(given(&mut second, 4..9), all[4..]);

    let mut capped = Capped::new(Box::new(points(9)), 3);
    assert_eq!(given(&mut capped, 0..9), [0.0, 1.0, 2.0]);
    for (most, expected) in [(5, vec![3.0, 4.0]), (2, vec![])] {
        let mut second = Capped::new(Box::new(points(9)), most);
        moved(&capped, &mut second)?;
        assert_eq!(given(&mut second, 3..9), expected);
    }
    Ok(())
}

#[test]
fn a_place_in_another_grid_means_nothing() {
    let mut first = variants(2);
    given(&mut first, 0..1);
    let other = Space::new().with("x", uniform(0.0, 1.0)).with("kind", grid(["a", "b", "c"]));
    let mut second = Variants::new(other, 5).expect("the space is fine").passes(2);
    let error = moved(&first, &mut second).expect_err("the grid is another");
    let words = "the state of Variants can't be taken up: `size of the grid` was 2 when it was saved and is 3 now; with 2 \
                 it could go on";
    assert_eq!(error.to_string(), words);
    assert_eq!(second.position(), 0, "nothing was changed");
}

#[test]
fn a_lower_limit_waits_until_few_enough_are_live() -> Outcome {
    let mut first = ConcurrencyLimiter::new(points(9), 3)?;
    assert_eq!(given(&mut first, 0..9).len(), 3);
    let mut second = ConcurrencyLimiter::new(points(9), 1)?;
    moved(&first, &mut second)?;
    for number in 0..3 {
        assert_eq!(second.suggest(trial(3))?, Suggestion::Wait);
        end(&mut second, trial(number));
    }
    assert_eq!(given(&mut second, 3..4), [3.0]);
    Ok(())
}

#[test]
fn what_was_held_back_is_told_if_nothing_is_to_be_any_more() -> Outcome {
    let limiter = |feedback| ConcurrencyLimiter::new(points(9), 2).map(|limiter| limiter.feedback(feedback));
    let mut first = limiter(Feedback::Batch)?;
    given(&mut first, 0..2);
    end(&mut first, trial(0));
    assert_eq!(first.live(), 2);
    let (mut same, mut other) = (limiter(Feedback::Batch)?, limiter(Feedback::Single)?);
    moved(&first, &mut same)?;
    moved(&first, &mut other)?;
    assert_eq!((same.live(), other.live()), (2, 1));
    Ok(())
}

#[test]
fn another_number_of_repeats_goes_for_what_is_still_to_be_given() -> Outcome {
    let mut first = Repeater::new(points(9), 3)?;
    assert_eq!(given(&mut first, 0..5), [0.0, 0.0, 0.0, 1.0, 1.0]);
    let mut more = Repeater::new(points(9), 4)?;
    moved(&first, &mut more)?;
    assert_eq!(given(&mut more, 5..9), [1.0, 1.0, 2.0, 2.0]);
    let mut fewer = Repeater::new(points(9), 2)?;
    moved(&first, &mut fewer)?;
    assert_eq!(given(&mut fewer, 5..8), [2.0, 2.0, 3.0]);

    // The group that was being filled is full now, and all of its trials have ended already.
    (3..5).for_each(|number| end(&mut first, trial(number)));
    let mut fewer = Repeater::new(ConcurrencyLimiter::new(points(9), 2)?, 2)?;
    let inner =
        json!({"part": "ConcurrencyLimiter", "live": [trial(0), trial(3)], "held": [], "inner": points(9).save()});
    let mut state = first.save().expect("it has one");
    state["inner"] = inner;
    fewer.restore(state)?;
    assert_eq!(fewer.inner().live(), 1, "the searcher was told of its end");
    Ok(())
}

/// Whole numbers and options, which don't show where they were drawn.
fn mixed() -> Space {
    Space::new().with("x", uniform(0.0, 1.0)).with("n", int(1, 6)).with("kind", choice(["a", "b"]))
}

/// Two hundred configurations, many times.
fn few(samples: u64) -> Variants {
    Variants::new(Space::new().with("x", int(0, 200)), 7).expect("the space is fine").samples(samples)
}

/// Whoever is told the past goes on where it was, though the repetitions aren't in it: all there is is still found.
#[test]
fn what_distinct_passed_over_is_passed_over_in_a_past_that_is_told_again() -> Outcome {
    let (mut first, mut told) = (Distinct::new(few(1000)), Distinct::new(few(1000)));
    for number in 0..150 {
        let Suggestion::Next(config) = first.suggest(trial(number))? else { panic!("there are more than 150") };
        told.replay(trial(number), &config)?;
    }
    let (rest, same) = (given(&mut first, 150..300), given(&mut told, 150..300));
    assert_eq!(same, rest);
    assert!(rest.len() > 30, "{}", rest.len());
    Ok(())
}

/// Set otherwise, it still knows what was tried, and asks for nothing that only one session would know of.
#[test]
fn distinct_goes_another_way_if_it_is_set_otherwise() -> Outcome {
    let (mut first, mut told) = (Distinct::new(few(1000)), Distinct::new(points(300)));
    for number in 0..50 {
        let Suggestion::Next(config) = first.suggest(trial(number))? else { panic!("there are more than 50") };
        told.replay(trial(number), &config.clone().with("other", 1))?;
    }
    assert_eq!(given(&mut told, 50..60).len(), 10);
    Ok(())
}

/// A repetition is over before it was anybody's; it isn't what a batch waits for.
#[test]
fn what_distinct_passes_over_is_no_trial_of_a_batch() -> Outcome {
    let doubled = || Points::new([0, 0, 1, 2].map(|x| Config::new().with("x", x)));
    let limiter = ConcurrencyLimiter::new(doubled(), 3)?.feedback(Feedback::Batch);
    let mut distinct = Distinct::new(limiter);
    assert_eq!(given(&mut distinct, 0..2), [0.0, 1.0]);
    let state = distinct.save().expect("it has one");
    assert_eq!(
        (state["inner"]["live"].clone(), state["inner"]["held"].clone()),
        (json!([trial(0), trial(1)]), json!([]))
    );
    Ok(())
}

/// What is suggested after a past, with the state taken up or the past told again.
#[test]
fn a_past_that_is_told_again_leads_to_the_same() -> Outcome {
    let made: Vec<fn() -> Box<dyn Searcher>> = vec![
        || Box::new(Nsga2::new(mixed(), &[], 5).expect("fine").population(4)),
        || Box::new(Distinct::new(few(30))),
        || Box::new(Distinct::new(Nsga2::new(mixed(), &[], 5).expect("fine").population(4))),
        #[cfg(feature = "cma-es")]
        || Box::new(tryout::logic::search::CmaEs::new(mixed(), 5).expect("fine").population(4)),
        #[cfg(feature = "gp")]
        || Box::new(tryout::logic::search::GaussianProcess::new(mixed(), 5).expect("fine").startup(3)),
        || Box::new(tryout::logic::search::Tpe::new(mixed(), 5).expect("fine").startup(3)),
        || Box::new(variants(20)),
        || Box::new(points(30)),
        || Box::new(Capped::new(Box::new(points(30)), 12)),
        || Box::new(ConcurrencyLimiter::new(variants(20), 6).expect("fine")),
        || Box::new(Repeater::new(variants(20), 3).expect("fine").index("which")),
        || Box::new(ConcurrencyLimiter::new(Repeater::new(points(30), 3).expect("fine").index("x"), 8).expect("fine")),
    ];
    for (index, make) in made.iter().enumerate() {
        let (mut first, mut told, mut restored) = (make(), make(), make());
        for searcher in [&mut first, &mut told, &mut restored] {
            searcher.prepare(Some(&Objective::min("score")))?;
        }
        for number in 0..18 {
            if let Suggestion::Next(config) = first.suggest(trial(number))? {
                told.replay(trial(number), &config)?;
            }
            if number % 3 == 2 {
                end(&mut *first, trial(number - 1));
                end(&mut *told, trial(number - 1));
            }
        }
        moved(&*first, &mut *restored)?;
        for number in 18..36 {
            let expected = first.suggest(trial(number))?;
            assert_eq!(told.suggest(trial(number))?, expected, "{index}: told again, trial {number}");
            assert_eq!(restored.suggest(trial(number))?, expected, "{index}: restored, trial {number}");
            for searcher in [&mut first, &mut told, &mut restored] {
                end(&mut **searcher, trial(number - 7));
            }
        }
    }
    Ok(())
}
