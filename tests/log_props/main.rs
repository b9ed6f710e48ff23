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

/// A life of everything that a writer does, with two compactions.
fn full_life(dies_after: Option<u64>, death: Death, seed: u64) -> Life {
    let round =
        [Act::Push(3), Act::Write, Act::Sync, Act::Push(2), Act::Rotate, Act::Compact, Act::Push(2), Act::Write];
    Life { acts: [round, round].concat(), spells: Vec::new(), dies_after, death, seed }
}

/// More operations than such a life has.
const ENOUGH: u64 = 48;

#[test]
fn dying_twice_at_any_two_operations_loses_nothing() {
    for first in 0..ENOUGH {
        for second in 0..ENOUGH {
            for (seed, death) in [(0, Death::Process), (1, Death::Process), (2, Death::Machine), (3, Death::Machine)] {
                let seed = seed ^ (first << 16) ^ (second << 32);
                let lives = [
                    full_life(None, Death::Process, 0),
                    full_life(Some(first), death, seed),
                    full_life(Some(second), Death::Machine, seed),
                ];
                if let Err(panic) = std::panic::catch_unwind(|| live(&lives)) {
                    eprintln!("{death:?} at operation {first}, then of the machine at {second}; seed {seed}");
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}

#[test]
fn one_failure_at_any_operation_stops_nothing() {
    for fault in [Fault::Full, Fault::Broken, Fault::Forgets, Fault::Remembers, Fault::Names, Fault::Ragged] {
        for after in 0..ENOUGH {
            for length in [1, 2, 5] {
                let mut lives = [full_life(None, Death::Process, after), full_life(None, Death::Machine, after)];
                lives[1].spells = vec![Spell { after, length, fault }];
                live(&lives);
            }
        }
    }
}
