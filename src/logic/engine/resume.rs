//! A run goes on where earlier sessions left it: which of their trials come back, and how.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use super::ledger::{Ordered, Place, RunRecord, SpaceChange};
use super::retention::Life;
use super::{Engine, EngineOutput};
use crate::logic::config::Config;
use crate::logic::event::{AddedBy, Ending, EventKind, Outcome, PausedBy, Revival, RunFailure};
use crate::logic::failure::FailureKind;
use crate::logic::ids::TrialId;
use crate::logic::time::Moment;
use crate::logic::trial::{State, Status, TrialPast};

/// What becomes of an earlier session's trial when the run is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnResume {
    /// It doesn't go on. An unfinished one is TERMINATED; one that has ended stays as it is.
    Skip,
    /// It goes on from its last checkpoint, with the same id, attempts and failures.
    Resume,
    /// A new trial with the same configuration takes its place, in the line of those that wait too. Of what it has reached or was
    /// given to begin from, nothing is left.
    Restart,
}

/// How a run is resumed: what becomes of unfinished, finished and failed trials. The default is that of Ray Tune: the
/// unfinished ones go on, the others stay as they are.
///
/// ```
/// use tryout::prelude::*;
///
/// // All that failed once more, but not what is only unfinished.
/// let resume = Resume::new().unfinished(OnResume::Skip).errored(OnResume::Resume);
/// assert_eq!("AUTO+ERRORED_ONLY".parse(), Ok(resume));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    unfinished: OnResume,
    finished: OnResume,
    errored: OnResume,
    kinds: BTreeSet<FailureKind>,
    trials: BTreeSet<TrialId>,
    extended: Extended,
    added: Vec<Config>,
}

/// Which finished trials are extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extended {
    None,
    /// Those that nobody judged: they were done, or a stop rule or the end of the experiment ended them.
    Unjudged,
}

impl Default for Resume {
    fn default() -> Self {
        Self {
            unfinished: OnResume::Resume,
            finished: OnResume::Skip,
            errored: OnResume::Skip,
            kinds: BTreeSet::new(),
            trials: BTreeSet::new(),
            extended: Extended::None,
            added: Vec::new(),
        }
    }
}

impl Resume {
    /// Unfinished trials go on, finished and failed ones stay as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// For trials that were PENDING, RUNNING or PAUSED.
    #[must_use]
    pub fn unfinished(mut self, what: OnResume) -> Self {
        self.unfinished = what;
        self
    }

    /// For TERMINATED trials, however they ended.
    #[must_use]
    pub fn finished(mut self, what: OnResume) -> Self {
        self.finished = what;
        self
    }

    /// For trials in ERROR.
    #[must_use]
    pub fn errored(mut self, what: OnResume) -> Self {
        self.errored = what;
        self
    }

    /// Trials whose last failure was of this kind are tried again, whatever is said of failed ones in general.
    #[must_use]
    pub fn retry_kind(mut self, kind: FailureKind) -> Self {
        self.kinds.insert(kind);
        self
    }

    /// This trial goes on, finished or failed, whatever is said in general.
    #[must_use]
    pub fn revive(mut self, trial: TrialId) -> Self {
        self.trials.insert(trial);
        self
    }

    /// Finished trials go on that nobody judged: they were done, or ended by a stop rule or with the experiment. Those that
    /// a scheduler or a client stopped stay as they are.
    ///
    /// A scheduler that judges at rungs doesn't judge them again at those that they have passed. `HyperBand` puts them into the
    /// bracket that is being filled, where they wait for the others of it.
    #[must_use]
    pub fn extend(mut self) -> Self {
        self.extended = Extended::Unjudged;
        self
    }

    /// One more trial, as a client adds one; also to a run whose trials have all ended. It has to be one that can run.
    #[must_use]
    pub fn with_trial(mut self, config: Config) -> Self {
        self.added.push(config);
        self
    }

    /// The configurations of trials that are added.
    pub(crate) fn added(&self) -> &[Config] {
        &self.added
    }

    fn of(&self, status: Status, ending: Option<Ending>, kind: Option<FailureKind>, trial: TrialId) -> OnResume {
        if status.is_terminal() && ending != Some(Ending::Withdrawn) && self.trials.contains(&trial) {
            return OnResume::Resume;
        }
        let unjudged = matches!(ending, Some(Ending::Done | Ending::StopRule | Ending::Experiment));
        match status {
            // Its place has been taken already.
            Status::Terminated if matches!(ending, Some(Ending::Restarted | Ending::Withdrawn)) => OnResume::Skip,
            Status::Terminated if unjudged && self.extended == Extended::Unjudged => OnResume::Resume,
            Status::Terminated => self.finished,
            Status::Error if kind.is_some_and(|kind| self.kinds.contains(&kind)) => OnResume::Resume,
            Status::Error => self.errored,
            _ => self.unfinished,
        }
    }
}

/// A word for a way to resume that isn't known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` isn't a way to resume: expected AUTO, alone or with +ERRORED, +RESTART_ERRORED, +ERRORED_ONLY or \
     +RESTART_ERRORED_ONLY"
)]
pub struct ParseResumeError(String);

/// Ray Tune's words: `AUTO`, `AUTO+ERRORED`, `AUTO+RESTART_ERRORED`, and the same with `_ONLY`, which skip the unfinished.
impl FromStr for Resume {
    type Err = ParseResumeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseResumeError(text.to_owned());
        let (auto, rest) = text.split_once('+').map_or((text, None), |(auto, rest)| (auto, Some(rest)));
        if auto != "AUTO" {
            return Err(refused());
        }
        let only = Resume::new().unfinished(OnResume::Skip);
        Ok(match rest {
            None => Resume::new(),
            Some("ERRORED") => Resume::new().errored(OnResume::Resume),
            Some("RESTART_ERRORED") => Resume::new().errored(OnResume::Restart),
            Some("ERRORED_ONLY") => only.errored(OnResume::Resume),
            Some("RESTART_ERRORED_ONLY") => only.errored(OnResume::Restart),
            Some(_) => return Err(refused()),
        })
    }
}

impl Engine {
    /// Says how the trials that were recalled go on, once the run begins.
    pub fn resume(&mut self, how: Resume) {
        self.resume = Some(how);
    }

    /// What a client changed in an earlier session holds, unless the program has changed the same setting since.
    fn bring_back_edits(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(before) = self.replayed.opened.as_ref().map(|opened| opened.settings.clone()) else { return };
        self.bring_back_settings(&before, now, out);
        let RunRecord { limited, staged, resources, space, .. } = self.ledger.run().clone();
        if let Some(SpaceChange { version, .. }) = space.filter(|_| !self.settings.has_spaces_of(&before)) {
            let (version, changes) = (version.saturating_add(1), Arc::default());
            self.take_space(SpaceChange { version, changes, by: None }, now, out);
        }
        if limited.is_some() && before.concurrency != self.settings.concurrency {
            let concurrency = self.settings.concurrency.and_then(NonZeroU32::new);
            self.commit(now, out, EventKind::Limited { concurrency });
        }
        if staged.is_some() && before.staged != self.settings.staged {
            let most = NonZeroU32::new(self.settings.staged).unwrap_or(NonZeroU32::MIN);
            self.commit(now, out, EventKind::Staged { most });
        }
        match resources {
            None => {}
            Some(_) if before.resources != self.settings.resources => {
                let total = self.settings.total.clone();
                self.commit(now, out, EventKind::Rescaled { total });
            }
            // The pool began with what the program says.
            Some(total) => out.push(EngineOutput::Resize(total)),
        }
    }

    /// Brings the trials of earlier sessions back: those that reported last come first, as in Ray Tune.
    pub(super) fn bring_back(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(how) = self.resume.take() else { return };
        self.bring_back_edits(now, out);
        let reported = |record: &super::TrialRecord| {
            let last = record.last.as_ref().filter(|last| last.iteration() > 0);
            last.map_or(f64::NEG_INFINITY, |last| last.timestamp)
        };
        let mut all: Vec<(TrialId, f64)> = self.ledger.iter().map(|record| (record.id, reported(record))).collect();
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        for (rank, (trial, _)) in (0..).zip(all) {
            let Some(record) = self.ledger.get(trial) else { continue };
            let kind = record.failures.last().map(|failure| failure.fault.kind);
            let (status, what) = (record.status, how.of(record.status, record.ending, kind, trial));
            if let Some(Ordered::End(ending)) = self.ledger.plan(trial).map(|plan| plan.ordered) {
                // Its end had been decided.
                self.end_without_worker(trial, ending, now, out);
                continue;
            }
            // The end of one that was skipped may have been the end of the run: nobody is revived for that.
            if !self.is_open() {
                continue;
            }
            match what {
                OnResume::Skip if status.is_terminal() => {}
                OnResume::Skip => {
                    let (ending, reason) = (Ending::Client, Some("skipped when the run was resumed".into()));
                    self.commit(now, out, EventKind::Stopping { trial, ending, reason });
                    self.end_without_worker(trial, ending, now, out);
                }
                OnResume::Resume if status.is_terminal() => self.revive(trial, now, out),
                OnResume::Resume => self.bring_back_one(trial, rank, now, out),
                OnResume::Restart => self.restart(trial, rank, now, out),
            }
        }
        for config in how.added {
            if !self.is_open() {
                break;
            }
            let trial = self.ledger.next_id();
            if let Err(message) = self.add(config, (AddedBy::Client, None), None, now, out) {
                return self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), now, out);
            }
        }
        self.resume_exploits(now, out);
    }

    /// Workers from elsewhere may still have trials as they stand.
    pub(super) fn expect_back(&mut self, out: &mut Vec<EngineOutput>) {
        if !self.is_open() || !self.settings.elsewhere {
            return;
        }
        let in_line = |trial: TrialId| self.ledger.plan(trial).is_some_and(|plan| plan.place == Place::Line);
        let all = self.ledger.iter().map(|record| record.id);
        let trials: BTreeSet<TrialId> = all.filter(|&trial| in_line(trial) && self.may_go_on(trial)).collect();
        self.returning.clone_from(&trials);
        out.push(EngineOutput::ExpectBack(trials));
    }

    /// A trial that had ended goes on from its last checkpoint.
    pub(super) fn revive(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(record) = self.ledger.get(trial) else { return };
        let why = if record.status == Status::Error { Revival::Retry } else { Revival::Extend };
        let (attempt, from) = (record.attempts + 1, record.status);
        let Some(request) = self.request_of(trial, now, out) else { return };
        self.commit(now, out, EventKind::Revived { trial, why, attempt, request });
        self.retained.turned(trial, Life::GoesOn);
        self.scheduler_hears_revival(trial);
        self.commit(now, out, EventKind::Status { trial, from, to: Status::Pending });
        self.create(trial, out);
    }

    pub(super) fn scheduler_hears_revival(&mut self, trial: TrialId) {
        if let Some(record) = self.ledger.get(trial) {
            let (config, last) = (&record.config, record.last.as_deref());
            self.scheduler.call(|scheduler| scheduler.on_revive(trial, config, last));
        }
    }

    fn bring_back_one(&mut self, trial: TrialId, rank: u32, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(request) = self.request_of(trial, now, out) else { return };
        let Some((record, plan)) = self.ledger.get(trial).zip(self.ledger.plan(trial)) else { return };
        let (from, iteration, config) = (record.status, record.reported, record.config.clone());
        // A drain paused it for this very moment. What was about to be paused, and lost its worker, is paused.
        let resumes = plan.ordered == Ordered::Pause { resume: true };
        let by_somebody = matches!(plan.paused_by, Some(PausedBy::Client | PausedBy::Scheduler)) && !resumes;
        let paused = by_somebody || plan.exploit.is_some();
        let let_go = from == Status::Paused && plan.paused_by.is_none();
        let status = if paused || let_go { Status::Paused } else { Status::Pending };
        self.commit(now, out, EventKind::Returned { trial, config, status, iteration, request, rank });
        if from != status {
            self.commit(now, out, EventKind::Status { trial, from, to: status });
        }
        if self.ledger.plan(trial).is_some_and(|plan| plan.place == Place::Line) {
            self.scheduler.call(|scheduler| scheduler.on_resume(trial));
        }
        let state = if status == Status::Paused { State::Paused } else { State::Queued };
        self.ledger.follow(trial, state);
        self.create(trial, out);
    }

    /// A new trial takes the place of one that is given up, also in the line.
    fn restart(&mut self, trial: TrialId, rank: u32, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(config) = self.ledger.get(trial).map(|record| record.config.clone()) else { return };
        let new = match self.add(Config::clone(&config), (AddedBy::Restart, Some(rank)), None, now, out) {
            Ok(new) => new,
            Err(message) => {
                self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), now, out);
                return self.end_without_machine(trial, now, out);
            }
        };
        if let Some(priority) = self.ledger.plan(trial).map(|plan| plan.priority).filter(|priority| *priority != 0) {
            self.commit(now, out, EventKind::Prioritised { trial: new, priority });
        }
        let (ending, reason) = (Ending::Restarted, Some(Cow::from(format!("restarted as {new}"))));
        if self.ledger.plan(trial).is_some() {
            self.commit(now, out, EventKind::Stopping { trial, ending, reason });
            return self.end_without_worker(trial, ending, now, out);
        }
        let last = self.ledger.get(trial).and_then(|record| record.last.clone());
        let last = last.unwrap_or_else(|| Arc::new(crate::logic::metrics::Report::empty(trial)));
        let status = Status::Terminated;
        self.commit(now, out, EventKind::Ended { trial, status, ending, reason, last });
    }

    /// The run was closed before this trial's machine was made: nobody else ends it.
    fn end_without_machine(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        if self.ledger.plan(trial).is_some() {
            self.end_without_worker(trial, Ending::Experiment, now, out);
        }
    }

    fn end_without_worker(&mut self, trial: TrialId, ending: Ending, now: Moment, out: &mut Vec<EngineOutput>) {
        let state = if ending == Ending::Error { State::Error } else { State::Terminated };
        if let Some((from, to)) = self.ledger.follow(trial, state)
            && from != to
        {
            self.commit(now, out, EventKind::Status { trial, from, to });
        }
        self.ended(trial, now, out);
    }

    /// What a trial needs; a trial that can never run ends the run.
    fn request_of(
        &mut self,
        trial: TrialId,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Option<Arc<crate::logic::pool::ResourceRequest>> {
        let record = self.ledger.get(trial)?;
        if let Some(resized) = &record.resized {
            return Some(resized.clone());
        }
        let config = record.config.clone();
        match self.request_for(&config) {
            Ok(request) => Some(request),
            Err(message) => {
                self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), now, out);
                self.end_without_machine(trial, now, out);
                None
            }
        }
    }

    /// Has the machine of a trial made that has a past.
    fn create(&mut self, trial: TrialId, out: &mut Vec<EngineOutput>) {
        let Some((record, live)) = self.ledger.get(trial).zip(self.ledger.live(trial)) else { return };
        let past = TrialPast {
            state: live.state,
            attempt: record.attempts,
            iteration: record.last.as_ref().map_or(0, |last| last.iteration()),
            failures: record.failures.iter().map(|failure| failure.fault.kind).collect(),
            restores: record.restores.clone(),
        };
        out.push(EngineOutput::Create { trial, past: Some(Box::new(past)) });
    }
}
