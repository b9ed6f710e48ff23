//! `optuna.log`: the run as a study in Optuna's journal storage, for Optuna's own tools and dashboard.

mod domain;
mod line;
mod shelf;
mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::domain::Domains;
use self::shelf::Shelf;
use self::trial::{Stand, Told};
use super::error::FileError;
use super::experiment_csv::Stage;
use super::row::Subject;
use super::tensorboard::now;
use super::{disk, missed};
use crate::logic::event::{Ending, EventKind, ExperimentEvent, Outcome};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, Value};
use crate::logic::trial::Status;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// Writes `<run>/optuna.log` at the end of the run: the file of an `optuna.storages.journal.JournalFileBackend` that holds
/// one study of the experiment's name. Open it with `optuna.load_study` or `optuna-dashboard`.
///
/// * A trial is COMPLETE with its last value of the objective; PRUNED if the scheduler ended it; FAIL if it failed or has no
///   finite value. One that isn't finished is RUNNING, or WAITING if it never ran. Without an objective no trial has a value.
/// * Parameters are the leaves of the configuration, as in `net/hidden`, a list as its JSON text. Their distributions are the
///   ranges, or the choices, that were seen in the run: the search space itself is not told to observers. A parameter that
///   isn't a number and has more than 256 values is an attribute of the trial.
/// * The objective's values are the intermediate values. Of a trial with more than 16,384 results it is every second, fourth,
///   and so on. The other metrics of the last result are attributes, as are the trial's id and why it ended.
///
/// Until the end, finished trials are in a hidden file beside it. A resumed run writes it anew, the earlier trials included.
#[derive(Debug)]
pub struct OptunaJournal {
    path: PathBuf,
    run: String,
    name: String,
    objective: Option<Objective>,
    live: BTreeMap<u32, Told>,
    ended: Shelf,
    domains: Domains,
    /// The last known time, in seconds since 1970.
    clock: f64,
    stage: Stage,
}

impl OptunaJournal {
    pub(super) fn new(root: &Path) -> Self {
        let path = root.join("optuna.log");
        Self {
            ended: Shelf::new(disk::aside(&path, "trials")),
            path,
            run: String::new(),
            name: String::new(),
            objective: None,
            live: BTreeMap::new(),
            domains: Domains::default(),
            clock: 0.0,
            stage: Stage::Idle,
        }
    }

    fn take(&mut self, event: &ExperimentEvent) -> Result<(), FileError> {
        match &event.kind {
            EventKind::Started { run, name, objective, .. } => {
                (self.run, self.name) = (run.to_string(), name.to_string());
                self.objective.clone_from(objective);
            }
            EventKind::Added { trial, config, .. } | EventKind::Returned { trial, config, .. } => {
                let subject = Subject::new(*trial, config);
                let told = self.told(*trial)?;
                told.params = subject.leaves;
            }
            EventKind::Revived { trial, .. } => self.told(*trial)?.go_on(),
            EventKind::Launched { trial, .. } => self.told(*trial)?.stand = Stand::Running,
            EventKind::Reported { report } => self.report(report)?,
            EventKind::Failed { trial, failure, .. } => {
                self.told(*trial)?.note("failure", Value::from(failure.to_string()));
            }
            EventKind::Ended { trial, status, ending, reason, last } => {
                self.end(*trial, (*status, *ending), reason.as_deref(), last)?;
            }
            EventKind::Finished { outcome } => self.finish(outcome)?,
            _ => {}
        }
        Ok(())
    }

    /// What is known of a trial, one that had ended included.
    fn told(&mut self, trial: TrialId) -> Result<&mut Told, FileError> {
        if self.stage == Stage::Idle {
            self.ended.clear()?;
            self.stage = Stage::Growing;
        }
        let number = trial.number();
        if !self.live.contains_key(&number)
            && let Some(told) = self.ended.take(number)?
        {
            self.live.insert(number, told);
        }
        Ok(self.live.entry(number).or_insert_with(|| Told::new(trial)))
    }

    fn report(&mut self, report: &Report) -> Result<(), FileError> {
        self.clock = self.clock.max(report.timestamp);
        let value = self.objective.as_ref().and_then(|objective| report.number(&objective.metric));
        self.told(report.trial)?.report(report, value);
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
        let told = self.told(trial)?;
        told.end(status, ending, reason, last, objective.as_ref());
        told.complete = Some(clock);
        if let Some(told) = self.live.remove(&trial.number()) {
            self.domains.add(&told.params);
            self.ended.put(&told)?;
        }
        Ok(())
    }

    fn finish(&mut self, outcome: &Outcome) -> Result<(), FileError> {
        self.stage = Stage::Over;
        self.live.values().for_each(|told| self.domains.add(&told.params));
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
                    Some(told) => Ok(Some(told.clone())),
                    None => self.ended.read(number),
                };
                match read {
                    Ok(Some(told)) => line::write_trial(&worker, &told, &self.domains, &mut text),
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

    fn noted(&mut self, done: Result<(), FileError>) -> Result<(), ObserverError> {
        if done.is_err() {
            self.stage = Stage::Over;
        }
        Ok(done?)
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

impl Observer for OptunaJournal {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if matches!(event.kind, EventKind::Ended { .. }) {
            self.clock = now();
        }
        let done = self.take(event);
        self.noted(done)
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        missed(self.name(), events);
        Ok(())
    }

    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        // An earlier session's end isn't this one's.
        if matches!(event.kind, EventKind::Finished { .. }) {
            return Ok(());
        }
        let done = self.take(event);
        self.noted(done)
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn name(&self) -> &str {
        "optuna.log"
    }
}
