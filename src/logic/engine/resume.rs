//! A run goes on where earlier sessions left it: which of their trials come back, and how.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use super::entry::Standing;
use super::shelves::Life;
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
    /// A new trial with the same configuration, and nothing else of it, takes its place.
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
    #[must_use]
    pub fn extend(mut self) -> Self {
        self.extended = Extended::Unjudged;
        self
    }

    fn of(&self, status: Status, ending: Option<Ending>, kind: Option<FailureKind>, trial: TrialId) -> OnResume {
        if status.is_terminal() && self.trials.contains(&trial) {
            return OnResume::Resume;
        }
        let unjudged = matches!(ending, Some(Ending::Done | Ending::StopRule | Ending::Experiment));
        match status {
            // Its place has been taken already.
            Status::Terminated if ending == Some(Ending::Restarted) => OnResume::Skip,
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

    /// Brings the recalled trials back: those that reported last come first, as in Ray Tune.
    pub(super) fn bring_back(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(how) = self.resume.take() else { return };
        // What a client has said holds, unless this session's settings say something.
        let limited = self.recalled.run.limited.and_then(NonZeroU32::new);
        self.settings.concurrency = self.settings.concurrency.or(limited);
        let reported = |trial: &TrialId| {
            let last = self.ledger.get(*trial).and_then(|record| record.last.as_ref());
            last.filter(|last| last.iteration() > 0).map_or(f64::NEG_INFINITY, |last| last.timestamp)
        };
        let mut all: Vec<(TrialId, f64)> =
            self.ledger.iter().map(|record| record.id).map(|id| (id, reported(&id))).collect();
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        for (rank, (trial, _)) in (0..).zip(all) {
            let Some(record) = self.ledger.get(trial) else { continue };
            let kind = record.failures.last().map(|failure| failure.fault.kind);
            let (status, what) = (record.status, how.of(record.status, record.ending, kind, trial));
            if let Some(live) = self.ledger.live(trial)
                && let Standing::Ending(ending) = live.standing
            {
                // Its end had been decided.
                self.end_without_worker(trial, ending, None, now, out);
                continue;
            }
            match what {
                OnResume::Skip if status.is_terminal() => {}
                OnResume::Skip => {
                    let reason = Some("skipped when the run was resumed".into());
                    self.end_without_worker(trial, Ending::Client, reason, now, out);
                }
                OnResume::Resume if status.is_terminal() => self.revive(trial, now, out),
                OnResume::Resume => self.bring_back_one(trial, rank, now, out),
                OnResume::Restart => self.restart(trial, now, out),
            }
        }
    }

    /// A trial that had ended goes on from its last checkpoint.
    pub(super) fn revive(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(record) = self.ledger.get(trial) else { return };
        let why = if record.status == Status::Error { Revival::Retry } else { Revival::Extend };
        let (attempt, from, config) = (record.attempts + 1, record.status, record.config.clone());
        let Some(request) = self.request_of(trial, &config, out) else { return };
        self.ledger.revive(trial, attempt, request);
        self.shelves.iter_mut().for_each(|shelves| shelves.turned(trial, Life::GoesOn));
        self.scheduler.call(|scheduler| scheduler.on_add(trial, &config));
        self.tell(now, out, || EventKind::Revived { trial, why, attempt });
        self.tell(now, out, || EventKind::Status { trial, from, to: Status::Pending });
        self.create(trial, out);
    }

    fn bring_back_one(&mut self, trial: TrialId, rank: u32, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(config) = self.ledger.get(trial).map(|record| record.config.clone()) else { return };
        let Some(request) = self.request_of(trial, &config, out) else { return };
        let waits = self.ledger.live(trial).and_then(|live| live.retry_at).filter(|at| *at > now);
        let Some(live) = self.ledger.live_mut(trial) else { return };
        live.request = request;
        live.lease = None;
        let resumes = matches!(live.standing, Standing::Pause { resume: true });
        live.standing = Standing::None;
        let (was, by) = (live.state, live.paused_by);
        // A drain paused it for this very moment. What was about to be paused, and lost its worker, is paused.
        let paused = matches!(by, Some(PausedBy::Client | PausedBy::Scheduler)) && !resumes;
        let state = if paused || (was == State::Paused && by.is_none()) { State::Paused } else { State::Queued };
        if !paused {
            live.paused_by = None;
        }
        self.ledger.leave_lines(trial);
        let change = self.ledger.moved(trial, state);
        if let Some(live) = self.ledger.live_mut(trial) {
            live.rank = Some(rank);
        }
        match (waits, by) {
            (Some(at), _) => self.ledger.back_off(trial, at),
            (None, Some(PausedBy::Client)) if paused => {}
            (None, Some(PausedBy::Scheduler)) if paused => self.ledger.park(trial),
            _ => {
                self.ledger.enqueue(trial);
                self.scheduler.call(|scheduler| scheduler.on_resume(trial));
            }
        }
        let (status, iteration) = self.ledger.get(trial).map_or((Status::Pending, 0), |r| (r.status, r.reported));
        self.tell(now, out, || EventKind::Returned { trial, config: config.clone(), status, iteration });
        if let Some((from, to)) = change {
            self.tell(now, out, || EventKind::Status { trial, from, to });
        }
        self.create(trial, out);
    }

    /// A new trial takes the place of one that is given up.
    fn restart(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(config) = self.ledger.get(trial).map(|record| record.config.clone()) else { return };
        let new = match self.add(Config::clone(&config), AddedBy::Restart, now, out) {
            Ok(new) => new,
            Err(message) => return self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), out),
        };
        let reason = Cow::from(format!("restarted as {new}"));
        if self.ledger.live(trial).is_some() {
            return self.end_without_worker(trial, Ending::Restarted, Some(reason), now, out);
        }
        self.ledger.superseded(trial, reason.clone());
        let last = self.ledger.get(trial).and_then(|record| record.last.clone());
        let last = last.unwrap_or_else(|| Arc::new(crate::logic::metrics::Report::empty(trial)));
        let (status, ending) = (Status::Terminated, Ending::Restarted);
        self.tell(now, out, || EventKind::Ended { trial, status, ending, reason: Some(reason), last });
    }

    fn end_without_worker(
        &mut self,
        trial: TrialId,
        ending: Ending,
        reason: Option<Cow<'static, str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) {
        self.set_standing(trial, Standing::Ending(ending), reason);
        let state = if ending == Ending::Error { State::Error } else { State::Terminated };
        if let Some((from, to)) = self.ledger.moved(trial, state) {
            self.tell(now, out, || EventKind::Status { trial, from, to });
        }
        self.ended(trial, now, out);
    }

    /// What a trial needs; a trial that can never run ends the run.
    fn request_of(
        &mut self,
        trial: TrialId,
        config: &Config,
        out: &mut Vec<EngineOutput>,
    ) -> Option<Arc<crate::logic::pool::ResourceRequest>> {
        if let Some(resized) = self.ledger.get(trial).and_then(|record| record.resized.clone()) {
            return Some(resized);
        }
        match (self.settings.request)(config) {
            Ok(request) => Some(request),
            Err(message) => {
                self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), out);
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
            checkpoints: record.checkpoints.clone(),
            saves: record.saves,
            inherited: record.inherited.clone(),
        };
        let (config, request) = (record.config.clone(), live.request.clone());
        out.push(EngineOutput::Create { trial, config, request, past: Some(Box::new(past)) });
    }
}
