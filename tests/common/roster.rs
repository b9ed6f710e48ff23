//! A cohort that a test writes itself: who has which status, and in what order.

use std::collections::BTreeMap;

use tryout::logic::config::Config;
use tryout::logic::decision::{Decision, Directive, Verdict};
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::Report;
use tryout::logic::schedule::{Cohort, Scheduler};
use tryout::logic::trial::Status;

/// Trials, their statuses and their last reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    trials: Vec<TrialId>,
    entries: BTreeMap<TrialId, Entry>,
    pauses: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    status: Status,
    config: Config,
    last: Option<Report>,
    /// When it was paused.
    pause: u64,
}

impl Roster {
    pub(crate) fn add(&mut self, trial: TrialId) {
        self.add_with(trial, Config::new());
    }

    pub(crate) fn add_with(&mut self, trial: TrialId, config: Config) {
        self.trials.push(trial);
        self.entries.insert(trial, Entry { status: Status::Pending, config, last: None, pause: 0 });
    }

    pub(crate) fn set(&mut self, trial: TrialId, status: Status) {
        self.pauses += 1;
        let pause = self.pauses;
        let entry = self.entries.get_mut(&trial).expect("it was added");
        (entry.status, entry.pause) = (status, pause);
    }

    /// All trials with this status, in the order in which they were added.
    pub(crate) fn with(&self, status: Status) -> Vec<TrialId> {
        self.trials.iter().copied().filter(|trial| self.entries[trial].status == status).collect()
    }

    /// Lets a running trial report, and pauses it if the scheduler says so; a stop is left to the caller.
    pub(crate) fn hear(&mut self, scheduler: &mut dyn Scheduler, report: Report) -> Verdict {
        let trial = report.trial;
        assert_eq!(self.status(trial), Some(Status::Running), "{trial} reports");
        let verdict = scheduler.on_report(trial, &report, &*self);
        self.entries.get_mut(&trial).expect("it was added").last = Some(report);
        assert_eq!(verdict.decision != Decision::Continue, verdict.reason.is_some(), "{verdict:?}");
        if verdict.decision == Decision::Pause {
            self.set(trial, Status::Paused);
        }
        verdict
    }

    /// Lets a running trial report, and carries out what the scheduler says, that of the trials it ends included.
    /// Answers the verdict and all the trials that ended, in the order in which they did.
    pub(crate) fn report(&mut self, scheduler: &mut dyn Scheduler, report: Report) -> (Verdict, Vec<TrialId>) {
        let trial = report.trial;
        let verdict = self.hear(scheduler, report);
        let mut ended = Vec::new();
        if verdict.decision == Decision::Stop {
            self.end_into(scheduler, trial, Ending::Scheduler, &mut ended);
        }
        self.obey(scheduler, verdict.directives.clone(), &mut ended);
        (verdict, ended)
    }

    /// Ends a trial, and carries out what the scheduler says to that. Answers all that ended.
    pub(crate) fn end(&mut self, scheduler: &mut dyn Scheduler, trial: TrialId, ending: Ending) -> Vec<TrialId> {
        let mut ended = Vec::new();
        self.end_into(scheduler, trial, ending, &mut ended);
        ended
    }

    /// Puts a running trial back into the line because it failed and is tried again, and carries out what the scheduler says
    /// to that. Answers all that ended.
    pub(crate) fn retry(&mut self, scheduler: &mut dyn Scheduler, trial: TrialId) -> Vec<TrialId> {
        let mut ended = Vec::new();
        self.set(trial, Status::Pending);
        let directives = scheduler.on_retry(trial, &*self);
        self.obey(scheduler, directives, &mut ended);
        ended
    }

    fn end_into(&mut self, scheduler: &mut dyn Scheduler, trial: TrialId, ending: Ending, ended: &mut Vec<TrialId>) {
        let entry = self.entries.get_mut(&trial).expect("it was added");
        entry.status = if ending == Ending::Error { Status::Error } else { Status::Terminated };
        let last = entry.last.clone();
        ended.push(trial);
        let directives = scheduler.on_end(trial, ending, last.as_ref(), &*self);
        self.obey(scheduler, directives, ended);
    }

    fn obey(&mut self, scheduler: &mut dyn Scheduler, directives: Vec<Directive>, ended: &mut Vec<TrialId>) {
        for directive in directives {
            match directive {
                Directive::Stop(trial) | Directive::StopBecause(trial, _) => {
                    if !self.entries[&trial].status.is_terminal() {
                        self.end_into(scheduler, trial, Ending::Scheduler, ended);
                    }
                }
                Directive::Save(_) => {}
                Directive::Exploit { trial, config, .. } => {
                    if !self.entries[&trial].status.is_terminal() {
                        self.set(trial, Status::Paused);
                        self.entries.get_mut(&trial).expect("it was added").config = config;
                    }
                }
                other => panic!("none of these schedulers says {other:?}"),
            }
        }
    }

    /// Launches what the scheduler chooses.
    pub(crate) fn launch(&mut self, scheduler: &mut dyn Scheduler) -> Option<TrialId> {
        let chosen = scheduler.choose(&*self)?;
        assert!(self.can_launch(chosen), "{chosen} can't be launched: {:?}", self.status(chosen));
        self.set(chosen, Status::Running);
        Some(chosen)
    }
}

impl Cohort for Roster {
    fn trials(&self) -> Box<dyn Iterator<Item = TrialId> + '_> {
        Box::new(self.entries.keys().copied())
    }

    fn status(&self, trial: TrialId) -> Option<Status> {
        self.entries.get(&trial).map(|entry| entry.status)
    }

    fn last_report(&self, trial: TrialId) -> Option<&Report> {
        self.entries.get(&trial)?.last.as_ref()
    }

    fn config(&self, trial: TrialId) -> Option<&Config> {
        Some(&self.entries.get(&trial)?.config)
    }

    fn count(&self, status: Status) -> usize {
        self.entries.values().filter(|entry| entry.status == status).count()
    }

    fn first_pending(&self) -> Option<TrialId> {
        self.with(Status::Pending).first().copied()
    }

    fn first_paused(&self) -> Option<TrialId> {
        self.with(Status::Paused).into_iter().min_by_key(|trial| self.entries[trial].pause)
    }

    fn can_launch(&self, trial: TrialId) -> bool {
        matches!(self.status(trial), Some(Status::Pending | Status::Paused))
    }
}
