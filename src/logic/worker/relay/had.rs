//! The trial that a worker has: what it has reported, and how far the engine was given that.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::logic::config::Config;
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, Over};

/// So many values are remembered of reports that the engine was given.
const MOST_VALUES: usize = 200_000;

/// A report, or the end without another one.
#[derive(Clone, Debug)]
struct Piece {
    report: Option<Report>,
    end: BatchEnd,
    over: Option<Over>,
}

/// How far the worker is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stands {
    /// It becomes the trial's, and works then if it was told so.
    Beginning {
        works_then: bool,
    },
    Restoring(Report),
    Working,
    /// It waits for an order.
    AtRest,
    Saving,
    Failed,
}

/// The trial that the worker has.
#[derive(Clone, Debug)]
pub(super) struct Had {
    pub(super) id: TrialId,
    pub(super) config: Arc<Config>,
    /// The worker's lease.
    pub(super) lease: LeaseId,
    pub(super) stands: Stands,
    /// The report before the first that is remembered; none: the beginning.
    pub(super) before: Option<Report>,
    pieces: VecDeque<Piece>,
    /// So many of them the engine was given.
    given: usize,
    /// The values in those that are remembered.
    values: usize,
}

/// Whether it is the same report; a trial may have made one of this iteration before, in another attempt.
fn same(one: &Report, other: &Report) -> bool {
    one.iteration() == other.iteration() && one.timestamp.to_bits() == other.timestamp.to_bits()
}

impl Had {
    pub(super) fn new(
        id: TrialId,
        config: Arc<Config>,
        lease: LeaseId,
        stands: Stands,
        before: Option<Report>,
    ) -> Self {
        Self { id, config, lease, stands, before, pieces: VecDeque::new(), given: 0, values: 0 }
    }

    /// Whether the engine hasn't been given all.
    pub(super) fn has_more(&self) -> bool {
        self.given < self.pieces.len()
    }

    /// The engine was given all.
    pub(super) fn gave_all(&mut self) {
        self.given = self.pieces.len();
        self.forget_some();
    }

    /// The engine has all up to this report. Whether that is remembered.
    pub(super) fn go_on_after(&mut self, last: Option<&Report>) -> bool {
        let given = self.after(last);
        self.given = given.unwrap_or(self.given);
        given.is_some()
    }

    /// How many pieces there are up to this report; none if it isn't remembered.
    fn after(&self, last: Option<&Report>) -> Option<usize> {
        let Some(last) = last else { return self.before.is_none().then_some(0) };
        if self.before.as_ref().is_some_and(|before| same(before, last)) {
            return Some(0);
        }
        let is_last = |piece: &Piece| piece.report.as_ref().is_some_and(|report| same(report, last));
        self.pieces.iter().position(is_last).map(|index| index + 1)
    }

    pub(super) fn remember(&mut self, batch: &Batch) {
        let within = |report: &Report| Piece { report: Some(report.clone()), end: BatchEnd::Limit, over: None };
        self.values += batch.reports.iter().map(weight).sum::<usize>();
        self.pieces.extend(batch.reports.iter().map(within));
        if batch.reports.is_empty() {
            self.pieces.push_back(Piece { report: None, end: batch.end, over: None });
        }
        if let Some(last) = self.pieces.back_mut() {
            (last.end, last.over) = (batch.end, batch.over.clone());
        }
    }

    /// Forgets the oldest of what the engine was given, beyond what is worth remembering.
    fn forget_some(&mut self) {
        while self.given > 1 && self.values > MOST_VALUES {
            let Some(Piece { report, .. }) = self.pieces.pop_front() else { return };
            self.given -= 1;
            if let Some(report) = report {
                self.values -= weight(&report);
                self.before = Some(report);
            }
        }
    }

    pub(super) fn next_batch(&mut self, limits: BatchLimits) -> Batch {
        let before = self.given.checked_sub(1).and_then(|index| self.pieces.get(index));
        let before = before.and_then(|piece| piece.report.as_ref()).or(self.before.as_ref());
        let room = limits.room_after(before.map_or(0, Report::iteration)).max(1) as usize;
        let mut batch = Batch { reports: Vec::new(), end: BatchEnd::Limit, handed_in: None, over: None };
        while batch.reports.len() < room
            && batch.end == BatchEnd::Limit
            && let Some(piece) = self.pieces.get(self.given)
        {
            self.given += 1;
            batch.reports.extend(piece.report.clone());
            (batch.end, batch.over) = (piece.end, piece.over.clone());
        }
        self.forget_some();
        batch
    }
}

/// How much there is to remember of a report.
fn weight(report: &Report) -> usize {
    report.metrics.len() + 8
}
