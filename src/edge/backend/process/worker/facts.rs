//! What a worker says, and what it means to the engine.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::super::super::contain::contain_fault;
use super::super::child::{Child, read_some};
use super::super::import_checkpoint;
use super::{LINGER, LOG_CREDIT, Pending, ProcessSupervisor, Stopping, directory};
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::one_line::OneLine;
use crate::logic::wire::{
    Ability, Awaited, FaultKind, Heard, LogLevel, Order, PROTOCOL, ProtocolError, ResultsEnd, Row, ToWorker, Welcome,
    encode,
};
use crate::logic::worker::WorkerInput;

/// So long may each of a failure's texts be, in bytes.
const LONGEST_WORDS: usize = 64 << 10;

impl ProcessSupervisor {
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
            let heard = self.protocol.hear(line)?;
            self.sign = Instant::now();
            // The store may be a user's.
            if let Err(fault) = contain_fault(|| self.heard(heard)) {
                self.fail(fault);
            }
        }
        Ok(())
    }

    /// It has closed its end of the conversation. Mostly it is about to end.
    fn closed(&mut self) {
        if let Some(child) = &mut self.body.child {
            child.socket = None;
            self.mail.fast_path.close();
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
            Heard::Done(Awaited::Ready) => self.done(WorkerInput::Ready),
            Heard::Done(Awaited::Restored) => self.done(WorkerInput::Restored),
            Heard::Done(Awaited::Drained) => self.done(WorkerInput::AtRest),
            Heard::Done(Awaited::Exported) => {
                if let (Some(Pending::Export { saved, mut formats }), Some(info)) =
                    (self.pending.take(), self.context.info())
                    && let Some(format) = formats.pop()
                {
                    self.context.exported(info.id, &format)?;
                    self.body.clocks.rest();
                    return self.export(saved, formats);
                }
            }
            Heard::Results { list, end, checkpoint } => self.results(list, end, checkpoint),
            Heard::Saved { kept } => return self.saved(kept),
            Heard::Failed { kind: FaultKind::Reset, message, .. } => {
                self.tell(WorkerInput::ResetFailed(Fault::new(FailureKind::SetupFailed, bounded(message))));
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

    /// What was asked is done.
    fn done(&mut self, input: WorkerInput) {
        self.body.clocks.rest();
        self.tell(input);
    }

    /// Where it is: as it says itself, since what was started may only have led to it.
    fn say_where(&self) {
        let hello = self.protocol.hello();
        let pid = hello.map(|hello| hello.pid).filter(|pid| *pid > 0);
        if let Some(pid) = pid.or_else(|| self.body.child.as_ref().map(Child::id)) {
            self.context.placed(pid, hello.and_then(|hello| hello.host.as_deref()));
        }
    }

    fn welcome(&mut self) {
        self.due = None;
        self.say_where();
        let settings = &self.body.shared.settings;
        let beats = settings.sign_every().filter(|_| self.protocol.can(Ability::Heartbeat));
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: self.id.to_string(),
            heartbeat: beats.map(|every| every.as_secs_f64()),
            max_frame: settings.max_frame,
            logs: LOG_CREDIT,
        };
        // It belongs to no lease, and goes before all that waits.
        let frame = ToWorker { lease: 0, order: Order::Welcome(welcome) };
        let _ = encode(&frame, &mut self.sending.0);
        self.sending.0.append(&mut self.held);
        self.protocol.credit(LOG_CREDIT);
    }

    fn log(&mut self, level: LogLevel, message: &str, dropped: u64) {
        let level = match level {
            LogLevel::Error => log::Level::Error,
            LogLevel::Warn => log::Level::Warn,
            LogLevel::Info => log::Level::Info,
            LogLevel::Debug => log::Level::Debug,
        };
        let message = OneLine(message);
        let trial = self.context.info().map_or_else(|| self.id.to_string(), |info| info.id.to_string());
        if dropped > 0 {
            log::log!(level, "{trial}: {message} ({dropped} messages before it were dropped)");
        } else {
            log::log!(level, "{trial}: {message}");
        }
        if self.protocol.logs() <= LOG_CREDIT / 2 {
            let more = LOG_CREDIT - self.protocol.logs();
            self.protocol.credit(more);
            self.send(Order::Credit { logs: more });
        }
    }

    fn results(&mut self, rows: Vec<Row>, end: Option<ResultsEnd>, checkpoint: Option<PathBuf>) {
        if self.body.shared.settings.limits.counts_cpu()
            && let Some(cpu) = self.body.child.as_ref().and_then(Child::cpu)
        {
            self.tell(WorkerInput::UsedCpu(cpu.saturating_sub(self.cpu_before)));
        }
        let handed_in = checkpoint.map(|from| contain_fault(|| self.take_checkpoint(&from)));
        let handed_in = handed_in.map(|taken| taken.map_err(|fault| self.body.with_words(fault)));
        if end.is_none() && !matches!(handed_in, Some(Err(_))) {
            self.open_fast_path();
        }
        self.done(WorkerInput::Results { rows, end, handed_in });
    }

    /// The next step may come past the supervisor, if nobody has a clock to set for it and nothing is on its way.
    fn open_fast_path(&self) {
        let limits = &self.body.shared.settings.limits;
        let unwatched = limits.step.is_none() && limits.trial.is_none();
        let idle = self.protocol.awaited().is_none() && self.sending.0.is_empty();
        if let Some(socket) = self.body.child.as_ref().and_then(|child| child.socket.as_ref())
            && unwatched
            && idle
        {
            self.mail.fast_path.open(self.context.worker().lease(), socket);
        }
    }

    /// Takes a checkpoint away that the worker wrote by itself.
    fn take_checkpoint(&mut self, from: &Path) -> Result<u64, Fault> {
        let home = self.home.as_ref().map(|home| home.root.clone()).unwrap_or_default();
        let mut writer = self.context.begin_spare()?;
        import_checkpoint::import(from, &home, &directory(&mut writer)?)?;
        self.context.complete(writer)
    }

    fn saved(&mut self, kept: bool) -> Result<(), Fault> {
        self.body.clocks.rest();
        let Some(Pending::Save { writer, export }) = self.pending.take() else { return Ok(()) };
        let saved = if kept { Some(self.context.complete(writer)?) } else { None };
        self.export_all(saved, &export)
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
