//! Connections that break, workers that die, engines that come back.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tryout::backend::Backend;
use tryout::prelude::*;
use tryout::remote::{Agent, AgentEnd, Welcome};

use super::{finished, settings};

/// Hands bytes on, and cuts all connections when it is told to.
#[derive(Clone)]
struct Proxy {
    address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn start(to: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap().to_string(), open: Arc::default() };
        let open = proxy.open.clone();
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                let Ok(far) = TcpStream::connect(&to) else { continue };
                let pump = |mut from: TcpStream, mut to: TcpStream| {
                    std::thread::spawn(move || {
                        let _ = pass(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                };
                pump(near.try_clone().unwrap(), far.try_clone().unwrap());
                pump(far.try_clone().unwrap(), near.try_clone().unwrap());
                open.lock().unwrap().extend([near, far]);
            }
        });
        proxy
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 16 << 10];
    loop {
        match from.read(&mut bytes)? {
            0 => return Ok(()),
            count => to.write_all(&bytes[..count])?,
        }
    }
}

/// The same join file with another address.
fn through(proxy: &Proxy, join: &Path, to: &Path) {
    let mut file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(join).unwrap()).unwrap();
    file["addresses"] = vec![proxy.address.clone()].into();
    std::fs::write(to, file.to_string()).unwrap();
    std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

fn address(join: &Path) -> String {
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(join).unwrap()).unwrap();
    file["addresses"][0].as_str().unwrap().to_owned()
}

/// Says when it is about to make its second step, and makes it when it is told to.
type Gate = (Sender<u32>, Arc<Mutex<Receiver<()>>>);

fn gated(gate: Option<Gate>) -> impl Backend {
    function("gated", move |config: Config, session: &mut Session| {
        let until = config.get::<u64>("until")?;
        for at in 1..=until {
            if let Some((says, waits)) = gate.as_ref().filter(|_| at == 2) {
                let _ = says.send(session.info().attempt);
                let _ = waits.lock().unwrap().recv();
            }
            session.report([("at", at as f64)])?;
        }
        Ok(())
    })
}

fn experiment(dir: &Path) -> Experiment {
    Experiment::new("gated", gated(None))
        .space(Space::new().with("until", int(4, 5)))
        .seed(1)
        .dir(dir)
        .joinable(settings())
}

#[test]
fn a_cut_in_the_middle_of_a_batch_loses_and_doubles_nothing() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = experiment(dir.path()).start().unwrap();
    let join = dir.path().join("gated/join.json");
    let (proxy, far) = (Proxy::start(address(&join)), dir.path().join("far.json"));
    through(&proxy, &join, &far);
    let ((says, said), (go, waits)) = (channel(), channel());
    let gate = (says, Arc::new(Mutex::new(waits)));
    let agent = Agent::new(far);
    let agent = std::thread::spawn(move || agent.run(|_: &Welcome| Ok(Box::new(gated(Some(gate.clone()))) as _)));
    assert_eq!(said.recv().unwrap(), 1);
    proxy.cut();
    go.send(()).unwrap();
    let results = run.wait_blocking().unwrap();
    finished(&results);
    assert_eq!((results.trials()[0].attempts, results.totals().repeats), (1, 0));
    assert_eq!(agent.join().unwrap().unwrap(), AgentEnd::Unneeded);
}

#[test]
fn a_worker_that_is_not_heard_again_is_lost_with_words_and_its_trial_goes_on_elsewhere() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut short = settings();
    short.reconnect_for = Duration::from_millis(50);
    let retry = RetryPolicy::new(Budget::Limited(0)).free(FailureKind::WorkerLost, Budget::Limited(1));
    let run = experiment(dir.path()).joinable(short).retry(retry).start().unwrap();
    let join = dir.path().join("gated/join.json");
    let (proxy, far) = (Proxy::start(address(&join)), dir.path().join("far.json"));
    through(&proxy, &join, &far);
    let ((says, said), (_go, waits)) = (channel(), channel::<()>());
    let gate = (says, Arc::new(Mutex::new(waits)));
    let lost = Agent::new(&far);
    let eviction = lost.eviction();
    let lost = std::thread::spawn(move || lost.run(|_: &Welcome| Ok(Box::new(gated(Some(gate.clone()))) as _)));
    assert_eq!(said.recv().unwrap(), 1);
    // From now on it reaches nobody.
    std::fs::remove_file(&far).unwrap();
    proxy.cut();
    let other = Agent::new(&join);
    let other = std::thread::spawn(move || other.run(|_: &Welcome| Ok(Box::new(gated(None)) as _)));
    let results = run.wait_blocking().unwrap();
    finished(&results);
    let trial = &results.trials()[0];
    assert_eq!(trial.attempts, 2);
    let failure = trial.failures.last().unwrap();
    assert!(failure.to_string().contains("wasn't heard again within 0.05 s"), "{failure}");
    assert_eq!(other.join().unwrap().unwrap(), AgentEnd::Unneeded);
    eviction.evict("the test is over");
    assert_eq!(lost.join().unwrap().unwrap(), AgentEnd::Evicted("the test is over".into()));
}

#[test]
fn a_machine_that_is_taken_away_is_a_preemption() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = experiment(dir.path()).start().unwrap();
    let join = dir.path().join("gated/join.json");
    let ((says, said), (_go, waits)) = (channel(), channel::<()>());
    let gate = (says, Arc::new(Mutex::new(waits)));
    let first = Agent::new(&join);
    let eviction = first.eviction();
    let first = std::thread::spawn(move || first.run(|_: &Welcome| Ok(Box::new(gated(Some(gate.clone()))) as _)));
    said.recv().unwrap();
    eviction.evict("SIGTERM");
    assert_eq!(first.join().unwrap().unwrap(), AgentEnd::Evicted("SIGTERM".into()));
    let other = Agent::new(&join);
    let other = std::thread::spawn(move || other.run(|_: &Welcome| Ok(Box::new(gated(None)) as _)));
    let results = run.wait_blocking().unwrap();
    finished(&results);
    assert_eq!(results.trials()[0].failures.last().map(|failure| failure.fault.kind), Some(FailureKind::Preempted));
    other.join().unwrap().unwrap();
}

#[test]
fn an_engine_that_comes_back_takes_the_agent_back() {
    let dir = tempfile::TempDir::new().unwrap();
    let run = experiment(dir.path()).samples(3).start().unwrap();
    let join = dir.path().join("gated/join.json");
    let ((says, said), (go, waits)) = (channel(), channel());
    let gate = (says, Arc::new(Mutex::new(waits)));
    let agent = Agent::new(&join);
    let agent = std::thread::spawn(move || agent.run(|_: &Welcome| Ok(Box::new(gated(Some(gate.clone()))) as _)));
    said.recv().unwrap();
    // The trial is in the middle of a step when the run is broken off.
    let control = run.control();
    let drained = std::thread::spawn(move || futures::executor::block_on(control.drain(Duration::ZERO)));
    let results = run.wait_blocking().unwrap();
    let _ = drained.join().unwrap();
    assert_eq!(results.outcome(), &Outcome::Drained);
    drop(go);
    let ended = agent.join().unwrap();
    let again = experiment(dir.path()).samples(3).existing(Existing::Resume).start().unwrap();
    let next = Agent::new(&join);
    let next = std::thread::spawn(move || next.run(|_: &Welcome| Ok(Box::new(gated(None)) as _)));
    finished(&again.wait_blocking().unwrap());
    next.join().unwrap().unwrap();
    ended.unwrap();
}
