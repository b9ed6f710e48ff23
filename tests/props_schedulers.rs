//! Schedulers: whatever happens, nobody is left waiting, and names don't matter.

mod common;

use std::collections::BTreeMap;

use common::roster::Roster;
use common::{report, trial};
use proptest::prelude::*;
use tryout::logic::config::Config;
use tryout::logic::decision::Decision::{self, Continue, Stop};
use tryout::logic::decision::Verdict;
use tryout::logic::event::Ending;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Metrics, Mode, Objective, Report};
use tryout::logic::schedule::{
    Asha, AshaForm, AtMaxT, Cohort, Fifo, Filling, HyperBand, MedianStopping, Patient, Percentile, Scheduler,
    Threshold, WhenBehind, Wilcoxon,
};
use tryout::logic::trial::Status;
use tryout::testing::Nobody;

/// Settings of either scheduler.
#[derive(Clone, Debug)]
enum Made {
    HyperBand { max_t: u64, factor: f64, at_max_t: AtMaxT, filling: Filling },
    Promotion { max_t: u64, factor: f64, at_max_t: AtMaxT, brackets: u32 },
    Percentile { percentile: f64, startup: u32, warm_up: u32 },
    Threshold { lower: f64, warm_up: u32 },
    Wilcoxon { p: f64, steps: u32 },
    Patient { patience: u32, startup: Option<u32> },
    Median { grace: u32, samples: u32, slice: u32, when_behind: WhenBehind },
}

impl Made {
    fn prepared(&self, mode: Mode) -> Box<dyn Scheduler> {
        let mut scheduler: Box<dyn Scheduler> = match *self {
            Made::HyperBand { max_t, factor, at_max_t, filling } => {
                let hyperband = HyperBand::new().max_t(max_t).reduction_factor(factor).at_max_t(at_max_t);
                Box::new(hyperband.filling(filling))
            }
            Made::Promotion { max_t, factor, at_max_t, brackets } => {
                let asha = Asha::new().max_t(max_t).reduction_factor(factor).at_max_t(at_max_t);
                Box::new(asha.brackets(brackets).form(AshaForm::Promotion))
            }
            Made::Percentile { percentile, startup, warm_up } => {
                let rule = Percentile::new().percentile(percentile).startup_trials(startup);
                Box::new(rule.warm_up(warm_up.into()))
            }
            Made::Threshold { lower, warm_up } => Box::new(Threshold::new().lower(lower).warm_up(warm_up.into())),
            Made::Wilcoxon { p, steps } => Box::new(Wilcoxon::new().p_threshold(p).startup_steps(steps)),
            Made::Patient { patience, startup: None } => Box::new(Patient::new(patience)),
            Made::Patient { patience, startup: Some(startup) } => {
                Box::new(Patient::new(patience).of(Percentile::new().startup_trials(startup)))
            }
            Made::Median { grace, samples, slice, when_behind } => Box::new(
                MedianStopping::new()
                    .time_attr("training_iteration")
                    .grace_period(grace.into())
                    .min_samples(samples)
                    .min_time_slice(slice.into())
                    .when_behind(when_behind),
            ),
        };
        scheduler.prepare(Some(&Objective { metric: "score".to_owned(), mode })).expect("valid settings");
        scheduler
    }
}

fn made() -> impl Strategy<Value = Made> {
    let at_max_t = || prop_oneof![Just(AtMaxT::Stop), Just(AtMaxT::RunOn)];
    let factor = || prop_oneof![3 => (2..5_u32).prop_map(f64::from), 1 => 1.3..4.0_f64];
    let filling = prop_oneof![Just(Filling::SmallestFirst), Just(Filling::LargestFirst)];
    let when_behind = prop_oneof![Just(WhenBehind::Stop), Just(WhenBehind::PauseOnce)];
    prop_oneof![
        3 => (1..30_u64, factor(), at_max_t(), filling)
            .prop_map(|(max_t, factor, at_max_t, filling)| Made::HyperBand { max_t, factor, at_max_t, filling }),
        2 => (1..30_u64, factor(), at_max_t(), 1..4_u32)
            .prop_map(|(max_t, factor, at_max_t, brackets)| Made::Promotion { max_t, factor, at_max_t, brackets }),
        1 => (0.0..100.0_f64, 0..4_u32, 0..4_u32)
            .prop_map(|(percentile, startup, warm_up)| Made::Percentile { percentile, startup, warm_up }),
        1 => (-9.0..9.0_f64, 0..4_u32).prop_map(|(lower, warm_up)| Made::Threshold { lower, warm_up }),
        1 => (0.0..1.0_f64, 0..4_u32).prop_map(|(p, steps)| Made::Wilcoxon { p, steps }),
        1 => (0..4_u32, prop::option::of(0..4_u32)).prop_map(|(patience, startup)| Made::Patient { patience, startup }),
        2 => (0..6_u32, 1..5_u32, 0..4_u32, when_behind)
            .prop_map(|(grace, samples, slice, when_behind)| Made::Median { grace, samples, slice, when_behind }),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Min), Just(Mode::Max)]
}

fn value() -> impl Strategy<Value = f64> {
    let strange = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(f64::MAX)];
    prop_oneof![6 => -9.0..9.0_f64, 3 => (-2..3_i32).prop_map(f64::from), 1 => strange]
}

/// What happens to one of the running trials.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// It reports so many iterations later.
    Report(u64, f64),
    Done,
    Fails,
    /// It fails, goes back so many iterations and is pending again.
    IsTriedAgain(u64),
    /// A client pauses it and puts it back into the line; no scheduler hears of that.
    IsPutBack,
    /// A client ends any trial.
    AnyIsStopped,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        16 => (prop_oneof![5 => Just(1_u64), 1 => 2..9_u64], value()).prop_map(|(later, value)| Happening::Report(later, value)),
        1 => Just(Happening::Done),
        1 => Just(Happening::Fails),
        1 => (0..9_u64).prop_map(Happening::IsTriedAgain),
        1 => Just(Happening::IsPutBack),
        1 => Just(Happening::AnyIsStopped),
    ]
}

/// A run: a scheduler, its trials, and how far they are.
struct Sim {
    scheduler: Box<dyn Scheduler>,
    roster: Roster,
    times: BTreeMap<TrialId, u64>,
    longest: u64,
}

impl Sim {
    fn add(&mut self, number: u32) {
        self.roster.add(trial(number));
        self.scheduler.on_add(trial(number), &Config::new());
    }

    fn happen(&mut self, which: usize, happening: Happening) {
        let running = self.roster.with(Status::Running);
        let Some(&id) = running.get(which % running.len().max(1)) else { return };
        let scheduler = &mut *self.scheduler;
        let time = self.times.entry(id).or_insert(0);
        match happening {
            Happening::Report(later, value) => {
                *time += later;
                if *time >= self.longest {
                    self.roster.end(scheduler, id, Ending::StopRule);
                    return;
                }
                let report = report(id, *time, "score", value);
                self.roster.report(scheduler, report);
            }
            Happening::Done => drop(self.roster.end(scheduler, id, Ending::Done)),
            Happening::Fails => drop(self.roster.end(scheduler, id, Ending::Error)),
            Happening::IsTriedAgain(back) => {
                *time = time.saturating_sub(back);
                self.roster.retry(scheduler, id);
            }
            Happening::IsPutBack => self.roster.set(id, Status::Pending),
            Happening::AnyIsStopped => {
                let mut live = self.roster.with(Status::Paused);
                live.extend(self.roster.with(Status::Pending));
                live.extend(running);
                self.roster.end(scheduler, live[which % live.len()], Ending::Client);
            }
        }
    }

    fn launch(&mut self, most: usize) {
        while self.roster.count(Status::Running) < most && self.roster.launch(&mut *self.scheduler).is_some() {}
    }
}

proptest! {
    #[test]
    fn nobody_is_left_waiting(
        made in made(),
        mode in mode(),
        trials in 1..60_u32,
        at_first in 1..60_u32,
        most in 1..9_usize,
        events in prop::collection::vec((0..1000_usize, happening()), 0..400),
    ) {
        let (roster, times) = (Roster::default(), BTreeMap::new());
        let mut sim = Sim { scheduler: made.prepared(mode), roster, times, longest: 40 };
        (0..at_first.min(trials)).for_each(|number| sim.add(number));
        let mut added = at_first.min(trials);
        for (which, happening) in events {
            sim.launch(most);
            sim.happen(which, happening);
            if added < trials {
                sim.add(added);
                added += 1;
            }
        }
        (added..trials).for_each(|number| sim.add(number));
        // From now on everybody just reports; that must come to an end.
        for _ in 0..trials * 200 {
            sim.launch(most);
            let Some(id) = sim.roster.with(Status::Running).first().copied() else { break };
            let value = f64::from(id.number());
            sim.happen(0, Happening::Report(1, value));
        }
        for status in [Status::Pending, Status::Paused, Status::Running] {
            prop_assert_eq!(sim.roster.with(status), [], "{:?}", status);
        }
    }

    #[test]
    fn decisions_do_not_depend_on_ids(
        made in made(),
        mode in mode(),
        reports in prop::collection::vec((0..20_u32, 1..4_u64, value()), 1..200),
        factor in 1..10_000_u32,
    ) {
        let (mut plain, mut renamed) = (made.prepared(mode), made.prepared(mode));
        let other = |id: TrialId| TrialId::new(RunId::new(77), id.number().wrapping_mul(2 * factor + 1));
        let rename = |verdict: Verdict| {
            let text = format!("{verdict:?}");
            (0..20).rev().fold(text, |text, number| text.replace(&format!("{:?}", trial(number)), &format!("{:?}", other(trial(number)))))
        };
        let mut times = BTreeMap::new();
        for (number, later, value) in reports {
            let time = times.entry(number).or_insert(0);
            *time += later;
            let id = trial(number);
            let found = plain.on_report(id, &report(id, *time, "score", value), &Nobody);
            let renamed = renamed.on_report(other(id), &report(other(id), *time, "score", value), &Nobody);
            prop_assert_eq!(rename(found), format!("{renamed:?}"));
        }
    }

    #[test]
    fn nothing_that_is_reported_makes_them_panic(
        made in made(),
        mode in mode(),
        reports in prop::collection::vec((0..9_u32, 0..50_u64, value(), 0..8_u32), 1..200),
    ) {
        let mut scheduler = made.prepared(mode);
        for (number, time, value, kind) in reports {
            let id = trial(number);
            let report = match kind {
                0 => Report::empty(id),
                1 => report(id, time, "other", value),
                2 => Report { metrics: Metrics::from([("score", 1.0), ("training_iteration", value)]), ..Report::empty(id) },
                _ => report(id, time, "score", value),
            };
            match kind {
                3 => drop(scheduler.on_end(id, Ending::Done, Some(&report), &Nobody)),
                4 => drop(scheduler.on_end(id, Ending::Error, None, &Nobody)),
                5 => drop(scheduler.on_retry(id, &Nobody)),
                _ => {
                    let verdict = scheduler.on_report(id, &report, &Nobody);
                    prop_assert_eq!(verdict.decision == Continue, verdict.reason.is_none());
                }
            }
            prop_assert!(scheduler.choose(&Nobody).is_none());
        }
    }

    #[test]
    fn the_median_rule_equals_a_model_that_scans(
        reports in prop::collection::vec((0..12_u32, 1..4_u64, value(), 0..30_u32), 1..250),
        grace in 0..6_u32,
        samples in 1..4_u32,
    ) {
        let made = Made::Median { grace, samples, slice: 0, when_behind: WhenBehind::Stop };
        let mut median = made.prepared(Mode::Max);
        let mut model: BTreeMap<u32, Vec<(u64, f64)>> = BTreeMap::new();
        let mut gone = 0;
        for (number, later, value, kind) in reports {
            let id = trial(number);
            let own = model.entry(number).or_default();
            if kind == 0 {
                // It ends by its last report, which counts again, and a trial of the same number is a new one.
                let Some((time, value)) = own.last().copied() else { continue };
                median.on_end(id, Ending::Scheduler, Some(&report(id, time, "score", value)), &Nobody);
                own.push((time, value));
                let ended = model.remove(&number).unwrap_or_default();
                gone += 1;
                model.insert(1000 + gone, ended);
                continue;
            }
            let time = own.last().map_or(0, |(time, _)| *time) + later;
            own.push((time, value));
            let expected = scan(&model, number, time, u64::from(grace), samples);
            let verdict = median.on_report(id, &report(id, time, "score", value), &Nobody);
            prop_assert_eq!(verdict.decision, expected, "{} at {}: {:?}", number, time, verdict.reason);
        }
    }
}

/// The rule as it is told.
fn scan(model: &BTreeMap<u32, Vec<(u64, f64)>>, number: u32, time: u64, grace: u64, samples: u32) -> Decision {
    if time < grace {
        return Continue;
    }
    let others = model.iter().filter(|(other, own)| **other != number && own.last().is_some_and(|last| last.0 >= time));
    let mut means: Vec<f64> = others
        .map(|(_, own)| {
            let counted: Vec<f64> =
                own.iter().filter(|(at, _)| (grace..=time).contains(at)).map(|(_, value)| *value).collect();
            // As a running mean: of sums, the last bits differ.
            (1..).zip(&counted).fold(f64::NAN, |mean, (count, value)| {
                if count == 1 { *value } else { mean + (value - mean) / f64::from(count) }
            })
        })
        .filter(|mean| mean.is_finite())
        .collect();
    if means.len() < samples as usize {
        return Continue;
    }
    means.sort_by(f64::total_cmp);
    let median = means[(means.len() - 1) / 2].midpoint(means[means.len() / 2]);
    let best = model[&number].iter().map(|(_, value)| *value).fold(f64::NAN, f64::max);
    if best >= median { Continue } else { Stop }
}

/// Under `Fifo` whoever was paused goes on in the order of the list, not in that of the pauses, and after all who wait.
#[test]
fn fifo_takes_paused_trials_in_their_order() {
    let (mut roster, mut fifo) = (Roster::default(), Fifo);
    (0..4).for_each(|number| roster.add(trial(number)));
    let launched: Vec<_> = std::iter::from_fn(|| roster.launch(&mut fifo)).collect();
    assert_eq!(launched, [0, 1, 2, 3].map(trial));
    [2, 0, 3].into_iter().for_each(|number| roster.set(trial(number), Status::Paused));
    roster.add(trial(4));
    let launched: Vec<_> = std::iter::from_fn(|| roster.launch(&mut fifo)).collect();
    assert_eq!(launched, [4, 0, 2, 3].map(trial));
}
