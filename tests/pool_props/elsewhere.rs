//! Workers from elsewhere, in whatever order they come and go: each serves its shape, nobody waits beside an idle one, and what there is here
//! is neither more nor less for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tryout::logic::ids::{JoinId, LeaseId, WorkerId};
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;
use tryout::logic::time::Moment;
use tryout::logic::trial::{Arrival, AtRest, PoolFact, PoolOrder};

use crate::model::trial;

#[derive(Clone, Debug)]
enum Act {
    Acquire(u32, usize),
    Leaves(usize, u8),
    Joins(usize, bool, Option<u32>),
    Expect(BTreeSet<u32>),
    Wait,
    Ends(usize),
    Dies(usize),
    Rests(usize),
    Resize(u32),
    Hold(bool),
    Demand(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..20_u32, 0..3_usize).prop_map(|(number, shape)| Act::Acquire(number, shape)),
        6 => (any::<usize>(), 0..4_u8).prop_map(|(which, how)| Act::Leaves(which, how)),
        4 => (0..3_usize, any::<bool>(), prop::option::of(0..20_u32))
            .prop_map(|(shape, stays, keeps)| Act::Joins(shape, stays, keeps)),
        1 => prop::collection::btree_set(0..20_u32, 1..4).prop_map(Act::Expect),
        1 => Just(Act::Wait),
        4 => any::<usize>().prop_map(Act::Ends),
        1 => any::<usize>().prop_map(Act::Dies),
        3 => any::<usize>().prop_map(Act::Rests),
        1 => (0..4_u32).prop_map(Act::Resize),
        1 => any::<bool>().prop_map(Act::Hold),
        1 => any::<bool>().prop_map(Act::Demand),
    ]
}

/// One that only others have, one that both may have, and a large one.
fn shapes() -> [Arc<ResourceRequest>; 3] {
    let shape = |cpu: f64, gpu: f64| Resources::new().with("cpu", cpu).with("gpu", gpu);
    [shape(0.0, 1.0), shape(1.0, 0.0), shape(3.0, 0.0)].map(|shape| Arc::new(ResourceRequest::single(shape).unwrap()))
}

struct World {
    pool: Pool,
    shapes: [Arc<ResourceRequest>; 3],
    now: u64,
    joins: u64,
    tickets: u32,
    /// What each trial asks for, and under which lease it has a worker.
    trials: BTreeMap<u32, (usize, u32, Option<(LeaseId, WorkerId)>)>,
    /// With the shape of one from elsewhere.
    workers: BTreeMap<WorkerId, Option<usize>>,
    joining: BTreeMap<JoinId, (usize, Option<u32>)>,
    settling: Vec<WorkerId>,
    stopping: Vec<WorkerId>,
    wants: BTreeMap<Arc<ResourceRequest>, usize>,
    /// Those that couldn't use a worker: they wait for its end, or for a fresh one.
    heirs: BTreeSet<u32>,
    held: bool,
    /// Trials whose workers may come back, and until when they are waited for.
    expected: BTreeSet<u32>,
    /// Those that may be brought along, as soon as that is known.
    returning: Option<BTreeSet<u32>>,
    until: u64,
    /// The trials that workers have brought along.
    brought: BTreeMap<WorkerId, u32>,
    /// Those of them that haven't been given a worker since.
    here: BTreeSet<u32>,
    closed: bool,
}

impl World {
    fn tell(&mut self, input: PoolInput) {
        let mut out = Vec::new();
        self.now += 1;
        self.pool.on(input, Moment::from_secs_f64(self.now as f64 / 1000.0), &mut out);
        for said in out {
            match said {
                PoolOutput::Spawn { worker, .. } => assert!(self.workers.insert(worker, None).is_none()),
                PoolOutput::Admit { worker, join, .. } => {
                    let (shape, keeps) = self.joining.remove(&join).expect("it would like to join");
                    let keeps = keeps.filter(|keeps| self.returning.as_ref().is_none_or(|some| some.contains(keeps)));
                    self.brought.extend(keeps.map(|keeps| (worker, keeps)));
                    self.here.extend(keeps);
                    keeps.iter().for_each(|keeps| {
                        self.expected.remove(keeps);
                    });
                    assert!(self.workers.insert(worker, Some(shape)).is_none());
                }
                PoolOutput::Reject(join) => assert!(self.joining.remove(&join).is_some()),
                PoolOutput::Want { shape, workers } => {
                    self.wants.insert(shape, workers);
                }
                PoolOutput::Tell(of, PoolFact::Granted { ticket, lease, worker, arrival, .. }) => {
                    self.returning.iter_mut().for_each(|some| {
                        some.remove(&of.number());
                    });
                    self.here.remove(&of.number());
                    let own = self.brought.remove(&worker) == Some(of.number());
                    assert_eq!(arrival == Arrival::CameBack, own, "{worker} has brought it along");
                    assert_eq!(arrival == Arrival::Spawned, self.workers[&worker].is_none());
                    let waits = !self.expected.is_empty() && !own && !self.heirs.contains(&of.number());
                    assert!(!waits, "{:?} are waited for", self.expected);
                    let taken = self.trials.values().any(|(.., has)| has.is_some_and(|(_, other)| other == worker));
                    // Only the place of a worker that couldn't be used is taken while nobody is granted any.
                    assert!(!self.held || self.heirs.contains(&of.number()), "nobody is to be granted one");
                    assert!(!taken, "{worker} has a trial already");
                    let (shape, asked, has) = self.trials.get_mut(&of.number()).expect("it has asked");
                    assert!(*asked == ticket && has.is_none());
                    assert!(self.workers[&worker].is_none_or(|own| own == *shape), "another shape won't do");
                    *has = Some((lease, worker));
                    self.heirs.remove(&of.number());
                }
                PoolOutput::Tell(of, PoolFact::Refused { .. } | PoolFact::Lost { .. }) => {
                    self.trials.remove(&of.number());
                    self.heirs.remove(&of.number());
                }
                PoolOutput::Release { worker, .. } => self.settling.push(worker),
                PoolOutput::Shutdown(worker) | PoolOutput::Kill(worker) => {
                    self.settling.retain(|settling| *settling != worker);
                    if !self.stopping.contains(&worker) {
                        self.stopping.push(worker);
                    }
                }
                PoolOutput::Closed => self.closed = true,
            }
        }
    }

    fn act(&mut self, act: Act) {
        let pick = |which: usize, of: &[WorkerId]| (!of.is_empty()).then(|| of[which % of.len()]);
        match act {
            Act::Acquire(number, shape) if !self.trials.contains_key(&number) => {
                self.tickets += 1;
                self.trials.insert(number, (shape, self.tickets, None));
                let request = self.shapes[shape].clone();
                self.tell(PoolInput::Order(PoolOrder::Acquire { trial: trial(number), ticket: self.tickets, request }));
            }
            Act::Acquire(..) => {}
            Act::Leaves(which, how) => {
                let leased: Vec<_> = self.trials.iter().filter_map(|(n, (.., has))| Some((*n, (*has)?.0))).collect();
                let Some(&(number, lease)) = leased.get(which % leased.len().max(1)) else { return };
                let (.., has) = self.trials.get_mut(&number).expect("it is there");
                *has = None;
                if how == 3 {
                    self.heirs.insert(number);
                } else {
                    self.trials.remove(&number);
                }
                self.tell(PoolInput::Order(match how {
                    0 => PoolOrder::Release { lease, at_rest: AtRest::Yes },
                    1 => PoolOrder::Release { lease, at_rest: AtRest::No },
                    2 => PoolOrder::Discard { lease },
                    _ => PoolOrder::Replace { lease },
                }));
            }
            Act::Expect(trials) => {
                (self.expected, self.until) = (trials.difference(&self.here).copied().collect(), self.now + 30);
                self.returning = Some(trials.clone());
                let until = Moment::from_secs_f64(self.until as f64 / 1000.0);
                self.tell(PoolInput::Expect { trials: trials.into_iter().map(trial).collect(), until });
            }
            Act::Wait => {
                self.now = self.until.max(self.now);
                self.expected.clear();
                self.tell(PoolInput::Tick);
            }
            Act::Joins(shape, stays, keeps) => {
                let join = JoinId::new(self.joins);
                self.joins += 1;
                self.joining.insert(join, (shape, keeps));
                let request = self.shapes[shape].clone();
                let slot = Arc::new(Slot { bundles: request.as_bundles().to_vec(), gpus: vec![vec![]] });
                let stays = if stays { Stays::ToTheEnd } else { Stays::WhileNeeded };
                self.tell(PoolInput::Joined { join, shape: request, slot, stays, keeps: keeps.map(trial) });
                assert!(self.joining.is_empty(), "each is answered at once");
            }
            Act::Ends(which) => pick(which, &self.stopping).into_iter().for_each(|worker| self.gone(worker)),
            Act::Dies(which) => {
                let all: Vec<WorkerId> = self.workers.keys().copied().collect();
                pick(which, &all).into_iter().for_each(|worker| self.gone(worker));
            }
            Act::Rests(which) => {
                if let Some(worker) = pick(which, &self.settling) {
                    self.settling.retain(|settling| *settling != worker);
                    self.tell(PoolInput::Released(worker));
                }
            }
            Act::Resize(cpus) => self.tell(PoolInput::Resize(Resources::cpus(cpus))),
            Act::Hold(held) => {
                self.held = held;
                self.tell(if held { PoolInput::Hold } else { PoolInput::Proceed });
            }
            Act::Demand(open) => self.tell(PoolInput::Demand(if open { Demand::Open } else { Demand::Closed })),
        }
    }

    fn gone(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        if let Some(keeps) = self.brought.remove(&worker) {
            self.here.remove(&keeps);
        }
        self.stopping.retain(|stopping| *stopping != worker);
        self.settling.retain(|settling| *settling != worker);
        self.tell(PoolInput::Gone(worker));
    }

    fn check(&self) {
        assert!(self.pool.total().covers(self.pool.free()));
        let idle = |shape: &ResourceRequest| {
            self.pool.joined().iter().find(|joined| *joined.shape == *shape).map_or(0, |joined| joined.idle)
        };
        for (index, shape) in self.shapes.iter().enumerate() {
            let of_shape = || self.trials.iter().filter(move |(_, (asked, ..))| *asked == index);
            let waits = of_shape().filter(|(_, (.., has))| has.is_none()).count();
            if !self.held && self.expected.is_empty() && idle(shape) > 0 {
                let heirs = of_shape().filter(|(number, _)| self.heirs.contains(number)).count();
                assert_eq!(waits, heirs, "{shape}: {:?}", self.pool.joined());
            }
            let guests = |worker: &WorkerId| self.workers.get(worker).is_some_and(Option::is_some);
            let busy =
                of_shape().filter(|(_, (.., has))| has.as_ref().is_some_and(|(_, worker)| guests(worker))).count();
            let wanted = self.wants.get(shape).copied().unwrap_or_default();
            assert!(
                wanted >= busy && wanted <= busy + waits + self.settling.len(),
                "{shape}: {wanted}, {busy}, {waits}"
            );
        }
    }
}

proptest! {
    #[test]
    fn workers_from_elsewhere_serve_their_shape_and_take_nothing_here(
        reuse in any::<bool>(),
        script in prop::collection::vec(act(), 0..150),
    ) {
        let settings = Settings { reuse: if reuse { Reuse::Yes } else { Reuse::No }, ..Settings::default() };
        let mut world = World {
            pool: Pool::new(Resources::cpus(2), settings).with_elsewhere(),
            shapes: shapes(),
            now: 0,
            joins: 0,
            tickets: 0,
            trials: BTreeMap::new(),
            workers: BTreeMap::new(),
            joining: BTreeMap::new(),
            settling: Vec::new(),
            stopping: Vec::new(),
            wants: BTreeMap::new(),
            heirs: BTreeSet::new(),
            held: false,
            expected: BTreeSet::new(),
            returning: None,
            until: 0,
            brought: BTreeMap::new(),
            here: BTreeSet::new(),
            closed: false,
        };
        for act in script {
            world.act(act);
            world.check();
        }
        world.tell(PoolInput::Close);
        for worker in world.workers.keys().copied().collect::<Vec<_>>() {
            world.gone(worker);
        }
        prop_assert!(world.closed);
        prop_assert_eq!(world.pool.counts(), PoolCounts::default());
        prop_assert_eq!(world.pool.free(), &world.pool.total().clone());
        prop_assert!(world.pool.joined().is_empty());
    }
}
