//! The states and settings of parts: what is taken up changes no answer, new settings win, and what can't be is refused.

#[path = "../common/mod.rs"]
mod common;

mod refused;
mod schedulers;
mod searchers;
mod specs;
mod stop_rules;

use proptest::prelude::*;

/// Any number, those that JSON doesn't have included.
fn value() -> impl Strategy<Value = f64> {
    let strange = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(f64::MAX)];
    prop_oneof![4 => -9.0..9.0_f64, 3 => (-2..3_i32).prop_map(f64::from), 2 => strange]
}

proptest! {
    #[test]
    fn a_number_keeps_its_last_bit(bits in prop_oneof![any::<u64>(), value().prop_map(f64::to_bits)]) {
        let number = f64::from_bits(bits);
        let text = serde_json::to_string(&tryout::logic::state::Float(number)).expect("it can be written");
        let read: tryout::logic::state::Float = serde_json::from_str(&text).expect("it can be read");
        prop_assert!(read.0.to_bits() == bits || (read.0.is_nan() && number.is_nan()), "{} became {}", number, read.0);
    }
}
