//! The log on a disk that is full, broken, forgetful, and dies: what was durable is there, and nothing that wasn't written.

mod disk;
mod rig;

use proptest::prelude::*;

use disk::{Death, Fault, Spell};
use rig::{Act, Life, live};

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1_u8..8).prop_map(Act::Push),
        3 => Just(Act::Write),
        3 => Just(Act::Sync),
        1 => Just(Act::Rotate),
        2 => Just(Act::Compact),
        1 => Just(Act::Look),
    ];
    prop::collection::vec(act, 0..40)
}

fn spell() -> impl Strategy<Value = Spell> {
    let fault = prop_oneof![
        Just(Fault::Full),
        Just(Fault::Broken),
        Just(Fault::Forgets),
        Just(Fault::Remembers),
        Just(Fault::Names),
        Just(Fault::Ragged),
    ];
    (0_u64..60, 1_u64..12, fault).prop_map(|(after, length, fault)| Spell { after, length, fault })
}

fn life() -> impl Strategy<Value = Life> {
    let death = prop_oneof![1 => Just(Death::Process), 2 => Just(Death::Machine)];
    let dies_after = prop::option::weighted(0.8, 0_u64..80);
    (acts(), prop::collection::vec(spell(), 0..3), dies_after, death, any::<u64>())
        .prop_map(|(acts, spells, dies_after, death, seed)| Life { acts, spells, dies_after, death, seed })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn what_was_durable_is_there_after_every_death(lives in prop::collection::vec(life(), 1..5)) {
        live(&lives);
    }
}
