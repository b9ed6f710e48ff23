//! The kinds of record.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::facts::TrialFacts;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::RunId;
use crate::logic::time::Moment;

/// The format of the records that this version writes. A reader refuses a greater one.
pub(super) const FORMAT: u32 = 1;

/// A session begins: a run is started or resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The version of the records' format.
    pub format: u32,
    /// Which session of the run, from 1.
    pub session: u32,
    /// The experiment's name.
    pub name: String,
    /// The run, which all its sessions share.
    pub run: RunId,
    /// The name of the trainable.
    pub trainable: String,
    /// When, in seconds since 1970.
    pub wall_clock: f64,
    /// The process that runs it.
    pub pid: u32,
    /// The settings, those of parts in the parts' own form.
    pub settings: Map<String, Value>,
}

impl Opened {
    /// The first session of a run.
    pub fn new(name: impl Into<String>, run: RunId, trainable: impl Into<String>) -> Self {
        Self {
            format: FORMAT,
            session: 1,
            name: name.into(),
            run,
            trainable: trainable.into(),
            wall_clock: 0.0,
            pid: 0,
            settings: Map::new(),
        }
    }
}

/// The states of the parts that decide, all of the same moment. None: the part keeps no state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartStates {
    /// The searcher's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searcher: Option<Value>,
    /// The scheduler's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Value>,
    /// The stop rules'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Value>,
}

/// What holds for the run as a whole, in one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// How far its clock has come.
    pub now: Moment,
    /// Workers were numbered up to here, exclusive: no number is used twice.
    pub workers: u64,
    /// Leases were numbered up to here, exclusive.
    pub leases: u64,
    /// How many trials may run at once, if a client has said so; 0: as many as the resources allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<u32>,
}

impl RunFacts {
    /// Takes in one more event.
    pub fn follow(&mut self, event: &ExperimentEvent) {
        self.now = self.now.max(event.at);
        match &event.kind {
            EventKind::Launched { worker, lease, .. } => {
                self.workers = self.workers.max(worker.number() + 1);
                self.leases = self.leases.max(lease.number() + 1);
            }
            EventKind::Limited { concurrency } => self.limited = Some(concurrency.map_or(0, NonZeroU32::get)),
            _ => {}
        }
    }

    /// Takes in what an earlier record said.
    pub fn join(&mut self, other: RunFacts) {
        self.now = self.now.max(other.now);
        self.workers = self.workers.max(other.workers);
        self.leases = self.leases.max(other.leases);
        self.limited = other.limited.or(self.limited);
    }
}

/// What is handed to the writer.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A session begins.
    Opened(Arc<Opened>),
    /// What one step of the engine brought.
    Step(Arc<[ExperimentEvent]>),
    /// A place that an observer's state can be told to belong to.
    Mark(u64),
    /// The state of an observer.
    Observer(ObserverState),
    /// A new file begins: nothing follows from records before it.
    Fresh,
}

/// The state of an observer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObserverState {
    /// Its name.
    pub name: String,
    /// It had been told everything before this mark.
    pub mark: u64,
    /// Its state.
    pub state: Value,
}

/// One record. It is whole or not there at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A session begins.
    Opened(Opened),
    /// What one step of the engine brought.
    Step(Vec<ExperimentEvent>),
    /// A place that an observer's state can be told to belong to.
    Mark(u64),
    /// The state of an observer.
    Observer(ObserverState),
    /// A new file begins: nothing follows from records before it.
    Fresh,
    /// What holds for the run as a whole.
    Run(RunFacts),
    /// The states of the parts at the end of the snapshot that this record begins.
    Parts(PartStates),
    /// What is known of a trial, in place of the events that said it.
    Facts(Box<TrialFacts>),
}
