//! The cases of the wrappers around searchers (A), each named after its case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tryout::logic::config::Config;
use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Metrics, Report};
use tryout::logic::search::{
    ConcurrencyLimiter, Feedback, Limiting, Points, Repeater, SearchError, Searcher, Suggestion,
};
use tryout::logic::space::{leaves, tag};
use tryout::logic::state::{PartState, StateError};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

/// What a searcher was told.
#[derive(Clone, Debug, Default)]
struct Heard {
    suggested: u32,
    reports: Vec<TrialId>,
    ends: Vec<(TrialId, Ending, Option<f64>)>,
}

/// Suggests 1, 2, 3, ... and remembers what it hears; limits itself if `limiting` says so.
#[derive(Clone, Debug)]
struct Counting {
    heard: Arc<Mutex<Heard>>,
    most: u32,
    limiting: Limiting,
    limit: Arc<Mutex<Option<usize>>>,
}

impl Counting {
    fn new(most: u32) -> Self {
        Self { heard: Arc::default(), most, limiting: Limiting::Outside, limit: Arc::default() }
    }

    fn heard(&self) -> Heard {
        self.heard.lock().expect("no test panics with it").clone()
    }
}

impl Searcher for Counting {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        let mut heard = self.heard.lock().expect("no test panics with it");
        if heard.suggested == self.most {
            return Ok(Suggestion::Exhausted);
        }
        heard.suggested += 1;
        Ok(Suggestion::Next(Config::new().with("x", heard.suggested)))
    }

    fn on_report(&mut self, trial: TrialId, _: &Report) {
        self.heard.lock().expect("no test panics with it").reports.push(trial);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        let score = last.and_then(|report| report.number("score"));
        self.heard.lock().expect("no test panics with it").ends.push((trial, ending, score));
    }

    fn limit(&mut self, live: usize) -> Limiting {
        *self.limit.lock().expect("no test panics with it") = Some(live);
        self.limiting
    }

    fn total(&self) -> Option<u64> {
        Some(u64::from(self.most))
    }

    /// All clones know the same.
    fn save(&self) -> Option<PartState> {
        Some(PartState::Null)
    }

    fn restore(&mut self, _: PartState) -> Result<(), StateError> {
        Ok(())
    }
}

/// `to`, with the state of `from`, by way of text.
fn moved<S: Searcher>(from: &S, mut to: S) -> Result<S, Box<dyn std::error::Error>> {
    to.restore(serde_json::from_str(&from.save().expect("it has a state").to_string())?)?;
    Ok(to)
}

/// The suggested x, or what was said instead.
fn ask(searcher: &mut impl Searcher, number: u32) -> Result<i64, &'static str> {
    match searcher.suggest(trial(number)).expect("this searcher doesn't fail") {
        Suggestion::Next(config) => Ok(config.number("x").expect("it suggests x") as i64),
        Suggestion::Wait => Err("wait"),
        Suggestion::Exhausted => Err("exhausted"),
    }
}

fn report(number: u32, score: f64) -> Report {
    Report { metrics: Metrics::from([("score", score)]), ..Report::empty(trial(number)) }
}

fn end(searcher: &mut impl Searcher, number: u32, score: f64) {
    searcher.on_end(trial(number), Ending::Done, Some(&report(number, score)));
}

#[test]
fn case_a_07_the_limit_is_how_far_a_limited_searcher_runs_ahead() -> Outcome {
    for limit in [8, 1, 4, 16, 5] {
        assert_eq!(ConcurrencyLimiter::new(Counting::new(20), limit)?.lookahead(), limit);
    }
    Ok(())
}

#[test]
fn case_a_08_a_repeater_around_a_limiter() -> Outcome {
    let inner = Counting::new(7);
    let mut searcher = Repeater::new(ConcurrencyLimiter::new(inner, 2)?, 3)?;
    let mut used: BTreeMap<i64, u32> = BTreeMap::new();
    let (mut running, mut next, mut most): (Vec<u32>, u32, usize) = (Vec::new(), 0, 0);
    while next < 20 {
        while let Ok(x) = ask(&mut searcher, next) {
            *used.entry(x).or_default() += 1;
            running.push(next);
            next += 1;
        }
        most = most.max(running.len());
        end(&mut searcher, running.remove(0), 1.0);
        if next == 12 {
            // The state goes through JSON, as in a snapshot.
            let inner = searcher.inner().inner().clone();
            searcher = moved(&searcher, Repeater::new(ConcurrencyLimiter::new(inner, 2)?, 3)?)?;
        }
    }
    assert_eq!(most, 6);
    assert!(used.values().all(|&count| count <= 3), "each suggestion at most three times: {used:?}");
    assert_eq!(used.len(), 7);
    Ok(())
}

#[test]
fn case_a_10_the_tag_of_a_nested_suggestion() {
    let nested = Config::new().with("a", json!({"b": {"c": {"d": 4, "e": 5}}}));
    assert_eq!(tag(0, &leaves(&nested)), "0_d=4,e=5");
}

#[test]
fn case_a_11_distinct_suggestions_of_a_repeater() -> Outcome {
    for (repeat, trials, distinct) in [(1, 2, 2), (4, 12, 3), (5, 11, 3)] {
        let mut searcher = Repeater::new(Counting::new(9), repeat)?;
        let seen: BTreeSet<i64> = (0..trials).map(|number| ask(&mut searcher, number).expect("one each")).collect();
        assert_eq!((seen.len(), searcher.inner().heard().suggested), (distinct, distinct as u32));
    }
    assert_eq!(Repeater::new(Counting::new(3), 4)?.total(), Some(12));
    Ok(())
}

#[test]
fn case_a_12_a_repeaters_state_moves_to_another() -> Outcome {
    let inner = Counting::new(9);
    let mut first = Repeater::new(inner.clone(), 3)?;
    let given: Vec<_> = (0..5).map(|number| ask(&mut first, number)).collect();
    assert_eq!(given, [Ok(1), Ok(1), Ok(1), Ok(2), Ok(2)]);

    let mut second = moved(&first, Repeater::new(inner.clone(), 3)?)?;
    assert_eq!((ask(&mut second, 5), ask(&mut second, 6)), (Ok(2), Ok(3)));

    (0..3).for_each(|number| end(&mut second, number, 2.0));
    [(3, 0.0), (4, -10.0)].into_iter().for_each(|(number, score)| end(&mut second, number, score));
    assert_eq!(inner.heard().ends, [(trial(0), Ending::Done, Some(2.0))]);
    end(&mut second, 5, -20.0);
    assert_eq!(inner.heard().ends.len(), 2);
    assert_eq!(inner.heard().ends[1], (trial(3), Ending::Done, Some(-10.0)));
    Ok(())
}

#[test]
fn case_a_12_the_mean_leaves_out_nan_missing_and_failed() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = Repeater::new(inner.clone(), 4)?.index("which");
    for number in 0..8 {
        let Suggestion::Next(config) = searcher.suggest(trial(number))? else { panic!("there are 9 times 4") };
        assert_eq!(config.number("which"), Some(f64::from(number % 4)));
    }
    end(&mut searcher, 0, 3.0);
    end(&mut searcher, 1, f64::NAN);
    searcher.on_end(trial(2), Ending::Error, Some(&report(2, 100.0)));
    searcher.on_end(trial(3), Ending::Scheduler, Some(&Report::empty(trial(3))));
    assert_eq!(inner.heard().ends, [(trial(0), Ending::Scheduler, Some(3.0))]);

    (4..8).for_each(|number| searcher.on_end(trial(number), Ending::Error, None));
    assert_eq!(inner.heard().ends[1], (trial(4), Ending::Error, None));
    Ok(())
}

#[test]
fn case_a_13_a_limiters_state_moves_to_another() -> Outcome {
    let inner = Counting::new(9);
    let mut first = ConcurrencyLimiter::new(inner.clone(), 2)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut first, number)), [Ok(1), Ok(2), Err("wait")]);

    let mut second = moved(&first, ConcurrencyLimiter::new(inner.clone(), 2)?)?;
    assert_eq!(ask(&mut second, 2), Err("wait"));
    end(&mut second, 0, 1.0);
    end(&mut second, 1, 1.0);
    assert_eq!(ask(&mut second, 2), Ok(3));
    assert_eq!(inner.heard().ends.len(), 2);
    Ok(())
}

#[test]
fn case_a_14_a_limiter_ignores_what_it_did_not_suggest() -> Outcome {
    let inner = Counting::new(2);
    let mut searcher = ConcurrencyLimiter::new(inner.clone(), 1)?;
    assert_eq!(ask(&mut searcher, 0), Ok(1));
    end(&mut searcher, 7, 1.0);
    searcher.on_report(trial(7), &report(7, 1.0));
    assert_eq!(ask(&mut searcher, 1), Err("wait"));
    searcher.on_report(trial(0), &report(0, 1.0));
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 0, 1.0);
    let heard = inner.heard();
    assert_eq!((heard.reports, heard.ends.len()), (vec![trial(0)], 1));
    // What isn't a suggestion takes no place.
    assert_eq!(ask(&mut searcher, 1), Ok(2));
    end(&mut searcher, 1, 1.0);
    assert_eq!((ask(&mut searcher, 2), ask(&mut searcher, 2)), (Err("exhausted"), Err("exhausted")));
    assert_eq!(searcher.live(), 0);
    Ok(())
}

fn batch(inner: &Counting, limit: usize) -> Result<ConcurrencyLimiter<Counting>, Box<dyn std::error::Error>> {
    Ok(ConcurrencyLimiter::new(inner.clone(), limit)?.feedback(Feedback::Batch))
}

#[test]
fn case_a_15_a_batch_waits_for_all() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = batch(&inner, 2)?;
    assert_eq!([0, 1].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2)]);
    end(&mut searcher, 1, 5.0);
    assert_eq!(ask(&mut searcher, 2), Err("wait"));
    assert!(inner.heard().ends.is_empty());
    end(&mut searcher, 0, 6.0);
    assert_eq!(inner.heard().ends, [(trial(1), Ending::Done, Some(5.0)), (trial(0), Ending::Done, Some(6.0))]);
    assert_eq!(ask(&mut searcher, 2), Ok(3));
    Ok(())
}

#[test]
fn case_a_16_a_batch_that_is_not_full_is_forwarded() -> Outcome {
    let inner = Counting::new(2);
    let mut searcher = batch(&inner, 5)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Err("exhausted")]);
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 1, 1.0);
    assert_eq!(inner.heard().ends.len(), 2);
    Ok(())
}

#[test]
fn case_a_17_an_incomplete_batch_is_not_forwarded() -> Outcome {
    let inner = Counting::new(9);
    let mut searcher = batch(&inner, 5)?;
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Ok(3)]);
    end(&mut searcher, 0, 1.0);
    end(&mut searcher, 1, 1.0);
    assert!(inner.heard().ends.is_empty());
    Ok(())
}

#[test]
fn case_a_18_a_searcher_that_limits_itself() -> Outcome {
    let inner = Counting { limiting: Limiting::Own, ..Counting::new(9) };
    let mut searcher = ConcurrencyLimiter::new(Box::new(inner.clone()) as Box<dyn Searcher>, 2)?;
    assert_eq!(*inner.limit.lock().expect("no test panics with it"), Some(2));
    assert_eq!([0, 1, 2].map(|number| ask(&mut searcher, number)), [Ok(1), Ok(2), Ok(3)]);
    end(&mut searcher, 0, 1.0);
    assert_eq!(inner.heard().ends.len(), 1);
    Ok(())
}

#[test]
fn case_a_22_given_points_are_all_suggested() -> Outcome {
    for count in [4, 1] {
        let points = Points::new((1..=count).map(|x| Config::new().with("x", x)));
        assert_eq!(points.total(), Some(u64::from(count as u32)));
        let mut searcher = points;
        for number in 0..count as u32 {
            assert_eq!(ask(&mut searcher, number), Ok(i64::from(number) + 1));
        }
        assert_eq!(ask(&mut searcher, 9), Err("exhausted"));
    }
    Ok(())
}

#[test]
fn wrappers_of_nothing_are_refused() {
    let error = ConcurrencyLimiter::new(Counting::new(1), 0).expect_err("nothing could run");
    assert_eq!(error.to_string(), "ConcurrencyLimiter: `limit` is 0, but must be at least 1");
    let error = Repeater::new(Counting::new(1), 0).expect_err("nothing could run");
    assert_eq!(error.to_string(), "Repeater: `repeat` is 0, but must be at least 1");
}
