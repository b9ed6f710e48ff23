//! Who has which name is nothing to any scheduler, and to those that compare with completed trials nobody else is
//! anything; and a report costs no more with many trials than with few.

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;

use common::roster::Roster;
use common::{report, trial};
use proptest::prelude::*;
use tryout::logic::config::Config;
use tryout::logic::decision::Decision;
use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Objective, Report};
use tryout::logic::schedule::{
    Asha, AshaForm, Cohort, HyperBand, MedianStopping, Patient, Percentile, Scheduler, Threshold, Wilcoxon,
};
use tryout::logic::trial::Status;
use tryout::testing::Nobody;

fn prepared(mut scheduler: impl Scheduler + 'static) -> Box<dyn Scheduler> {
    scheduler.prepare(Some(&Objective::max("score"))).expect("valid settings");
    Box::new(scheduler)
}

const ALL: usize = 8;

fn made(which: usize) -> Box<dyn Scheduler> {
    let asha = || Asha::new().max_t(9).reduction_factor(3.0);
    match which {
        0 => prepared(asha().brackets(2)),
        1 => prepared(asha().form(AshaForm::Promotion)),
        2 => prepared(HyperBand::new().max_t(9)),
        3 => prepared(HyperBand::for_bohb().max_t(9)),
        4 => prepared(MedianStopping::new().time_attr("training_iteration").grace_period(1.0)),
        5 => prepared(Percentile::new().percentile(50.0).startup_trials(2)),
        6 => prepared(Wilcoxon::new().p_threshold(0.3)),
        _ => prepared(Patient::new(1).of(Percentile::new().startup_trials(1))),
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![6 => -9.0..9.0_f64, 3 => (-2..3_i32).prop_map(f64::from), 1 => Just(f64::NAN)]
}

/// A run in which trial `number` goes by the name that `name` gives it: who was launched, and how trials ended.
fn run(which: usize, name: impl Fn(u32) -> TrialId, workers: usize, happen: &[(usize, f64, u32)]) -> Vec<String> {
    let (mut scheduler, mut roster) = (made(which), Roster::default());
    let number = |id: TrialId| (0..40).find(|number| name(*number) == id);
    let (mut said, mut times) = (Vec::new(), BTreeMap::new());
    for (added, (chosen, value, kind)) in (0..).zip(happen) {
        if added < 40 {
            roster.add(name(added));
            scheduler.on_add(name(added), &Config::new());
        }
        while roster.with(Status::Running).len() < workers {
            let Some(id) = roster.launch(&mut *scheduler) else { break };
            said.push(format!("{:?} runs", number(id)));
        }
        let running = roster.with(Status::Running);
        let Some(id) = running.get(chosen % running.len().max(1)).copied() else { continue };
        let time = times.entry(id).and_modify(|time| *time += 1).or_insert(1_u64);
        let ended = match kind {
            0 => roster.end(&mut *scheduler, id, Ending::Done),
            1 => roster.end(&mut *scheduler, id, Ending::Error),
            _ => {
                let (verdict, ended) = roster.report(&mut *scheduler, report(id, *time, "score", *value));
                said.push(format!("{:?}: {:?} {:?}", number(id), verdict.decision, verdict.reason));
                ended
            }
        };
        said.push(format!("{:?} ended", ended.into_iter().map(number).collect::<Vec<_>>()));
    }
    said
}

proptest! {
    #[test]
    fn names_are_nothing(
        which in 0..ALL,
        workers in 1..6_usize,
        happen in prop::collection::vec((0..1000_usize, value(), 0..20_u32), 1..200),
        factor in 1..10_000_u32,
    ) {
        // Multiplying by an odd number gives everybody another name, in another order.
        let other = |number: u32| TrialId::new(RunId::new(77), number.wrapping_mul(2 * factor + 1) ^ 0x5555);
        prop_assert_eq!(run(which, trial, workers, &happen), run(which, other, workers, &happen));
    }

    #[test]
    fn those_who_never_complete_are_nothing_to_the_others(
        which in 5..ALL,
        reports in prop::collection::vec((0..6_u32, value(), 0..8_u32, any::<bool>()), 1..200),
    ) {
        let (mut alone, mut crowded) = (made(which), made(which));
        let mut times: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, value, kind, crowd) in reports {
            let time = times.entry(number).and_modify(|time| *time += 1).or_insert(1);
            let last = report(trial(number), *time, "score", value);
            if crowd {
                let stranger = trial(100 + number);
                crowded.on_report(stranger, &report(stranger, *time, "score", -value), &Nobody);
                if kind == 1 {
                    crowded.on_end(stranger, Ending::Scheduler, None, &Nobody);
                }
            }
            let hear = |scheduler: &mut dyn Scheduler| scheduler.on_report(trial(number), &last, &Nobody);
            prop_assert_eq!(hear(&mut *alone), hear(&mut *crowded));
            if kind == 0 {
                times.remove(&number);
                alone.on_end(trial(number), Ending::Done, Some(&last), &Nobody);
                crowded.on_end(trial(number), Ending::Done, Some(&last), &Nobody);
            }
        }
    }
}

/// Counts how often it is asked.
#[derive(Default)]
struct Asked(Cell<u64>);

impl Asked {
    fn count(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Cohort for Asked {
    fn status(&self, _: TrialId) -> Option<Status> {
        self.count();
        Some(Status::Paused)
    }
    fn last_report(&self, _: TrialId) -> Option<&Report> {
        self.count();
        None
    }
    fn count(&self, _: Status) -> usize {
        self.count();
        1
    }
    fn first_pending(&self) -> Option<TrialId> {
        self.count();
        None
    }
    fn first_paused(&self) -> Option<TrialId> {
        self.count();
        None
    }
    fn can_launch(&self, _: TrialId) -> bool {
        self.count();
        true
    }
}

#[test]
fn the_others_are_not_asked_after_one_by_one() {
    for which in 0..ALL {
        let (mut scheduler, asked) = (made(which), Asked::default());
        let mut most = 0;
        for number in 0..2000 {
            scheduler.on_add(trial(number), &Config::new());
            for time in 1..3 {
                let before = asked.0.get();
                let report = report(trial(number), time, "score", f64::from(number * 7919 % 1009));
                let verdict = scheduler.on_report(trial(number), &report, &asked);
                if verdict.decision != Decision::Continue {
                    scheduler.choose(&asked);
                }
                most = most.max(asked.0.get() - before);
            }
        }
        assert!(most <= 12, "scheduler {which} asked {most} times");
    }
}

#[test]
fn a_threshold_is_the_same_for_everybody() {
    let mut rule = prepared(Threshold::new().lower(0.0));
    for number in 0..9 {
        let stops = rule.on_report(trial(number), &report(trial(number), 1, "score", f64::from(number) - 4.5), &Nobody);
        assert_eq!(stops.decision == Decision::Stop, number < 5);
    }
}
