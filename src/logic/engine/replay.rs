//! The past of a run, replayed record by record. The ledger applies the same events as when they happened, and the parts that
//! decide are called as they were then, but for those whose saved state says it all. What was recorded wins over what a part
//! would answer now; the first difference is reported.

use std::collections::HashMap;

use super::usage::Held;
use super::{Engine, Place, RunRecord};
use crate::logic::decision::Decision;
use crate::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, PausedBy, ResumedBy};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::journal::{ObserverState, Opened, PartStates, Record};
use crate::logic::metrics::Report;
use crate::logic::stop::StopRule;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// What is known of earlier sessions besides the ledger.
#[derive(Debug, Default)]
pub struct Replayed {
    /// The last session's beginning.
    pub opened: Option<Opened>,
    /// The last mark.
    pub marks: u64,
    /// The last states of observers.
    pub observers: Vec<ObserverState>,
    /// States of parts that couldn't be loaded, in words; those parts were told the past instead.
    pub refused: Vec<String>,
    /// The first answer of a part that isn't the recorded one, in words.
    pub diverged: Option<String>,
    /// What trials held at this moment of the past.
    pub(super) held: HashMap<TrialId, Held>,
    /// Parts whose saved state was loaded: they needn't be told what led to it.
    pub(super) restored: RestoredParts,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RestoredParts {
    pub(super) searcher: bool,
    pub(super) scheduler: bool,
    pub(super) stop: bool,
}

/// A past that can't have happened: the journal isn't one run's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Trials are numbered without gaps.
    #[error(
        "trial {found} was added where {expected} should have been: the journal isn't one run's, or parts of it are missing"
    )]
    Numbering {
        /// What was found.
        found: TrialId,
        /// What should have been.
        expected: TrialId,
    },
    /// Something is said of a trial that was never added.
    #[error("something is said of trial {0}, which was never added")]
    Unknown(TrialId),
}

impl Engine {
    /// Takes one more record of the past. All of them come before the run begins.
    ///
    /// # Errors
    /// If it can't follow those before it.
    pub fn replay(&mut self, record: Record) -> Result<(), ReplayError> {
        match record {
            Record::Opened(opened) => {
                let now = self.ledger.run().now;
                self.replayed.held.drain().for_each(|(_, held)| self.usage.give_back(held, now));
                self.ledger.open();
                self.replayed.opened = Some(opened);
            }
            Record::Step(events) => {
                for (index, event) in events.iter().enumerate() {
                    self.replay_event(event, events.get(index + 1..).unwrap_or_default())?;
                }
            }
            Record::Trial(stored) => {
                let trial = TrialId::new(self.settings.run, stored.trial);
                let ended = stored.plan.is_none() && self.ledger.plan(trial).is_some();
                if !self.ledger.load(*stored) {
                    return Err(ReplayError::Unknown(trial));
                }
                if ended {
                    self.replay_end(trial);
                }
            }
            Record::Facts(facts) => {
                let trial = TrialId::new(self.settings.run, facts.trial);
                let Some(record) = self.ledger.get(trial) else { return Err(ReplayError::Unknown(trial)) };
                let stored = facts.onto(record, self.ledger.plan(trial));
                return self.replay(Record::Trial(Box::new(stored)));
            }
            Record::Turn(turn) => self.ledger.begin_turn(turn),
            Record::Run(run) => self.end_of_snapshot(run),
            Record::Parts(parts) => self.load_parts(parts),
            Record::Observer(state) => {
                self.replayed.observers.retain(|other| other.name != state.name);
                self.replayed.observers.push(state);
            }
            Record::Mark(mark) => self.replayed.marks = self.replayed.marks.max(mark),
            Record::Fresh => {}
        }
        Ok(())
    }

    /// What is known of earlier sessions besides the ledger.
    pub fn replayed(&self) -> &Replayed {
        &self.replayed
    }

    /// From here on every part is told.
    fn end_of_snapshot(&mut self, run: RunRecord) {
        let now = run.now;
        self.ledger.join(run);
        if let Some(space) = self.ledger.run().space.as_ref().map(|space| space.changes.clone()) {
            self.replay_space(&space);
        }
        self.ledger.run().settings.clone().into_iter().for_each(|setting| self.replay_setting(setting));
        self.replayed.restored = RestoredParts::default();
        let launched = |trial: &TrialId| self.ledger.plan(*trial).is_some_and(|plan| plan.launched);
        for trial in self.ledger.open_trials().filter(launched).collect::<Vec<_>>() {
            self.replay_usage(trial, true, now);
        }
    }

    fn replay_event(&mut self, event: &ExperimentEvent, later: &[ExperimentEvent]) -> Result<(), ReplayError> {
        self.ledger.check(&event.kind)?;
        self.consult_before(event, later);
        let open = event.kind.trial().is_some_and(|trial| self.ledger.plan(trial).is_some());
        let paused_by = event.kind.trial().and_then(|trial| self.ledger.plan(trial)?.paused_by);
        self.ledger.apply(event);
        if let Some(trial) = event.kind.trial() {
            self.replay_usage(trial, matches!(event.kind, EventKind::Launched { .. }), event.at);
        }
        self.consult_after(event, open, paused_by);
        let last_of_batch = |report: &Report| {
            !later
                .iter()
                .any(|event| matches!(&event.kind, EventKind::Reported { report: next } if next.trial == report.trial))
        };
        match &event.kind {
            EventKind::Launched { .. } => self.replay_progress(event.at),
            EventKind::Ended { .. } if open => self.replay_progress(event.at),
            EventKind::Reported { report } if last_of_batch(report) => self.replay_progress(event.at),
            _ => {}
        }
        Ok(())
    }

    /// What a rule says of the whole experiment may hold from then on: it is asked where it was asked then.
    fn replay_progress(&mut self, at: Moment) {
        if !self.replayed.restored.stop {
            let progress = self.progress(at);
            self.stop.call(|rule| rule.check_experiment(&progress));
        }
    }

    /// Calls the parts whose answers the event was made of.
    fn consult_before(&mut self, event: &ExperimentEvent, later: &[ExperimentEvent]) {
        let restored = self.replayed.restored;
        if let EventKind::Added { trial, config, by: AddedBy::Searcher, .. } = &event.kind
            && !restored.searcher
            && let Some(Err(error)) = self.searcher.replay(*trial, config)
        {
            self.searcher.fail(error_chain(&error));
        }
        if let EventKind::Chosen { trial } = &event.kind
            && !restored.scheduler
        {
            let ledger = &self.ledger;
            let chosen = self.scheduler.call(|scheduler| scheduler.choose(ledger)).flatten();
            if chosen != Some(*trial) {
                let now = chosen.map_or("none".to_owned(), |chosen| chosen.to_string());
                self.diverge(|| format!("the scheduler would launch {now} where it launched {trial}"));
            }
        }
        if let EventKind::Reported { report } = &event.kind {
            self.replay_report(report, later);
        }
    }

    /// Tells the parts what they were told of the event.
    fn consult_after(&mut self, event: &ExperimentEvent, was_open: bool, paused_by: Option<PausedBy>) {
        let restored = self.replayed.restored;
        let heard = paused_by == Some(PausedBy::Scheduler) && !restored.searcher;
        match &event.kind {
            EventKind::Added { trial, config, .. } if !restored.scheduler => {
                self.scheduler.call(|scheduler| scheduler.on_add(*trial, config));
            }
            EventKind::Revived { trial, .. } if !restored.scheduler => self.scheduler_hears_revival(*trial),
            EventKind::Resumed { trial, by: ResumedBy::Client } if !restored.scheduler => {
                self.scheduler.call(|scheduler| scheduler.on_resume(*trial));
            }
            EventKind::Returned { trial, .. } if !restored.scheduler && self.is_in_line(*trial) => {
                self.scheduler.call(|scheduler| scheduler.on_resume(*trial));
            }
            EventKind::Failed { trial, retry_at: Some(_), .. } if !restored.scheduler => self.replay_retry(*trial),
            EventKind::Status { trial, to: Status::Paused, .. } if heard => self.searcher_hears_pause(*trial),
            EventKind::Ended { trial, .. } if was_open => self.replay_end(*trial),
            EventKind::SpaceChanged { changes, .. } => self.replay_space(changes),
            EventKind::SettingChanged { setting, .. } => self.replay_setting(setting.clone()),
            // What was said of another event, or is said by a part that needn't be told.
            EventKind::Added { .. }
            | EventKind::Returned { .. }
            | EventKind::Revived { .. }
            | EventKind::Resumed { .. }
            | EventKind::Failed { .. }
            | EventKind::Status { .. }
            | EventKind::Ended { .. }
            // The parts were asked before these, or aren't concerned.
            | EventKind::Chosen { .. }
            | EventKind::Reported { .. }
            | EventKind::Started { .. }
            | EventKind::Launched { .. }
            | EventKind::Restored { .. }
            | EventKind::Saved { .. }
            | EventKind::SaveRequested { .. }
            | EventKind::Unsaved { .. }
            | EventKind::Deleted { .. }
            | EventKind::Paused { .. }
            | EventKind::Queued { .. }
            | EventKind::ExploitOrdered { .. }
            | EventKind::ExploitDropped { .. }
            | EventKind::Exploited { .. }
            | EventKind::Disinherited { .. }
            | EventKind::Resized { .. }
            | EventKind::Stopping { .. }
            | EventKind::Prioritised { .. }
            | EventKind::Limited { .. }
            | EventKind::Rescaled { .. }
            | EventKind::Staged { .. }
            | EventKind::Asked { .. }
            | EventKind::Held { .. }
            | EventKind::Proceeded
            | EventKind::Closing { .. }
            | EventKind::Withdrawn { .. }
            | EventKind::Worker { .. }
            | EventKind::Abandoned { .. }
            | EventKind::Warning { .. }
            | EventKind::Finished { .. } => {}
        }
    }

    fn is_in_line(&self, trial: TrialId) -> bool {
        self.ledger.plan(trial).is_some_and(|plan| plan.place == Place::Line)
    }

    fn replay_retry(&mut self, trial: TrialId) {
        let ledger = &self.ledger;
        if matches!(ledger.plan(trial).map(|plan| plan.place), Some(Place::Line | Place::BackingOff(_))) {
            self.scheduler.call(|scheduler| scheduler.on_retry(trial, ledger));
        }
    }

    /// As when reports are folded: what a stop rule ended, or the trainable itself, isn't shown to the scheduler.
    fn replay_report(&mut self, report: &Report, later: &[ExperimentEvent]) {
        let (trial, restored) = (report.trial, self.replayed.restored);
        let ending = later.iter().find_map(|event| match &event.kind {
            EventKind::Stopping { trial: stopped, ending, .. } if report.done && *stopped == trial => Some(*ending),
            _ => None,
        });
        if !restored.stop {
            let over = self.stop.call(|rule| rule.check(trial, report)).flatten().is_some();
            while self.stop.call(StopRule::warning).flatten().is_some() {}
            if over && ending != Some(Ending::StopRule) {
                self.diverge(|| format!("the stop rules would judge {trial} otherwise at {}", report.iteration()));
            }
        }
        if !restored.scheduler && !matches!(ending, Some(Ending::StopRule | Ending::Done)) {
            let ledger = &self.ledger;
            let verdict = self.scheduler.call(|scheduler| scheduler.on_report(trial, report, ledger));
            let stops = verdict.is_some_and(|verdict| verdict.decision == Decision::Stop);
            if stops != (ending == Some(Ending::Scheduler)) {
                self.diverge(|| format!("the scheduler would judge {trial} otherwise at {}", report.iteration()));
            }
        }
        if !restored.searcher && !report.done {
            self.searcher.on_report(trial, report);
        }
    }

    fn replay_end(&mut self, trial: TrialId) {
        let Some(record) = self.ledger.get(trial) else { return };
        let (Some(ending), Some(last)) = (record.ending, record.last.clone()) else { return };
        self.parts_hear_end(trial, ending, &last);
    }

    /// Tells the parts that a trial has ended; those that know it from their own state aren't told. Answers what the scheduler
    /// wants of other trials.
    pub(super) fn parts_hear_end(
        &mut self,
        trial: TrialId,
        ending: Ending,
        last: &Report,
    ) -> Vec<crate::logic::decision::Directive> {
        let restored = self.replayed.restored;
        let (last, ledger) = ((last.iteration() > 0).then_some(last), &self.ledger);
        let mut directives = None;
        if !restored.scheduler {
            directives = self.scheduler.call(|scheduler| scheduler.on_end(trial, ending, last, ledger));
        }
        if !restored.searcher {
            self.searcher.on_end(trial, ending, last);
        }
        if !restored.stop {
            self.stop.call(|rule| rule.forget(trial));
        }
        directives.unwrap_or_default()
    }

    /// What trials used counts against budgets, unless the stop rules' own state says it.
    fn replay_usage(&mut self, trial: TrialId, begins: bool, at: Moment) {
        let plan = self.ledger.plan(trial).filter(|plan| plan.launched);
        match plan {
            Some(plan) if begins && !self.replayed.restored.stop => {
                let held = Held::of(&plan.request);
                if self.replayed.held.insert(trial, held).is_none() {
                    self.usage.take(held, at);
                }
            }
            Some(_) => {}
            None => {
                if let Some(held) = self.replayed.held.remove(&trial) {
                    self.usage.give_back(held, at);
                }
            }
        }
    }

    fn diverge(&mut self, what: impl FnOnce() -> String) {
        self.replayed.diverged.get_or_insert_with(what);
    }

    /// The states of the parts, for a snapshot that holds everything up to now.
    pub fn part_states(&mut self) -> PartStates {
        // A budget is told what was used up to the moment from which it counts on after the snapshot.
        let progress = self.progress(self.ledger.run().now);
        let over = self.stop.call(|rule| rule.check_experiment(&progress)).flatten();
        self.over = self.over.take().or(over);
        let named = |name: &str, state| serde_json::json!({ "name": name, "state": state });
        let searcher = self.searcher.save().map(|(name, state)| named(&name, state));
        let scheduler = self.scheduler.call(|part| part.save()).flatten();
        let scheduler = scheduler.map(|state| named(self.scheduler.name(), state));
        let stop = self.stop.call(|rule| rule.save().map(|state| named("stop", state))).flatten();
        let space = self.ledger.run().space.as_ref().map(|space| space.changes.clone());
        PartStates { space, searcher, scheduler, stop }
    }

    fn load_parts(&mut self, parts: PartStates) {
        // The states are of that space.
        if let Some(space) = &parts.space {
            self.replayed.restored = RestoredParts::default();
            self.replay_space(space);
        }
        let mut refused = Vec::new();
        let mut load = |what: &str,
                        saved: Option<serde_json::Value>,
                        restore: &mut dyn FnMut(&str, serde_json::Value) -> Result<(), String>| {
            let Some(mut saved) = saved else { return false };
            let name = saved["name"].as_str().unwrap_or_default().to_owned();
            match restore(&name, saved["state"].take()) {
                Ok(()) => true,
                Err(why) => {
                    refused.push(format!("the state of the {what} {name} isn't taken up: {why}"));
                    false
                }
            }
        };
        let searcher = load("searcher", parts.searcher, &mut |name, state| {
            same_part(self.searcher.name(), name)?;
            let restored = self.searcher.restore(state).map(|restored| restored.map_err(|error| error_chain(&error)));
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        let scheduler = load("scheduler", parts.scheduler, &mut |name, state| {
            same_part(self.scheduler.name(), name)?;
            let restored = self.scheduler.call(|part| part.restore(state).map_err(|error| error_chain(&error)));
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        let stop = load("stop rules", parts.stop, &mut |_, state| {
            let restored = self.stop.call(|rule| rule.restore(state).map_err(|error| error_chain(&error)));
            restored.unwrap_or_else(|| Err("it panicked".to_owned()))
        });
        self.replayed.restored = RestoredParts { searcher, scheduler, stop };
        self.replayed.refused.extend(refused);
    }
}

fn same_part(name: &str, saved: &str) -> Result<(), String> {
    if name == saved { Ok(()) } else { Err(format!("this run has {name} in its place")) }
}
