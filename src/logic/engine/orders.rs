//! What clients ask for while the run goes on, and what schedulers want of other trials.

use std::borrow::Cow;

use super::entry::Standing;
use super::exploit::Pending;
use super::{Engine, EngineOutput, Phase};
use crate::logic::decision::Directive;
use crate::logic::event::{AddedBy, Ending, EventKind, Outcome, PausedBy};
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::time::Moment;
use crate::logic::trial::{State, Status, TrialOrder};

use super::io::{ClientOrder, OrderError};

impl Engine {
    /// Carries out a client's order. Answers the trial that it made, if it made one.
    ///
    /// # Errors
    /// If it can't be carried out; then nothing has changed.
    pub fn order(
        &mut self,
        order: ClientOrder,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<Option<TrialId>, OrderError> {
        if !self.is_open() {
            return Err(OrderError::Over);
        }
        let mut added = None;
        match order {
            ClientOrder::Stop(trial) => {
                self.expect_live(trial, "be stopped")?;
                self.end_trial(trial, Ending::Client, None, now, out);
            }
            ClientOrder::Pause(trial) => {
                self.expect_live(trial, "be paused")?;
                self.pause_trial(trial, PausedBy::Client, None, now, out);
            }
            ClientOrder::Resume(trial) => {
                self.unpause(trial, now, out)?;
                self.scheduler.call(|scheduler| scheduler.on_resume(trial));
            }
            ClientOrder::Save(trial) => {
                let status = self.expect_live(trial, "be saved")?;
                if status != Status::Running {
                    return Err(OrderError::Status { trial, status, action: "be saved: it has no worker" });
                }
                if let Some(live) = self.ledger.live_mut(trial) {
                    live.save_requested = true;
                }
            }
            ClientOrder::Revive(trial) => {
                self.expect_ended(trial)?;
                self.revive(trial, now, out);
            }
            ClientOrder::Add(config) => {
                added = Some(
                    self.add(config, AddedBy::Client, now, out)
                        .map_err(|message| OrderError::Infeasible { message })?,
                );
            }
            ClientOrder::Prioritise(trial, priority) => {
                self.expect_live(trial, "be given a priority")?;
                self.ledger.prioritise(trial, priority);
                self.tell(now, out, || EventKind::Prioritised { trial, priority });
            }
            ClientOrder::Concurrency(concurrency) => {
                self.settings.concurrency = concurrency;
                self.tell(now, out, || EventKind::Limited { concurrency });
            }
            ClientOrder::Proceed => self.proceed(now, out)?,
            ClientOrder::StopAll => self.close(Outcome::Stopped("a client stopped the run".into()), out),
            ClientOrder::Drain { by } => self.drain(by, now, out),
        }
        self.settle(now, out);
        Ok(added)
    }

    fn expect_live(&self, trial: TrialId, action: &'static str) -> Result<Status, OrderError> {
        let status = self.ledger.status(trial).ok_or(OrderError::NoSuchTrial { trial })?;
        if status.is_terminal() { Err(OrderError::Status { trial, status, action }) } else { Ok(status) }
    }

    fn expect_ended(&self, trial: TrialId) -> Result<(), OrderError> {
        let status = self.ledger.status(trial).ok_or(OrderError::NoSuchTrial { trial })?;
        let action = "be revived: it hasn't ended";
        if status.is_terminal() { Ok(()) } else { Err(OrderError::Status { trial, status, action }) }
    }

    /// Pauses a trial at its next report, or at once if it has no worker.
    pub(super) fn pause_trial(
        &mut self,
        trial: TrialId,
        by: PausedBy,
        reason: Option<Cow<'static, str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        let Some(live) = self.ledger.live_mut(trial) else { return };
        if matches!(live.standing, Standing::Stop { .. } | Standing::Ending(_)) {
            return;
        }
        // A scheduler can't take a trial over that a client paused, and a drain takes over nobody's.
        match (live.paused_by, by) {
            (Some(PausedBy::Client), PausedBy::Scheduler) | (Some(_), PausedBy::Drain) => return,
            _ => {}
        }
        live.paused_by = Some(by);
        let state = live.state;
        if state.holds_worker() {
            live.standing = Standing::Pause { resume: false };
        }
        self.ledger.leave_lines(trial);
        self.tell(now, out, || EventKind::Paused { trial, by, reason: reason.clone() });
        self.set_reason(trial, reason);
        match state {
            State::Paused if by == PausedBy::Scheduler => self.ledger.park(trial),
            State::Paused => {}
            _ => out.push(EngineOutput::Trial(trial, TrialOrder::Pause)),
        }
    }

    fn unpause(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) -> Result<(), OrderError> {
        let status = self.expect_live(trial, "be resumed")?;
        let Some(live) = self.ledger.live_mut(trial) else { return Err(OrderError::NoSuchTrial { trial }) };
        match (&mut live.standing, live.state) {
            (Standing::Pause { resume }, _) => *resume = true,
            // It goes on as soon as it is what it is to become.
            (_, State::Paused) if live.exploit.is_some() => live.paused_by = Some(PausedBy::Scheduler),
            (_, State::Paused) => self.ledger.enqueue(trial),
            // Its pause is on the way: the order is there, the answer isn't yet.
            (standing, State::Queued) if live.paused_by.is_some() => *standing = Standing::Pause { resume: true },
            _ => return Err(OrderError::Status { trial, status, action: "be resumed: it isn't paused" }),
        }
        self.tell(now, out, || EventKind::Resumed { trial });
        Ok(())
    }

    /// Carries out what a scheduler wants of other trials. One that is gone or has ended is passed over.
    pub(super) fn direct(&mut self, directives: Vec<Directive>, now: Moment, out: &mut Vec<EngineOutput>) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        for directive in directives {
            match directive {
                Directive::Save(trial) => {
                    if let Some(live) = self.ledger.live_mut(trial).filter(|live| !live.saving) {
                        live.save_requested = matches!(live.state, State::Running { .. });
                    }
                }
                Directive::Exploit { trial, donor, config, reason } => {
                    self.exploit(trial, Pending::new(donor, config, reason), now, out);
                }
                Directive::Resize { trial, request, reason } => self.resize(trial, request, reason, now, out),
                Directive::Stop(trial) => self.end_trial(trial, Ending::Scheduler, None, now, out),
                Directive::StopBecause(trial, reason) => {
                    self.end_trial(trial, Ending::Scheduler, Some(reason), now, out);
                }
                Directive::Pause(trial) => self.pause_trial(trial, PausedBy::Scheduler, None, now, out),
                Directive::Resume(trial) => {
                    let by_scheduler =
                        self.ledger.live(trial).is_some_and(|live| live.paused_by == Some(PausedBy::Scheduler));
                    if by_scheduler {
                        // A trial that isn't paused yet is let go on as soon as it is.
                        let _ = self.unpause(trial, now, out);
                    }
                }
            }
        }
    }

    pub(super) fn set_standing(&mut self, trial: TrialId, standing: Standing, reason: Option<Cow<'static, str>>) {
        if let Some(live) = self.ledger.live_mut(trial) {
            live.standing = standing;
        }
        self.set_reason(trial, reason);
    }

    pub(super) fn set_reason(&mut self, trial: TrialId, reason: Option<Cow<'static, str>>) {
        if let (Some(reason), Some(entry)) = (reason, self.ledger.entry_mut(trial)) {
            entry.record.reason = Some(reason);
        }
    }
}
