//! The kinds of record.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format1::TrialFacts;
use crate::logic::engine::{RunRecord, StoredTrial};
use crate::logic::event::ExperimentEvent;
use crate::logic::ids::RunId;
use crate::logic::settings::{self, Settings};
use crate::logic::space::Space;

/// The format of the records that this version writes. A reader refuses a greater one.
pub(super) const FORMAT: u32 = 2;

/// A session begins: a run is started or resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "OpenedForm")]
pub struct Opened {
    /// The version of the records' format.
    pub format: u32,
    /// Which session of the run, from 1.
    pub session: u32,
    /// The run, which all its sessions share.
    pub run: RunId,
    /// The name of the trainable.
    pub trainable: String,
    /// When, in seconds since 1970.
    pub wall_clock: f64,
    /// The process that runs it.
    pub pid: u32,
    /// The settings that the program gave.
    pub settings: Arc<Settings>,
}

/// The form of [`Opened`], and that of format 1, in which the experiment's name stood outside of its settings.
#[derive(Deserialize)]
struct OpenedForm {
    format: u32,
    session: u32,
    name: Option<Arc<str>>,
    run: RunId,
    trainable: String,
    wall_clock: f64,
    pid: u32,
    #[serde(deserialize_with = "settings::stored")]
    settings: Settings,
}

impl From<OpenedForm> for Opened {
    fn from(form: OpenedForm) -> Self {
        let OpenedForm { format, session, name, run, trainable, wall_clock, pid, mut settings } = form;
        settings.name = name.unwrap_or(settings.name);
        Self { format, session, run, trainable, wall_clock, pid, settings: Arc::new(settings) }
    }
}

impl Opened {
    /// The first session of a run.
    pub fn new(settings: impl Into<Arc<Settings>>, run: RunId, trainable: impl Into<String>) -> Self {
        Self {
            format: FORMAT,
            session: 1,
            run,
            trainable: trainable.into(),
            wall_clock: 0.0,
            pid: 0,
            settings: settings.into(),
        }
    }
}

/// The states of the parts that decide, all of the same moment. None: the part keeps no state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartStates {
    /// What clients had changed of the space that the parts draw from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Arc<Space>>,
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
    /// In a snapshot: so many times a paused trial had been offered to the scheduler before what follows.
    Turn(u64),
    /// What holds for the run as a whole.
    Run(RunRecord),
    /// The states of the parts at the end of the snapshot that this record begins.
    Parts(PartStates),
    /// What is known of a trial, in place of the events that said it.
    Trial(Box<StoredTrial>),
    /// The same in format 1.
    Facts(Box<TrialFacts>),
}
