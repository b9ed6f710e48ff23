//! From settings to a run: it is put together, and set going on a thread of its own.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use actix_rt::System;
use futures::channel::oneshot;

use super::assemble::Assembled;
use super::builder::Experiment;
use super::cloud::Copying;
use super::handle::{About, Control, ExperimentHandle};
use super::serve::Served;
use crate::actors::{RunEnd, launch};
use crate::edge::control::{ControlServer, ControlSocket};
use crate::edge::journal::JournalEnd;
use crate::edge::log::LogLock;
use crate::edge::provenance::Recording;
use crate::error::{RunError, SettingsError};
use crate::logic::api::RunName;
use crate::logic::event::Outcome;
use crate::logic::ids::RunId;
use crate::logic::metrics::Objective;
use crate::logic::one_line::OneLine;
use crate::logic::settings::Settings;
use crate::ports::store::Store;
use crate::results::Results;

impl Experiment {
    /// Runs it to its end, blocking this thread.
    ///
    /// # Errors
    /// If a setting is wrong, before anything runs; or if the run couldn't go on: then what had been reached is in the
    /// error. A failed trial is no error.
    pub fn run(self) -> Result<Results, RunError> {
        self.check_uncontrolled()?;
        self.start()?.wait_blocking()
    }

    /// Starts it on a thread of its own. Nothing of it runs on the caller's thread or arbiters, and no signal handler
    /// is installed unless [`on_ctrl_c`](Self::on_ctrl_c) asks for it; any number of experiments can run side by side.
    ///
    /// # Errors
    /// If a setting is wrong; nothing runs then.
    pub fn start(self) -> Result<ExperimentHandle, SettingsError> {
        let patience = self.settings.patience;
        #[cfg(feature = "ctrl-c")]
        let on_ctrl_c = self.listens()?;
        let Assembled { parts, hub, summary, journal, copying, socket, imports } = self.assemble()?;
        let run = summary.run;
        let store = summary.store.clone();
        let (address, addresses) = mpsc::channel();
        let (done, end) = oneshot::channel();
        let shared = hub.clone();
        let name = RunName {
            name: summary.name.clone(),
            run,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let about = Arc::new(About { name, dir: summary.dir.clone(), gives: parts.backend.gives_trials() });
        let control = (hub.clone(), store.clone(), imports.clone(), about.clone());
        let gives = about.gives.clone();
        std::thread::Builder::new().name("tryout-engine".to_owned()).spawn(move || {
            let (ended, server) = System::with_tokio_rt(runtime).block_on(async move {
                let (done, end) = oneshot::channel();
                let controller = launch(parts, done);
                let (hub, store, imports, about) = control;
                let control = Control { controller: controller.clone(), hub, store, run, imports, about, by: None };
                let server = socket.and_then(|socket| serve(socket, Served(control)));
                // Whoever started the run waits for this.
                let _ = address.send(controller);
                let ended = end.await;
                (ended, server)
            });
            for fault in shared.finish(patience) {
                log::warn!("{}", OneLine(&fault));
            }
            // Nobody waits for a trial any more.
            gives.iter().for_each(|gives| gives.close());
            drop(server);
            // The controller says it even in its fall.
            let Ok(end) = ended else { return };
            // Nobody may be waiting.
            let _ = done.send(copied(copying, closed(journal, patience, summary.results(end))));
        })?;
        let lost = || SettingsError::Thread(std::io::Error::other("the engine's thread ended at once"));
        let controller = addresses.recv().map_err(|_| lost())?;
        let control = Control { controller, hub, store, run, imports, about, by: None };
        #[cfg(feature = "ctrl-c")]
        if let Some(on_ctrl_c) = on_ctrl_c {
            on_ctrl_c.listen(control.clone());
        }
        Ok(ExperimentHandle { control, done: end })
    }
}

/// Answers other processes.
fn serve(socket: ControlSocket, run: Served) -> Option<ControlServer> {
    let started = ControlServer::start(socket, Arc::new(run));
    started.inspect_err(|error| log::error!("nobody answers on the control socket: {error}")).ok()
}

/// Closes the journal: the run's last words are in it, or the results say what isn't.
fn closed(
    journal: Option<(JournalEnd, LogLock)>,
    patience: Duration,
    results: Result<Results, RunError>,
) -> Result<Results, RunError> {
    let Some((journal, lock)) = journal else { return results };
    let closed = journal.close(patience.max(Duration::from_secs(5)));
    drop(lock);
    match (closed, results) {
        (Err(why), Ok(results)) => Err(RunError::Unwritten { why, results: Box::new(results) }),
        (Err(why), Err(error)) => {
            log::error!("{why}");
            Err(error)
        }
        (Ok(()), results) => results,
    }
}

/// Brings the copy in an object store up to date, if there is one.
fn copied(copying: Copying, results: Result<Results, RunError>) -> Result<Results, RunError> {
    match (copying.finish(), results) {
        (Err(why), Ok(results)) => Err(RunError::Unsynced { why, results: Box::new(results) }),
        (Err(why), Err(error)) => {
            log::error!("{}", OneLine(&why));
            Err(error)
        }
        (Ok(()), results) => results,
    }
}

/// A runtime that can tell the time and nothing else: it needs no file descriptors.
fn runtime() -> tokio::runtime::Runtime {
    #[expect(clippy::expect_used, reason = "without IO there is nothing that can fail")]
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without IO can always be built")
}

/// What the results need that the engine doesn't know.
pub(super) struct Summary {
    pub(super) name: String,
    pub(super) run: RunId,
    pub(super) settings: Arc<Settings>,
    pub(super) objective: Option<Objective>,
    pub(super) seed: u64,
    pub(super) dir: Option<PathBuf>,
    pub(super) store: Arc<dyn Store>,
    pub(super) began: SystemTime,
    pub(super) recording: Arc<Recording>,
}

impl Summary {
    fn results(self, end: RunEnd) -> Result<Results, RunError> {
        let RunEnd { outcome, ledger, totals, took } = end;
        let (outcome, defect) = match outcome {
            Ok(outcome) => (outcome, None),
            Err(defect) => (Outcome::Unfinished, Some(defect)),
        };
        let results = Results {
            name: self.name,
            run: self.run,
            settings: self.settings,
            objective: self.objective,
            seed: self.seed,
            outcome: outcome.clone(),
            trials: ledger.into_records(),
            totals,
            took: took.since_start(),
            began: self.began,
            ended: SystemTime::now(),
            dir: self.dir,
            store: Ok(self.store),
            recording: self.recording,
        };
        match (defect, outcome) {
            (Some(defect), _) => Err(RunError::Lost { why: defect.to_string(), results: Some(Box::new(results)) }),
            (None, Outcome::Failed(failure)) => Err(RunError::Failed { failure, results: Box::new(results) }),
            (None, _) => Ok(results),
        }
    }
}
