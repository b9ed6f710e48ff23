//! A batch of reports, folded one after another into one decision.

use std::borrow::Cow;
use std::sync::Arc;

use super::entry::Standing;
use super::settings::AtEnd;
use super::{Buffering, Demand, Engine, EngineOutput, Watched};
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::event::{Ending, EventKind, PausedBy};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::stop::StopRule;
use crate::logic::time::Moment;
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, Keep, Over, TrialOrder};

/// What a batch comes to.
#[derive(Default)]
struct Folded {
    decision: Decision,
    ending: Option<Ending>,
    reason: Option<Cow<'static, str>>,
    directives: Vec<Directive>,
    taken: usize,
    /// The iteration of the last one that was taken.
    furthest: u64,
    fault: Option<Fault>,
    /// Whether a checkpoint is to be written whatever the experiment does at a trial's end.
    keep: bool,
}

/// The end that a worker hands in with a batch: nobody needs to decide on it.
struct OwnEnd {
    ending: Ending,
    reason: Option<Cow<'static, str>>,
    keep: bool,
}

impl OwnEnd {
    fn of(end: BatchEnd, over: Option<Over>) -> Option<Self> {
        match end {
            BatchEnd::Done => Some(Self { ending: Ending::Done, reason: None, keep: false }),
            BatchEnd::Over => {
                let keep = over.as_ref().is_some_and(|over| over.keep == Keep::Checkpoint);
                Some(Self { ending: Ending::StopRule, reason: over.map(|over| over.reason), keep })
            }
            BatchEnd::Limit | BatchEnd::CheckpointDue => None,
        }
    }
}

impl Folded {
    fn took(&mut self, report: &Report) {
        (self.taken, self.furthest) = (self.taken + 1, report.iteration());
    }

    fn end_by_itself(&mut self, OwnEnd { ending, reason, keep }: OwnEnd) {
        self.decision = Decision::Stop;
        (self.ending, self.reason, self.keep) = (Some(ending), reason, keep);
    }
}

/// What the scheduler wants of the trial that reported, besides its decision: whether it is to be saved, and of whom it is
/// to become a copy.
fn of_itself(directives: &[Directive], reporter: TrialId) -> (bool, Option<TrialId>) {
    let mut wanted = (false, None);
    for directive in directives {
        match directive {
            Directive::Save(trial) if *trial == reporter => wanted.0 = true,
            Directive::Exploit { trial, donor, .. } if *trial == reporter => wanted.1 = Some(*donor),
            _ => {}
        }
    }
    wanted
}

impl Engine {
    pub(super) fn fold(
        &mut self,
        trial: TrialId,
        lease: LeaseId,
        batch: Batch,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Batch { reports, end, handed_in, over } = batch;
        let total = reports.len();
        let mut own = OwnEnd::of(end, over);
        // Its end has been ordered already: these come too late.
        if self.ledger.live(trial).is_none_or(|live| matches!(live.standing, Standing::Ending(_))) {
            self.totals.surplus += total as u64;
            return;
        }
        let mut folded = self.fold_reports(trial, reports, &mut own, now, out);
        self.totals.surplus += (total - folded.taken) as u64;
        if folded.taken > 0 {
            self.got_to(trial, folded.furthest);
        }
        if let Some(fault) = folded.fault.take() {
            out.push(EngineOutput::Trial(trial, TrialOrder::Fail { lease, fault }));
            // What was decided over others on the reports before it still holds.
            return self.direct(folded.directives, now, out);
        }
        if let Some(own) = own.filter(|_| folded.decision != Decision::Stop) {
            folded.end_by_itself(own);
        }
        // One that came with the last report is as good as one that is written now.
        folded.keep &= handed_in.is_none();
        let due = end == BatchEnd::CheckpointDue && handed_in.is_none() && folded.taken == total;
        // A trial that ends by itself is answered first, so that its end is called by its own name.
        if folded.decision != Decision::Stop && total > 0 && self.is_open() {
            self.check_experiment(now, out);
        }
        let stops = folded.decision == Decision::Stop;
        self.decide(trial, lease, folded, due, now, out);
        if stops && total > 0 && self.is_open() {
            self.check_experiment(now, out);
        }
    }

    fn fold_reports(
        &mut self,
        trial: TrialId,
        reports: Vec<Report>,
        own: &mut Option<OwnEnd>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Folded {
        let mut folded = Folded::default();
        let (mut last, mut shared) = (None, None);
        let watched = self.watched == Watched::Yes || self.ledger.keeps_history();
        let count = reports.len();
        for (index, mut report) in reports.into_iter().enumerate() {
            let done = own.is_some() && index + 1 == count;
            if self.is_repeat(trial, &report) {
                folded.took(&report);
                self.totals.repeats += 1;
                // What a trial ends with is its last report, even if it got further before.
                last = done.then_some(report);
                continue;
            }
            if let Some(fault) = self.missing_metric(&report) {
                folded.fault = Some(fault);
                break;
            }
            folded.took(&report);
            self.totals.reports += 1;
            self.judge(trial, &report, own.take_if(|_| done), &mut folded);
            if folded.decision == Decision::Stop {
                report.done = true;
            } else {
                self.searcher.on_report(trial, &report);
            }
            if let Some(entry) = self.ledger.entry_mut(trial) {
                entry.record.reported = report.iteration();
                entry.record.stats.add(&report.metrics);
            }
            if watched {
                let report = Arc::new(report);
                self.ledger.remember(trial, &report);
                self.tell(now, out, || EventKind::Reported { report: report.clone() });
                (last, shared) = (None, Some(report));
            } else {
                last = Some(report);
            }
            if folded.decision == Decision::Stop {
                break;
            }
        }
        if let (Some(last), Some(entry)) = (last.map(Arc::new).or(shared), self.ledger.entry_mut(trial)) {
            entry.record.last = Some(last);
        }
        if count > 0 {
            self.something_changed();
        }
        while let Some(warning) = self.stop.call(StopRule::warning).flatten() {
            self.warn(now, out, || warning);
        }
        folded
    }

    /// Stop rules first; only what they let pass is shown to the scheduler.
    fn judge(&mut self, trial: TrialId, report: &Report, own: Option<OwnEnd>, folded: &mut Folded) {
        if let Some(reason) = self.stop.call(|rule| rule.check(trial, report)).flatten() {
            folded.decision = Decision::Stop;
            folded.ending = Some(Ending::StopRule);
            folded.reason = Some(reason);
            return;
        }
        if let Some(own) = own {
            return folded.end_by_itself(own);
        }
        let ledger = &self.ledger;
        let verdict = self.scheduler.call(|scheduler| scheduler.on_report(trial, report, ledger));
        let Verdict { decision, directives, reason } = verdict.unwrap_or(Verdict::CONTINUE);
        if decision > folded.decision {
            folded.reason = reason;
            folded.ending = (decision == Decision::Stop).then_some(Ending::Scheduler);
        }
        folded.decision = folded.decision.max(decision);
        folded.directives.extend(directives);
    }

    /// Whether the trial has reported this iteration before. After a retry, or in a resumed run, it goes over old ground
    /// from its last checkpoint on: every result counts once.
    fn is_repeat(&self, trial: TrialId, report: &Report) -> bool {
        self.ledger.get(trial).is_some_and(|record| report.iteration() <= record.reported)
    }

    fn missing_metric(&self, report: &Report) -> Option<Fault> {
        if report.metrics.is_empty() {
            return None;
        }
        let missing = self.required.iter().find(|metric| report.value(metric).is_none())?;
        let keys: Vec<&str> = report.metrics.iter().map(|(name, _)| name.as_ref()).collect();
        let message = format!(
            "the report of iteration {} has no metric `{missing}`, which the experiment needs; it has {}",
            report.iteration(),
            keys.join(", ")
        );
        Some(Fault::new(FailureKind::UserError, message))
    }

    fn decide(
        &mut self,
        trial: TrialId,
        lease: LeaseId,
        folded: Folded,
        due: bool,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Folded { mut decision, mut ending, mut reason, directives, mut keep, .. } = folded;
        let Some(live) = self.ledger.live_mut(trial) else { return };
        // The experiment's own end came with this report: the trial has been told already.
        if matches!(live.standing, Standing::Ending(_)) {
            return self.direct(directives, now, out);
        }
        let (saves, donor) = of_itself(&directives, trial);
        let requested = std::mem::take(&mut live.save_requested) || saves;
        let (standing, stop) = match live.standing {
            Standing::Pause { .. } => (Decision::Pause, None),
            Standing::Stop { ending, keep } => (Decision::Stop, Some((ending, keep))),
            _ => (Decision::Continue, None),
        };
        if donor.is_some() {
            decision = decision.max(Decision::Pause);
        }
        if decision == Decision::Pause && standing == Decision::Continue {
            live.paused_by = Some(PausedBy::Scheduler);
            self.tell(now, out, || EventKind::Paused { trial, by: PausedBy::Scheduler, reason: reason.clone() });
            self.set_reason(trial, reason.clone());
        }
        if let Some((ordered, kept)) = stop.filter(|_| decision != Decision::Stop) {
            (ending, keep) = (Some(ordered), kept == Keep::Checkpoint);
            reason = self.why_winding_down();
        }
        decision = decision.max(standing);
        if let Some(ending) = ending {
            self.tell(now, out, || EventKind::Stopping { trial, ending, reason: reason.clone() });
            self.set_standing(trial, Standing::Ending(ending), reason);
        }
        if decision == Decision::Pause {
            self.ledger.pausing(trial);
            self.say_demand(out);
        }
        let keep = match decision {
            Decision::Stop if keep || self.settings.at_end == AtEnd::Checkpoint => Keep::Checkpoint,
            // It won't go on from here.
            Decision::Pause if donor.is_some_and(|donor| self.can_copy(trial, donor)) => Keep::Nothing,
            Decision::Pause => Keep::Checkpoint,
            _ if due || requested => Keep::Checkpoint,
            _ => Keep::Nothing,
        };
        if let Some(live) = self.ledger.live_mut(trial) {
            live.saving = keep == Keep::Checkpoint;
        }
        let limits = self.limits();
        out.push(EngineOutput::Trial(trial, TrialOrder::Decide { lease, decision, keep, limits }));
        self.direct(directives, now, out);
    }

    /// How the next reports of a trial are batched.
    pub(super) fn limits(&self) -> BatchLimits {
        let every = self.settings.checkpoint_every;
        if self.buffering == Buffering::Refused || self.settings.at_end == AtEnd::Checkpoint {
            return BatchLimits { checkpoint_every: every, ..BatchLimits::SINGLE };
        }
        self.settings.batching.limits(self.ledger.launched(), every)
    }

    /// The searcher may have something now.
    pub(super) fn something_changed(&mut self) {
        if self.demand == Demand::Waits {
            self.demand = Demand::Open;
        }
    }
}
