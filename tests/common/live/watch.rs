//! A watch on a run's events: an observer at one end, a test that waits at the other.

use std::sync::mpsc::{Receiver, Sender, channel};

use tryout::extend::*;

use super::PATIENCE;

/// The observer's end.
pub(crate) struct Watcher(Sender<ExperimentEvent>);

impl Observer for Watcher {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        // A test that has seen enough is no fault of the run.
        let _ = self.0.send(event.clone());
        Ok(())
    }
}

/// The test's end.
#[derive(Debug)]
pub(crate) struct Watch {
    events: Receiver<ExperimentEvent>,
    pub(crate) seen: Vec<ExperimentEvent>,
}

impl Watch {
    pub(crate) fn new() -> (Watcher, Self) {
        let (sender, events) = channel();
        (Watcher(sender), Self { events, seen: Vec::new() })
    }

    /// Waits for the next event that is like this.
    pub(crate) fn until(&mut self, mut like: impl FnMut(&EventKind) -> bool) -> EventKind {
        loop {
            let event =
                self.events.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no such event in {:#?}", self.lines()));
            self.seen.push(event);
            let kind = &self.seen[self.seen.len() - 1].kind;
            if like(kind) {
                return kind.clone();
            }
        }
    }

    /// Waits for the next event that reads like this.
    pub(crate) fn line(&mut self, expected: &str) -> EventKind {
        self.until(|kind| line(kind).as_deref() == Some(expected))
    }

    /// Waits until a trial runs: its worker is at work a little earlier than the engine knows of it.
    pub(crate) fn running(&mut self, number: u32) -> TrialId {
        let runs = format!("{number} PENDING>RUNNING");
        match self.line(&runs) {
            EventKind::Status { trial, .. } => trial,
            other => unreachable!("{other:?}"),
        }
    }

    /// Waits for the run's last event.
    pub(crate) fn finish(&mut self) -> Outcome {
        match self.until(|kind| matches!(kind, EventKind::Finished { .. })) {
            EventKind::Finished { outcome } => outcome,
            other => unreachable!("{other:?}"),
        }
    }

    /// All that was seen, in words.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.iter().filter_map(|event| line(&event.kind)).collect()
    }

    /// The words about one trial.
    pub(crate) fn about(&self, number: u32) -> Vec<String> {
        let prefix = format!("{number} ");
        self.lines().into_iter().filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned())).collect()
    }

    /// The workers that trials were launched on, launch by launch.
    pub(crate) fn launches(&self) -> Vec<(u32, WorkerId)> {
        let launch = |event: &ExperimentEvent| match event.kind {
            EventKind::Launched { trial, worker, .. } => Some((trial.number(), worker)),
            _ => None,
        };
        self.seen.iter().filter_map(launch).collect()
    }

    /// The workers of all launches, in their order.
    pub(crate) fn workers(&self) -> Vec<u64> {
        self.launches().into_iter().map(|(_, worker)| worker.number()).collect()
    }

    /// All warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warning = |event: &ExperimentEvent| match &event.kind {
            EventKind::Warning { message } => Some(message.clone()),
            _ => None,
        };
        self.seen.iter().filter_map(warning).collect()
    }
}

/// An event in words, those about a trial beginning with its number.
pub(crate) fn line(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Started { total, .. } => format!("started {total:?}"),
        EventKind::Added { trial, .. } => format!("{} added", trial.number()),
        EventKind::Status { trial, from, to } => format!("{} {from}>{to}", trial.number()),
        EventKind::Launched { trial, attempt, .. } => format!("{} launched a{attempt}", trial.number()),
        EventKind::Restored { checkpoint, iteration, .. } => {
            format!("{} restored c{} i{iteration}", checkpoint.trial.number(), checkpoint.index)
        }
        EventKind::Reported { report } => {
            let done = if report.done { " done" } else { "" };
            format!("{} reported i{}{done}", report.trial.number(), report.iteration())
        }
        EventKind::Saved { checkpoint } => {
            let id = checkpoint.id;
            format!("{} saved c{} i{}", id.trial.number(), id.index, checkpoint.report.iteration())
        }
        EventKind::Deleted { checkpoint } => format!("{} deleted c{}", checkpoint.trial.number(), checkpoint.index),
        EventKind::Paused { trial, by, .. } => format!("{} paused by {by:?}", trial.number()),
        EventKind::Failed { trial, failure, retry_at } => {
            let next = if retry_at.is_some() { "retry" } else { "no more" };
            format!("{} failed {} {next}", trial.number(), failure.fault.kind)
        }
        EventKind::Ended { trial, status, ending, .. } => format!("{} ended {status} {ending:?}", trial.number()),
        EventKind::Abandoned { trial, .. } => format!("abandoned {:?}", trial.map(TrialId::number)),
        EventKind::Warning { .. } => "warning".to_owned(),
        EventKind::Finished { .. } => "finished".to_owned(),
        _ => return None,
    })
}
