//! In virtual time: whatever is ordered, asked and told, and whenever.

use proptest::prelude::*;

use super::*;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::pool::Slot;
use crate::logic::trial::{BatchLimits, FirstBatch, TrialInfo};

#[derive(Clone, Debug)]
enum Move {
    /// The engine starts another trial on a worker, or takes back the one that it has.
    Turn(u64),
    Ask(u64),
    /// The oldest, second, .. lease that is known is told of.
    Report(usize),
    Done(usize),
    Fail(usize),
    There(usize),
    Kill(u64),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0..3_u64).prop_map(Move::Turn),
        4 => (1..20_u64).prop_map(Move::Ask),
        4 => (0..6_usize).prop_map(Move::Report),
        2 => (0..6_usize).prop_map(Move::Done),
        1 => (0..6_usize).prop_map(Move::Fail),
        2 => (0..6_usize).prop_map(Move::There),
        1 => (0..3_u64).prop_map(Move::Kill),
        4 => (1..15_u64).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 0..120)
}

/// An engine that continues each trial, and somebody who asks and tells.
struct World {
    machine: AskTell,
    now: Moment,
    /// What each worker has.
    has: BTreeMap<WorkerId, LeaseId>,
    next_lease: u64,
    next_question: u64,
    open: BTreeSet<u64>,
    /// Every lease that was given out, in its order; and of each question which it is about.
    given: Vec<LeaseId>,
    about: BTreeMap<u64, LeaseId>,
    /// Leases of which it was said that they are over, or that were lost.
    over: BTreeSet<LeaseId>,
    lost: BTreeSet<LeaseId>,
}

impl World {
    fn new() -> Self {
        Self {
            machine: AskTell::new(0.0),
            now: Moment::START,
            has: BTreeMap::new(),
            next_lease: 0,
            next_question: 0,
            open: BTreeSet::new(),
            given: Vec::new(),
            about: BTreeMap::new(),
            over: BTreeSet::new(),
            lost: BTreeSet::new(),
        }
    }

    fn feed(&mut self, input: AskTellInput) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.machine.on(input, self.now, &mut out);
            for output in out {
                inputs.extend(self.hear(output));
            }
        }
    }

    fn hear(&mut self, output: AskTellOutput) -> Option<AskTellInput> {
        match output {
            AskTellOutput::Say(worker, lease, fact) => self.said(worker, lease, &fact),
            AskTellOutput::Gone(_) => None,
            AskTellOutput::Given(question, given) => {
                assert!(self.open.remove(&question), "each question is answered once");
                if let Some(given) = given {
                    assert!(!self.given.contains(&given.lease), "no lease is given twice");
                    assert!(self.has.values().any(|has| *has == given.lease), "a trial is given that is to work");
                    self.given.push(given.lease);
                }
                None
            }
            AskTellOutput::Next(question, next) => {
                assert!(self.open.remove(&question), "each question is answered once");
                let lease = self.about[&question];
                if next == Ok(Next::GoOn) {
                    assert!(!self.over.contains(&lease), "nobody goes on with what is over");
                    assert!(self.has.values().any(|has| *has == lease), "nobody goes on with what was taken back");
                } else {
                    self.over.insert(lease);
                }
                None
            }
        }
    }

    fn said(&mut self, worker: WorkerId, lease: LeaseId, fact: &WorkerFact) -> Option<AskTellInput> {
        let mine = self.has.get(&worker) == Some(&lease);
        match fact {
            // The engine continues all but what has come to its end.
            WorkerFact::Reported(batch) if mine => Some(match batch.end {
                crate::logic::trial::BatchEnd::Done => {
                    self.has.remove(&worker);
                    AskTellInput::Order(worker, lease, WorkerOrder::Release)
                }
                _ => AskTellInput::Order(worker, lease, train(lease)),
            }),
            WorkerFact::Failed(fault) if mine => {
                if fault.kind == FailureKind::Preempted {
                    assert!(self.lost.insert(lease), "it is lost once");
                    self.over.insert(lease);
                }
                self.has.remove(&worker);
                Some(AskTellInput::Order(worker, lease, WorkerOrder::Release))
            }
            _ => None,
        }
    }

    fn question(&mut self) -> u64 {
        self.next_question += 1;
        self.open.insert(self.next_question);
        self.next_question
    }

    fn tell(&mut self, which: usize, metrics: Option<f64>, end: Option<TrialEnd>) {
        let Some(lease) = self.given.iter().rev().nth(which).copied() else { return };
        let question = self.question();
        self.about.insert(question, lease);
        let metrics = metrics.map(|loss| [("loss", loss)].into());
        self.feed(AskTellInput::Told { question, lease, metrics, end });
    }

    fn turn(&mut self, worker: WorkerId) {
        if let Some(lease) = self.has.remove(&worker) {
            return self.feed(AskTellInput::Order(worker, lease, WorkerOrder::Release));
        }
        let lease = LeaseId::new(self.next_lease);
        self.next_lease += 1;
        self.has.insert(worker, lease);
        self.feed(AskTellInput::Order(worker, lease, start(lease)));
    }
}

fn limits() -> BatchLimits {
    BatchLimits {
        reports: NonZeroU32::MIN.saturating_add(9),
        time: Some(Duration::from_secs(2)),
        checkpoint_every: None,
        last_iteration: None,
    }
}

fn spare(lease: LeaseId) -> crate::logic::checkpoint::CheckpointId {
    crate::logic::checkpoint::CheckpointId { trial: trial(lease), index: 0 }
}

fn trial(lease: LeaseId) -> TrialId {
    TrialId::new(RunId::new(1), u32::try_from(lease.number()).unwrap_or_default())
}

fn train(lease: LeaseId) -> WorkerOrder {
    WorkerOrder::Train { limits: limits(), spare: spare(lease) }
}

fn start(lease: LeaseId) -> WorkerOrder {
    let info = TrialInfo {
        id: trial(lease),
        experiment: "asked".into(),
        attempt: 1,
        seed: 0,
        slot: Arc::new(Slot::default()),
        objects: crate::logic::objects::Objects::default(),
        iteration: 0,
        restored: false,
        directory: None,
    };
    let first = Some(FirstBatch { limits: limits(), spare: spare(lease) });
    WorkerOrder::Start { info, config: Arc::default(), first, last: None }
}

proptest! {
    #[test]
    fn leases_are_one_persons_and_every_question_is_answered_once(moves in moves()) {
        let mut world = World::new();
        for worker in 0..3 {
            world.feed(AskTellInput::Spawned(WorkerId::new(worker)));
        }
        let mut gone = BTreeSet::new();
        for step in moves {
            match step {
                Move::Turn(worker) if !gone.contains(&worker) => world.turn(WorkerId::new(worker)),
                Move::Turn(_) => {}
                Move::Ask(wait) => {
                    let (question, until) = (world.question(), world.now + Duration::from_secs(wait));
                    world.feed(AskTellInput::Asked { question, by: "ann".into(), lease: Duration::from_secs(10), until });
                }
                Move::Report(which) => world.tell(which, Some(0.5), None),
                Move::Done(which) => world.tell(which, Some(0.5), Some(TrialEnd::Done)),
                Move::Fail(which) => world.tell(which, None, Some(TrialEnd::Failed("cold".to_owned()))),
                Move::There(which) => world.tell(which, None, None),
                Move::Kill(worker) => {
                    gone.insert(worker);
                    world.has.remove(&WorkerId::new(worker));
                    world.feed(AskTellInput::Killed(WorkerId::new(worker)));
                }
                Move::Pass(seconds) => {
                    let until = world.now + Duration::from_secs(seconds);
                    while let Some(at) = world.machine.deadline().filter(|at| *at <= until) {
                        world.now = world.now.max(at);
                        world.feed(AskTellInput::Tick);
                        prop_assert!(world.machine.deadline().is_none_or(|next| next > world.now), "a tick does all that is due");
                    }
                    world.now = until;
                }
            }
        }
        // When all have waited long enough, nobody waits any more, and whoever was silent has lost what they had.
        let end = world.now + Duration::from_secs(1_000);
        while let Some(at) = world.machine.deadline().filter(|at| *at <= end) {
            world.now = world.now.max(at);
            world.feed(AskTellInput::Tick);
        }
        prop_assert!(world.open.is_empty(), "{:?}", world.open);
        prop_assert_eq!(world.machine.deadline(), None);
        let lent: Vec<_> = world.has.values().filter(|lease| world.given.contains(lease)).collect();
        prop_assert!(lent.is_empty(), "{:?}", lent);
    }
}

/// A report renews a lease, and so does the word that somebody is there; silence loses it.
#[test]
fn what_is_heard_renews_a_lease() {
    let mut world = World::new();
    world.feed(AskTellInput::Spawned(WorkerId::new(0)));
    world.turn(WorkerId::new(0));
    let question = world.question();
    let until = Moment::from_secs_f64(1.0);
    world.feed(AskTellInput::Asked { question, by: "ann".into(), lease: Duration::from_secs(10), until });
    for metrics in [Some(0.1), None, Some(0.2)] {
        world.now = world.now + Duration::from_secs(9);
        world.tell(0, metrics, None);
        assert_eq!(world.machine.deadline(), Some(world.now + Duration::from_secs(10)));
    }
    world.now = world.now + Duration::from_secs(10);
    world.feed(AskTellInput::Tick);
    assert_eq!(world.lost.len(), 1);
    world.tell(0, Some(0.3), None);
    assert!(world.over.contains(&world.given[0]));
}
