//! The supervisor of programs that know nothing of tryout: it starts one for each trial, reads what it reports, ends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::super::context::WorkerContext;
use super::super::super::thread::Farewell;
use super::super::body::Body;
use super::super::child::{Child, Input};
use super::super::mailbox::{Mail, Mailbox};
use super::super::place::Home;
use super::super::shared::{Shared, cannot};
use super::super::verdict;
use super::super::watch::{Reading, Writing, wait};
use super::Recipe;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::WorkerId;
use crate::logic::limit::OnLimit;
use crate::logic::metrics::Metrics;
use crate::logic::pool::Slot;
use crate::logic::trial::Rests;
use crate::logic::wire::{Lines, MAX_FRAME};
use crate::logic::worker::{Call, Wish, WorkerInput};
use crate::ports::backend::WorkerStart;

/// So many reports are read before the engine has asked for them; then the program waits, when its pipe is full.
const MOST_WAITING: usize = 1024;

/// What is said to a trial when all that its program reported has been handed in.
#[derive(Debug)]
enum Last {
    Done,
    Failed(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

/// Stands between the engine and the programs of one worker.
pub(super) struct CommandSupervisor {
    body: Body,
    recipe: Recipe,
    id: WorkerId,
    slot: Arc<Slot>,
    mail: Arc<Mailbox>,
    context: WorkerContext,
    home: Option<Home>,
    lines: Lines,
    /// Reports that haven't been taken, and when each was read.
    reports: VecDeque<(Metrics, Instant)>,
    reported: u64,
    /// When the last report was read that has been taken.
    step_began: Instant,
    last: Option<Last>,
    /// So many reports wait that no more are read, and the program waits for us.
    full: bool,
    stopping: Stopping,
}

impl CommandSupervisor {
    pub(super) fn run(shared: Arc<Shared>, recipe: Recipe, start: WorkerStart, mail: Arc<Mailbox>) {
        // It is dropped last: whoever hears that the worker is gone finds nothing of it any more.
        let _farewell = Farewell(start.facts.clone());
        let context = WorkerContext::new(Rests::WhenReleased, start.facts, start.store, mail.leases.clone());
        let mut supervisor = Self {
            context: context.with_limits(shared.settings.limits),
            body: Body::new(shared),
            recipe,
            id: start.worker,
            slot: start.slot,
            mail,
            home: None,
            lines: Lines::new(MAX_FRAME),
            reports: VecDeque::new(),
            reported: 0,
            step_began: Instant::now(),
            last: None,
            full: false,
            stopping: Stopping::No,
        };
        while supervisor.body.child.is_some() || supervisor.stopping == Stopping::No {
            supervisor.turn();
        }
    }

    fn turn(&mut self) {
        for mail in self.mail.take() {
            match mail {
                Mail::Order((lease, order)) => self.tell(WorkerInput::Order(lease, order)),
                Mail::Kill | Mail::Hangup => self.stop(),
                Mail::Wake => {}
            }
        }
        if self.body.child.is_none() && self.stopping == Stopping::Yes {
            return;
        }
        self.hand_over();
        self.see_full(Instant::now());
        let reading = if self.full { Reading::OnlyErrors } else { Reading::Both };
        let child = self.body.child.as_ref();
        let until = child.and_then(Child::deadline).or_else(|| self.body.clocks.deadline());
        let until = until.into_iter().chain(self.context.deadline()).min();
        let ready = wait(&self.mail, child, &self.body.streams, Writing::Idle, reading, until);
        let mut printed = Vec::new();
        self.body.read(ready.streams, |bytes| printed.extend_from_slice(bytes));
        self.printed(&printed);
        if ready.ended {
            self.ended();
        } else {
            self.on_time(Instant::now());
        }
    }

    /// The clocks of a program rest while it may wait for us.
    fn see_full(&mut self, now: Instant) {
        let full = self.reports.len() >= MOST_WAITING;
        if std::mem::replace(&mut self.full, full) == full || self.body.child.as_ref().is_none_or(Child::is_ending) {
            return;
        }
        if full {
            self.body.clocks.rest();
        } else {
            let limits = self.body.shared.settings.limits;
            self.body.clocks.works(&limits, now, self.context.worker().worked());
        }
    }

    // ---- from the engine -------------------------------------------------------------------------------------------

    /// Tells the machine something, and does what it wants then.
    fn tell(&mut self, input: WorkerInput) {
        self.context.on(input);
        self.make_call();
    }

    fn make_call(&mut self) {
        let Some(call) = self.context.take_call() else { return };
        match call {
            Call::Begin { config, .. } => match self.begin(&config) {
                Ok(()) => self.tell(WorkerInput::Ready),
                Err(fault) => self.fail(fault),
            },
            // There is nothing that could be saved, loaded or exported but what lies in the trial's directory.
            Call::Restore(_) => self.tell(WorkerInput::Restored),
            Call::Save { .. } => self.tell(WorkerInput::Saved(None)),
            // It works by itself.
            Call::Work(_) => {}
            Call::Rest => self.rest(),
            Call::End => self.stop(),
        }
    }

    fn begin(&mut self, config: &Config) -> Result<(), Fault> {
        let Some(info) = self.context.info().cloned() else { return Ok(()) };
        let home = self.body.shared.place()?.home(info.id, self.id);
        let home = home.map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
        let output = self.body.shared.settings.output;
        self.body.streams.iter_mut().for_each(|stream| stream.redirect(home.output.as_deref(), output));
        self.body.last.clear();
        self.lines = Lines::new(MAX_FRAME);
        self.reports.clear();
        (self.reported, self.last, self.full) = (0, None, false);
        // Without a directory of the run there is nothing that it could have kept.
        if self.recipe.continues && home.output.is_some() {
            self.context.goes_on();
        }
        let command = self.recipe.prepare(&self.body.shared, &self.slot, &info, config, &home)?;
        self.home = Some(home);
        self.body.start(command, Input::Empty)?;
        self.body.child.iter().for_each(|child| self.context.placed(child.id(), None));
        let limits = self.body.shared.settings.limits;
        if let (Some(cpu), Some(child)) = (limits.cpu.filter(|cpu| cpu.then == OnLimit::Kill), &self.body.child) {
            child.limit_cpu(cpu.most).map_err(|error| cannot("limit the process's time", &error))?;
        }
        self.step_began = Instant::now();
        self.body.clocks.works(&limits, self.step_began, 0.0);
        Ok(())
    }

    /// The trial has left: its program is ended.
    fn rest(&mut self) {
        self.reports.clear();
        self.last = None;
        if self.body.child.is_some() {
            self.body.terminate(Instant::now());
        } else {
            self.tell(WorkerInput::AtRest);
        }
    }

    fn stop(&mut self) {
        self.stopping = Stopping::Yes;
        self.reports.clear();
        self.last = None;
        self.body.terminate(Instant::now());
    }

    // ---- from the program ------------------------------------------------------------------------------------------

    fn printed(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
        loop {
            let metrics = match self.lines.next_line() {
                Ok(None) => return,
                Ok(Some(line)) => self.recipe.reader.line(line),
                Err(error) => {
                    // What has no lines has no reports.
                    log::warn!("the standard output of a trial is no text: {error}");
                    self.lines = Lines::new(MAX_FRAME);
                    return;
                }
            };
            metrics.into_iter().for_each(|metrics| self.read(metrics));
        }
    }

    /// A report has come.
    fn read(&mut self, metrics: Metrics) {
        let now = Instant::now();
        self.reported += 1;
        self.body.clocks.stepped(&self.body.shared.settings.limits, now);
        self.reports.push_back((metrics, now));
    }

    /// Hands over what there is, as long as somebody waits for it.
    fn hand_over(&mut self) {
        while self.context.worker().is_working() {
            if let Some((metrics, at)) = self.reports.pop_front() {
                let took = at.saturating_duration_since(std::mem::replace(&mut self.step_began, at));
                if self.body.shared.settings.limits.counts_cpu()
                    && let Some(cpu) = self.body.child.as_ref().and_then(Child::cpu)
                {
                    self.context.on(WorkerInput::UsedCpu(cpu));
                }
                self.context.on_at(WorkerInput::Reported { metrics, wish: Wish::GoOn, took: Some(took) }, at);
                self.make_call();
                continue;
            }
            match self.last.take() {
                Some(Last::Done) => self.tell(WorkerInput::Ended),
                Some(Last::Failed(fault)) => self.fail(fault),
                None => return self.tell(WorkerInput::Tick),
            }
        }
    }

    /// Something went wrong. A program that still runs is ended.
    fn fail(&mut self, fault: Fault) {
        let fault = self.body.with_words(fault);
        self.body.terminate(Instant::now());
        self.tell(WorkerInput::Failed(fault));
    }

    /// The program has ended, by itself or not.
    fn ended(&mut self) {
        let mut printed = Vec::new();
        let Some(end) = self.body.end(|bytes| printed.extend_from_slice(bytes)) else { return };
        // The last line needn't have an end.
        printed.push(b'\n');
        self.printed(&printed);
        if !self.context.worker().serves() {
            return self.tell(WorkerInput::AtRest);
        }
        let last = match end {
            Ok(end) if end.status.success() => self.success().map_or_else(Last::Failed, |()| Last::Done),
            Ok(end) => {
                let limits = self.body.shared.settings.limits;
                Last::Failed(verdict::fault(&end, &limits, &self.body.last.lines()))
            }
            Err(error) => {
                let message = format!("the process's end can't be seen: {error}");
                Last::Failed(Fault::new(FailureKind::WorkerLost, message))
            }
        };
        // A limit that ended it goes before how it ended.
        self.last.get_or_insert(last);
    }

    /// It ended well: what it wrote into a file counts now, and something must have been reported.
    fn success(&mut self) -> Result<(), Fault> {
        let failed = |message| Fault::new(FailureKind::UserError, message);
        let work = self.home.as_ref().map(|home| home.work.clone()).unwrap_or_default();
        for metrics in self.recipe.reader.file(&work).map_err(failed)? {
            self.read(metrics);
        }
        // One that goes on may have nothing left to do.
        if self.context.worker().iteration() == 0
            && self.reported == 0
            && !matches!(self.recipe.reader, super::Reader::Nowhere)
        {
            let words = self.recipe.reader.words();
            let message =
                format!("the program ended well, but reported nothing: its reports are looked for in {words}");
            return Err(failed(message));
        }
        Ok(())
    }

    fn on_time(&mut self, now: Instant) {
        if let Some(child) = &mut self.body.child
            && child.is_ending()
        {
            return child.on_time(now);
        }
        if let Some(over) = self.body.clocks.over(&self.body.shared.settings.limits, now) {
            self.last = Some(Last::Failed(Fault::new(FailureKind::Timeout, over)));
            self.body.terminate(now);
        }
    }
}
