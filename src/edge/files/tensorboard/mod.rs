//! TensorBoard's event files: scalars, and the hyperparameters for its HPARAMS page.

mod event;
mod past;
mod record;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use self::event::{Scalars, SessionEnd};
use self::past::Found;
use super::disk::{self, Before};
use super::error::FileError;
use super::observer::{When, Writer};
use super::pace::{FULL, Pace};
use super::row::{Cell, Host, Subject, metrics};
use super::trial_files::make_directory;
use crate::edge::host;
use crate::logic::config::Config;
use crate::logic::event::{Change, ExperimentEvent};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::trial::Status;

/// Writes the event files of each trial.
#[derive(Debug)]
pub(super) struct TensorBoard {
    root: PathBuf,
    host: String,
    live: HashMap<TrialId, Live>,
    scalars: Scalars,
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
        let host = Host::here();
        let host = host.name().unwrap_or_default();
        let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        Self {
            root: root.to_owned(),
            host: host.chars().filter(safe).take(64).collect(),
            live: HashMap::new(),
            scalars: Scalars::default(),
        }
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

    fn report(&mut self, report: &Report, pace: &mut Pace) -> Result<(), FileError> {
        self.find(report.trial)?;
        let Self { live, scalars, host, .. } = self;
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
    host::since_1970().as_secs_f64()
}

impl Writer for TensorBoard {
    const NAME: &'static str = "tensorboard";
    const CONTINUES: bool = true;

    fn take(&mut self, event: &ExperimentEvent, when: When, pace: &mut Pace) -> Result<(), FileError> {
        match event.kind.change() {
            Change::Added { trial, config, .. } => match when {
                When::Now => self.begin(trial, config)?,
                When::Before => self.find(trial)?.subject = Some(Subject::new(trial, config)),
            },
            // Its curve goes on from there, in the same file.
            Change::Reconfigured { trial, exploit } if when == When::Now => {
                self.find(trial)?.found.step = exploit.checkpoint.report.iteration();
            }
            Change::Returned { trial, config, iteration, .. } => self.bring_back(trial, config, iteration)?,
            Change::Revived { trial } => self.find(trial)?.found.ended = false,
            Change::Reported { report } => self.report(report, pace)?,
            Change::Ended { trial, status, .. } => self.end(trial, status)?,
            Change::Began { .. }
            | Change::Moved { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Reconfigured { .. }
            | Change::Failed { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.live.values_mut().try_for_each(Live::flush)
    }
}
