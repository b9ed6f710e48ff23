//! `docs/trial-states.md` is printed from the transition function; this test fails when it is stale.

use std::collections::BTreeSet;

use tryout::logic::trial::Status::{Error, Paused, Pending, Running, Terminated};
use tryout::logic::trial::{Event, public_edges, reachable_states, transition, transition_table};

#[test]
fn the_document_is_the_function() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/trial-states.md");
    let table = transition_table();
    if std::env::var_os("TRYOUT_WRITE").is_some() {
        std::fs::write(path, &table).expect("the document can be written");
    }
    let document = std::fs::read_to_string(path).unwrap_or_default();
    assert!(document == table, "docs/trial-states.md is stale: run TRYOUT_WRITE=1 cargo test --test transition_table");
}

#[test]
fn all_221_pairs_are_answered() {
    let states = reachable_states();
    let (mut steps, mut harmless, mut refused) = (0, 0, 0);
    for state in &states {
        for event in Event::ALL {
            match transition(*state, event) {
                Ok((to, None)) if to == *state => harmless += 1,
                Ok(_) => steps += 1,
                Err(refusal) => {
                    assert_eq!((refusal.state, refusal.event), (*state, event));
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((states.len(), steps, harmless, refused), (13, 57, 10, 154));
}

#[test]
fn the_public_words_change_along_ten_edges() {
    let expected = BTreeSet::from([
        (Pending, Running),
        (Pending, Paused),
        (Pending, Terminated),
        (Pending, Error),
        (Running, Pending),
        (Running, Paused),
        (Running, Terminated),
        (Running, Error),
        (Paused, Pending),
        (Paused, Terminated),
    ]);
    assert_eq!(public_edges(), expected);
}
