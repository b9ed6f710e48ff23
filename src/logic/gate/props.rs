//! The gate under a journal that is slow, stalls, recovers and answers late, in any order.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{Rig, carried_out, fact, seconds, stalled, step, trial, warnings};
use super::*;

/// What the world does to the gate.
#[derive(Clone, Copy, Debug)]
enum Act {
    Step {
        events: usize,
    },
    Fact,
    /// So many of the syncs that were asked for are answered.
    Durable(usize),
    Written,
    Stall,
    Recover,
    End,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0_usize..4).prop_map(|events| Act::Step { events }),
        6 => Just(Act::Fact),
        3 => (1_usize..4).prop_map(Act::Durable),
        3 => Just(Act::Written),
        1 => Just(Act::Stall),
        2 => Just(Act::Recover),
        1 => (0_u32..20).prop_map(|chance| if chance == 0 { Act::End } else { Act::Written }),
    ]
}

/// The world around the gate, and what it has seen.
struct World {
    rig: Rig,
    ahead: Ahead,
    steps: u32,
    /// Steps with events: how many there were, and through which the journal has answered.
    numbered: u64,
    durable: u64,
    /// The number of each step.
    numbers: Vec<u64>,
    syncs: VecDeque<u64>,
    out: Vec<u32>,
    facts: u32,
    facts_out: Vec<u32>,
    stalls: bool,
    ending: bool,
    given_up: bool,
}

impl World {
    fn new(ahead: Ahead) -> Self {
        let (numbers, syncs, out, facts_out) = (Vec::new(), VecDeque::new(), Vec::new(), Vec::new());
        let (stalls, ending, given_up) = (false, false, false);
        let rig = Rig::new(ahead, 8);
        Self {
            rig,
            ahead,
            steps: 0,
            numbered: 0,
            durable: 0,
            numbers,
            syncs,
            out,
            facts: 0,
            facts_out,
            stalls,
            ending,
            given_up,
        }
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        let input = match act {
            Act::Step { events } => {
                self.numbered += u64::from(events > 0);
                self.numbers.push(self.numbered);
                self.steps += 1;
                GateInput::Step(step(self.steps - 1, events))
            }
            Act::Fact => {
                let held = self.rig.gate.held().is_some();
                let admitted = self.rig.gate.admit(trial(self.facts), fact());
                prop_assert!(!held || admitted.is_none(), "a fact passed a journal that holds");
                self.facts += 1;
                self.facts_out.extend(admitted.map(|(trial, _)| trial.number()));
                return self.take_facts();
            }
            Act::Durable(_) if self.stalls => return Ok(()),
            Act::Durable(many) => {
                let answered: Vec<u64> = self.syncs.drain(..many.min(self.syncs.len())).collect();
                self.rig.backlog.written = self.rig.backlog.handed;
                for through in answered {
                    self.durable = through;
                    self.hear(GateInput::Durable(through))?;
                }
                return Ok(());
            }
            Act::Written => {
                if !self.stalls {
                    self.rig.backlog.written = self.rig.backlog.handed;
                }
                return Ok(());
            }
            Act::Stall => {
                self.stalls = true;
                stalled()
            }
            Act::Recover => {
                self.stalls = false;
                GateInput::Journal(JournalNotice::Recovered)
            }
            Act::End => {
                self.ending = true;
                GateInput::Ending
            }
        };
        self.hear(input)
    }

    fn hear(&mut self, input: GateInput) -> Result<(), TestCaseError> {
        self.given_up |= self.ending && (self.stalls);
        let out = self.rig.on(input);
        warnings(&out);
        let mut written = 0;
        for output in &out {
            match output {
                GateOutput::Write(events) => written += events.len() as u64,
                GateOutput::Sync(through) => self.syncs.push_back(*through),
                _ => {}
            }
        }
        self.rig.backlog.handed += written;
        for number in carried_out(&out) {
            let awaits = self.numbers[number as usize];
            if self.ahead == Ahead::Forbidden && !self.given_up {
                prop_assert!(awaits <= self.durable, "step {number} went out before it was durable");
            }
            self.out.push(number);
        }
        prop_assert!(!self.given_up || self.rig.gate.held().is_none(), "it gave up and holds");
        let waits = self.ahead == Ahead::Forbidden && !self.given_up;
        prop_assert!(waits || self.out.len() == self.steps as usize, "nothing is held back without a reason");
        self.take_facts()
    }

    fn take_facts(&mut self) -> Result<(), TestCaseError> {
        while let Some((trial, _)) = self.rig.gate.next_fact() {
            prop_assert!(self.rig.gate.held().is_none());
            self.facts_out.push(trial.number());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn order_is_kept_and_nothing_is_lost(forbidden in any::<bool>(), script in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new(if forbidden { Ahead::Forbidden } else { Ahead::Allowed });
        for act in script {
            world.act(act)?;
        }
        // The trouble ends: everything comes out, in its order.
        world.act(Act::Recover)?;
        while !world.syncs.is_empty() {
            world.act(Act::Durable(1))?;
        }
        prop_assert_eq!(world.out, (0..world.steps).collect::<Vec<_>>());
        prop_assert_eq!(world.facts_out, (0..world.facts).collect::<Vec<_>>());
    }

    #[test]
    fn snapshots_are_paced(script in prop::collection::vec((0_u64..300, 0_u64..20), 1..60)) {
        let mut rig = Rig::new(Ahead::Allowed, 8);
        let (mut spent, mut now) = (Duration::ZERO, 0);
        for (wait, took) in script {
            now += wait;
            rig.now = seconds(now);
            for input in [GateInput::Tick, GateInput::Journal(JournalNotice::Grown)] {
                let Some(output) = rig.on(input).pop() else { continue };
                prop_assert!(matches!(output, GateOutput::Snapshot(_)));
                prop_assert!(spent * 20 <= rig.now.since_start(), "{spent:?} were spent after {now} s");
                spent += Duration::from_secs(took);
                rig.on(GateInput::SnapshotBegun { took: Duration::from_secs(took) });
            }
        }
    }
}
