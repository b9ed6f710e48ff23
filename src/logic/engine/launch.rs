//! What runs next: the searcher is asked, the scheduler chooses, the trial is launched.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::seat::Errand;
use super::{Demand, Engine, EngineOutput};
use crate::logic::config::Config;
use crate::logic::event::{AddedBy, EventKind, Outcome, RunFailure};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::search::{Effort, Suggestion};
use crate::logic::time::Moment;
use crate::logic::trial::{State, Status, TrialOrder};

impl Engine {
    /// Launches as long as there is room, somebody to launch, and the scheduler chooses one.
    pub(super) fn launch(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        // It waits for a client, so it isn't stuck either.
        if self.hold.is_some() {
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
        self.end_if_failed(out);
        self.check_stuck(out);
    }

    fn has_room(&self) -> bool {
        let below_limit = |limit: NonZeroU32| self.ledger.launched() < limit.get() as usize;
        self.settings.concurrency.is_none_or(below_limit)
            && self.ledger.unserved() < self.ahead().min(self.settings.staged.get() as usize)
    }

    /// How many trials may exist that don't have a worker yet.
    fn ahead(&self) -> usize {
        self.searcher.lookahead()
    }

    fn launch_one(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) -> bool {
        // Only who stands in one of the lines can be launched: not one that a client paused, or that is backing off.
        if !self.ledger.is_candidate(trial) {
            return false;
        }
        self.ledger.leave_lines(trial);
        if let Some(live) = self.ledger.live_mut(trial) {
            live.paused_by = None;
        }
        self.tell(now, out, || EventKind::Chosen { trial });
        // Written down before the trial confirms it: the next choice must not see it again.
        if let Some((from, to)) = self.ledger.moved(trial, State::Starting) {
            self.tell(now, out, || EventKind::Status { trial, from, to });
        }
        let limits = self.limits();
        out.push(EngineOutput::Trial(trial, TrialOrder::Launch { limits }));
        true
    }

    /// Asks the searcher for as many trials as it may be ahead.
    fn fill(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while self.demand == Demand::Open && self.wants_trials() {
            let id = self.ledger.next_id();
            if self.searcher.effort() == Effort::Heavy
                && let Some(errand) = self.searcher.send(id)
            {
                self.demand = Demand::Away;
                return out.push(EngineOutput::Ask(errand));
            }
            match self.searcher.suggest(id) {
                None => return,
                Some(Err(error)) => return self.searcher.fail(error_chain(&error)),
                Some(Ok(suggestion)) => self.suggested(suggestion, now, out),
            }
        }
    }

    /// The searcher is back from an errand.
    pub(super) fn searcher_back(&mut self, errand: &Errand, now: Moment, out: &mut Vec<EngineOutput>) {
        let suggestion = self.searcher.back(errand, self.ledger.next_id());
        if self.demand != Demand::Away {
            // The run was closed meanwhile.
            return;
        }
        self.demand = Demand::Open;
        if let Some(suggestion) = suggestion {
            self.suggested(suggestion, now, out);
        }
    }

    fn suggested(&mut self, suggestion: Suggestion, now: Moment, out: &mut Vec<EngineOutput>) {
        match suggestion {
            Suggestion::Next(config) => {
                let trial = self.ledger.next_id();
                if let Err(message) = self.add(config, AddedBy::Searcher, now, out) {
                    self.close(Outcome::Failed(RunFailure::Infeasible { trial, message }), out);
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

    /// Adds a trial, and tells everybody.
    pub(super) fn add(
        &mut self,
        config: Config,
        by: AddedBy,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<TrialId, String> {
        let id = self.ledger.next_id();
        let mut config = config;
        self.scheduler.call(|scheduler| scheduler.complete(id, &mut config));
        let request = (self.settings.request)(&config)?;
        let config = Arc::new(config);
        let trial = self.ledger.add(config.clone(), request.clone());
        self.scheduler.call(|scheduler| scheduler.on_add(trial, &config));
        self.tell(now, out, || EventKind::Added { trial, config: config.clone(), by });
        out.push(EngineOutput::Create { trial, config, request, past: None });
        Ok(trial)
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
    fn check_stuck(&mut self, out: &mut Vec<EngineOutput>) {
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
                self.scheduler.part.name()
            ),
            _ => return,
        };
        self.close(Outcome::Failed(RunFailure::Stuck { message }), out);
    }
}
