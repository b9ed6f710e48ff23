//! `optuna.log`: the run as a study in Optuna's journal storage, for Optuna's own tools and dashboard.

mod domain;
mod ended;
mod line;
mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::domain::Domains;
use self::ended::EndedTrials;
use self::trial::{Stand, TrialEntry};
use super::disk;
use super::error::FileError;
use super::observer::{When, Writer};
use super::pace::Pace;
use super::row::Subject;
use super::tensorboard::now;
use crate::edge::plain_file;
use crate::logic::event::{Change, Ending, ExperimentEvent, Exploit, Outcome};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, Value};
use crate::logic::trial::Status;

/// Writes `<run>/optuna.log` at the end of the run. Until then, ended trials are in a hidden file beside it.
#[derive(Debug)]
pub(super) struct OptunaJournal {
    path: PathBuf,
    run: String,
    name: String,
    objective: Option<Objective>,
    live: BTreeMap<u32, TrialEntry>,
    ended: EndedTrials,
    domains: Domains,
    /// The last known time, in seconds since 1970.
    clock: f64,
}

impl OptunaJournal {
    pub(super) fn new(root: &Path) -> Self {
        let path = root.join("optuna.log");
        Self {
            ended: EndedTrials::new(plain_file::aside(&path, "trials")),
            path,
            run: String::new(),
            name: String::new(),
            objective: None,
            live: BTreeMap::new(),
            domains: Domains::default(),
            clock: 0.0,
        }
    }

    /// What is known of a trial, one that had ended included.
    fn entry(&mut self, trial: TrialId) -> Result<&mut TrialEntry, FileError> {
        let number = trial.number();
        if !self.live.contains_key(&number)
            && let Some(entry) = self.ended.take(number)?
        {
            self.live.insert(number, entry);
        }
        Ok(self.live.entry(number).or_insert_with(|| TrialEntry::new(trial)))
    }

    /// A trial goes on as a copy of another, from an iteration that may be earlier: later values are of its old
    /// configuration.
    fn become_copy(&mut self, trial: TrialId, exploit: &Exploit) -> Result<(), FileError> {
        let subject = Subject::new(trial, &exploit.config);
        let entry = self.entry(trial)?;
        entry.params = subject.leaves;
        entry.forget_after(exploit.checkpoint.report.iteration());
        entry.note("copy_of", Value::from(exploit.donor.to_string()));
        Ok(())
    }

    fn report(&mut self, report: &Report) -> Result<(), FileError> {
        self.clock = self.clock.max(report.timestamp);
        let value = self.objective.as_ref().and_then(|objective| report.number(&objective.metric));
        self.entry(report.trial)?.report(report, value);
        Ok(())
    }

    fn end(
        &mut self,
        trial: TrialId,
        (status, ending): (Status, Ending),
        reason: Option<&str>,
        last: &Report,
    ) -> Result<(), FileError> {
        let objective = self.objective.clone();
        let clock = if last.timestamp > 0.0 { last.timestamp } else { self.clock };
        let entry = self.entry(trial)?;
        entry.end(status, ending, reason, last, objective.as_ref());
        entry.complete = Some(clock);
        if let Some(entry) = self.live.remove(&trial.number()) {
            self.domains.add(&entry.params);
            self.ended.put(&entry)?;
        }
        Ok(())
    }

    fn write(&mut self, outcome: &Outcome) -> Result<(), FileError> {
        self.live.values().for_each(|entry| self.domains.add(&entry.params));
        let mut numbers: Vec<u32> = self.live.keys().copied().chain(self.ended.numbers()).collect();
        numbers.sort_unstable();
        self.ended.flush()?;
        let worker = format!("tryout-{}", self.run);
        let mut failed = None;
        let written = disk::replace(&self.path, |out| {
            let mut text = Vec::new();
            line::write_study(&worker, &self.name, self.objective.as_ref(), &mut text);
            line::write_study_attribute(&worker, "run", &self.run, &mut text);
            line::write_study_attribute(&worker, "outcome", &words(outcome), &mut text);
            for number in numbers {
                let read = match self.live.get(&number) {
                    Some(entry) => Ok(Some(entry.clone())),
                    None => self.ended.read(number),
                };
                match read {
                    Ok(Some(entry)) => line::write_trial(&worker, &entry, &self.domains, &mut text),
                    Ok(None) => {}
                    Err(error) => {
                        failed = Some(error);
                        return Err(std::io::Error::other("it isn't whole"));
                    }
                }
                out.write_all(&text)?;
                text.clear();
            }
            out.write_all(&text)
        });
        failed.map_or(written, Err)?;
        self.ended.clear()
    }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::Stopped(reason) => format!("stopped: {reason}"),
        Outcome::Drained => "drained".to_owned(),
        Outcome::Unfinished => "unfinished".to_owned(),
        Outcome::Failed(reason) => format!("failed: {reason}"),
    }
}

impl Writer for OptunaJournal {
    const NAME: &'static str = "optuna.log";
    const CONTINUES: bool = false;

    fn begin(&mut self) -> Result<(), FileError> {
        self.ended.clear()
    }

    fn take(&mut self, event: &ExperimentEvent, when: When, _: &mut Pace) -> Result<(), FileError> {
        if when == When::Now && matches!(event.kind.change(), Change::Ended { .. }) {
            self.clock = now();
        }
        match event.kind.change() {
            Change::Began { run, name, objective, .. } => {
                (self.run, self.name) = (run.to_string(), name.to_string());
                self.objective = objective.cloned();
            }
            Change::Added { trial, config, .. } | Change::Returned { trial, config, .. } => {
                let subject = Subject::new(trial, config);
                self.entry(trial)?.params = subject.leaves;
            }
            Change::Revived { trial } => self.entry(trial)?.go_on(),
            Change::Launched { trial, .. } => self.entry(trial)?.stand = Stand::Running,
            Change::Reconfigured { trial, exploit } => self.become_copy(trial, exploit)?,
            Change::Reported { report } => self.report(report)?,
            Change::Failed { trial, failure, .. } => {
                self.entry(trial)?.note("failure", Value::from(failure.to_string()));
            }
            Change::Ended { trial, status, ending, reason, last } => {
                self.end(trial, (status, ending), reason.map(|reason| &**reason), last)?;
            }
            Change::Moved { .. }
            | Change::Worker { .. }
            | Change::Restored { .. }
            | Change::Finished { .. }
            | Change::Other => {}
        }
        Ok(())
    }

    fn finish(&mut self, outcome: Option<&Outcome>) -> Result<(), FileError> {
        outcome.map_or(Ok(()), |outcome| self.write(outcome))
    }
}
