//! A population that runs by hand: who is in it, with what, and what its scheduler has ordered.

use std::collections::BTreeMap;

use super::{report, trial};
use tryout::logic::config::Config;
use tryout::logic::decision::{Decision, Directive, Verdict};
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Objective, Report};
use tryout::logic::schedule::{Cohort, Pbt, Scheduler};
use tryout::logic::trial::Status;

/// What a population may know of itself: configurations, and statuses that the test sets.
#[derive(Default)]
pub(crate) struct Town {
    pub(crate) configs: BTreeMap<TrialId, Config>,
    pub(crate) statuses: BTreeMap<TrialId, Status>,
    pub(crate) unsaved: Vec<TrialId>,
}

impl Cohort for Town {
    fn status(&self, trial: TrialId) -> Option<Status> {
        self.statuses.get(&trial).copied()
    }

    fn last_report(&self, _: TrialId) -> Option<&Report> {
        None
    }

    fn config(&self, trial: TrialId) -> Option<&Config> {
        self.configs.get(&trial)
    }

    fn has_checkpoint(&self, trial: TrialId) -> bool {
        !self.unsaved.contains(&trial)
    }

    fn count(&self, status: Status) -> usize {
        self.statuses.values().filter(|is| **is == status).count()
    }

    fn first_pending(&self) -> Option<TrialId> {
        self.statuses.iter().find(|(_, status)| **status == Status::Pending).map(|(trial, _)| *trial)
    }

    fn first_paused(&self) -> Option<TrialId> {
        self.statuses.iter().find(|(_, status)| **status == Status::Paused).map(|(trial, _)| *trial)
    }

    fn can_launch(&self, trial: TrialId) -> bool {
        matches!(self.status(trial), Some(Status::Pending | Status::Paused))
    }
}

/// A population that runs, and what its scheduler has ordered so far.
pub(crate) struct Run {
    pub(crate) pbt: Pbt,
    pub(crate) town: Town,
    pub(crate) saves: usize,
    pub(crate) copies: Vec<(TrialId, TrialId, Config)>,
}

pub(crate) fn start() -> Config {
    Config::from_json(serde_json::json!({"id": 0, "float": 2.0, "int": 10, "constant": 3})).expect("it is a map")
}

impl Run {
    /// So many trials, all running, none of which has reported.
    pub(crate) fn of(pbt: Pbt, count: u32) -> Self {
        let mut run = Self { pbt, town: Town::default(), saves: 0, copies: Vec::new() };
        run.pbt.prepare(Some(&Objective::max("score"))).expect("the settings are fine");
        for number in 0..count {
            run.add(number);
        }
        run
    }

    /// The five of the cases: 0, 50, 100, 150, 200 at time 10.
    pub(crate) fn of_five(pbt: Pbt) -> Self {
        let mut run = Self::of(pbt, 5);
        for number in 0..5 {
            run.reports(number, 10, f64::from(number) * 50.0);
        }
        (run.saves, run.copies) = (0, Vec::new());
        for number in 0..5 {
            run.town.statuses.insert(trial(number), Status::Running);
        }
        run
    }

    pub(crate) fn add(&mut self, number: u32) {
        let mut config = start();
        self.pbt.complete(trial(number), &mut config);
        self.pbt.on_add(trial(number), &config);
        self.town.configs.insert(trial(number), config);
        self.town.statuses.insert(trial(number), Status::Running);
        self.pbt.choose(&self.town);
    }

    pub(crate) fn reports(&mut self, number: u32, time: u64, score: f64) -> Verdict {
        let verdict = self.pbt.on_report(trial(number), &report(trial(number), time, "score", score), &self.town);
        assert_eq!(verdict.decision != Decision::Continue, verdict.reason.is_some(), "{verdict:?}");
        if verdict.decision == Decision::Pause {
            self.town.statuses.insert(trial(number), Status::Paused);
        }
        self.obey(verdict.directives.clone());
        verdict
    }

    pub(crate) fn ends(&mut self, number: u32, ending: Ending) {
        self.town.statuses.insert(trial(number), Status::Terminated);
        let directives = self.pbt.on_end(trial(number), ending, None, &self.town);
        self.obey(directives);
    }

    pub(crate) fn obey(&mut self, directives: Vec<Directive>) {
        for directive in directives {
            match directive {
                Directive::Save(_) => self.saves += 1,
                Directive::Exploit { trial, donor, config, reason } => {
                    assert!(reason.is_some());
                    self.town.configs.insert(trial, config.clone());
                    self.town.statuses.insert(trial, Status::Paused);
                    self.copies.push((trial, donor, config));
                }
                other => panic!("it doesn't say {other:?}"),
            }
        }
    }

    pub(crate) fn launch(&mut self) -> Option<u32> {
        let chosen = self.pbt.choose(&self.town)?;
        self.town.statuses.insert(chosen, Status::Running);
        Some(chosen.number())
    }
}
