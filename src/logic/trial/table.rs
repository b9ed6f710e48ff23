//! The transition table in words, printed from the function itself: `docs/trial-states.md` is this text.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::event::Event;
use super::state::{State, Status};
use super::transition::transition;

/// All states that can be reached from [`State::Queued`], in the order in which they are found.
pub fn reachable_states() -> Vec<State> {
    let mut found = vec![State::Queued];
    let mut next = 0;
    while let Some(state) = found.get(next).copied() {
        for event in Event::ALL {
            if let Ok((to, _)) = transition(state, event)
                && !found.contains(&to)
            {
                found.push(to);
            }
        }
        next += 1;
    }
    found.sort();
    found
}

/// The whole machine as Markdown: a table of every reachable state and event, and the edges between the public words.
pub fn transition_table() -> String {
    let states = reachable_states();
    let mut text = String::from(
        "# The states of a trial\n\nGenerated from `transition` in `src/logic/trial/transition.rs` by \
         `TRYOUT_WRITE=1 cargo test --test transition_table`; a test fails when it is stale.\n\
         A cell says the next state and, in brackets, what is to be done. `.` = too late and harmless; empty = refused.\n\n",
    );
    text.push_str("| state |");
    for event in Event::ALL {
        let _ = write!(text, " {event} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(Event::ALL.len()));
    text.push('\n');
    let (mut steps, mut harmless, mut refused) = (0, 0, 0);
    for state in &states {
        let _ = write!(text, "| {state} |");
        for event in Event::ALL {
            match transition(*state, event) {
                Ok((to, None)) if to == *state => {
                    harmless += 1;
                    text.push_str(" . |");
                }
                Ok((to, effect)) => {
                    steps += 1;
                    let effect = effect.map(|effect| format!(" [{effect:?}]")).unwrap_or_default();
                    let _ = write!(text, " {to}{effect} |");
                }
                Err(_) => {
                    refused += 1;
                    text.push_str(" |");
                }
            }
        }
        text.push('\n');
    }
    let pairs = states.len() * Event::ALL.len();
    let _ = writeln!(
        text,
        "\n{} states, {} events, {pairs} pairs: {steps} steps, {harmless} harmless, {refused} refused.\n\n\
         ## The public words\n",
        states.len(),
        Event::ALL.len(),
    );
    for (from, to) in public_edges() {
        let _ = writeln!(text, "- {from} -> {to}");
    }
    text
}

/// The edges between the public words.
pub fn public_edges() -> BTreeSet<(Status, Status)> {
    let mut edges = BTreeSet::new();
    for state in reachable_states() {
        for event in Event::ALL {
            if let Ok((to, _)) = transition(state, event)
                && to.status() != state.status()
            {
                edges.insert((state.status(), to.status()));
            }
        }
    }
    edges
}
