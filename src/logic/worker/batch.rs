//! The batch in the making: reports are stamped, and it ends for a reason.

use std::sync::Arc;
use std::time::Duration;

use super::io::{Room, Wish};
use super::limits::Limits;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Counters, Metrics, Report};
use crate::logic::time::Moment;
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, FirstBatch, Over};
use crate::logic::wire::{ResultsEnd, Row};

/// What a worker knows of its trial's reports.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    counters: Counters,
    limits: BatchLimits,
    /// The name that the trial gave for a checkpoint that is handed in with a report.
    spare: Option<CheckpointId>,
    reports: Vec<Report>,
    /// The last that was handed in: a checkpoint between two batches belongs to it.
    last: Option<Report>,
    began: Moment,
    step_began: Moment,
    /// Processor time in this attempt.
    pub(super) cpu: Option<Duration>,
    /// The limit of the trial that the last report has reached.
    over: Option<Over>,
    /// How long the last batch was: the next one is likely to be as long.
    capacity: usize,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self {
            counters: Counters::default(),
            limits: BatchLimits::SINGLE,
            spare: None,
            reports: Vec::new(),
            last: None,
            began: Moment::START,
            step_began: Moment::START,
            cpu: None,
            over: None,
            capacity: 1,
        }
    }

    pub(super) fn iteration(&self) -> u64 {
        self.counters.training_iteration
    }

    /// Seconds of work in all reports so far.
    pub(super) fn worked(&self) -> f64 {
        self.counters.time_total_s
    }

    pub(super) fn spare(&self) -> Option<CheckpointId> {
        self.spare
    }

    /// The trial goes on from a checkpoint.
    pub(super) fn continue_from(&mut self, checkpoint: &Checkpoint) {
        self.continue_after(&checkpoint.report);
    }

    /// The trial goes on after a report.
    pub(super) fn continue_after(&mut self, last: &Report) {
        self.counters = last.counters.restored();
        self.last = Some(last.clone());
    }

    pub(super) fn begin(&mut self, FirstBatch { limits, spare }: FirstBatch, now: Moment) {
        (self.limits, self.spare) = (limits, Some(spare));
        (self.began, self.step_began) = (now, now);
        self.reports = Vec::with_capacity(self.capacity.min(limits.reports.get() as usize));
    }

    /// How many reports the batch may have, so that it ends with the next checkpoint that is due, or the last step.
    pub(super) fn room(&self) -> Room {
        Room { most: self.limits.room_after(self.counters.training_iteration), time: self.limits.time }
    }

    /// Takes one report, made at `now` on the worker's clock and at `wall_clock` in seconds since 1970. Says whether the
    /// batch ends with it.
    pub(super) fn take(
        &mut self,
        trial: TrialId,
        limits: &Limits,
        (metrics, wish, took): (Metrics, Wish, Option<Duration>),
        now: Moment,
        wall_clock: f64,
    ) -> Option<BatchEnd> {
        let took = took.unwrap_or_else(|| now.since(self.step_began));
        self.step_began = now;
        let report = self.counters.stamp(trial, metrics, took, wall_clock);
        let due = self.limits.checkpoint_due(report.iteration());
        self.over = limits.over(&report, self.cpu);
        self.reports.push(report);
        match wish {
            Wish::End => Some(BatchEnd::Done),
            _ if self.over.is_some() => Some(BatchEnd::Over),
            Wish::HandIn => None,
            Wish::Save => Some(BatchEnd::CheckpointDue),
            Wish::GoOn if due => Some(BatchEnd::CheckpointDue),
            Wish::GoOn if self.reports.len() >= self.limits.reports.get() as usize => Some(BatchEnd::Limit),
            Wish::GoOn if self.limits.is_last(self.iteration()) => Some(BatchEnd::Limit),
            Wish::GoOn => self.is_late(now).then_some(BatchEnd::Limit),
        }
    }

    /// Takes reports that were made elsewhere, up to one that reaches a limit of the trial. Says how the batch ends.
    pub(super) fn take_rows(
        &mut self,
        trial: TrialId,
        limits: &Limits,
        rows: Vec<Row>,
        end: Option<ResultsEnd>,
    ) -> BatchEnd {
        let mut due = false;
        for row in rows {
            let took = Duration::try_from_secs_f64(row.seconds).unwrap_or_default();
            let report = self.counters.stamp(trial, row.metrics, took, row.at);
            due = self.limits.checkpoint_due(report.iteration());
            self.over = limits.over(&report, self.cpu);
            self.reports.push(report);
            if self.over.is_some() {
                break;
            }
        }
        match end {
            Some(ResultsEnd::Done) => BatchEnd::Done,
            _ if self.over.is_some() => BatchEnd::Over,
            Some(ResultsEnd::Save) => BatchEnd::CheckpointDue,
            None if due => BatchEnd::CheckpointDue,
            None => BatchEnd::Limit,
        }
    }

    /// When the batch is over, although there could be more reports.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.limits.time.filter(|_| !self.reports.is_empty()).map(|time| self.began + time)
    }

    pub(super) fn is_late(&self, now: Moment) -> bool {
        self.limits.time.is_some_and(|time| now.since(self.began) >= time)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// The batch as it is, handed in.
    pub(super) fn end(&mut self, end: BatchEnd, handed_in: Option<Arc<Checkpoint>>) -> Batch {
        let reports = std::mem::take(&mut self.reports);
        self.capacity = reports.len().max(1);
        if let Some(last) = reports.last() {
            self.last = Some(last.clone());
        }
        let over = self.over.take().filter(|_| end == BatchEnd::Over);
        Batch { reports, end, handed_in, over }
    }

    /// The checkpoint of this name, which belongs to the last report.
    pub(super) fn checkpoint(&self, id: CheckpointId, bytes: u64) -> Arc<Checkpoint> {
        let report = self.reports.last().or(self.last.as_ref()).cloned();
        Arc::new(Checkpoint { id, report: report.unwrap_or_else(|| Report::empty(id.trial)), bytes })
    }
}
