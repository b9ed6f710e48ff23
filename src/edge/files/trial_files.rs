//! The files of each trial, in a directory of its own: `params.json`, `result.json`, `progress.csv`, `error.txt`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::{Columns, Line};
use super::disk::Before;
use super::error::FileError;
use super::errors::{self, ErrorFile};
use super::observer::{When, Writer};
use super::pace::{FULL, Pace};
use super::results::{self, ResultLines};
use super::row::{Host, Subject};
use super::table::Table;
use super::{disk, params, policy, progress};
use crate::logic::config::Config;
use crate::logic::event::{Change, ExperimentEvent, Exploit};
use crate::logic::failure::Failure;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;

/// Which of the files are written besides `params.json`, which all others may need when a run is resumed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) results: bool,
    pub(super) progress: bool,
    pub(super) errors: bool,
}

/// Writes the files of each trial into `<run>/<trial>/`.
///
/// No file stays open: rows are gathered in memory, and go out when nothing has
/// come for a tenth of a second, after a second, or when the trial ends.
#[derive(Debug)]
pub(super) struct TrialFiles {
    root: PathBuf,
    wanted: Wanted,
    live: HashMap<TrialId, Live>,
    host: Host,
    line: Line,
    likely: Arc<Columns>,
}

#[derive(Debug)]
struct Live {
    subject: Subject,
    results: Option<ResultLines>,
    progress: Option<(Table, u64)>,
    errors: Option<ErrorFile>,
}

impl TrialFiles {
    pub(super) fn new(root: &Path, wanted: Wanted) -> Self {
        Self {
            root: root.to_owned(),
            wanted,
            live: HashMap::new(),
            host: Host::here(),
            line: Line::default(),
            likely: Arc::default(),
        }
    }

    /// A trial that is new in this session. What a killed process left of one that the journal never heard of goes.
    fn begin(&mut self, trial: TrialId, config: &Config) -> Result<(), FileError> {
        let (directory, before) = make_directory(&self.root, trial)?;
        params::write(&directory, config)?;
        if before == Before::There {
            policy::remove(&directory)?;
            for name in [results::NAME, progress::NAME, errors::NAME] {
                disk::remove(&directory.join(name))?;
            }
        }
        let live = Live {
            subject: Subject::new(trial, config),
            results: self.wanted.results.then(|| ResultLines::fresh(&directory)),
            progress: self.wanted.progress.then(|| (progress::fresh(&directory, &self.likely), 0)),
            errors: self.wanted.errors.then(|| ErrorFile::fresh(&directory)),
        };
        self.live.insert(trial, live);
        Ok(())
    }

    /// A trial that may have files already.
    fn find(&mut self, trial: TrialId, config: Option<&Config>) -> Result<&mut Live, FileError> {
        let Self { root, wanted, live, .. } = self;
        match live.entry(trial) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let (directory, _) = make_directory(root, trial)?;
                let config = config.map_or_else(|| params::read(&directory), |config| Ok(config.clone()))?;
                params::write(&directory, &config)?;
                Ok(place.insert(Live {
                    subject: Subject::new(trial, &config),
                    results: wanted.results.then(|| ResultLines::found(&directory)).transpose()?,
                    progress: wanted.progress.then(|| progress::found(&directory)).transpose()?,
                    errors: wanted.errors.then(|| ErrorFile::found(&directory)),
                }))
            }
        }
    }

    /// An unfinished trial of an earlier session goes on after `iteration`. What its files have beyond that, the journal
    /// never got: those results will come again.
    fn bring_back(&mut self, trial: TrialId, config: &Config, iteration: u64) -> Result<(), FileError> {
        let (directory, _) = make_directory(&self.root, trial)?;
        params::write(&directory, config)?;
        let live = self.find(trial, Some(config))?;
        live.subject = Subject::new(trial, config);
        if let Some(results) = &mut live.results {
            results.keep(iteration)?;
        }
        if let Some((table, last)) = live.progress.as_mut().filter(|(_, last)| *last > iteration) {
            *last = table.shorten(iteration)?;
        }
        Ok(())
    }

    /// A trial goes on as a copy of another. In this session its rows follow those that are there.
    fn become_copy(&mut self, trial: TrialId, exploit: &Exploit, when: When) -> Result<(), FileError> {
        let (directory, _) = make_directory(&self.root, trial)?;
        params::write(&directory, &exploit.config)?;
        policy::add(&directory, trial, exploit)?;
        let live = self.find(trial, Some(&exploit.config))?;
        live.subject = Subject::new(trial, &exploit.config);
        if when == When::Now {
            let iteration = exploit.checkpoint.report.iteration();
            live.results.iter_mut().for_each(|results| results.go_on_after(iteration));
            live.progress.iter_mut().for_each(|(_, last)| *last = iteration);
        }
        Ok(())
    }

    fn report(&mut self, report: &Report, pace: &mut Pace) -> Result<(), FileError> {
        self.find(report.trial, None)?;
        let Self { live, host, line, likely, .. } = self;
        let Some(live) = live.get_mut(&report.trial) else { return Ok(()) };
        let before = live.pending();
        if let Some(results) = &mut live.results {
            results.add(report, &live.subject, host);
        }
        if let Some((table, last)) = live.progress.as_mut().filter(|(_, last)| report.iteration() > *last) {
            *last = report.iteration();
            if let Some(columns) = progress::add(table, report, &live.subject, host, line)? {
                *likely = columns;
            }
        }
        pace.add(live.pending().saturating_sub(before));
        if live.pending() > FULL { live.flush() } else { Ok(()) }
    }

    fn fail(&mut self, trial: TrialId, failure: &Failure) -> Result<(), FileError> {
        self.find(trial, None)?.errors.iter_mut().try_for_each(|errors| errors.add(failure))
    }
}

/// The trial's directory, which is made if it isn't there.
pub(super) fn make_directory(root: &Path, trial: TrialId) -> Result<(PathBuf, Before), FileError> {
    let directory = root.join(trial.to_string());
    let before = disk::make_directory(&directory)?;
    Ok((directory, before))
}

impl Live {
    fn pending(&self) -> usize {
        let results = self.results.as_ref().map_or(0, ResultLines::pending);
        results + self.progress.as_ref().map_or(0, |(table, _)| table.pending())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.results.iter_mut().try_for_each(ResultLines::flush)?;
        self.progress.iter_mut().try_for_each(|(table, _)| table.flush())
    }
}

impl Writer for TrialFiles {
    const NAME: &'static str = "files";
    const CONTINUES: bool = true;

    fn take(&mut self, event: &ExperimentEvent, when: When, pace: &mut Pace) -> Result<(), FileError> {
        self.host.note(&event.kind);
        match event.kind.change() {
            Change::Added { trial, config, .. } => match when {
                When::Now => self.begin(trial, config)?,
                When::Before => self.find(trial, Some(config)).map(|_| ())?,
            },
            Change::Reconfigured { trial, exploit } => self.become_copy(trial, exploit, when)?,
            Change::Reported { report } => self.report(report, pace)?,
            Change::Failed { trial, failure, .. } => self.fail(trial, failure)?,
            Change::Returned { trial, config, iteration, .. } => self.bring_back(trial, config, iteration)?,
            Change::Ended { trial, .. } => {
                if let Some(mut live) = self.live.remove(&trial) {
                    live.flush()?;
                }
            }
            Change::Began { .. }
            | Change::Revived { .. }
            | Change::Moved { .. }
            | Change::Launched { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FileError> {
        self.live.values_mut().try_for_each(Live::flush)
    }
}
