//! Stop rules: joined rules equal the definitions of their joints.

mod common;

use common::{report, trial};
use proptest::prelude::*;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::Report;
use tryout::logic::stop::{self, StopReason, StopRule};

fn stops(rule: &mut impl StopRule, report: &Report) -> bool {
    rule.check(report.trial, report).is_some()
}

/// Ends a trial whenever its bit is set in the report.
struct Bit(u32);

impl StopRule for Bit {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        (report.iteration() >> self.0 & 1 == 1).then_some(StopReason::Borrowed("bit"))
    }
}

proptest! {
    #[test]
    fn all_and_any_equal_their_definitions(reports in prop::collection::vec((0..4_u32, 0..8_u64), 0..60)) {
        let mut all = stop::all([Bit(0), Bit(1), Bit(2)]);
        let mut any = stop::any([Bit(0), Bit(1), Bit(2)]);
        let mut seen = [0_u64; 4];
        for (number, bits) in reports {
            let report = report(trial(number), bits, "loss", 0.0);
            let said = &mut seen[number as usize];
            *said |= bits;
            prop_assert_eq!(stops(&mut any, &report), bits != 0);
            prop_assert_eq!(stops(&mut all, &report), *said == 7);
            if *said == 7 {
                all.forget(trial(number));
                *said = 0;
            }
        }
    }
}
