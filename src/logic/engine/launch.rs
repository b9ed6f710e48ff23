//! What runs next: the searcher is asked, the scheduler chooses, the trial is launched.

use std::sync::Arc;

use super::searcher_slot::SuggestTask;
use super::{Demand, Engine, EngineOutput};
use crate::logic::checkpoint::Checkpoint;
use crate::logic::config::Config;
use crate::logic::event::{AddedBy, EventKind, Outcome, RunFailure};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::search::{Effort, Suggestion};
use crate::logic::time::Moment;
use crate::logic::trial::{Launch, Loaded, State, Status, TrialOrder};

impl Engine {
    /// Launches as long as there is room, somebody to launch, and the scheduler chooses one.
    pub(super) fn launch(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        // It waits for a client, so it isn't stuck either.
        if self.ledger.run().hold.is_some() {
            return;
        }
        loop {
            self.fill(now, out);
            if !self.has_room() || self.ledger.candidates() == 0 {
                break;
            }
            let ledger = &self.ledger;
            let Some(chosen) = self.scheduler.call(|scheduler| scheduler.choose(ledger)).flatten() else { break };
            if !self.launch_one(chosen, now, out) {
                self.scheduler.fail(format!("it chose {chosen}, which can't be launched"));
                break;
            }
        }
        // Here and not with the next input: if nothing runs, there is none.
        self.end_if_failed(now, out);
        self.check_stuck(now, out);
    }

    /// How many trials may run at once: what a client said last, else what the settings say.
    fn concurrency(&self) -> Option<u32> {
        match self.ledger.run().limited {
            Some(limited) => Some(limited).filter(|limited| *limited > 0),
            None => self.settings.concurrency,
        }
    }

    fn has_room(&self) -> bool {
        let below_limit = |limit: u32| self.ledger.launched() < limit as usize;
        self.concurrency().is_none_or(below_limit) && self.ledger.unserved() < self.ahead()
    }

    /// How many trials may exist that don't have a worker yet.
    fn ahead(&self) -> usize {
        // Those whose workers may bring them along are asked for at once, or others would be given these.
        self.searcher.lookahead().min(self.staged()).max(self.returning.len())
    }

    fn launch_one(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) -> bool {
        // Only who stands in one of the lines can be launched: not one that a client paused, or that is backing off.
        if !self.ledger.is_candidate(trial) {
            return false;
        }
        let Some(record) = self.ledger.get(trial) else { return false };
        let (from, index, config) = (record.goes_on_from().cloned(), record.saves, record.config.clone());
        let last = record.last.clone().filter(|last| last.iteration() > 0);
        let Some(request) = self.ledger.plan(trial).map(|plan| plan.request.clone()) else { return false };
        let status = record.status;
        let goes_on = self.may_go_on(trial);
        // Written down before the trial confirms it: the next choice must not see it again.
        self.commit(now, out, EventKind::Chosen { trial });
        if status != Status::Pending {
            self.commit(now, out, EventKind::Status { trial, from: status, to: Status::Pending });
        }
        self.ledger.follow(trial, State::Starting);
        let limits = self.limits();
        let launch = Launch { config, request, from, last, index, limits, goes_on };
        out.push(EngineOutput::Trial(trial, TrialOrder::Launch(launch)));
        true
    }

    /// Whether a worker from elsewhere may still have a trial as it stands, from before the engine was lost.
    pub(super) fn may_go_on(&self, trial: TrialId) -> bool {
        let Some((record, plan)) = self.ledger.get(trial).zip(self.ledger.plan(trial)) else { return false };
        let turns = record.inherited.as_ref().is_some_and(|inherited| inherited.loaded == Loaded::No);
        plan.elsewhere && !turns
    }

    /// Asks the searcher for as many trials as it may be ahead.
    fn fill(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while self.demand == Demand::Open && self.wants_trials() {
            if self.has_enough() {
                self.demand = Demand::Exhausted;
                return;
            }
            let id = self.ledger.next_id();
            if self.searcher.effort() == Effort::Heavy
                && let Some(task) = self.searcher.send(id)
            {
                self.demand = Demand::Away;
                return out.push(EngineOutput::Ask(task));
            }
            match self.searcher.suggest(id) {
                None => return,
                Some(Err(error)) => return self.searcher.fail(error_chain(&error)),
                Some(Ok(suggestion)) => self.suggested(suggestion, now, out),
            }
        }
    }

    /// The searcher is back from a task.
    pub(super) fn searcher_back(&mut self, task: &SuggestTask, now: Moment, out: &mut Vec<EngineOutput>) {
        let stale = self.searcher.missed_space();
        let suggestion = self.searcher.back(task, self.ledger.next_id());
        if self.demand != Demand::Away {
            // The run was closed meanwhile.
            return;
        }
        self.demand = Demand::Open;
        let Some(suggestion) = suggestion else { return };
        let next = self.ledger.next_id();
        self.suggested(suggestion, now, out);
        if stale {
            self.withdraw_if_outside(next, now, out);
        }
        // There may be fewer wanted than when it was asked.
        self.withdraw_surplus(now, out);
    }

    fn suggested(&mut self, suggestion: Suggestion, now: Moment, out: &mut Vec<EngineOutput>) {
        match suggestion {
            Suggestion::Next(config) => {
                let trial = self.ledger.next_id();
                if let Err(message) = self.add(config, (AddedBy::Searcher, None), None, now, out) {
                    self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), now, out);
                }
            }
            Suggestion::Wait => self.demand = Demand::Waits,
            Suggestion::Exhausted => self.demand = Demand::Exhausted,
        }
    }

    /// A searcher that learns is asked when there is room and not before: a suggestion made late knows more. One that
    /// doesn't is asked ahead.
    fn wants_trials(&self) -> bool {
        let ahead = self.ahead();
        self.ledger.in_line() + self.ledger.unserved() < ahead && (ahead > 1 || self.has_room())
    }

    /// Adds a trial, and tells everybody: by whose wish, and in which place if it takes another's. It begins from this checkpoint, if there is one, which stays as long as that is so.
    pub(super) fn add(
        &mut self,
        config: Config,
        (by, rank): (AddedBy, Option<u32>),
        from: Option<Arc<Checkpoint>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<TrialId, String> {
        let id = self.ledger.next_id();
        let mut config = config;
        self.scheduler.call(|scheduler| scheduler.complete(id, &mut config));
        let request = self.request_for(&config)?;
        let name = self.names.name(id, &config)?;
        let config = Arc::new(config);
        from.iter().for_each(|from| self.retained.pin_of(from));
        self.commit(now, out, EventKind::Added { trial: id, config: config.clone(), request, by, from, rank, name });
        self.scheduler.call(|scheduler| scheduler.on_add(id, &config));
        out.push(EngineOutput::Create { trial: id, past: None });
        Ok(id)
    }

    /// Has a run that is new begin with a trial which goes on from this checkpoint; it is in the store.
    pub fn begin_with(&mut self, config: Config, from: Arc<Checkpoint>) {
        self.first.push((config, from));
    }

    pub(super) fn add_first(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        for (config, from) in std::mem::take(&mut self.first) {
            let trial = self.ledger.next_id();
            if let Err(message) = self.add(config, (AddedBy::Client, None), Some(from), now, out) {
                return self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), now, out);
            }
        }
    }

    /// Whether anybody may still ask for a worker who hasn't: then idle ones are kept.
    pub(super) fn say_demand(&mut self, out: &mut Vec<EngineOutput>) {
        let closed = self.demand == Demand::Exhausted && !self.ledger.some_come_back();
        if closed != self.demand_closed {
            self.demand_closed = closed;
            out.push(if closed { EngineOutput::DemandClosed } else { EngineOutput::DemandOpened });
        }
    }

    /// A run in which nothing can ever move again ends, and says why.
    fn check_stuck(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        if !self.is_open() || self.ledger.launched() > 0 || self.goes_on_at().is_some() || self.ledger.expects_word() {
            return;
        }
        let (pending, paused) = (self.ledger.count(Status::Pending), self.ledger.count(Status::Paused));
        let message = match self.demand {
            Demand::Away => return,
            Demand::Waits => {
                format!("the searcher {} waits, but no trial runs that could end its wait", self.searcher.name())
            }
            _ if self.ledger.candidates() > 0 && self.has_room() => format!(
                "the scheduler {} chooses none of {pending} pending and {paused} paused trials, and none runs",
                self.scheduler.name()
            ),
            _ => return,
        };
        self.close(Outcome::Failed(RunFailure::Stuck { message }), now, out);
    }
}
