//! A batch of reports, folded one after another into one decision.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::ledger::Ordered;
use super::settings::{AtEnd, Batching};
use super::{Buffering, Demand, Engine, EngineOutput};
use crate::logic::checkpoint::Checkpoint;
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
        let Batch { reports, end, mut handed_in, over } = batch;
        let total = reports.len();
        let mut own = OwnEnd::of(end, over);
        // Its end has been ordered already: these come too late.
        if self.ledger.live(trial).is_none() || self.ledger.is_ending(trial) {
            self.totals.surplus += total as u64;
            return self.refuse(handed_in, now, out);
        }
        let comes_with_one = handed_in.is_some();
        let mut folded = self.fold_reports(trial, reports, &mut own, &mut handed_in, now, out);
        // It belongs to a report that isn't a result: the trial mustn't go on from there.
        let kept = comes_with_one && handed_in.is_none();
        self.refuse(handed_in, now, out);
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
        folded.keep &= !kept;
        let due = end == BatchEnd::CheckpointDue && !kept && folded.taken == total;
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
        handed_in: &mut Option<Arc<Checkpoint>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Folded {
        let mut folded = Folded::default();
        let count = reports.len();
        for (index, mut report) in reports.into_iter().enumerate() {
            let is_last = index + 1 == count;
            let done = own.is_some() && is_last;
            if self.is_repeat(trial, &report) {
                folded.took(&report);
                self.keep_handed_in(trial, handed_in.take_if(|_| is_last), now, out);
                self.totals.repeats += 1;
                // What a trial ends with is its last report, even if it got further before.
                if let Some(live) = self.ledger.live_mut(trial).filter(|_| done) {
                    live.ends_with = Some(Arc::new(report));
                }
                continue;
            }
            if let Some(fault) = self.too_large(trial, &report).or_else(|| self.missing_metric(&report)) {
                folded.fault = Some(fault);
                break;
            }
            folded.took(&report);
            self.keep_handed_in(trial, handed_in.take_if(|_| is_last), now, out);
            self.judge(trial, &report, own.take_if(|_| done), &mut folded);
            if folded.decision == Decision::Stop {
                report.done = true;
            } else {
                self.searcher.on_report(trial, &report);
            }
            self.commit(now, out, EventKind::Reported { report: Arc::new(report) });
            if folded.decision == Decision::Stop {
                break;
            }
        }
        if count > 0 {
            self.something_changed();
        } else {
            // It belongs to a report that was taken before.
            self.keep_handed_in(trial, handed_in.take(), now, out);
        }
        while let Some(warning) = self.stop.call(StopRule::warning).flatten() {
            self.warn(now, out, warning);
        }
        folded
    }

    /// A checkpoint that came with a report is there once that is taken, and before anybody judges it.
    fn keep_handed_in(
        &mut self,
        trial: TrialId,
        handed_in: Option<Arc<Checkpoint>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        if let Some(checkpoint) = handed_in {
            self.saved(trial, &checkpoint, now, out);
        }
    }

    /// A checkpoint that came with a report that isn't taken goes, and its index is spent.
    fn refuse(&mut self, handed_in: Option<Arc<Checkpoint>>, now: Moment, out: &mut Vec<EngineOutput>) {
        if let Some(checkpoint) = handed_in {
            self.delete(checkpoint.id, now, out);
        }
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

    fn too_large(&self, trial: TrialId, report: &Report) -> Option<Fault> {
        let stats = &self.ledger.get(trial)?.stats;
        let message = self.settings.report_limits.check(report, stats).err()?;
        Some(Fault::new(FailureKind::UserError, message))
    }

    fn missing_metric(&self, report: &Report) -> Option<Fault> {
        if report.metrics.is_empty() || !self.settings.require_metrics {
            return None;
        }
        let missing = self.required.iter().find(|metric| report.value(metric).is_none())?;
        let keys: Vec<&str> = report.metrics.iter().map(|(name, _)| name.as_ref()).collect();
        let message = format!(
            "the report of iteration {} has no metric `{missing}`, which the experiment needs; it has {}",
            report.iteration(),
            keys.join(", ")
        );
        let reported = keys.into_iter().map(str::to_owned).collect();
        Some(Fault { reported, ..Fault::new(FailureKind::UserError, message) })
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
        // The experiment's own end came with this report: the trial has been told already.
        if self.ledger.is_ending(trial) {
            return self.direct(directives, now, out);
        }
        let Some((plan, live)) = self.ledger.plan(trial).zip(self.ledger.live(trial)) else { return };
        let (saves, donor) = of_itself(&directives, trial);
        let requested = plan.save_requested || saves;
        let (ordered, last_step) = (plan.ordered, live.last_step);
        let standing = match (ordered, last_step) {
            (_, Some(_)) | (Ordered::End(_), None) => Decision::Stop,
            (Ordered::Pause { .. }, None) => Decision::Pause,
            (Ordered::Nothing, None) => Decision::Continue,
        };
        if donor.is_some() {
            decision = decision.max(Decision::Pause);
        }
        // A drain's pause, and one that somebody has taken back, aren't the scheduler's.
        let not_paused = ordered == Ordered::Nothing || ordered == (Ordered::Pause { resume: true });
        let drained = plan.paused_by == Some(PausedBy::Drain);
        if decision == Decision::Pause && standing < Decision::Stop && (not_paused || drained) {
            self.commit(now, out, EventKind::Paused { trial, by: PausedBy::Scheduler, reason: reason.clone() });
        }
        if let Some((ordered, kept)) = last_step.filter(|_| decision != Decision::Stop) {
            (ending, keep) = (Some(ordered), kept == Keep::Checkpoint);
            reason = self.why_winding_down();
        }
        decision = decision.max(standing);
        if let Some(live) = self.ledger.live_mut(trial) {
            live.last_step = None;
        }
        // A client's stop was told when it was ordered.
        if let Some(ending) = ending.filter(|ending| ordered != Ordered::End(*ending)) {
            self.commit(now, out, EventKind::Stopping { trial, ending, reason });
        }
        if decision == Decision::Pause {
            self.ledger.pausing(trial);
            self.say_demand(out);
        }
        let copies = donor.is_some_and(|donor| self.can_copy(trial, donor));
        let (keep, exports) =
            (self.what_to_keep(decision, keep, copies, due || requested), self.settings.export.is_on());
        if let Some(live) = self.ledger.live_mut(trial) {
            live.saving = keep == Keep::Checkpoint || (decision == Decision::Stop && exports);
        }
        let limits = self.limits();
        out.push(EngineOutput::Trial(trial, TrialOrder::Decide { lease, decision, keep, limits }));
        self.direct(directives, now, out);
    }

    /// Whether a checkpoint is written before a decision takes effect.
    fn what_to_keep(&self, decision: Decision, keep: bool, copies: bool, due: bool) -> Keep {
        match decision {
            Decision::Stop if keep || self.settings.at_end == AtEnd::Checkpoint => Keep::Checkpoint,
            // It won't go on from here.
            Decision::Pause if copies => Keep::Nothing,
            Decision::Pause => Keep::Checkpoint,
            _ if due => Keep::Checkpoint,
            _ => Keep::Nothing,
        }
    }

    /// How the next reports of a trial are batched.
    pub(super) fn limits(&self) -> BatchLimits {
        let every = self.settings.checkpoint_every.and_then(NonZeroU32::new);
        let shows_its_end = self.settings.at_end == AtEnd::Checkpoint || self.settings.export.is_on();
        if self.buffering == Buffering::Refused || shows_its_end {
            return BatchLimits { checkpoint_every: every, ..BatchLimits::SINGLE };
        }
        self.settings.batching.limits(self.ledger.launched(), every, self.last_iteration)
    }

    /// Says so if batches can't have the length that was set.
    pub(super) fn warn_of_batching(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Batching::Fixed { reports, .. } = self.settings.batching else { return };
        let why = match (self.buffering, self.settings.at_end) {
            _ if reports == NonZeroU32::MIN => return,
            (Buffering::Refused, _) => {
                format!("the scheduler {} decides on each report before its trial goes on", self.scheduler.name())
            }
            (Buffering::Allowed, AtEnd::Checkpoint) => {
                "`at_end` wants a checkpoint at a trial's last report".to_owned()
            }
            (Buffering::Allowed, AtEnd::Nothing) if self.settings.export.is_on() => {
                "`export` wants what a trial has at its last report".to_owned()
            }
            (Buffering::Allowed, AtEnd::Nothing) => return,
        };
        self.warn(now, out, format!("`batching` is fixed at {reports} reports, but {why}: they travel one by one"));
    }

    /// The searcher may have something now.
    pub(super) fn something_changed(&mut self) {
        if self.demand == Demand::Waits {
            self.demand = Demand::Open;
        }
    }
}
