//! A trial in a snapshot: its record and its plan, without what the rows of the snapshot say.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::lines::Standing;
use super::record::{Entry, Live, Open, Place, Plan, TrialRecord};
use super::run::RunRecord;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::trial::State;

/// A trial in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredTrial {
    /// Its number.
    pub trial: u32,
    /// What is known of it.
    pub record: TrialRecord,
    /// The report that it stands at, if that isn't the last of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Arc<Report>>,
    /// The furthest iteration, if its rows don't say it. Only format 1 needs that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u64>,
    /// What is to come of it; none if it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

impl Entry {
    /// Its form in a snapshot, whose last row of it is `row`.
    pub(crate) fn store(&self, row: Option<&Report>) -> StoredTrial {
        let record = &self.record;
        let last = record.last.as_ref().filter(|last| row != Some(last.as_ref()));
        StoredTrial {
            trial: record.id.number(),
            record: record.clone(),
            last: last.cloned(),
            reported: None,
            plan: self.open.as_ref().map(|open| open.plan.clone()),
        }
    }

    /// Becomes what a snapshot says, of whose rows it knows already.
    pub(crate) fn load(&mut self, stored: StoredTrial) {
        let StoredTrial { record, last, reported, plan, .. } = stored;
        let known = std::mem::replace(&mut self.record, record);
        let record = &mut self.record;
        // Format 1 told of exploits here; now they stand among the rows.
        if record.lineage.is_empty() {
            record.lineage = known.lineage;
        }
        record.config = record.lineage.last().map_or(known.config, |exploit| exploit.config.clone());
        (record.id, record.name, record.by) = (known.id, known.name, known.by);
        (record.stats, record.history) = (known.stats, known.history);
        record.last = last.or(known.last);
        record.reported = reported.unwrap_or(known.reported);
        let live = Live::at(State::Queued);
        self.open = plan.map(|plan| Box::new(Open { plan, live }));
    }
}

impl Ledger {
    /// Takes over what another ledger knows.
    pub(crate) fn adopt(&mut self, run: RunRecord, trials: Vec<(TrialRecord, Option<Plan>)>) {
        self.run = run;
        for (record, plan) in trials {
            let open = plan.map(|plan| Box::new(Open { plan, live: Live::at(State::Queued) }));
            let entry = Entry { record, open };
            self.lines.enter(entry.record.id, Standing::of(&entry));
            self.entries.push(entry);
        }
        self.share_out();
    }

    /// Takes in a trial of a snapshot. Answers whether it is known.
    pub(crate) fn load(&mut self, stored: StoredTrial) -> bool {
        let trial = TrialId::new(self.id, stored.trial);
        let Some(entry) = self.entries.get_mut(trial.index()) else { return false };
        let failures = stored.record.failures.len().saturating_sub(entry.record.failures.len());
        self.run.failures += failures as u64;
        if let Some(Plan { place: Place::Parked(turn), .. }) = stored.plan {
            self.run.turn = self.run.turn.max(turn);
        }
        let withdrawn = |entry: &Entry| entry.record.ending == Some(Ending::Withdrawn);
        let (before, was_withdrawn) = (Standing::of(entry), withdrawn(entry));
        entry.load(stored);
        if withdrawn(entry) && !was_withdrawn {
            self.run.withdraw();
        }
        self.lines.moved(trial, before, Standing::of(entry));
        true
    }
}
