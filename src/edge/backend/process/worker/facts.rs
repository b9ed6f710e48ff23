//! What a worker says, and what it means to the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::super::child::{Child, read_some};
use super::super::{adopt, batch};
use super::{Attendant, Done, Errand, LINGER, LOG_CREDIT, Stopping, directory};
use crate::logic::checkpoint::Checkpoint;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::trial::WorkerFact;
use crate::logic::wire::{
    Ability, Awaited, FaultKind, Heard, LogLevel, Order, PROTOCOL, ProtocolError, ResultsEnd, Row, ToWorker, Welcome,
    encode,
};

/// So long may each of a failure's texts be, in bytes.
const LONGEST_WORDS: usize = 64 << 10;

impl Attendant {
    /// Takes all that the worker has said.
    pub(super) fn hear_all(&mut self) {
        while let Some(socket) = self.body.child.as_ref().and_then(|child| child.socket.as_ref()) {
            match read_some(socket, &mut self.body.buffer) {
                Ok(None) => break,
                Ok(Some(0)) | Err(_) => self.closed(),
                Ok(Some(count)) => {
                    self.lines.push(&self.body.buffer[..count]);
                    if let Err(error) = self.hear_lines() {
                        self.garbled(&error);
                        break;
                    }
                    // What there was is read: that is asked again only when there is more.
                    if count < self.body.buffer.len() {
                        break;
                    }
                }
            }
        }
    }

    fn hear_lines(&mut self) -> Result<(), ProtocolError> {
        // What it answers was asked before.
        self.see_ordered();
        while let Some(line) = self.lines.next_line()? {
            let heard = self.talk.hear(line)?;
            self.sign = Instant::now();
            if let Err(fault) = self.heard(heard) {
                self.fail(fault);
            }
        }
        Ok(())
    }

    /// It has closed its end of the conversation. Mostly it is about to end.
    fn closed(&mut self) {
        if let Some(child) = &mut self.body.child {
            child.socket = None;
            self.mail.express.close();
            // One that was asked to end may clean up for as long as the pool lets it.
            self.due = (self.stopping == Stopping::No).then(|| Instant::now() + LINGER);
        }
    }

    /// What it says can't be understood: it is ended.
    fn garbled(&mut self, error: &ProtocolError) {
        self.fail(Fault::new(FailureKind::Protocol, error_chain(error)));
        if let Some(child) = &mut self.body.child {
            child.socket = None;
        }
        self.body.terminate(Instant::now());
    }

    fn heard(&mut self, heard: Heard) -> Result<(), Fault> {
        match heard {
            Heard::Hello => self.welcome(),
            Heard::Done(Awaited::Ready) => {
                self.body.clocks.rest();
                self.desk.say(self.lease, WorkerFact::Ready);
                if self.talk.awaited().is_some() {
                    self.works();
                }
            }
            Heard::Done(Awaited::Restored) => {
                self.body.clocks.rest();
                if let Some(Errand::Restoring { checkpoint }) = self.errand.take() {
                    self.desk.continue_from(&checkpoint);
                    self.desk.say(self.lease, WorkerFact::Restored);
                }
            }
            Heard::Done(Awaited::Exported) => {
                self.body.clocks.rest();
                if let (Some(Errand::Exporting { saved }), Some(trial)) = (self.errand.take(), self.desk.trial()) {
                    self.desk.exported(trial)?;
                    self.desk.say(self.lease, WorkerFact::Saved(saved));
                }
            }
            Heard::Done(Awaited::Drained) => self.desk.say(self.lease, WorkerFact::Released),
            Heard::Results { list, end, checkpoint } => return self.results(list, end, checkpoint),
            Heard::Saved { kept } => return self.saved(kept),
            Heard::Failed { kind: FaultKind::Reset, message, .. } => {
                self.over();
                let fault = Fault::new(FailureKind::SetupFailed, bounded(message));
                self.desk.say(self.lease, WorkerFact::ResetFailed(fault));
            }
            Heard::Failed { kind, message, place, trace } => {
                self.body.read([true; 2], |_| {});
                let (place, trace) = (place.map(bounded), trace.map(|trace| bounded(trace.into()).into()));
                return Err(Fault { place, trace, ..Fault::new(kind_of(kind), bounded(message)) });
            }
            Heard::Log { level, message, dropped } => self.log(level, &message, dropped),
            Heard::Heartbeat { steps } => {
                if std::mem::replace(&mut self.steps, steps) != steps {
                    self.body.clocks.stepped(&self.body.shared.settings.limits, Instant::now());
                }
            }
            Heard::Stale | Heard::Done(_) => {}
        }
        Ok(())
    }

    fn welcome(&mut self) {
        self.due = None;
        let settings = &self.body.shared.settings;
        let beats = settings.sign_every().filter(|_| self.talk.can(Ability::Heartbeat));
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: self.worker.to_string(),
            heartbeat: beats.map(|every| every.as_secs_f64()),
            max_frame: settings.max_frame,
            logs: LOG_CREDIT,
        };
        // It belongs to no lease, and goes before all that waits.
        let frame = ToWorker { lease: 0, order: Order::Welcome(welcome) };
        let _ = encode(&frame, &mut self.sending.0);
        self.sending.0.append(&mut self.held);
        self.talk.credit(LOG_CREDIT);
    }

    fn log(&mut self, level: LogLevel, message: &str, dropped: u64) {
        let level = match level {
            LogLevel::Error => log::Level::Error,
            LogLevel::Warn => log::Level::Warn,
            LogLevel::Info => log::Level::Info,
            LogLevel::Debug => log::Level::Debug,
        };
        let trial = self.desk.trial().map_or_else(|| self.worker.to_string(), |trial| trial.to_string());
        if dropped > 0 {
            log::log!(level, "{trial}: {message} ({dropped} messages before it were dropped)");
        } else {
            log::log!(level, "{trial}: {message}");
        }
        if self.talk.logs() <= LOG_CREDIT / 2 {
            let more = LOG_CREDIT - self.talk.logs();
            self.talk.credit(more);
            self.send(Order::Credit { logs: more });
        }
    }

    pub(super) fn results(
        &mut self,
        list: Vec<Row>,
        end: Option<ResultsEnd>,
        checkpoint: Option<PathBuf>,
    ) -> Result<(), Fault> {
        self.body.clocks.rest();
        let (child, before) = (self.body.child.as_ref(), self.cpu_before);
        let cpu = || child.and_then(Child::cpu).map(|cpu| cpu.saturating_sub(before));
        let taken = batch::take(&mut self.desk, list, &self.body.shared.settings.limits, cpu);
        if end == Some(ResultsEnd::Done) {
            self.done = Done::Yes;
        }
        let handed_in = checkpoint.map(|from| self.hand_in(&from)).transpose()?;
        let fact = taken.batch(&mut self.desk, end, handed_in);
        if end.is_none() {
            self.open_express();
        }
        self.desk.say(self.lease, fact);
        Ok(())
    }

    /// The next step may come past the attendant, if nobody has a clock to set for it and nothing is on its way.
    fn open_express(&self) {
        let limits = &self.body.shared.settings.limits;
        let unwatched = limits.step.is_none() && limits.trial.is_none();
        let idle = self.talk.awaited().is_none() && self.sending.0.is_empty();
        if let Some(socket) = self.body.child.as_ref().and_then(|child| child.socket.as_ref())
            && unwatched
            && idle
        {
            self.mail.express.open(self.lease, socket);
        }
    }

    /// Takes a checkpoint away that the worker wrote by itself.
    fn hand_in(&mut self, from: &Path) -> Result<Arc<Checkpoint>, Fault> {
        let home = self.home.as_ref().map(|home| home.root.clone()).unwrap_or_default();
        let (id, mut writer) = self.desk.begin_spare()?;
        adopt::take(from, &home, &directory(&mut writer)?)?;
        self.desk.complete(id, writer)
    }

    pub(super) fn saved(&mut self, kept: bool) -> Result<(), Fault> {
        self.body.clocks.rest();
        let Some(Errand::Saving { id, writer, export }) = self.errand.take() else { return Ok(()) };
        let saved = if kept { Some(self.desk.complete(id, writer)?) } else { None };
        self.export(saved, export)
    }
}

/// The words of a failure go into the journal and to everybody who watches: a frame has more room than they need.
fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_WORDS {
        let end = (0..=LONGEST_WORDS).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push_str("...");
    }
    text
}

fn kind_of(kind: FaultKind) -> FailureKind {
    match kind {
        FaultKind::Error => FailureKind::UserError,
        FaultKind::Panic => FailureKind::Panic,
        FaultKind::Setup | FaultKind::Reset => FailureKind::SetupFailed,
        FaultKind::Restore => FailureKind::RestoreFailed,
        FaultKind::Save => FailureKind::SaveFailed,
        FaultKind::Export => FailureKind::ExportFailed,
        FaultKind::OutOfMemory => FailureKind::OutOfMemory,
    }
}
