//! The trial's machine: exhaustively over every reachable pair, and its record under random scripts.

use std::sync::Arc;

use proptest::prelude::*;
use tryout::logic::checkpoint::Checkpoint;
use tryout::logic::config::Config;
use tryout::logic::decision::Decision;
use tryout::logic::failure::{Budget, FailureKind, Fault, RetryPolicy};
use tryout::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::metrics::{Counters, Metrics, Report};
use tryout::logic::pool::{ResourceRequest, Slot};
use tryout::logic::settings::Settings;
use tryout::logic::time::Moment;
use tryout::logic::trial::{
    Arrival, Batch, BatchEnd, BatchLimits, Effect, Event, Handled, Keep, Launch, Origin, Phase, PoolFact, PoolOrder,
    State, Status, Trial, TrialInput, TrialNews, TrialOrder, TrialOutput, TrialSettings, Verdict, WorkerFact,
    WorkerOrder, reachable_states, transition,
};

const DECISIONS: [Decision; 3] = [Decision::Continue, Decision::Pause, Decision::Stop];
const PHASES: [Phase; 4] = [Phase::Restoring, Phase::Training, Phase::Deciding, Phase::Saving];
const VERDICTS: [Verdict; 2] = [Verdict::Retry, Verdict::GiveUp];

/// Every state that can be written down, whether it can be reached or not.
fn states() -> Vec<State> {
    let running = PHASES.into_iter().flat_map(|phase| DECISIONS.map(|order| State::Running { phase, order }));
    [State::Queued, State::Starting, State::Paused, State::Terminated, State::Error]
        .into_iter()
        .chain(running)
        .collect()
}

/// Every event that can be written down.
fn events() -> Vec<Event> {
    let decided = DECISIONS
        .into_iter()
        .flat_map(|decision| [Keep::Nothing, Keep::Checkpoint].map(|keep| Event::Decide(decision, keep)));
    [Event::Launch, Event::Pause, Event::Stop]
        .into_iter()
        .chain(decided)
        .chain([Origin::Fresh, Origin::Checkpoint, Origin::Kept].map(Event::Ready))
        .chain([Event::Restored, Event::Reported, Event::Saved])
        .chain(VERDICTS.map(Event::Failed))
        .collect()
}

/// All legal steps.
fn steps() -> impl Iterator<Item = (State, Event, State, Option<Effect>)> {
    states().into_iter().flat_map(|state| {
        let step = move |event| transition(state, event).ok().map(|(to, effect)| (state, event, to, effect));
        events().into_iter().filter_map(step)
    })
}

fn phase(state: State) -> Option<Phase> {
    if let State::Running { phase, .. } = state { Some(phase) } else { None }
}

fn order(state: State) -> Decision {
    if let State::Running { order, .. } = state { order } else { Decision::Continue }
}

/// Whether the trial has a worker or a place in the line for one.
fn holds(state: State) -> bool {
    state == State::Starting || phase(state).is_some()
}

/// Where a decision leads that nothing has to be written for.
fn rest(decision: Decision) -> State {
    match decision {
        Decision::Continue => State::Running { phase: Phase::Training, order: Decision::Continue },
        Decision::Pause => State::Paused,
        Decision::Stop => State::Terminated,
    }
}

#[test]
fn the_lists_of_the_machine_are_whole() {
    let mut listed = Event::ALL.map(|event| format!("{event:?}")).to_vec();
    let mut all: Vec<String> = events().iter().map(|event| format!("{event:?}")).collect();
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
    for state in reachable_states() {
        assert!(states().contains(&state), "{state}");
        assert_eq!(state.holds_worker(), holds(state), "{state}");
    }
}

#[test]
fn each_state_has_its_public_word() {
    for state in states() {
        let word = match state {
            State::Queued | State::Starting => Status::Pending,
            State::Running { .. } => Status::Running,
            State::Paused => Status::Paused,
            State::Terminated => Status::Terminated,
            State::Error => Status::Error,
        };
        assert_eq!(state.status(), word, "{state:?}");
    }
}

#[test]
fn each_event_is_taken_where_it_can_happen_and_refused_everywhere_else() {
    for state in states() {
        for event in events() {
            let can = match event {
                Event::Launch => matches!(state, State::Queued | State::Paused),
                // Whoever gives an order may not know yet where the trial stands.
                Event::Pause | Event::Stop => true,
                Event::Decide(..) => phase(state) == Some(Phase::Deciding),
                Event::Ready(_) => state == State::Starting,
                Event::Restored => phase(state) == Some(Phase::Restoring),
                Event::Reported => phase(state) == Some(Phase::Training),
                Event::Saved => phase(state) == Some(Phase::Saving),
                Event::Failed(_) => holds(state),
            };
            assert_eq!(transition(state, event).is_ok(), can, "{state} by {event}");
        }
    }
}

#[test]
fn entering_a_phase_emits_its_order_and_staying_emits_nothing() {
    for (state, event, to, effect) in steps() {
        let expected = match phase(to) {
            entered if entered == phase(state) => continue,
            Some(Phase::Restoring) => Effect::Restore,
            Some(Phase::Training) => Effect::Train,
            Some(Phase::Deciding) => Effect::Submit,
            Some(Phase::Saving) => Effect::Save,
            None => continue,
        };
        assert_eq!(effect, Some(expected), "{state} by {event} to {to}");
    }
    for (state, event, to, effect) in steps().filter(|(state, _, to, _)| phase(*state) == phase(*to)) {
        assert!(phase(to).is_none() || effect.is_none(), "{state} by {event} to {to} asks for {effect:?}");
    }
}

#[test]
fn a_launch_asks_for_a_worker_which_begins_where_the_trial_stands() {
    for state in [State::Queued, State::Paused] {
        assert_eq!(transition(state, Event::Launch), Ok((State::Starting, Some(Effect::Acquire))));
    }
    let origins =
        [(Origin::Fresh, Phase::Training), (Origin::Checkpoint, Phase::Restoring), (Origin::Kept, Phase::Training)];
    for (origin, phase) in origins {
        let (to, _) = transition(State::Starting, Event::Ready(origin)).expect("a worker gets ready");
        assert_eq!(to, State::Running { phase, order: Decision::Continue });
    }
}

#[test]
fn a_failure_discards_the_worker_and_nothing_else_does() {
    for (state, event, to, effect) in steps() {
        let failed = matches!(event, Event::Failed(_));
        assert_eq!(effect == Some(Effect::Discard), failed, "{state} by {event}");
        assert!(!failed || !holds(to), "{state} by {event} keeps a worker in {to}");
    }
}

#[test]
fn a_retry_leads_to_the_queue_or_where_the_standing_order_leads_and_giving_up_to_error() {
    for state in states().into_iter().filter(|state| holds(*state)) {
        let after = |verdict| transition(state, Event::Failed(verdict)).expect("a worker can always fail").0;
        assert_eq!(after(Verdict::GiveUp), State::Error, "{state}");
        let next = match order(state) {
            Decision::Continue => State::Queued,
            Decision::Pause => State::Paused,
            Decision::Stop => State::Terminated,
        };
        assert_eq!(after(Verdict::Retry), next, "{state}");
    }
}

#[test]
fn a_standing_order_is_obeyed() {
    for standing in DECISIONS {
        for decision in DECISIONS {
            let state = State::Running { phase: Phase::Deciding, order: standing };
            let joined = standing.max(decision);
            let (to, effect) = transition(state, Event::Decide(decision, Keep::Nothing)).expect("it awaits a decision");
            assert_eq!(to, rest(joined), "{state} by {decision:?}");
            assert_eq!(effect == Some(Effect::Release), joined != Decision::Continue, "{state} by {decision:?}");
            // What is to be written is written first.
            let (to, _) = transition(state, Event::Decide(decision, Keep::Checkpoint)).expect("it awaits a decision");
            assert_eq!(to, State::Running { phase: Phase::Saving, order: joined }, "{state} by {decision:?}");
            let (end, effect) = transition(to, Event::Saved).expect("it awaits the save");
            assert_eq!(end, rest(joined), "{to} saved");
            assert_eq!(effect == Some(Effect::Release), joined != Decision::Continue, "{to} saved");
        }
        for (awaits, fact) in [(Phase::Restoring, Event::Restored), (Phase::Training, Event::Reported)] {
            let (to, _) = transition(State::Running { phase: awaits, order: standing }, fact).expect("it awaits this");
            assert_eq!(order(to), standing, "{awaits:?} forgot its order");
        }
    }
}

#[test]
fn a_pause_is_kept_until_the_trial_can_leave_its_worker() {
    let after = |state| transition(state, Event::Pause).expect("a pause is always answered");
    assert_eq!(after(State::Queued), (State::Paused, None));
    let leaves =
        [State::Starting].into_iter().chain(states().into_iter().filter(|s| phase(*s) == Some(Phase::Restoring)));
    for state in leaves {
        assert_eq!(after(state), (State::Paused, Some(Effect::Release)), "{state}");
    }
    for phase in [Phase::Training, Phase::Deciding, Phase::Saving] {
        for standing in DECISIONS {
            let order = standing.max(Decision::Pause);
            let state = State::Running { phase, order: standing };
            assert_eq!(after(state), (State::Running { phase, order }, None), "{state}");
        }
    }
    for state in [State::Paused, State::Terminated, State::Error] {
        assert_eq!(after(state), (state, None), "a pause that comes too late does nothing");
    }
}

#[test]
fn a_stop_ends_a_trial_at_once_but_loses_no_save() {
    for state in states() {
        let (to, effect) = transition(state, Event::Stop).expect("a stop is always answered");
        if phase(state) == Some(Phase::Saving) {
            assert_eq!((to, effect), (State::Running { phase: Phase::Saving, order: Decision::Stop }, None), "{state}");
            continue;
        }
        let ended = if state.status().is_terminal() { state } else { State::Terminated };
        assert_eq!((to, effect), (ended, holds(state).then_some(Effect::Release)), "{state}");
    }
    let saving = State::Running { phase: Phase::Saving, order: Decision::Stop };
    assert_eq!(transition(saving, Event::Saved), Ok((State::Terminated, Some(Effect::Release))));
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
        assert_eq!(i32::from(holds(to)) - i32::from(holds(state)), change, "{state} by {event}");
    }
}

#[test]
fn nothing_is_asked_for_while_an_answer_is_due() {
    for (state, event, to, effect) in steps() {
        let asks = matches!(effect, Some(Effect::Restore | Effect::Train | Effect::Save));
        let answers = matches!(event, Event::Ready(_) | Event::Restored | Event::Saved | Event::Decide(..));
        assert!(!asks || answers, "{state} by {event} asks for {effect:?}, and goes to {to}");
    }
}

#[test]
fn orders_never_weaken_while_the_worker_is_held() {
    for (state, event, to, _) in steps() {
        if holds(state) && phase(to).is_some() {
            // A decision to go on is an answer to the report, and not to what stands.
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
    Grant(Arrival),
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
        4 => prop_oneof![Just(Arrival::Spawned), Just(Arrival::Joined), Just(Arrival::CameBack)].prop_map(Act::Grant),
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
    saved: Option<Arc<Checkpoint>>,
}

impl World {
    fn new() -> Self {
        let retry = RetryPolicy::new(Budget::Limited(2)).free(FailureKind::RestoreFailed, Budget::Limited(1));
        let experiment = Arc::new(Settings { retry, ..Settings::default() });
        let settings = TrialSettings { experiment, ..TrialSettings::default() };
        let id = TrialId::new(RunId::new(1), 4);
        let trial = Trial::new(id, Arc::new(settings));
        let (waiting, lease, asked) = (None, None, None);
        Self { trial, waiting, last_ticket: 0, lease, leases: 0, asked, iteration: 0, failures: 0, saved: None }
    }

    fn input(&mut self, act: Act) -> Option<TrialInput> {
        Some(match act {
            Act::Launch => TrialInput::Order(TrialOrder::Launch(Launch {
                config: Arc::new(Config::new()),
                request: Arc::new(ResourceRequest::default()),
                from: self.saved.clone(),
                last: None,
                index: self.saved.as_ref().map_or(0, |saved| saved.id.index + 1),
                limits: BatchLimits::SINGLE,
                goes_on: self.leases.is_multiple_of(2),
            })),
            Act::Pause => TrialInput::Order(TrialOrder::Pause),
            Act::Stop => TrialInput::Order(TrialOrder::Stop),
            Act::Decide(decision, keep) => {
                let keep = if keep { Keep::Checkpoint } else { Keep::Nothing };
                let (lease, limits) = (self.lease?, BatchLimits::SINGLE);
                TrialInput::Order(TrialOrder::Decide { lease, decision, keep, limits })
            }
            Act::Grant(arrival) => {
                let ticket = self.waiting.take()?;
                let lease = LeaseId::new(self.leases);
                self.leases += 1;
                self.lease = Some(lease);
                let (worker, slot) = (WorkerId::new(0), Arc::new(Slot::default()));
                TrialInput::Pool(PoolFact::Granted { ticket, lease, worker, slot, arrival })
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
                self.asked.take_if(|order| matches!(order, WorkerOrder::Start { .. } | WorkerOrder::GoOn { .. }))?;
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
            WorkerOrder::GoOn { first, .. } => {
                self.asked = Some(first.into());
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
                    TrialNews::Saved { checkpoint: Some(checkpoint) } => {
                        let before = self.saved.replace(checkpoint.clone());
                        let grows = before.is_none_or(|before| before.id.index < checkpoint.id.index);
                        prop_assert!(grows, "an index is spent once");
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
