//! The schedulers that judge a trial at its reports: percentile, threshold, patience, signed ranks.

mod common;

use common::{report, trial};
use tryout::logic::decision::Decision::{self, Continue, Pause, Stop};
use tryout::logic::decision::Verdict;
use tryout::logic::event::Ending;
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{
    Asha, AshaForm, Buffering, MedianStopping, Patient, Percentile, ScheduleError, Scheduler, Threshold, Wilcoxon,
};
use tryout::testing::Nobody;

fn prepared(mut scheduler: impl Scheduler + 'static) -> Box<dyn Scheduler> {
    scheduler.prepare(Some(&Objective::min("loss"))).expect("valid settings");
    Box::new(scheduler)
}

fn hear(scheduler: &mut dyn Scheduler, number: u32, time: u64, loss: f64) -> Verdict {
    scheduler.on_report(trial(number), &report(trial(number), time, "loss", loss), &Nobody)
}

/// The decisions on a trial's reports from 1 on.
fn decide(scheduler: &mut dyn Scheduler, number: u32, losses: &[f64]) -> Vec<Decision> {
    (1..).zip(losses).map(|(time, loss)| hear(scheduler, number, time, *loss).decision).collect()
}

/// A trial runs to its end whatever is said.
fn complete(scheduler: &mut dyn Scheduler, number: u32, losses: &[f64], ending: Ending) {
    decide(scheduler, number, losses);
    let last = report(trial(number), losses.len() as u64, "loss", losses.last().copied().unwrap_or(0.0));
    scheduler.on_end(trial(number), ending, Some(&last), &Nobody);
}

#[test]
fn percentile_compares_the_best_with_completed_trials_at_the_step() {
    let mut rule = prepared(Percentile::new().percentile(50.0).startup_trials(3));
    for (number, loss) in [(0, 1.0), (1, 2.0), (2, 3.0)] {
        assert_eq!(decide(&mut *rule, 9 + number, &[99.0]), [Continue], "before there is anybody to compare with");
        complete(&mut *rule, number, &[loss, loss], Ending::Done);
    }
    assert_eq!(decide(&mut *rule, 3, &[2.0, 9.0]), [Continue, Continue], "its best counts");
    let verdict = hear(&mut *rule, 4, 1, 2.5);
    let words = "training_iteration 1: the best, 2.5, isn't among the best 50 % (cut-off 2, 3 trials)";
    assert_eq!((verdict.decision, verdict.reason.as_deref()), (Stop, Some(words)));
    assert_eq!(decide(&mut *rule, 5, &[2.0, 2.0, 99.0]), [Continue; 3], "nobody was at step 3");
    assert_eq!(decide(&mut *rule, 6, &[f64::NAN]), [Stop]);
}

#[test]
fn percentile_counts_those_that_completed() {
    for (ending, expected) in [
        (Ending::Done, Stop),
        (Ending::StopRule, Stop),
        (Ending::Scheduler, Continue),
        (Ending::Client, Continue),
        (Ending::Error, Continue),
    ] {
        let mut rule = prepared(Percentile::new().startup_trials(1));
        complete(&mut *rule, 0, &[1.0], ending);
        assert_eq!(decide(&mut *rule, 1, &[2.0]), [expected], "{ending:?}");
    }
}

#[test]
fn percentile_waits_for_the_warm_up_and_enough_trials() {
    let mut rule = prepared(Percentile::new().startup_trials(1).warm_up(2.0).interval(3.0).min_trials(2));
    complete(&mut *rule, 0, &[0.0; 9], Ending::Done);
    assert_eq!(decide(&mut *rule, 1, &[1.0; 9]), [Continue; 9], "one isn't enough");
    complete(&mut *rule, 2, &[0.0; 9], Ending::Done);
    let judged: Vec<u64> = (1..10).filter(|time| hear(&mut *rule, 3, *time, 1.0).decision == Stop).collect();
    assert_eq!(judged, [2, 5, 8]);
}

#[test]
fn percentile_judges_no_step_twice() {
    let mut rule = prepared(Percentile::new().startup_trials(1));
    complete(&mut *rule, 0, &[1.0, 1.0, 1.0], Ending::Done);
    assert_eq!(decide(&mut *rule, 1, &[0.5, 0.5]), [Continue, Continue]);
    assert_eq!(decide(&mut *rule, 1, &[9.0, 9.0, 9.0]), [Continue; 3], "it is tried again, and its best stays");
}

#[test]
fn threshold_keeps_to_its_range() {
    let mut rule = prepared(Threshold::new().lower(-1.0).upper(10.0));
    let losses = [-1.0, 10.0, -1.5, 10.5, f64::NAN, f64::INFINITY];
    assert_eq!(decide(&mut *rule, 0, &losses), [Continue, Continue, Stop, Stop, Stop, Stop]);
    let words = |loss| hear(&mut *prepared(Threshold::new().upper(10.0)), 1, 7, loss).reason.unwrap_or_default();
    assert_eq!(words(2000.0), "training_iteration 7: loss 2000 is above 10");
    assert_eq!(words(f64::NAN), "training_iteration 7: loss is NaN");
    assert_eq!(words(10.0 + 1e-12), "training_iteration 7: loss 10.000000000001 is above 10");
}

#[test]
fn threshold_can_watch_another_metric() {
    let mut rule = prepared(Threshold::new().metric("norm").upper(1.0).warm_up(3.0).interval(2.0));
    assert_eq!(rule.objectives(), [], "a report may lack it");
    assert_eq!(hear(&mut *rule, 0, 3, 99.0).decision, Continue);
    let judged = |time: &u64| rule.on_report(trial(1), &report(trial(1), *time, "norm", 2.0), &Nobody).decision == Stop;
    assert_eq!((1..9).filter(judged).collect::<Vec<u64>>(), [3, 5, 7]);
}

#[test]
fn patience_runs_out_after_that_many_reports_without_a_better_one() {
    let mut patient = prepared(Patient::new(2));
    let losses = [5.0, 4.0, 3.0, 4.0, 3.5, 4.0, 2.0];
    assert_eq!(decide(&mut *patient, 0, &losses), [Continue, Continue, Continue, Continue, Continue, Stop, Continue]);
    let mut patient = prepared(Patient::new(2));
    decide(&mut *patient, 0, &losses[..5]);
    let words = "the best of its last 3 reports, 3.5, is worse than 3 before them";
    assert_eq!(hear(&mut *patient, 0, 6, 4.0).reason.as_deref(), Some(words));
    let mut lenient = prepared(Patient::new(2).min_delta(0.5));
    assert_eq!(decide(&mut *lenient, 0, &losses), [Continue; 7]);
    assert_eq!(decide(&mut *lenient, 1, &[f64::NAN; 4]), [Continue, Continue, Continue, Stop]);
    assert_eq!(decide(&mut *lenient, 2, &[f64::NAN, f64::NAN, f64::NAN, 9.0]), [Continue; 4]);
}

#[test]
fn patience_passes_the_stops_of_another_over() {
    let inside = || Percentile::new().percentile(50.0).startup_trials(1);
    let (mut alone, mut patient) = (prepared(inside()), prepared(Patient::new(1).of(inside())));
    let losses = [5.0, 4.0, 3.0, 3.5, 3.5];
    for scheduler in [&mut alone, &mut patient] {
        complete(&mut **scheduler, 0, &[1.0; 5], Ending::Done);
    }
    assert_eq!(decide(&mut *alone, 1, &losses), [Stop; 5]);
    assert_eq!(decide(&mut *patient, 1, &losses), [Continue, Continue, Continue, Continue, Stop]);
    let reason = hear(&mut *patient, 1, 6, 9.0).reason;
    assert_eq!(reason, None, "nobody was at step 6");
    // A pause isn't a stop.
    let mut patient = prepared(Patient::new(1).of(Asha::new().form(AshaForm::Promotion)));
    assert_eq!(decide(&mut *patient, 0, &[1.0]), [Pause]);
    assert_eq!(patient.buffering(), Buffering::Refused);
}

#[test]
fn patience_hands_its_objective_on() {
    let mut patient = Patient::new(1).of(MedianStopping::new()).objective(Objective::max("score"));
    patient.prepare(None).expect("the scheduler inside has it too");
    assert_eq!(patient.objectives(), [Objective::max("score")]);
    let mut patient = Patient::new(1).of(Asha::new().objective(Objective::max("score")));
    let error = patient.prepare(Some(&Objective::min("loss"))).expect_err("there are two");
    assert!(matches!(error, ScheduleError::TwoObjectives { scheduler: "Asha", .. }), "{error}");
}

#[test]
fn wilcoxon_stops_who_is_worse_step_by_step() {
    let mut test = prepared(Wilcoxon::new());
    let best = [3.0, 7.0, 1.0, 9.0, 4.0, 6.0];
    complete(&mut *test, 0, &best.map(|loss| loss + 2.0), Ending::Done);
    complete(&mut *test, 1, &best, Ending::StopRule);
    complete(&mut *test, 2, &best.map(|loss| loss - 9.0), Ending::Client);
    // Of 3 and of 4 differences of one sign, 1/8 and 1/16 are the probabilities.
    let worse: Vec<f64> = best.iter().zip([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).map(|(loss, more)| loss + more).collect();
    assert_eq!(decide(&mut *test, 3, &worse), [Continue, Continue, Continue, Stop, Stop, Stop]);
    let mut words = prepared(Wilcoxon::new().p_threshold(0.3));
    complete(&mut *words, 0, &[1.0, 1.0], Ending::Done);
    hear(&mut *words, 1, 1, 1.1);
    let found = hear(&mut *words, 1, 2, 1.2).reason;
    let expected = "training_iteration 2: over 2 steps it is worse than the best trial so far (p 0.25, below 0.3)";
    assert_eq!(found.as_deref(), Some(expected));
}

#[test]
fn wilcoxon_judges_nobody_without_numbers_or_steps_in_common() {
    let mut test = prepared(Wilcoxon::new().p_threshold(0.9));
    complete(&mut *test, 0, &[1.0, 1.0, 1.0], Ending::Done);
    assert_eq!(decide(&mut *test, 1, &[f64::NAN, 9.0, 9.0]), [Continue; 3]);
    assert_eq!(decide(&mut *test, 2, &[f64::INFINITY, 9.0, 9.0]), [Continue; 3]);
    assert_eq!([4, 5, 6].map(|time| hear(&mut *test, 3, time, 9.0).decision), [Continue; 3]);
    complete(&mut *test, 4, &[f64::NAN, 0.0], Ending::Done);
    assert_eq!(decide(&mut *test, 5, &[9.0, 9.0]), [Continue; 2], "the best one has reported NaN");
}

#[test]
fn settings_are_checked() {
    fn refused(mut scheduler: impl Scheduler) -> &'static str {
        match scheduler.prepare(Some(&Objective::min("loss"))) {
            Err(ScheduleError::Setting { setting, .. }) => setting,
            other => panic!("{other:?}"),
        }
    }
    for percentile in [-1.0, 100.1, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(Percentile::new().percentile(percentile)), "percentile");
    }
    assert_eq!(refused(Percentile::new().min_trials(0)), "min_trials");
    assert_eq!(refused(Percentile::new().warm_up(-1.0)), "warm_up");
    assert_eq!(refused(Percentile::new().interval(0.0)), "interval");
    assert_eq!(refused(Percentile::new().time_attr("")), "time_attr");
    assert_eq!(refused(Threshold::new()), "upper");
    assert_eq!(refused(Threshold::new().upper(f64::NAN)), "upper");
    assert_eq!(refused(Threshold::new().lower(f64::NAN).upper(1.0)), "lower");
    assert_eq!(refused(Threshold::new().lower(2.0).upper(1.0)), "lower");
    assert_eq!(refused(Threshold::new().upper(1.0).metric("")), "metric");
    assert_eq!(refused(Threshold::new().upper(1.0).interval(f64::NAN)), "interval");
    assert_eq!(refused(Wilcoxon::new().p_threshold(1.5)), "p_threshold");
    assert_eq!(refused(Wilcoxon::new().time_attr("")), "time_attr");
    assert_eq!(refused(Patient::new(1).min_delta(f64::INFINITY)), "min_delta");
    assert_eq!(refused(Patient::new(1).of(Asha::new().max_t(0))), "max_t");
    assert!(matches!(Wilcoxon::new().prepare(None), Err(ScheduleError::NoObjective { .. })));
    assert!(matches!(Threshold::new().upper(1.0).prepare(None), Err(ScheduleError::NoObjective { .. })));
}
