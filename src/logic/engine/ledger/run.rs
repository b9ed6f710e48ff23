//! What holds for the run as a whole, over all its sessions.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, Hold, Outcome};
use crate::logic::limit::TimeLimit;
use crate::logic::pool::Resources;
use crate::logic::search::Samples;
use crate::logic::settings::LiveSetting;
use crate::logic::space::Space;
use crate::logic::time::Moment;

/// What holds for the run as a whole. Only an event changes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// How far its clock has come.
    pub now: Moment,
    /// Workers were numbered up to here, exclusive: no number is used twice.
    pub workers: u64,
    /// Leases were numbered up to here, exclusive.
    pub leases: u64,
    /// So many times a paused trial was offered to the scheduler.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub turn: u64,
    /// Reports that were taken.
    #[serde(skip)]
    pub reports: u64,
    /// Failures, those that were tried again included.
    #[serde(skip)]
    pub failures: u64,
    /// How many trials may run at once, if a client has said so; 0: as many as the resources allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited: Option<u32>,
    /// What there is to run on, if a client has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How many trials are made ahead of workers, if a client has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<NonZeroU32>,
    /// What a client changed of the space, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceChange>,
    /// Other settings that clients changed, each as it is now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<LiveSetting>,
    /// How many trials the searcher suggested; those that were withdrawn don't count.
    #[serde(skip)]
    pub suggested: u64,
    /// How many were withdrawn.
    #[serde(skip)]
    pub withdrawn: u64,
    /// Why no trial is launched, until a client lets the run go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Arc<Hold>>,
    /// How the last session ended; none if it goes on or was cut off.
    #[serde(skip)]
    pub outcome: Option<Outcome>,
}

/// What differs from the space that the program gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct SpaceChange {
    /// How often the space was changed by now.
    pub version: u32,
    /// Names, and what each may be; empty: the space is as the program gave it.
    pub changes: Arc<Space>,
    /// Who asked for it, if anybody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl RunRecord {
    /// A session begins: it isn't held, and goes on.
    pub(crate) fn open(&mut self) {
        (self.hold, self.outcome) = (None, None);
    }

    /// Applies an event.
    pub(crate) fn apply(&mut self, event: &ExperimentEvent) {
        // That a session begins is written otherwise, without this clock.
        if !matches!(event.kind, EventKind::Started { .. }) {
            self.now = self.now.max(event.at);
        }
        match &event.kind {
            EventKind::Reported { .. } => self.reports += 1,
            EventKind::Added { by: AddedBy::Searcher, .. } => self.suggested += 1,
            EventKind::Ended { ending: Ending::Withdrawn, .. } => self.withdraw(),
            EventKind::SettingChanged { setting, .. } => setting.clone().put(&mut self.settings),
            EventKind::Failed { .. } => self.failures += 1,
            EventKind::Launched { worker, lease, .. } => {
                self.workers = self.workers.max(worker.number() + 1);
                self.leases = self.leases.max(lease.number() + 1);
            }
            EventKind::Limited { concurrency } => self.limited = Some(concurrency.map_or(0, NonZeroU32::get)),
            EventKind::Held { why } => self.hold = Some(why.clone()),
            EventKind::Rescaled { total } => self.resources = Some(total.clone()),
            EventKind::Staged { most } => self.staged = Some(*most),
            EventKind::SpaceChanged { version, changes, by } => {
                self.space = Some(SpaceChange { version: *version, changes: changes.clone(), by: by.clone() });
            }
            EventKind::Proceeded => self.hold = None,
            EventKind::Finished { outcome } => self.outcome = Some(outcome.clone()),
            EventKind::Started { .. }
            | EventKind::Added { .. }
            | EventKind::Returned { .. }
            | EventKind::Revived { .. }
            | EventKind::Chosen { .. }
            | EventKind::Status { .. }
            | EventKind::Restored { .. }
            | EventKind::Saved { .. }
            | EventKind::Unsaved { .. }
            | EventKind::Deleted { .. }
            | EventKind::SaveRequested { .. }
            | EventKind::Paused { .. }
            | EventKind::Resumed { .. }
            | EventKind::Queued { .. }
            | EventKind::ExploitOrdered { .. }
            | EventKind::ExploitDropped { .. }
            | EventKind::Exploited { .. }
            | EventKind::Disinherited { .. }
            | EventKind::Resized { .. }
            | EventKind::Stopping { .. }
            | EventKind::Prioritised { .. }
            | EventKind::Withdrawn { .. }
            | EventKind::Asked { .. }
            | EventKind::Ended { .. }
            | EventKind::Worker { .. }
            | EventKind::Abandoned { .. }
            | EventKind::Warning { .. }
            | EventKind::Closing { .. } => {}
        }
    }

    /// One of those that the searcher suggested doesn't count.
    pub(crate) fn withdraw(&mut self) {
        self.suggested = self.suggested.saturating_sub(1);
        self.withdrawn += 1;
    }

    /// How many trials there are to be, if a client has said so.
    pub(crate) fn samples(&self) -> Option<Samples> {
        self.settings.iter().find_map(|setting| match setting {
            LiveSetting::Samples(samples) => *samples,
            LiveSetting::TimeLimit(_) | LiveSetting::Stop(_) => None,
        })
    }

    /// How long the run may take, if a client has said something of it.
    pub(crate) fn time_limit(&self) -> Option<Option<TimeLimit>> {
        self.settings.iter().find_map(|setting| match setting {
            LiveSetting::TimeLimit(limit) => Some(*limit),
            LiveSetting::Samples(_) | LiveSetting::Stop(_) => None,
        })
    }

    /// The stop rules, if a client has said something of them; those of the program if it said nothing else.
    #[cfg(feature = "web")]
    pub(crate) fn stop_rules(&self) -> Option<&[crate::logic::spec::PartSpec]> {
        self.settings.iter().find_map(|setting| match setting {
            LiveSetting::Stop(rules) => rules.as_deref(),
            LiveSetting::Samples(_) | LiveSetting::TimeLimit(_) => None,
        })
    }

    /// Takes in what a snapshot says of the run up to its end.
    pub(crate) fn join(&mut self, other: RunRecord) {
        self.now = self.now.max(other.now);
        self.workers = self.workers.max(other.workers);
        self.leases = self.leases.max(other.leases);
        self.limited = other.limited.or(self.limited);
        self.resources = other.resources.or(self.resources.take());
        self.staged = other.staged.or(self.staged);
        self.space = other.space.or(self.space.take());
        other.settings.into_iter().for_each(|setting| setting.put(&mut self.settings));
        self.hold = other.hold;
        self.turn = self.turn.max(other.turn);
    }
}
