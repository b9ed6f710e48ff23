//! One run: its sessions, one after the other, each held to the promises when it ends.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::parts::Parts;
use super::past::Past;
use super::plan::{PartsKept, Plan, Session};
use super::promises::{Broken, Compared, Promise, Watch, ends, same_ledger, same_states};
use super::rig;
use super::trouble::Trouble;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::engine::{ClientOrder, Engine, Resume, panic_message};
use crate::logic::event::{Outcome, RunFailure};
use crate::logic::time::Moment;
use crate::testing::{Reached, Sim, SimCut, SimError, Survivors, Topic};

/// So many messages are enough for everything to come to its end, after the trouble.
const ENOUGH: u64 = 60_000;
/// So many times more a run is resumed that was drained, until it is over.
const MORE: usize = 3;

/// A run that kept all promises.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) sessions: u64,
    pub(super) messages: u64,
    /// What became of the trials.
    ends: Vec<String>,
}

/// Plays a run.
pub(super) fn play(plan: &Plan, parts: &Parts, except: &[Promise], reached: &mut Reached) -> Result<Played, Broken> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut run = Run::new(plan, parts, except);
        let played = run.play(reached)?;
        if plan.calm && run.counts(Promise::Decisions) {
            // The same run, and nobody interrupts it.
            let whole = Plan { sessions: Vec::new(), ..plan.clone() };
            let whole = Run::new(&whole, parts, except).play(reached)?;
            if let Some((was, is)) = whole.ends.iter().zip(&played.ends).find(|(was, is)| was != is) {
                return Err(Broken::new(Promise::Decisions, format!("uninterrupted: {was}; resumed: {is}")));
            }
        }
        Ok(played)
    }));
    played.unwrap_or_else(|payload| Err(Broken::new(Promise::Panics, panic_message(payload.as_ref()))))
}

struct Run<'a> {
    plan: &'a Plan,
    parts: &'a Parts,
    except: &'a [Promise],
    past: Past,
    watch: Watch,
    now: Moment,
    deleted: BTreeSet<CheckpointId>,
    /// Workers that the last session has left behind.
    survivors: Survivors,
    /// Whether the parts have only been told what a snapshot has of the past.
    retold: bool,
}

/// What follows a session.
enum Next {
    /// Another one, of this engine.
    Resume(Box<Engine>),
    Over,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, parts: &'a Parts, except: &'a [Promise]) -> Self {
        let (past, watch, deleted) = (Past::default(), Watch::default(), BTreeSet::new());
        let survivors = Survivors::default();
        Self { plan, parts, except, past, watch, now: Moment::START, deleted, survivors, retold: false }
    }

    fn counts(&self, promise: Promise) -> bool {
        !self.except.contains(&promise)
    }

    /// What a check says, unless its promise doesn't count.
    fn hold(&self, checked: Result<(), Broken>) -> Result<(), Broken> {
        checked.or_else(|broken| if self.counts(broken.promise) { Err(broken) } else { Ok(()) })
    }

    fn play(&mut self, reached: &mut Reached) -> Result<Played, Broken> {
        let plan = self.plan;
        let quiet = Session { cut: 0, orders: Vec::new(), ..plan.last.clone() };
        let more = std::iter::repeat_n(&quiet, MORE);
        let mut played = Played::default();
        let engine =
            rig::engine(plan, self.parts).map_err(|error| Broken::new(Promise::Settings, error.to_string()))?;
        let mut engine = Box::new(engine);
        for (index, session) in plan.sessions.iter().chain([&plan.last]).chain(more).enumerate() {
            let is_last = index >= plan.sessions.len();
            let sim = self.sim(*engine, session, index);
            let sim = sim.heals_after(session.cut).at_most(session.cut + ENOUGH);
            let cut = sim.cut_after(if is_last { u64::MAX } else { session.cut }).map_err(of_simulator)?;
            played.sessions += 1;
            played.messages += cut.messages;
            played.ends = ends(&cut.ledger);
            cut.reached.iter().for_each(|more| reached.add(more));
            cut.outcome.iter().for_each(|outcome| reached.count(Topic::Outcome, outcome));
            match self.after(session, is_last, cut)? {
                Next::Over => return Ok(played),
                Next::Resume(next) => engine = next,
            }
        }
        Err(Broken::new(Promise::Moves, format!("resumed {MORE} times without trouble, and still not over")))
    }

    fn sim(&mut self, mut engine: Engine, session: &Session, index: usize) -> Sim {
        let (plan, run) = (self.plan, engine.ledger().run());
        let pool = rig::pool(plan).numbered_from(run.workers, run.leases);
        if index > 0 {
            let before = plan.sessions.get(index - 1);
            engine.resume(before.map_or_else(Resume::new, |before| before.resume.clone()));
        }
        let seed = plan.seed ^ index as u64;
        let mut sim = Sim::since(self.now, seed, engine, pool, rig::trials(plan), rig::script(plan)).counted();
        sim = sim.journal(rig::journal(plan, self.now)).deleted(self.deleted.clone());
        for (after, order) in &session.orders {
            let order = match order {
                ClientOrder::Drain { by } => ClientOrder::Drain { by: self.now + by.since(Moment::START) },
                other => other.clone(),
            };
            sim = sim.order(self.now + *after, order);
        }
        for (after, cap) in rig::caps(plan) {
            sim = sim.cap(self.now + after, cap);
        }
        if plan.has(Trouble::Elsewhere) {
            sim = sim.elsewhere(rig::launcher(plan), seed, std::mem::take(&mut self.survivors));
        }
        if plan.has(Trouble::Reordering) { sim } else { sim.in_order() }
    }

    /// Holds a session to the promises, and says what follows.
    fn after(&mut self, session: &Session, is_last: bool, cut: SimCut) -> Result<Next, Broken> {
        for event in cut.steps.iter().flat_map(|step| step.iter()) {
            let checked = self.watch.follow(event);
            self.hold(checked)?;
        }
        if let Some(Outcome::Failed(failure @ (RunFailure::Stuck { .. } | RunFailure::Part { .. }))) = &cut.outcome {
            let stuck = matches!(failure, RunFailure::Stuck { .. });
            let promise = if stuck { Promise::Moves } else { Promise::Parts };
            self.hold(Err(Broken::new(promise, failure.to_string())))?;
        }
        let mut engine = self.replayed(&cut)?;
        if let Some(how) = session.compact {
            engine = self.compacted(&cut, how, engine)?;
        }
        (self.now, self.deleted, self.survivors) = (cut.now, cut.deleted, cut.survivors);
        let resumes = match cut.outcome {
            None | Some(Outcome::Drained) => true,
            Some(_) => !is_last && session.resume != Resume::new(),
        };
        Ok(if resumes { Next::Resume(Box::new(engine)) } else { Next::Over })
    }

    /// The engine that is told all that was written, which must know what the live one knew.
    fn replayed(&mut self, cut: &SimCut) -> Result<Engine, Broken> {
        self.past.session(self.plan, &cut.steps);
        let mut engine = self.past.told(self.plan, self.parts)?;
        if cut.unwritten == 0 {
            self.hold(same_ledger(Promise::Records, &cut.ledger, engine.ledger()))?;
            if !self.retold && self.counts(Promise::States) {
                let learns = self.parts.searchers.get(self.plan.searcher).is_some_and(|part| part.learns);
                let completes = self.parts.schedulers.get(self.plan.scheduler).is_some_and(|part| part.completes);
                let compared = if learns || completes { Compared::AllButSearcher } else { Compared::All };
                same_states(compared, &cut.parts, &engine.part_states())?;
            }
        }
        Ok(engine)
    }

    /// The same from a snapshot, which takes the journal's place.
    fn compacted(&mut self, cut: &SimCut, how: PartsKept, told: Engine) -> Result<Engine, Broken> {
        // States that are newer than the records would be wrong.
        let kept = how == PartsKept::States && cut.unwritten == 0;
        let states = if kept { cut.parts.clone() } else { Default::default() };
        let past = self.past.compacted(states)?;
        let engine = past.told(self.plan, self.parts)?;
        self.hold(same_ledger(Promise::Snapshots, told.ledger(), engine.ledger()))?;
        self.past = past;
        self.retold = !kept;
        Ok(engine)
    }
}

fn of_simulator(error: SimError) -> Broken {
    let promise = match &error {
        SimError::Broken { .. } => Promise::Rules,
        SimError::Stuck { .. } => Promise::Moves,
        SimError::Endless(_) => Promise::Bounded,
    };
    Broken::new(promise, error.to_string())
}
