//! Asynchronous successive halving: properties, and a model that sorts.

mod common;

use std::collections::BTreeMap;

use common::{report, trial};
use proptest::prelude::*;
use tryout::logic::decision::Decision::{self, Continue, Stop};
use tryout::logic::decision::Verdict;
use tryout::logic::ids::{RunId, TrialId};
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::schedule::{Asha, Scheduler};
use tryout::testing::Nobody;

fn prepared(asha: Asha, mode: Mode) -> Asha {
    let mut asha = asha;
    asha.prepare(Some(&Objective { metric: "score".to_owned(), mode })).expect("valid settings");
    asha
}

fn tell(asha: &mut Asha, trial: TrialId, time: u64, value: f64) -> Verdict {
    asha.on_report(trial, &report(trial, time, "score", value), &Nobody)
}

/// The rule as it is told, with sorting and scanning.
struct Model {
    factor: f64,
    max_t: u64,
    mode: Mode,
    rungs: Vec<(f64, BTreeMap<u32, f64>)>,
}

impl Model {
    fn new(max_t: u64, factor: u32, mode: Mode) -> Self {
        let mut time = 1;
        let mut rungs = Vec::new();
        while time <= max_t {
            rungs.insert(0, (time as f64, BTreeMap::new()));
            time *= u64::from(factor);
        }
        Self { factor: f64::from(factor), max_t, mode, rungs }
    }

    fn percentile(values: &BTreeMap<u32, f64>, percent: f64) -> Option<f64> {
        let mut sorted: Vec<f64> = values.values().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let exact = (sorted.len().checked_sub(1)?) as f64 * (percent / 100.0);
        let (low, t) = (sorted[exact as usize], exact - exact.floor());
        let high = *sorted.get(exact as usize + 1).unwrap_or(&low);
        Some(if t < 0.5 { low + (high - low) * t } else { high - (high - low) * (1.0 - t) })
    }

    fn decide(&mut self, number: u32, time: u64, value: f64) -> Decision {
        if time >= self.max_t {
            return Stop;
        }
        let score = if self.mode == Mode::Min { -value } else { value };
        for (milestone, recorded) in &mut self.rungs {
            if (time as f64) < *milestone {
                continue;
            }
            if recorded.contains_key(&number) {
                return Continue;
            }
            let cut_off = Self::percentile(recorded, (1.0 - 1.0 / self.factor) * 100.0);
            recorded.insert(number, score);
            return if cut_off.is_some_and(|cut_off| score < cut_off) { Stop } else { Continue };
        }
        Continue
    }
}

/// Which trial reports how many iterations later with what value.
fn reports() -> impl Strategy<Value = Vec<(u32, u64, f64)>> {
    let value = prop_oneof![5 => -100.0..100.0_f64, 2 => (0..4_i32).prop_map(f64::from), 1 => Just(f64::NAN)];
    prop::collection::vec((0..30_u32, 1..6_u64, value), 1..300)
}

proptest! {
    #[test]
    fn decisions_equal_a_model_that_sorts(
        reports in reports(),
        factor in 2..6_u32,
        max_t in 1..60_u64,
        mode in prop_oneof![Just(Mode::Min), Just(Mode::Max)],
    ) {
        let mut asha = prepared(Asha::new().max_t(max_t).reduction_factor(f64::from(factor)), mode);
        let mut model = Model::new(max_t, factor, mode);
        let mut times = BTreeMap::new();
        for (index, (number, later, value)) in reports.into_iter().enumerate() {
            let time = times.entry(number).or_insert(0);
            *time += later;
            let found = tell(&mut asha, trial(number), *time, value).decision;
            prop_assert_eq!(found, model.decide(number, *time, value), "report {} of {}", index, number);
        }
    }

    #[test]
    fn decisions_do_not_depend_on_ids(reports in reports(), brackets in 1..4_u32, seed in 0..1000_u64, factor in 1..10_000_u32) {
        let mut plain = prepared(Asha::new().max_t(64).reduction_factor(2.0).brackets(brackets).seed(seed), Mode::Max);
        let mut renamed = plain.clone();
        let other = |number: u32| TrialId::new(RunId::new(77), number.wrapping_mul(2 * factor + 1));
        let mut times = BTreeMap::new();
        for (number, later, value) in reports {
            let time = times.entry(number).or_insert(0);
            *time += later;
            prop_assert_eq!(
                tell(&mut plain, trial(number), *time, value),
                tell(&mut renamed, other(number), *time, value)
            );
        }
    }
}
