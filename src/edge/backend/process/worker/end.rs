//! How a worker ends: by a failure, a limit, silence, or by itself.

use std::time::Instant;

use super::super::child::Child;
use super::super::verdict;
use super::{Goes, ProcessSupervisor, Stopping};
use crate::edge::deadline;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::wire::{Ability, Awaited};
use crate::logic::worker::WorkerInput;

impl ProcessSupervisor {
    /// The trial is told nothing more, whatever the worker still says.
    pub(super) fn over(&mut self) {
        self.mail.fast_path.close();
        self.pending = None;
        self.body.clocks.rest();
        self.protocol.leave();
    }

    /// Something went wrong: the machine knows whom that concerns.
    pub(super) fn fail(&mut self, fault: Fault) {
        let fault = if fault.output.is_empty() { self.body.with_words(fault) } else { fault };
        self.tell(WorkerInput::Failed(fault));
    }

    /// The process has ended, by itself or not. One that ends before its first trial has come waits for it, to say why; one that
    /// ends instead of becoming another trial waits to be replaced, and one whose trial is done waits for that to leave.
    pub(super) fn ended(&mut self) -> Goes {
        self.see_ordered();
        let greeted = self.protocol.hello().is_some();
        let end = self.body.end(|_| {});
        let early = self.trials == 0 && self.stopping == Stopping::No;
        if !self.context.worker().serves() && !early {
            return Goes::Away;
        }
        let limits = self.body.shared.settings.limits;
        let failed = matches!(&end, Some(Ok(end)) if !end.status.success());
        let fault = match end {
            Some(Ok(end)) => verdict::fault(&end, &limits, &self.body.last.lines()),
            Some(Err(error)) => lost(&error.to_string()),
            None => lost("it is gone"),
        };
        let message = match greeted {
            true => fault.message,
            // It has said itself what is wrong, as an interpreter does of an import that fails.
            false if failed && !self.body.last.lines().is_empty() => {
                format!("{} before it spoke to the engine", fault.message)
            }
            false => format!("{} before it spoke to the engine: {HINT}", fault.message),
        };
        let fault = Fault { message, ..fault };
        if early {
            self.unborn = Some(self.body.with_words(fault));
            return Goes::On;
        }
        // It fell before it knew of this trial, or over the last one: that isn't this one's failure.
        if self.trials > 1 && self.protocol.awaited() == Some(Awaited::Ready) {
            self.tell(WorkerInput::ResetFailed(fault));
            return Goes::On;
        }
        self.fail(fault);
        if self.context.worker().serves() { Goes::On } else { Goes::Away }
    }

    /// When [`on_time`](Self::on_time) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let child = self.body.child.as_ref();
        if child.is_some_and(Child::is_ending) {
            return child.and_then(Child::deadline);
        }
        [self.due, self.body.clocks.deadline(), self.lost_at()].into_iter().flatten().min()
    }

    /// When it is given up, if it gives no sign of life until then.
    fn lost_at(&self) -> Option<Instant> {
        let heartbeat = self.body.shared.settings.heartbeat.filter(|_| self.protocol.can(Ability::Heartbeat))?;
        Some(deadline::after(self.sign, heartbeat.lost_after))
    }

    /// Ends a worker whose time is over, and says why.
    pub(super) fn on_time(&mut self, now: Instant) {
        if let Some(child) = &mut self.body.child
            && child.is_ending()
        {
            return child.on_time(now);
        }
        if let Some(fault) = self.late(now) {
            self.fail(fault);
            self.body.terminate(now);
        }
    }

    /// What has taken too long, if anything has.
    fn late(&self, now: Instant) -> Option<Fault> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let settings = &self.body.shared.settings;
        if let Some(over) = self.body.clocks.over(&settings.limits, now) {
            return Some(Fault::new(FailureKind::Timeout, over));
        }
        if passed(self.due) && self.protocol.hello().is_none() {
            let most = settings.start_up.as_secs_f64();
            return Some(Fault::new(FailureKind::SetupFailed, format!("the program said nothing in {most} s: {HINT}")));
        }
        if passed(self.due) {
            let message = "the worker closed its end of the conversation, but goes on";
            return Some(Fault::new(FailureKind::Protocol, message));
        }
        let lost = settings.heartbeat.filter(|_| passed(self.lost_at()))?.lost_after.as_secs_f64();
        Some(Fault::new(FailureKind::HeartbeatLost, format!("the worker gave no sign of life for {lost} s")))
    }
}

fn lost(why: &str) -> Fault {
    Fault::new(FailureKind::WorkerLost, format!("the process's end can't be seen: {why}"))
}

const HINT: &str = "a worker calls `serve`; a program that knows nothing of tryout is run by `command`";
