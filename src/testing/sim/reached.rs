//! What simulated runs reached: which transitions, events, orders, waits and kinds of failure, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Write};

use crate::logic::decision::Decision;
use crate::logic::event::EventKind;
use crate::logic::trial::{
    Event, Handled, Keep, Origin, Phase, State, TrialInput, TrialNews, TrialOrder, TrialOutput, Verdict, WorkerFact,
    reachable_states, transition,
};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Steps of a trial's machine: the state, and what came.
    Transition,
    /// What a trial said to its worker and to the pool.
    Effect,
    /// What happened.
    Event,
    /// How trials came to their ends.
    Ending,
    /// How runs came to their ends.
    Outcome,
    /// Why trials weren't running.
    Wait,
    /// How attempts failed.
    Failure,
    /// Schedulers, searchers and stop rules that took part.
    Part,
    /// Kinds of trouble that runs had.
    Trouble,
}

/// How often each thing was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    counts: BTreeMap<Topic, BTreeMap<String, u64>>,
    steps: BTreeMap<(State, usize), u64>,
    /// Room for a name.
    name: String,
}

impl Reached {
    /// How often each thing was reached, by topic and name.
    pub fn counts(&self) -> BTreeMap<(Topic, String), u64> {
        let steps = self.steps.iter().filter_map(|((state, event), count)| {
            let event = Event::ALL.get(*event)?;
            Some(((Topic::Transition, step_name(*state, *event)), *count))
        });
        let named = self
            .counts
            .iter()
            .flat_map(|(topic, names)| names.iter().map(|(name, count)| ((*topic, name.clone()), *count)));
        named.chain(steps).collect()
    }

    /// All that is known of the topics whose things are known, and was never reached.
    pub fn never(&self) -> BTreeSet<(Topic, String)> {
        let counts = self.counts();
        let steps = all_steps().into_iter().map(|name| (Topic::Transition, name));
        let named = |topic, names: &'static [&'static str]| names.iter().map(move |name| (topic, (*name).to_owned()));
        steps
            .chain(named(Topic::Effect, EFFECTS))
            .chain(named(Topic::Event, EVENTS))
            .chain(named(Topic::Ending, ENDINGS))
            .chain(named(Topic::Outcome, OUTCOMES))
            .chain(named(Topic::Wait, WAITS))
            .chain(named(Topic::Failure, FAILURES))
            .filter(|key| !counts.contains_key(key))
            .collect()
    }

    /// Adds what another run reached.
    pub fn add(&mut self, other: &Reached) {
        for (topic, names) in &other.counts {
            for (name, count) in names {
                self.add_named(*topic, name, *count);
            }
        }
        for (key, count) in &other.steps {
            *self.steps.entry(*key).or_default() += count;
        }
    }

    /// Counts one more of these.
    pub(crate) fn count(&mut self, topic: Topic, what: &dyn Debug) {
        let mut name = FirstWord(std::mem::take(&mut self.name));
        name.0.clear();
        // It ends with an error on purpose: the first word is all that is wanted.
        let _ = write!(name, "{what:?}");
        self.add_named(topic, &name.0, 1);
        self.name = name.0;
    }

    /// Counts so many more of this name.
    pub(crate) fn add_named(&mut self, topic: Topic, name: &str, more: u64) {
        let names = self.counts.entry(topic).or_default();
        match names.get_mut(name) {
            Some(count) => *count += more,
            None => drop(names.insert(name.to_owned(), more)),
        }
    }

    pub(super) fn event(&mut self, kind: &EventKind) {
        self.count(Topic::Event, kind);
        if let EventKind::Ended { ending, .. } = kind {
            self.count(Topic::Ending, ending);
        }
        if let EventKind::Failed { failure, .. } = kind {
            self.count(Topic::Failure, &failure.fault.kind);
        }
    }

    /// A step of a trial's machine. `goes_on`: its worker still had it.
    pub(super) fn step(
        &mut self,
        (from, goes_on): (State, bool),
        input: &TrialInput,
        to: State,
        handled: &Handled,
        out: &[TrialOutput],
    ) {
        for said in out {
            match said {
                TrialOutput::Pool(order) => self.count(Topic::Effect, order),
                TrialOutput::Worker(_, order) => self.count(Topic::Effect, order),
                TrialOutput::Engine(_) => {}
            }
        }
        let event = event_of(input, goes_on, to, out).filter(|_| *handled == Handled::Done);
        let index = event.and_then(|event| Event::ALL.iter().position(|known| *known == event));
        if let Some(index) = index {
            *self.steps.entry((from, index)).or_default() += 1;
        }
    }
}

/// The first word of what is written.
struct FirstWord(String);

impl Write for FirstWord {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|letter: char| !letter.is_alphanumeric());
        self.0.push_str(text.get(..end.unwrap_or(text.len())).unwrap_or_default());
        if end.is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

fn step_name(state: State, event: Event) -> String {
    format!("{state} {event}")
}

/// All steps that lead somewhere.
fn all_steps() -> Vec<String> {
    let pairs = reachable_states().into_iter().flat_map(|state| Event::ALL.map(|event| (state, event)));
    let moves = |(state, event): &(State, Event)| match transition(*state, *event) {
        Ok((to, effect)) => to != *state || effect.is_some(),
        Err(_) => false,
    };
    pairs.filter(moves).map(|(state, event)| step_name(state, event)).collect()
}

/// The event that an input was to the trial's machine, by what came of it.
fn event_of(input: &TrialInput, goes_on: bool, to: State, out: &[TrialOutput]) -> Option<Event> {
    let failed = out.iter().find_map(|said| match said {
        TrialOutput::Engine(fact) => match &fact.news {
            TrialNews::Failed { .. } if to == State::Error => Some(Verdict::GiveUp),
            TrialNews::Failed { .. } => Some(Verdict::Retry),
            _ => None,
        },
        TrialOutput::Pool(_) | TrialOutput::Worker(..) => None,
    });
    if let Some(verdict) = failed {
        return Some(Event::Failed(verdict));
    }
    match input {
        TrialInput::Order(TrialOrder::Launch { .. }) => Some(Event::Launch),
        TrialInput::Order(TrialOrder::Pause) => Some(Event::Pause),
        TrialInput::Order(TrialOrder::Stop) => Some(Event::Stop),
        TrialInput::Order(TrialOrder::Decide { decision, .. }) => Some(Event::Decide(*decision, kept(to))),
        TrialInput::Worker(_, WorkerFact::Ready) if goes_on => Some(Event::Ready(Origin::Kept)),
        TrialInput::Worker(_, WorkerFact::Ready) => Some(Event::Ready(origin(to))),
        TrialInput::Worker(_, WorkerFact::Restored) => Some(Event::Restored),
        TrialInput::Worker(_, WorkerFact::Reported(_)) => Some(Event::Reported),
        TrialInput::Worker(_, WorkerFact::Saved(_)) => Some(Event::Saved),
        TrialInput::Order(_) | TrialInput::Worker(..) | TrialInput::Pool(_) => None,
    }
}

fn kept(to: State) -> Keep {
    match to {
        State::Running { phase: Phase::Saving, .. } => Keep::Checkpoint,
        _ => Keep::Nothing,
    }
}

fn origin(to: State) -> Origin {
    if to == State::running(Phase::Restoring, Decision::Continue) { Origin::Checkpoint } else { Origin::Fresh }
}

const EFFECTS: &[&str] =
    &["Acquire", "Cancel", "Replace", "Release", "Discard", "Start", "GoOn", "Restore", "Train", "Save", "Yield"];

const EVENTS: &[&str] = &[
    "Started",
    "Added",
    "Returned",
    "Revived",
    "Chosen",
    "Status",
    "Launched",
    "Restored",
    "Reported",
    "Saved",
    "Unsaved",
    "Deleted",
    "SaveRequested",
    "Queued",
    "ExploitOrdered",
    "ExploitDropped",
    "Paused",
    "Resumed",
    "Exploited",
    "Resized",
    "Stopping",
    "Prioritised",
    "Limited",
    "SpaceChanged",
    "SettingChanged",
    "Held",
    "Proceeded",
    "Withdrawn",
    "Failed",
    "Ended",
    "Warning",
    "Closing",
    "Finished",
];

const ENDINGS: &[&str] = &["Done", "StopRule", "Scheduler", "Client", "Experiment", "Error", "Restarted", "Withdrawn"];

const OUTCOMES: &[&str] = &["Completed", "Stopped", "Drained", "Failed"];

const WAITS: &[&str] = &[
    "Not",
    "ForTurn",
    "ForResources",
    "ForWorker",
    "OnHold",
    "BackingOff",
    "ForScheduler",
    "ForDonor",
    "ForClient",
    "ForResume",
    "ForSave",
];

const FAILURES: &[&str] = &[
    "UserError",
    "Panic",
    "Timeout",
    "WorkerLost",
    "Exited",
    "Signalled",
    "Protocol",
    "HeartbeatLost",
    "Preempted",
    "OutOfMemory",
    "RestoreFailed",
    "SetupFailed",
    "SaveFailed",
];
