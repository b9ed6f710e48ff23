//! The attendant of programs that know nothing of tryout: it starts one for each trial, reads what it reports, ends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::super::super::desk::Desk;
use super::super::body::Body;
use super::super::child::{Child, Input};
use super::super::mailbox::{Farewell, Mail, Mailbox};
use super::super::place::Home;
use super::super::shared::{Shared, cannot};
use super::super::watch::{Reading, Writing, wait};
use super::super::{batch, verdict};
use super::Recipe;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::limit::OnLimit;
use crate::logic::trial::{FirstBatch, TrialInfo, WorkerFact, WorkerOrder};
use crate::logic::wire::{Lines, MAX_FRAME, ResultsEnd, Row};
use crate::ports::backend::WorkerStart;

/// So many reports are read ahead of the engine; then the program waits, when its pipe is full.
const AHEAD: usize = 1024;

/// What is said to a trial when all that its program reported has been handed in.
#[derive(Debug)]
enum Last {
    Done,
    Failed(Fault),
}

/// Who the attendant works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenancy {
    Nobody,
    /// A trial that waits for reports, or doesn't.
    Asked,
    Unasked,
    /// A trial that has left; it is said when its program has ended.
    Leaving,
    /// One that has been told that it failed.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hurried {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    Yes,
}

pub(super) struct Attendant {
    body: Body,
    recipe: Recipe,
    start: WorkerStart,
    mail: Arc<Mailbox>,
    desk: Desk,
    lease: LeaseId,
    tenancy: Tenancy,
    home: Option<Home>,
    lines: Lines,
    /// Reports that haven't been handed in.
    reports: VecDeque<Row>,
    reported: u64,
    step_began: Instant,
    batch_began: Instant,
    /// Whether somebody waits for the batch to end.
    hurried: Hurried,
    last: Option<Last>,
    stopping: Stopping,
}

impl Attendant {
    pub(super) fn run(shared: Arc<Shared>, recipe: Recipe, start: WorkerStart, mail: Arc<Mailbox>) {
        // It is dropped last: whoever hears that the worker is gone finds nothing of it any more.
        let _farewell = Farewell(start.facts.clone());
        let mut attendant = Self {
            body: Body::new(shared),
            recipe,
            mail,
            desk: Desk::new(start.facts.clone(), start.store.clone()),
            start,
            lease: LeaseId::new(0),
            tenancy: Tenancy::Nobody,
            home: None,
            lines: Lines::new(MAX_FRAME),
            reports: VecDeque::new(),
            reported: 0,
            step_began: Instant::now(),
            batch_began: Instant::now(),
            hurried: Hurried::No,
            last: None,
            stopping: Stopping::No,
        };
        while attendant.body.child.is_some() || attendant.stopping == Stopping::No {
            attendant.turn();
        }
    }

    fn turn(&mut self) {
        for mail in self.mail.take() {
            match mail {
                Mail::Order((lease, order)) => self.order(lease, order),
                Mail::Kill | Mail::Hangup => self.stop(),
                Mail::Wake => {}
            }
        }
        if self.body.child.is_none() && self.stopping == Stopping::Yes {
            return;
        }
        self.hand_in();
        let reading = if self.reports.len() < AHEAD { Reading::Both } else { Reading::OnlyErrors };
        let child = self.body.child.as_ref();
        let until = child.and_then(Child::deadline).or_else(|| self.body.clocks.deadline());
        let until = until.into_iter().chain(self.batch_ends()).min();
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

    // ---- from the engine -------------------------------------------------------------------------------------------

    fn order(&mut self, lease: LeaseId, order: WorkerOrder) {
        match order {
            WorkerOrder::Start { info, config, first } => {
                self.lease = lease;
                self.tenancy = Tenancy::Unasked;
                match self.begin(info, &config, first) {
                    Ok(()) => self.desk.say(lease, WorkerFact::Ready),
                    Err(fault) => self.fail(fault),
                }
            }
            WorkerOrder::Release => self.release(lease),
            WorkerOrder::Shutdown => self.stop(),
            WorkerOrder::Train { limits, spare } if self.tenancy == Tenancy::Unasked => {
                self.begin_batch(FirstBatch { limits, spare });
            }
            WorkerOrder::Yield => self.hurried = Hurried::Yes,
            // There is nothing that could be saved, loaded or exported but what lies in the trial's directory.
            WorkerOrder::Save { .. } if self.has_trial() => self.desk.say(lease, WorkerFact::Saved(None)),
            WorkerOrder::Restore { checkpoint } if self.has_trial() => {
                self.desk.continue_from(&checkpoint);
                self.desk.say(lease, WorkerFact::Restored);
            }
            WorkerOrder::Train { .. } | WorkerOrder::Save { .. } | WorkerOrder::Restore { .. } => {}
        }
    }

    fn has_trial(&self) -> bool {
        matches!(self.tenancy, Tenancy::Asked | Tenancy::Unasked)
    }

    fn begin(&mut self, info: TrialInfo, config: &Config, first: Option<FirstBatch>) -> Result<(), Fault> {
        let home = self.body.shared.place()?.home(info.id, self.start.worker);
        let home = home.map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
        let output = self.body.shared.settings.output;
        self.body.streams.iter_mut().for_each(|stream| stream.redirect(home.output.as_deref(), output));
        self.body.last.clear();
        self.lines = Lines::new(MAX_FRAME);
        self.reports.clear();
        (self.reported, self.last) = (0, None);
        self.desk.begin_trial(info.clone());
        let command =
            self.recipe.prepare(&self.body.shared.settings.program, &self.start.slot, &info, config, &home)?;
        self.home = Some(home);
        self.body.start(command, Input::Empty)?;
        let limits = self.body.shared.settings.limits;
        if let (Some(cpu), Some(child)) = (limits.cpu.filter(|cpu| cpu.then == OnLimit::Kill), &self.body.child) {
            child.limit_cpu(cpu.most).map_err(|error| cannot("limit the process's time", &error))?;
        }
        self.step_began = Instant::now();
        self.body.clocks.works(&limits, self.step_began, 0.0);
        first.into_iter().for_each(|first| self.begin_batch(first));
        Ok(())
    }

    fn begin_batch(&mut self, FirstBatch { limits, spare }: FirstBatch) {
        self.desk.begin_batch(limits, spare);
        (self.tenancy, self.batch_began, self.hurried) = (Tenancy::Asked, Instant::now(), Hurried::No);
    }

    /// When reports that are there are handed in, although there could be more of them.
    fn batch_ends(&self) -> Option<Instant> {
        let time = self.desk.limits().time.filter(|_| self.tenancy == Tenancy::Asked && !self.reports.is_empty())?;
        Some(self.batch_began + time)
    }

    /// Whether the batch is as long as it may be.
    fn is_full(&self) -> bool {
        let full = self.reports.len() >= self.desk.room() as usize;
        let over = self.batch_ends().is_some_and(|ends| Instant::now() >= ends);
        full || over || self.hurried == Hurried::Yes || self.last.is_some()
    }

    fn release(&mut self, lease: LeaseId) {
        self.lease = lease;
        self.reports.clear();
        self.last = None;
        if self.body.child.is_some() {
            self.tenancy = Tenancy::Leaving;
            self.body.terminate(Instant::now());
        } else {
            self.tenancy = Tenancy::Nobody;
            self.desk.say(lease, WorkerFact::Released);
        }
    }

    fn stop(&mut self) {
        self.stopping = Stopping::Yes;
        self.tenancy = Tenancy::Failed;
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
            if let Some(metrics) = metrics {
                let row = self.row(metrics);
                self.reports.push_back(row);
            }
        }
    }

    /// A report that has come just now.
    fn row(&mut self, metrics: crate::logic::metrics::Metrics) -> Row {
        let now = Instant::now();
        let took = now.saturating_duration_since(std::mem::replace(&mut self.step_began, now));
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        self.reported += 1;
        self.body.clocks.stepped(&self.body.shared.settings.limits, now);
        Row { metrics, seconds: took.as_secs_f64(), at }
    }

    /// Hands in what there is, if somebody waits for it.
    fn hand_in(&mut self) {
        if self.tenancy != Tenancy::Asked {
            return;
        }
        let done = matches!(self.last, Some(Last::Done));
        if self.reports.is_empty() && !done {
            if let Some(Last::Failed(fault)) = self.last.take() {
                self.fail(fault);
            }
            return;
        }
        if !self.is_full() {
            return;
        }
        let count = self.reports.len().min(self.desk.room() as usize);
        let end = (done && count == self.reports.len()).then_some(ResultsEnd::Done);
        let child = self.body.child.as_ref();
        let rows = self.reports.drain(..count);
        let cpu = || child.and_then(Child::cpu);
        let taken = batch::take(&mut self.desk, rows, &self.body.shared.settings.limits, cpu);
        let fact = taken.batch(&mut self.desk, end, None);
        self.tenancy = Tenancy::Unasked;
        self.desk.say(self.lease, fact);
    }

    fn fail(&mut self, fault: Fault) {
        if self.has_trial() {
            let fault = self.body.with_words(fault);
            self.tenancy = Tenancy::Failed;
            self.body.terminate(Instant::now());
            self.desk.say(self.lease, WorkerFact::Failed(fault));
        }
    }

    /// The program has ended, by itself or not.
    fn ended(&mut self) {
        let mut printed = Vec::new();
        let Some(end) = self.body.end(|bytes| printed.extend_from_slice(bytes)) else { return };
        // The last line needn't have an end.
        printed.push(b'\n');
        self.printed(&printed);
        match self.tenancy {
            Tenancy::Leaving => {
                self.tenancy = Tenancy::Nobody;
                self.desk.say(self.lease, WorkerFact::Released);
            }
            Tenancy::Asked | Tenancy::Unasked => {
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
            Tenancy::Nobody | Tenancy::Failed => {}
        }
    }

    /// It ended well: what it wrote into a file counts now, and something must have been reported.
    fn success(&mut self) -> Result<(), Fault> {
        let failed = |message| Fault::new(FailureKind::UserError, message);
        let work = self.home.as_ref().map(|home| home.work.clone()).unwrap_or_default();
        for metrics in self.recipe.reader.file(&work).map_err(failed)? {
            let row = self.row(metrics);
            self.reports.push_back(row);
        }
        if self.reported == 0 && !matches!(self.recipe.reader, super::Reader::Nowhere) {
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
