//! The configurations of all trials, for files in which all trials stand.

use std::collections::HashMap;
use std::sync::Arc;

use super::row::Subject;
use crate::logic::config::Config;
use crate::logic::event::{Change, EventKind};
use crate::logic::ids::TrialId;

/// Configurations are shared with the engine, which keeps them as long; what rows need of one is there while its trial lives.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    configs: HashMap<TrialId, Arc<Config>>,
    live: HashMap<TrialId, Subject>,
}

impl Subjects {
    /// Notes what an event says.
    pub(super) fn note(&mut self, kind: &EventKind) {
        match kind.change() {
            Change::Added { trial, config, .. } | Change::Returned { trial, config, .. } => {
                self.configs.insert(trial, config.clone());
                self.live.remove(&trial);
            }
            Change::Reconfigured { trial, exploit } => {
                self.configs.insert(trial, exploit.config.clone());
                self.live.remove(&trial);
            }
            Change::Ended { trial, .. } => {
                self.live.remove(&trial);
            }
            Change::Began { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Reported { .. }
            | Change::Failed { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
    }

    /// A trial that nobody told of has the empty configuration.
    pub(super) fn of(&mut self, trial: TrialId) -> &Subject {
        let configs = &self.configs;
        self.live.entry(trial).or_insert_with(|| match configs.get(&trial) {
            Some(config) => Subject::new(trial, config),
            None => Subject::new(trial, &Config::new()),
        })
    }
}
