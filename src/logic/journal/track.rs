//! What follows from earlier records and so isn't written again: a trial's counters, and its last report.

use std::collections::HashMap;
use std::sync::Arc;

use crate::logic::event::{Change, Ending, EventKind};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Counters, Report};

/// What a writer and a reader both know of a trial that hasn't ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// What the next report counts on from.
    pub(super) counters: Counters,
    /// Its last report, or that of the checkpoint it was restored from.
    pub(super) last: Option<Arc<Report>>,
}

/// All of them. Writer and reader follow the same events, so both know the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Tracks(HashMap<TrialId, Track>);

impl Tracks {
    pub(super) fn get(&mut self, trial: TrialId) -> &mut Track {
        self.0.entry(trial).or_default()
    }

    /// The trial's last report as it stands in a checkpoint taken right after it.
    pub(super) fn last(&self, trial: TrialId) -> Option<&Arc<Report>> {
        self.0.get(&trial)?.last.as_ref()
    }

    /// The report of a checkpoint that was taken after the trial's last report.
    pub(super) fn as_saved(&self, trial: TrialId) -> Report {
        let last = self.last(trial).map_or_else(|| Report::empty(trial), |last| Report::clone(last));
        Report { done: false, ..last }
    }

    /// The trial's last report as its end tells it.
    pub(super) fn at_end(&self, trial: TrialId, ending: Ending) -> Report {
        let last = self.last(trial).map_or_else(|| Report::empty(trial), |last| Report::clone(last));
        Report { done: last.done || ending != Ending::Error, ..last }
    }

    pub(super) fn remember(&mut self, report: &Arc<Report>) {
        *self.get(report.trial) = Track { counters: report.counters, last: Some(report.clone()) };
    }

    pub(super) fn forget(&mut self, trial: TrialId) {
        self.0.remove(&trial);
    }

    /// Follows an event that has been written or read.
    pub(super) fn follow(&mut self, kind: &EventKind) {
        match kind.change() {
            Change::Reported { report } => self.remember(report),
            // A worker counts from the beginning, unless it is restored next.
            Change::Launched { trial, .. } => {
                if let Some(track) = self.0.get_mut(&trial) {
                    track.counters = Counters::default();
                }
            }
            Change::Restored { trial } => {
                if let Some(track) = self.0.get_mut(&trial) {
                    track.counters =
                        track.last.as_ref().map_or_else(Counters::default, |last| last.counters.restored());
                }
            }
            Change::Ended { trial, .. } => {
                self.0.remove(&trial);
            }
            Change::Began { .. }
            | Change::Added { .. }
            | Change::Returned { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Reconfigured { .. }
            | Change::Failed { .. }
            | Change::Worker { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
    }
}
