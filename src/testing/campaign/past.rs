//! What a run leaves behind for its next session: its journal, written, compacted, read, and told to an engine.

use std::sync::Arc;

use super::parts::Parts;
use super::plan::{Plan, RUN};
use super::promises::{Broken, Promise};
use super::rig;
use crate::logic::engine::Engine;
use crate::logic::event::ExperimentEvent;
use crate::logic::journal::{Compactor, Entry, Opened, PartStates, Reader, Record, Writer};

/// The journal of a run, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    text: Vec<Vec<u8>>,
    sessions: u32,
}

impl Past {
    /// Writes down what one more session brought.
    pub(super) fn session(&mut self, plan: &Plan, steps: &[Arc<[ExperimentEvent]>]) {
        let mut writer = Writer::default();
        self.sessions += 1;
        let opened = Opened { session: self.sessions, ..Opened::new(rig::settings(plan), RUN, "script") };
        let steps = steps.iter().cloned().map(Entry::Step);
        for entry in std::iter::once(Entry::Opened(opened.into())).chain(steps) {
            let mut line = Vec::new();
            writer.write(&entry, &mut line);
            if !line.is_empty() {
                self.text.push(line);
            }
        }
    }

    /// The same in fewer words.
    pub(super) fn compacted(&self, parts: PartStates) -> Result<Self, Broken> {
        let mut text = Vec::new();
        let mut out = |line: &[u8]| text.push(line.to_vec());
        let mut compactor = Compactor::new(parts);
        for record in self.records()? {
            compactor.take(record, &mut out);
        }
        compactor.finish(&mut out);
        Ok(Self { text, sessions: self.sessions })
    }

    fn records(&self) -> Result<Vec<Record>, Broken> {
        let mut reader = Reader::default();
        let read = |line: &Vec<u8>| {
            let line = str::from_utf8(line).map_err(|error| error.to_string())?;
            reader.read(line).map_err(|error| format!("{error}: {line}"))
        };
        let records: Result<Vec<Record>, String> = self.text.iter().map(read).collect();
        records.map_err(|why| Broken::new(Promise::Journal, why))
    }

    /// An engine that was told all of it.
    pub(super) fn told(&self, plan: &Plan, parts: &Parts) -> Result<Engine, Broken> {
        let mut engine = rig::engine(plan, parts).map_err(|error| Broken::new(Promise::Settings, error.to_string()))?;
        for record in self.records()? {
            engine.replay(record).map_err(|error| Broken::new(Promise::Journal, error.to_string()))?;
        }
        match engine.replayed().refused.first() {
            Some(refused) => Err(Broken::new(Promise::Journal, refused.clone())),
            None => Ok(engine),
        }
    }
}
