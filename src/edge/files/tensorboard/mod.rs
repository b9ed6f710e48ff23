//! TensorBoard's event files: scalars, and the hyperparameters for its HPARAMS page.

mod event;
mod past;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use self::event::{Scalars, SessionEnd};
use self::past::Found;
use super::disk::Before;
use super::error::FileError;
use super::pace::{Due, FULL, Pace};
use super::row::{Cell, Host, Subject, metrics};
use super::trial_files::{Health, make_directory};
use super::{ROOM, disk, missed};
use crate::logic::config::Config;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::trial::Status;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// Writes TensorBoard's event files into `<run>/<trial>/`, one for each session of the run: `tensorboard --logdir <run>`.
///
/// Every number that a trial reports is a scalar under the metric's own name, in single precision, as TensorBoard shows
/// them; its step is the iteration. A trial's configuration and its end are there for the page HPARAMS. In a resumed run a
/// trial that goes on gets a file of its own for that session; what a killed session wrote beyond the journal is marked as
/// void, as TensorFlow does after a restart.
#[derive(Debug)]
pub struct TensorBoard {
    root: PathBuf,
    host: String,
    live: BTreeMap<TrialId, Live>,
    scalars: Scalars,
    pace: Pace,
    health: Health,
}

#[derive(Debug)]
struct Live {
    directory: PathBuf,
    subject: Option<Subject>,
    /// This session's file, as soon as it has something to hold.
    file: Option<PathBuf>,
    pending: Vec<u8>,
    found: Found,
}

impl TensorBoard {
    pub(super) fn new(root: &Path) -> Self {
        let host = Host::here().name.unwrap_or_default();
        let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        Self {
            root: root.to_owned(),
            host: host.chars().filter(safe).take(64).collect(),
            live: BTreeMap::new(),
            scalars: Scalars::default(),
            pace: Pace::default(),
            health: Health::Good,
        }
    }

    fn take(&mut self, event: &ExperimentEvent) -> Result<(), FileError> {
        match &event.kind {
            EventKind::Added { trial, config, .. } => {
                self.find(*trial)?.subject = Some(Subject::new(*trial, config));
            }
            EventKind::Returned { trial, config, iteration, .. } => self.bring_back(*trial, config, *iteration)?,
            EventKind::Revived { trial, .. } => self.find(*trial)?.found.ended = false,
            EventKind::Reported { report } => self.report(report)?,
            EventKind::Ended { trial, status, .. } => self.end(*trial, *status)?,
            EventKind::Finished { .. } => self.flush()?,
            _ => {}
        }
        if self.pace.due(event) == Due::Now { self.flush() } else { Ok(()) }
    }

    /// A trial that is new in this session. What a killed process left of one that the journal never heard of goes.
    fn begin(&mut self, trial: TrialId, config: &Config) -> Result<(), FileError> {
        let (directory, before) = make_directory(&self.root, trial)?;
        if before == Before::There {
            past::files(&directory)?.iter().try_for_each(|file| disk::remove(file))?;
        }
        let subject = Some(Subject::new(trial, config));
        let live = Live { directory, subject, file: None, pending: Vec::new(), found: Found::default() };
        self.live.insert(trial, live);
        Ok(())
    }

    fn find(&mut self, trial: TrialId) -> Result<&mut Live, FileError> {
        let Self { root, live, .. } = self;
        match live.entry(trial) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let (directory, _) = make_directory(root, trial)?;
                let found = past::find(&directory)?;
                Ok(place.insert(Live { directory, subject: None, file: None, pending: Vec::new(), found }))
            }
        }
    }

    fn bring_back(&mut self, trial: TrialId, config: &Config, iteration: u64) -> Result<(), FileError> {
        let host = self.host.clone();
        let live = self.find(trial)?;
        live.subject = Some(Subject::new(trial, config));
        if live.found.step > iteration {
            live.found.step = iteration;
            // Said at once: it holds even if the trial never reports again.
            live.begin(&host, now());
        }
        Ok(())
    }

    fn report(&mut self, report: &Report) -> Result<(), FileError> {
        self.find(report.trial)?;
        let Self { live, scalars, host, pace, .. } = self;
        let Some(live) = live.get_mut(&report.trial).filter(|live| report.iteration() > live.found.step) else {
            return Ok(());
        };
        let before = live.pending.len();
        live.begin(host, report.timestamp - report.time_this_iter_s);
        live.found.step = report.iteration();
        for (name, cell) in metrics(report) {
            match cell {
                Cell::Float(value) => scalars.add(name, value),
                Cell::Int(value) => scalars.add(name, value as f64),
                Cell::Bool(_) | Cell::Text(_) => {}
            }
        }
        if report.metrics.get("time_this_iter_s").is_none() {
            scalars.add("time_this_iter_s", report.time_this_iter_s);
        }
        scalars.write(report.timestamp, report.iteration(), &mut live.pending);
        pace.add(live.pending.len() - before);
        if live.pending.len() > FULL { live.flush() } else { Ok(()) }
    }

    fn end(&mut self, trial: TrialId, status: Status) -> Result<(), FileError> {
        let host = self.host.clone();
        let live = self.find(trial)?;
        if !live.found.ended {
            live.begin(&host, now());
            let end = if status == Status::Error { SessionEnd::Failure } else { SessionEnd::Success };
            event::write_end(now(), end, &mut live.pending);
        }
        live.flush()?;
        self.live.remove(&trial);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.pace.done();
        self.live.values_mut().try_for_each(Live::flush)
    }

    fn noted(&mut self, done: Result<(), FileError>) -> Result<(), ObserverError> {
        if done.is_err() {
            self.health = Health::Broken;
        }
        Ok(done?)
    }
}

impl Live {
    /// Begins this session's file, if it isn't begun.
    fn begin(&mut self, host: &str, wall_time: f64) {
        if self.file.is_some() {
            return;
        }
        // Readers take the files of a directory in the order of their names.
        let second = (wall_time.max(0.0) as u64).max(self.found.next);
        let mut name = format!("events.out.tfevents.{second:010}");
        if !host.is_empty() {
            name = format!("{name}.{host}");
        }
        self.file = Some(self.directory.join(name));
        event::write_version(wall_time, &mut self.pending);
        if let Some(subject) = self.subject.as_ref().filter(|_| !self.found.started) {
            let leaves = subject.leaves.iter();
            let hparams = leaves.map(|(name, value)| (name.trim_start_matches("config/"), Cell::from(value)));
            event::write_start(wall_time, &subject.id, hparams, &mut self.pending);
        }
        if self.found.next > 0 {
            event::write_restart(wall_time, self.found.step + 1, &mut self.pending);
        }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        match &self.file {
            Some(file) if !self.pending.is_empty() => {
                disk::append(file, &self.pending)?;
                self.pending.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// In seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl Observer for TensorBoard {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let done = match &event.kind {
            EventKind::Added { trial, config, .. } => self.begin(*trial, config),
            // Its curve goes on from there, in the same file.
            EventKind::Exploited { trial, exploit } => self.find(*trial).map(|live| {
                live.found.step = exploit.checkpoint.report.iteration();
            }),
            _ => self.take(event),
        };
        self.noted(done)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        missed(self.name(), events);
        Ok(())
    }

    fn on_quiet(&mut self) -> Result<(), ObserverError> {
        let done = self.flush();
        self.noted(done)
    }

    /// The files hold the state: that there is some says that everything so far is in them.
    fn save(&mut self) -> Option<serde_json::Value> {
        let done = self.flush();
        self.noted(done).ok().map(|()| serde_json::json!({}))
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let done = self.take(event);
        self.noted(done)
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn room(&self) -> Option<usize> {
        Some(ROOM)
    }

    fn name(&self) -> &str {
        "tensorboard"
    }
}

impl Drop for TensorBoard {
    fn drop(&mut self) {
        if self.health == Health::Good
            && let Err(error) = self.flush()
        {
            log::warn!(target: "tryout", "events are lost: {error}");
        }
    }
}
