//! What clients ask for while the run goes on, and what schedulers want of other trials.

use std::borrow::Cow;
use std::sync::Arc;

use super::ledger::Ordered;
use super::{Engine, EngineOutput, RunPhase};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::decision::Directive;
use crate::logic::event::{AddedBy, Ending, EventKind, ExploitOrder, Outcome, PausedBy, ResumedBy};
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
        self.order_by(order, None, now, out)
    }

    /// As [`order`](Self::order), and says who asks for it, if that is known.
    ///
    /// # Errors
    /// If it can't be carried out; then nothing has changed.
    pub fn order_by(
        &mut self,
        mut order: ClientOrder,
        by: Option<Arc<str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<Option<TrialId>, OrderError> {
        // A run that takes its time to end can still be ended at once.
        let at_once = matches!(order, ClientOrder::StopAll) && self.takes_its_time();
        if !self.is_open() && !at_once {
            return Err(OrderError::Over);
        }
        let (name, trial) = order.named();
        let by = if order.signed(&by) { None } else { by };
        let added = self.carry_out(order, now, out)?;
        if let Some(by) = by {
            self.commit(now, out, EventKind::Asked { order: name.into(), trial: trial.or(added), by });
        }
        self.settle(now, out);
        Ok(added)
    }

    fn carry_out(
        &mut self,
        order: ClientOrder,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<Option<TrialId>, OrderError> {
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
                self.unpause(trial, ResumedBy::Client, now, out)?;
                self.scheduler.call(|scheduler| scheduler.on_resume(trial));
            }
            ClientOrder::Save(trial) => self.request_save(trial, now, out)?,
            ClientOrder::Revive(trial) => {
                self.expect_ended(trial)?;
                self.revive(trial, now, out);
            }
            ClientOrder::Add(config) => added = Some(self.add_for_client(config, None, now, out)?),
            ClientOrder::AddFrom(config, id) => added = Some(self.add_from(config, id, now, out)?),
            ClientOrder::AddImported(config, from) => {
                added = Some(self.add_for_client(config, Some(from), now, out)?)
            }
            ClientOrder::Prioritise(trial, priority) => {
                self.expect_live(trial, "be given a priority")?;
                self.commit(now, out, EventKind::Prioritised { trial, priority });
            }
            ClientOrder::Concurrency(concurrency) => {
                self.commit(now, out, EventKind::Limited { concurrency });
            }
            ClientOrder::Resources(total) => self.rescale(total, now, out)?,
            ClientOrder::Staged(most) => self.commit(now, out, EventKind::Staged { most }),
            ClientOrder::Set { setting, by } => {
                self.check_setting(&setting)?;
                self.set(setting, by, now, out);
                self.check_experiment(now, out);
            }
            ClientOrder::SetSpace { changes, by } => self.change_space(&changes, by, now, out)?,
            ClientOrder::Request(trial, request) => {
                self.expect_live(trial, "be given other resources")?;
                self.change_request(trial, request, now, out)?;
            }
            ClientOrder::Proceed => self.proceed(now, out)?,
            ClientOrder::StopAll => self.close(Outcome::Stopped("a client stopped the run".into()), now, out),
            ClientOrder::Drain { by } => self.drain(by, now, out),
        }
        Ok(added)
    }

    fn request_save(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) -> Result<(), OrderError> {
        let status = self.expect_live(trial, "be saved")?;
        if status != Status::Running {
            return Err(OrderError::Status { trial, status, action: "be saved: it has no worker" });
        }
        self.commit(now, out, EventKind::SaveRequested { trial });
        Ok(())
    }

    fn add_for_client(
        &mut self,
        config: Config,
        from: Option<Arc<Checkpoint>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<TrialId, OrderError> {
        self.add(config, (AddedBy::Client, None), from, now, out).map_err(|message| OrderError::Infeasible { message })
    }

    fn add_from(
        &mut self,
        config: Config,
        checkpoint: CheckpointId,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<TrialId, OrderError> {
        let trial = checkpoint.trial;
        let kept = &self.ledger.get(trial).ok_or(OrderError::NoSuchTrial { trial })?.checkpoints;
        let ids = || kept.iter().map(|kept| kept.id).collect();
        let from = kept.iter().find(|kept| kept.id == checkpoint).cloned();
        let from = from.ok_or_else(|| OrderError::NoSuchCheckpoint { checkpoint, kept: ids() })?;
        self.add_for_client(config, Some(from), now, out)
    }

    fn expect_live(&self, trial: TrialId, action: &'static str) -> Result<Status, OrderError> {
        let status = self.ledger.status(trial).ok_or(OrderError::NoSuchTrial { trial })?;
        if status.is_terminal() { Err(OrderError::Status { trial, status, action }) } else { Ok(status) }
    }

    fn expect_ended(&self, trial: TrialId) -> Result<(), OrderError> {
        let status = self.ledger.status(trial).ok_or(OrderError::NoSuchTrial { trial })?;
        let withdrawn = self.ledger.get(trial).is_some_and(|record| record.ending == Some(Ending::Withdrawn));
        match (status.is_terminal(), withdrawn) {
            (false, _) => Err(OrderError::Status { trial, status, action: "be revived: it hasn't ended" }),
            (true, true) => {
                Err(OrderError::Status { trial, status, action: "be revived: it was withdrawn before it began" })
            }
            (true, false) => Ok(()),
        }
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
        let going_to_end = self.ledger.is_ending(trial) || self.has_last_step(trial);
        let Some(plan) = self.ledger.plan(trial).filter(|_| !going_to_end) else { return };
        // A scheduler can't take a trial over that a client paused, and a drain takes over nobody's.
        match (plan.paused_by, by) {
            (Some(PausedBy::Client), PausedBy::Scheduler) | (Some(_), PausedBy::Drain) => return,
            _ => {}
        }
        self.commit(now, out, EventKind::Paused { trial, by, reason });
        if self.ledger.live(trial).is_some_and(|live| live.state != State::Paused) {
            out.push(EngineOutput::Trial(trial, TrialOrder::Pause));
        }
    }

    pub(super) fn unpause(
        &mut self,
        trial: TrialId,
        by: ResumedBy,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<(), OrderError> {
        let status = self.expect_live(trial, "be resumed")?;
        let Some((plan, live)) = self.ledger.plan(trial).zip(self.ledger.live(trial)) else {
            return Err(OrderError::NoSuchTrial { trial });
        };
        let on_the_way = live.state == State::Queued && plan.paused_by.is_some();
        match plan.ordered {
            Ordered::Pause { .. } => {}
            Ordered::Nothing if live.state == State::Paused || on_the_way => {}
            _ => return Err(OrderError::Status { trial, status, action: "be resumed: it isn't paused" }),
        }
        self.commit(now, out, EventKind::Resumed { trial, by });
        Ok(())
    }

    /// Carries out what a scheduler wants of other trials. One that is gone or has ended is passed over. While a run drains, what
    /// is wanted is written down as always, and takes effect when the run is resumed.
    pub(super) fn direct(&mut self, directives: Vec<Directive>, now: Moment, out: &mut Vec<EngineOutput>) {
        if !matches!(self.phase, RunPhase::Open | RunPhase::Draining { .. }) {
            return;
        }
        for directive in directives {
            match directive {
                Directive::Save(trial) => {
                    let runs = |live: &super::ledger::Live| matches!(live.state, State::Running { .. }) && !live.saving;
                    let wanted = self.ledger.plan(trial).is_some_and(|plan| !plan.save_requested);
                    if wanted && self.ledger.live(trial).is_some_and(runs) {
                        self.commit(now, out, EventKind::SaveRequested { trial });
                    }
                }
                Directive::Exploit { trial, donor, config, reason } => {
                    self.exploit(trial, ExploitOrder { donor, config, reason }, now, out);
                }
                Directive::Resize { trial, request, reason } => self.resize(trial, request, reason, now, out),
                Directive::Prioritise(trial, priority) => {
                    if self.ledger.plan(trial).is_some_and(|plan| plan.priority != priority) {
                        self.commit(now, out, EventKind::Prioritised { trial, priority });
                    }
                }
                Directive::Stop(trial) => self.end_trial(trial, Ending::Scheduler, None, now, out),
                Directive::StopBecause(trial, reason) => {
                    self.end_trial(trial, Ending::Scheduler, Some(reason), now, out);
                }
                Directive::Pause(trial) => self.pause_trial(trial, PausedBy::Scheduler, None, now, out),
                Directive::Resume(trial) => {
                    let by_scheduler =
                        self.ledger.plan(trial).is_some_and(|plan| plan.paused_by == Some(PausedBy::Scheduler));
                    if by_scheduler {
                        // A trial that isn't paused yet is let go on as soon as it is.
                        let _ = self.unpause(trial, ResumedBy::Scheduler, now, out);
                    }
                }
            }
        }
    }
}
