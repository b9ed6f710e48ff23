//! Several pools on one host, whose words to each other travel for a while: what they hold together never exceeds it, no GPU
//! is had by two, and nobody starves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use tryout::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::pool::shares::{Allowed, Alone, Claim, MemberId, Shares};
use tryout::logic::pool::{Amount, Pool, PoolInput, PoolOutput, ResourceRequest, Resources, Reuse, WaitsFor};
use tryout::logic::settings::Settings;
use tryout::logic::time::Moment;
use tryout::logic::trial::{AtRest, PoolFact, PoolOrder};

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

fn request(cpu: f64, gpu: f64, seat: f64) -> Arc<ResourceRequest> {
    let of = Resources::new().with("cpu", cpu).with("gpu", gpu).with("seat", seat);
    Arc::new(ResourceRequest::single(of).unwrap())
}

/// A pool, and what is on its way to it.
struct Run {
    member: MemberId,
    pool: Pool,
    inbox: VecDeque<Allowed>,
    seen: u64,
    capped: bool,
    said: Option<(Claim, u64)>,
    leases: BTreeMap<LeaseId, TrialId>,
    stopping: BTreeSet<WorkerId>,
    asked: u32,
    granted: u32,
}

struct Host {
    shares: Shares,
    total: Resources,
    runs: Vec<Run>,
    reuse: Reuse,
    /// Whether some of what is asked for is cores and nothing else.
    only_cores: bool,
}

impl Host {
    fn new(total: Resources, reuse: Reuse) -> Self {
        Self { shares: Shares::new(total.clone(), Alone::HasAll), total, runs: Vec::new(), reuse, only_cores: true }
    }

    fn post(&mut self, told: Vec<(MemberId, Allowed)>) {
        for (member, allowed) in told {
            self.runs
                .iter_mut()
                .filter(|run| run.member == member)
                .for_each(|run| run.inbox.push_back(allowed.clone()));
        }
    }

    fn join(&mut self) {
        let mut told = Vec::new();
        let member = self.shares.join(&mut told);
        let settings = Settings { reuse: self.reuse, overtaking: 2, ..Settings::default() };
        let run = Run {
            member,
            pool: Pool::new(self.total.clone(), settings),
            inbox: VecDeque::new(),
            seen: 0,
            capped: false,
            said: None,
            leases: BTreeMap::new(),
            stopping: BTreeSet::new(),
            asked: 0,
            granted: 0,
        };
        self.runs.push(run);
        self.post(told);
        // A newcomer hears its first word before it does anything.
        let newest = self.runs.len() - 1;
        while self.hear(newest) {}
    }

    fn leave(&mut self, index: usize) {
        let run = self.runs.remove(index);
        let mut told = Vec::new();
        self.shares.leave(run.member, &mut told);
        self.post(told);
    }

    fn feed(&mut self, index: usize, input: PoolInput) {
        let run = &mut self.runs[index];
        let mut out = Vec::new();
        run.pool.on(input, Moment::START, &mut out);
        for said in out {
            match said {
                PoolOutput::Tell(trial, PoolFact::Granted { lease, .. }) => {
                    run.granted += 1;
                    run.leases.insert(lease, trial);
                }
                PoolOutput::Tell(trial, fact) => panic!("{trial} hears {fact:?}"),
                PoolOutput::Shutdown(worker) | PoolOutput::Kill(worker) => {
                    run.stopping.insert(worker);
                }
                PoolOutput::Spawn { .. } | PoolOutput::Release { .. } | PoolOutput::Closed => {}
                PoolOutput::Admit { .. } | PoolOutput::Reject(_) | PoolOutput::Want { .. } => panic!("nobody may join"),
            }
        }
        self.tell(index);
        self.check();
    }

    fn tell(&mut self, index: usize) {
        let run = &mut self.runs[index];
        let now = (run.pool.claim(), run.seen);
        if !run.capped || run.said.as_ref() == Some(&now) {
            return;
        }
        run.said = Some(now.clone());
        let (member, mut told) = (run.member, Vec::new());
        self.shares.claim(member, now.0, now.1, &mut told);
        self.post(told);
    }

    fn acquire(&mut self, index: usize, request: &Arc<ResourceRequest>) {
        let run = &mut self.runs[index];
        run.asked += 1;
        let order = PoolOrder::Acquire { trial: trial(run.asked), ticket: 1, request: request.clone() };
        self.feed(index, PoolInput::Order(order));
    }

    /// A trial of this run ends. False if it has none.
    fn end(&mut self, index: usize, which: usize) -> bool {
        let run = &mut self.runs[index];
        let Some(&lease) = run.leases.keys().nth(which % run.leases.len().max(1)) else { return false };
        run.leases.remove(&lease);
        self.feed(index, PoolInput::Order(PoolOrder::Release { lease, at_rest: AtRest::Yes }));
        true
    }

    fn gone(&mut self, index: usize) -> bool {
        let Some(worker) = self.runs[index].stopping.pop_first() else { return false };
        self.feed(index, PoolInput::Gone(worker));
        true
    }

    fn hear(&mut self, index: usize) -> bool {
        let run = &mut self.runs[index];
        let Some(Allowed { version, cap }) = run.inbox.pop_front() else { return false };
        assert!(version > run.seen, "words come in their order");
        run.seen = version;
        run.capped = cap.is_some();
        self.feed(index, PoolInput::Cap(cap));
        true
    }

    /// Everything that was said arrives, and every worker that was asked to ends.
    fn settle(&mut self) {
        for round in 0.. {
            let moved = (0..self.runs.len()).filter(|&index| self.hear(index) || self.gone(index)).count();
            if moved == 0 {
                break;
            }
            assert!(round < 1_000, "words go to and fro without end");
        }
    }

    fn check(&self) {
        let claims: Vec<Claim> = self.runs.iter().map(|run| run.pool.claim()).collect();
        let mut gpus = BTreeSet::new();
        for gpu in claims.iter().flat_map(|claim| claim.gpus.keys()) {
            assert!(gpus.insert(gpu), "GPU {gpu} is had by two");
        }
        let counted = self.shares.counted();
        // Where one trial of each can always run that needs nothing but cores, only the others are promised.
        for name in if self.only_cores { &["seat"][..] } else { &["cpu", "seat"][..] } {
            let held: u64 = claims.iter().map(|claim| claim.held.get(name).parts()).sum();
            assert!(held <= self.total.get(name).parts(), "{held} of {name} are held");
            assert!(counted.amounts.get(name) <= self.total.get(name), "{counted} is counted");
        }
    }

    /// How all stand.
    fn stand(&self) -> String {
        let one = |run: &Run| {
            let claim = run.pool.claim();
            let wants: Vec<String> = claim
                .wants
                .iter()
                .map(|it| format!("{} ({} run, {} wait)", it.request, it.running, it.waiting))
                .collect();
            let cap = run.pool.cap().map(ToString::to_string);
            let gpus: Vec<u32> = claim.gpus.keys().copied().collect();
            format!(
                "{} of {} granted, cap {cap:?}, holds {} {gpus:?}, wants {wants:?}",
                run.granted, run.asked, claim.held
            )
        };
        self.runs.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    fn held(&self, index: usize) -> u32 {
        (self.runs[index].pool.claim().held.get("cpu").parts() / Amount::whole(1).parts()) as u32
    }
}

#[derive(Clone, Debug)]
enum Op {
    Join,
    Leave(Index),
    Acquire(Index, Index),
    End(Index, usize),
    Gone(Index),
    Hear(Index),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => Just(Op::Join),
        1 => any::<Index>().prop_map(Op::Leave),
        10 => (any::<Index>(), any::<Index>()).prop_map(|(run, kind)| Op::Acquire(run, kind)),
        6 => (any::<Index>(), 0..8_usize).prop_map(|(run, which)| Op::End(run, which)),
        4 => any::<Index>().prop_map(Op::Gone),
        6 => any::<Index>().prop_map(Op::Hear),
    ]
}

fn perform(host: &mut Host, op: Op, kinds: &[Arc<ResourceRequest>]) {
    let runs = host.runs.len();
    match op {
        Op::Join if runs < 4 => host.join(),
        Op::Join => {}
        _ if runs == 0 => {}
        Op::Leave(which) => host.leave(which.index(runs)),
        Op::Acquire(which, kind) => host.acquire(which.index(runs), kind.get(kinds)),
        Op::End(which, lease) => drop(host.end(which.index(runs), lease)),
        Op::Gone(which) => drop(host.gone(which.index(runs))),
        Op::Hear(which) => drop(host.hear(which.index(runs))),
    }
}

fn machine() -> Resources {
    Resources::cpus(6).with("seat", 3.0).with_gpus([0, 1, 3])
}

/// None of these needs cores alone.
fn strict() -> Vec<Arc<ResourceRequest>> {
    vec![
        request(1.0, 0.0, 1.0),
        request(2.0, 0.0, 2.0),
        request(1.0, 1.0, 0.0),
        request(0.0, 2.0, 0.0),
        request(1.0, 0.4, 0.0),
    ]
}

fn every() -> Vec<Arc<ResourceRequest>> {
    let mut kinds = strict();
    kinds.extend([request(1.0, 0.0, 0.0), request(0.5, 0.0, 0.0), request(4.0, 0.0, 0.0)]);
    kinds
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 500, ..ProptestConfig::default() })]

    /// However late words arrive: `check` holds after every step.
    #[test]
    fn the_host_is_never_booked_twice(reuse in any::<bool>(), mixed in any::<bool>(), script in prop::collection::vec(op(), 0..120)) {
        let kinds = if mixed { every() } else { strict() };
        let mut host = Host::new(machine(), if reuse { Reuse::Yes } else { Reuse::No });
        host.only_cores = mixed;
        for op in script {
            perform(&mut host, op, &kinds);
        }
    }

    /// Whatever was asked for is granted as trials end, also if the other runs always ask for more.
    #[test]
    fn nobody_starves(reuse in any::<bool>(), script in prop::collection::vec(op(), 0..60), greedy in any::<Index>()) {
        let kinds = every();
        let mut host = Host::new(machine(), if reuse { Reuse::Yes } else { Reuse::No });
        (0..3).for_each(|_| host.join());
        for op in script {
            perform(&mut host, op, &kinds);
        }
        host.settle();
        let asked: Vec<u32> = host.runs.iter().map(|run| run.asked).collect();
        for round in 0.. {
            if host.runs.iter().zip(&asked).all(|(run, asked)| run.granted >= *asked) {
                break;
            }
            prop_assert!(round < 100, "somebody waits for ever: {}", host.stand());
            for index in 0..host.runs.len() {
                host.end(index, 0);
                if host.runs[index].pool.counts().waiting < 3 {
                    host.acquire(index, greedy.get(&kinds));
                }
                host.settle();
            }
        }
    }
}

/// Runs until everything has been used a while: each step one trial of each run ends, and another comes.
fn work(host: &mut Host, steps: usize) {
    let one = request(1.0, 0.0, 0.0);
    for _ in 0..steps {
        for index in 0..host.runs.len() {
            host.end(index, 0);
            host.settle();
            while host.runs[index].pool.counts().waiting < 8 {
                host.acquire(index, &one);
                host.settle();
            }
        }
    }
}

#[test]
fn one_alone_has_all_and_is_asked_nothing() {
    let mut host = Host::new(Resources::cpus(6), Reuse::Yes);
    host.join();
    work(&mut host, 1);
    assert_eq!((host.held(0), host.runs[0].pool.cap(), host.runs[0].seen), (6, None, 0));
}

#[test]
fn what_two_want_is_divided_as_trials_end() {
    for (runs, expected) in [(2, vec![3, 3]), (3, vec![2, 2, 2])] {
        let mut host = Host::new(Resources::cpus(6), Reuse::Yes);
        host.join();
        work(&mut host, 1);
        (1..runs).for_each(|_| host.join());
        work(&mut host, 12);
        let held: Vec<u32> = (0..runs).map(|index| host.held(index)).collect();
        assert_eq!(held, expected);
        while host.runs.len() > 1 {
            host.leave(0);
        }
        work(&mut host, 8);
        assert_eq!((host.held(0), host.runs[0].pool.cap()), (6, None));
    }
}

#[test]
fn what_one_does_not_want_is_for_the_others() {
    let mut host = Host::new(Resources::cpus(6), Reuse::Yes);
    (0..2).for_each(|_| host.join());
    let one = request(1.0, 0.0, 0.0);
    host.acquire(0, &one);
    (0..9).for_each(|_| host.acquire(1, &one));
    host.settle();
    assert_eq!((host.held(0), host.held(1)), (1, 5));
    // Its worker is idle, and the other one needs the core.
    host.end(0, 0);
    host.settle();
    assert_eq!((host.held(0), host.held(1)), (0, 6));
}

/// The trials of the others can always run, so there is never a free core: a run that has got all else still has its turn.
#[test]
fn whoever_lacks_only_cores_does_not_starve_beside_those_who_need_only_cores() {
    let mut host = Host::new(machine(), Reuse::No);
    (0..4).for_each(|_| host.join());
    let (cores, both) = (request(4.0, 0.0, 0.0), request(1.0, 1.0, 0.0));
    [0, 1, 3].iter().for_each(|&index| host.acquire(index, &cores));
    host.settle();
    (0..3).for_each(|_| host.acquire(2, &both));
    for _ in 0..20 {
        for index in 0..4 {
            host.end(index, 0);
            if index != 2 {
                host.acquire(index, &cores);
            }
            host.settle();
        }
    }
    assert_eq!(host.runs[2].granted, 3, "{}", host.stand());
    assert!(host.runs.iter().all(|run| run.granted >= 3), "{}", host.stand());
}

#[test]
fn who_waits_for_other_runs_is_told_so() {
    let mut host = Host::new(Resources::cpus(2).with_gpus([0]), Reuse::Yes);
    (0..2).for_each(|_| host.join());
    let gpu = request(1.0, 1.0, 0.0);
    host.acquire(0, &gpu);
    host.acquire(1, &gpu);
    host.settle();
    let why = host.runs[1].pool.why_waiting(trial(1)).unwrap();
    assert_eq!(why.waits_for, WaitsFor::OtherRuns);
    let words =
        "it needs cpu 1, gpu 1, which other runs of this process or user have at the moment: they share the host";
    assert_eq!(why.to_string(), words);
    host.end(0, 0);
    host.settle();
    assert_eq!(host.runs[1].granted, 1);
}
