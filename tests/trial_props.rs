//! The trial's machine: exhaustively over every reachable pair, and its record under random scripts.

use std::sync::Arc;

use proptest::prelude::*;
use tryout::logic::checkpoint::{Checkpoint, CheckpointId, Retention};
use tryout::logic::config::Config;
use tryout::logic::decision::Decision;
use tryout::logic::failure::{Budget, FailureKind, Fault, RetryPolicy};
use tryout::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::metrics::{Counters, Metrics, Report};
use tryout::logic::pool::{ResourceRequest, Slot};
use tryout::logic::time::Moment;
use tryout::logic::trial::{
    Batch, BatchEnd, BatchLimits, Effect, Event, Handled, Keep, Phase, PoolFact, PoolOrder, State, Trial, TrialInput,
    TrialNews, TrialOrder, TrialOutput, TrialSettings, WorkerFact, WorkerOrder, reachable_states, transition,
};

fn steps() -> impl Iterator<Item = (State, Event, State, Option<Effect>)> {
    reachable_states().into_iter().flat_map(|state| {
        Event::ALL
            .into_iter()
            .filter_map(move |event| transition(state, event).ok().map(|(to, effect)| (state, event, to, effect)))
    })
}

fn order(state: State) -> Decision {
    match state {
        State::Running { order, .. } => order,
        _ => Decision::Continue,
    }
}

#[test]
fn terminal_states_absorb() {
    for (state, event, to, effect) in steps().filter(|(state, ..)| state.status().is_terminal()) {
        assert_eq!((to, effect), (state, None), "{state} left by {event}");
    }
}

#[test]
fn workers_balance() {
    for (state, event, to, effect) in steps() {
        let change = match effect {
            Some(Effect::Acquire) => 1,
            Some(Effect::Release | Effect::Discard) => -1,
            _ => 0,
        };
        let holds = |state: State| i32::from(state.holds_worker());
        assert_eq!(holds(to) - holds(state), change, "{state} by {event}");
    }
}

#[test]
fn one_request_is_in_flight_and_each_waiting_state_awaits_one_reply() {
    for state in reachable_states() {
        let facts = [Event::Restored, Event::Reported, Event::Saved];
        let awaited = facts.into_iter().filter(|fact| transition(state, *fact).is_ok()).count();
        let waits = matches!(state, State::Running { phase, .. } if phase != Phase::Deciding);
        assert_eq!(awaited, usize::from(waits), "{state}");
    }
    for (state, event, to, effect) in steps() {
        let asks = matches!(effect, Some(Effect::Restore | Effect::Train | Effect::Save));
        let answers = matches!(event, Event::Ready(_) | Event::Restored | Event::Saved | Event::Decide(..));
        assert!(
            !asks || answers,
            "{state} by {event} asks for {effect:?} while something is in flight, and goes to {to}"
        );
    }
}

#[test]
fn a_stop_ends_a_trial_within_two_steps() {
    for state in reachable_states() {
        let (to, _) = transition(state, Event::Stop).expect("a stop is always answered");
        if !to.status().is_terminal() {
            for fact in [Event::Saved, Event::Failed(tryout::logic::trial::Verdict::Retry)] {
                let (end, _) = transition(to, fact).expect("a stop waits for a save only");
                assert!(end.status().is_terminal(), "{state} stopped went on as {end}");
            }
        }
    }
}

#[test]
fn orders_never_weaken_while_the_worker_is_held() {
    for (state, event, to, _) in steps() {
        if state.holds_worker() && matches!(to, State::Running { .. }) {
            assert!(order(to) >= order(state), "{state} by {event} weakened to {to}");
        }
    }
}

/// What the world may do to a trial, in any order, as often as it likes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Launch,
    Pause,
    Stop,
    Decide(Decision, bool),
    Grant,
    Refuse,
    Answer,
    Fail(FailureKind),
    ResetFailed,
    Gone,
    Stale,
}

fn act() -> impl Strategy<Value = Act> {
    let decision = prop_oneof![4 => Just(Decision::Continue), 1 => Just(Decision::Pause), 1 => Just(Decision::Stop)];
    let kind =
        prop_oneof![Just(FailureKind::UserError), Just(FailureKind::RestoreFailed), Just(FailureKind::Preempted)];
    prop_oneof![
        3 => Just(Act::Launch),
        1 => Just(Act::Pause),
        1 => Just(Act::Stop),
        4 => (decision, any::<bool>()).prop_map(|(decision, keep)| Act::Decide(decision, keep)),
        4 => Just(Act::Grant),
        1 => Just(Act::Refuse),
        8 => Just(Act::Answer),
        1 => kind.prop_map(Act::Fail),
        1 => Just(Act::ResetFailed),
        1 => Just(Act::Gone),
        1 => Just(Act::Stale),
    ]
}

/// The world around one trial, as far as the rules need it.
struct World {
    trial: Trial,
    /// The request that waits in the pool, and the lease that it has led to.
    waiting: Option<u32>,
    last_ticket: u32,
    lease: Option<LeaseId>,
    leases: u64,
    /// The order that the worker hasn't answered.
    asked: Option<WorkerOrder>,
    iteration: u64,
    failures: usize,
    shelf: Vec<CheckpointId>,
}

impl World {
    fn new() -> Self {
        let retry = RetryPolicy::new(Budget::Limited(2)).free(FailureKind::RestoreFailed, Budget::Limited(1));
        let settings = TrialSettings { retry, retention: Retention::last(2), ..TrialSettings::default() };
        let id = TrialId::new(RunId::new(1), 4);
        let trial = Trial::new(id, Arc::new(Config::new()), Arc::new(ResourceRequest::default()), Arc::new(settings));
        let (waiting, lease, asked) = (None, None, None);
        Self { trial, waiting, last_ticket: 0, lease, leases: 0, asked, iteration: 0, failures: 0, shelf: Vec::new() }
    }

    fn input(&mut self, act: Act) -> Option<TrialInput> {
        Some(match act {
            Act::Launch => TrialInput::Order(TrialOrder::Launch { limits: BatchLimits::SINGLE }),
            Act::Pause => TrialInput::Order(TrialOrder::Pause),
            Act::Stop => TrialInput::Order(TrialOrder::Stop),
            Act::Decide(decision, keep) => {
                let keep = if keep { Keep::Checkpoint } else { Keep::Nothing };
                let (lease, limits) = (self.lease?, BatchLimits::SINGLE);
                TrialInput::Order(TrialOrder::Decide { lease, decision, keep, limits })
            }
            Act::Grant => {
                let ticket = self.waiting.take()?;
                let lease = LeaseId::new(self.leases);
                self.leases += 1;
                self.lease = Some(lease);
                let (worker, slot) = (WorkerId::new(0), Arc::new(Slot::default()));
                TrialInput::Pool(PoolFact::Granted { ticket, lease, worker, slot })
            }
            Act::Refuse => {
                let ticket = self.waiting.take()?;
                TrialInput::Pool(PoolFact::Refused { ticket, fault: Fault::new(FailureKind::SetupFailed, "no") })
            }
            Act::Answer => self.answer()?,
            Act::Fail(kind) => {
                self.asked.take()?;
                TrialInput::Worker(self.lease?, WorkerFact::Failed(Fault::new(kind, "scripted")))
            }
            Act::ResetFailed => {
                self.asked.take_if(|order| matches!(order, WorkerOrder::Start { .. }))?;
                TrialInput::Worker(self.lease?, WorkerFact::ResetFailed(Fault::new(FailureKind::SetupFailed, "no")))
            }
            Act::Gone => {
                self.asked = None;
                TrialInput::Worker(self.lease?, WorkerFact::Gone)
            }
            Act::Stale => TrialInput::Worker(LeaseId::new(self.leases + 7), WorkerFact::Restored),
        })
    }

    fn answer(&mut self) -> Option<TrialInput> {
        let lease = self.lease?;
        let fact = match self.asked.take()? {
            WorkerOrder::Start { first, .. } => {
                // The first batch is in the making as soon as it is ready.
                self.asked = first.map(WorkerOrder::from);
                WorkerFact::Ready
            }
            WorkerOrder::Restore { checkpoint } => {
                self.iteration = checkpoint.report.iteration();
                WorkerFact::Restored
            }
            WorkerOrder::Train { .. } => {
                let reports = vec![self.report()];
                WorkerFact::Reported(Batch { reports, end: BatchEnd::Limit, handed_in: None, over: None })
            }
            WorkerOrder::Save { checkpoint, .. } => {
                let report = self.report();
                self.iteration -= 1;
                WorkerFact::Saved(checkpoint.map(|id| Arc::new(Checkpoint { id, report, bytes: 1 })))
            }
            WorkerOrder::Yield | WorkerOrder::Release | WorkerOrder::Shutdown => return None,
        };
        Some(TrialInput::Worker(lease, fact))
    }

    fn report(&mut self) -> Report {
        let mut counters = Counters { training_iteration: self.iteration, ..Counters::default() };
        self.iteration += 1;
        counters.stamp(self.trial.id(), Metrics::new(), std::time::Duration::ZERO, 0.0)
    }

    fn step(&mut self, act: Act) -> Result<(), TestCaseError> {
        let Some(input) = self.input(act) else { return Ok(()) };
        let before = self.trial.state();
        let stale = matches!(act, Act::Stale);
        let mut out = Vec::new();
        let handled = self.trial.on(input, Moment::START, &mut out);
        if handled != Handled::Done {
            prop_assert_eq!((self.trial.state(), out.len()), (before, 0), "what is dropped does nothing");
        }
        prop_assert!(!stale || handled == Handled::Stale, "a stale fact was taken");
        for said in out {
            self.hear(said)?;
        }
        let holds = self.trial.state().holds_worker();
        prop_assert_eq!(holds, self.waiting.is_some() || self.lease.is_some(), "{:?} in {}", act, self.trial.state());
        prop_assert_eq!(self.trial.lease(), self.lease);
        Ok(())
    }

    fn hear(&mut self, said: TrialOutput) -> Result<(), TestCaseError> {
        match said {
            TrialOutput::Pool(PoolOrder::Acquire { ticket, .. }) => {
                prop_assert!(self.waiting.is_none() && self.lease.is_none(), "it asked twice");
                self.waiting = Some(ticket);
                self.last_ticket = ticket;
            }
            TrialOutput::Pool(PoolOrder::Cancel { ticket, .. }) => {
                prop_assert_eq!(self.waiting.take(), Some(ticket));
            }
            TrialOutput::Pool(PoolOrder::Replace { lease }) => {
                prop_assert_eq!(self.lease.take(), Some(lease));
                // The pool answers under the same ticket.
                self.waiting = Some(self.last_ticket);
            }
            TrialOutput::Pool(PoolOrder::Release { lease, .. } | PoolOrder::Discard { lease }) => {
                prop_assert_eq!(self.lease.take(), Some(lease), "a lease ends once");
                self.asked = None;
            }
            TrialOutput::Worker(_, WorkerOrder::Yield) => {}
            TrialOutput::Worker(lease, order) => {
                prop_assert_eq!(Some(lease), self.lease);
                prop_assert!(self.asked.is_none(), "{:?} while {:?} is in flight", order, self.asked);
                self.asked = Some(order);
            }
            TrialOutput::Engine(fact) => {
                prop_assert_eq!(fact.state, self.trial.state());
                match fact.news {
                    TrialNews::Failed { failure, .. } => {
                        self.failures += 1;
                        prop_assert_eq!(
                            failure.attempt as usize,
                            self.failures,
                            "each failure is of the attempt it ended"
                        );
                    }
                    TrialNews::Saved { checkpoint: Some(checkpoint), let_go } => {
                        self.shelf.push(checkpoint.id);
                        self.shelf.retain(|id| !let_go.contains(id));
                        let latest = self.trial.shelf().latest().map(|latest| latest.id);
                        prop_assert!(latest.is_none_or(|latest| !let_go.contains(&latest)));
                        prop_assert!(self.shelf.contains(&checkpoint.id), "the latest is kept");
                        prop_assert!(self.shelf.len() <= 2);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_record_keeps_the_rules_whatever_the_world_does(script in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new();
        for act in script {
            world.step(act)?;
        }
    }
}
