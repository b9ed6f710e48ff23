//! Workers that are plain programs: each dials in, says a line, and stays until it is ended.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tryout::extend::RunId;
use tryout::launch::{LaunchDriver, LaunchJob, LaunchNotice, LaunchSettings, Launcher};
use tryout::prelude::{ResourceRequest, Resources};

/// What the tests wait for, at the most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A worker of this job is there, and says these words.
    Joined(u64, Vec<String>),
    Left(u64),
    Notice(LaunchNotice),
}

/// A driver, and a port that its workers dial.
pub(crate) struct Rig {
    pub(crate) driver: Arc<LaunchDriver>,
    seen: Receiver<Seen>,
    began: Instant,
    /// What was said last.
    said: RefCell<String>,
}

/// Says its job, its GPUs and its words, and then waits to be ended.
fn agent(at: SocketAddr, job: u64) -> Vec<OsString> {
    let script = format!(
        "exec 3<>/dev/tcp/{}/{}; echo \"{job} gpus=${{CUDA_VISIBLE_DEVICES:-}} left=${{TRYOUT_TIME_LEFT:-}}\" >&3; exec cat <&3",
        at.ip(),
        at.port()
    );
    ["bash", "-c", &script].map(Into::into).into()
}

pub(crate) fn shape(resources: Resources) -> Arc<ResourceRequest> {
    Arc::new(ResourceRequest::single(resources).expect("it asks for something"))
}

/// A job that isn't the driver's.
pub(crate) fn job(run: RunId, number: u64, of: Resources, command: &[&str]) -> LaunchJob {
    LaunchJob {
        name: format!("tryout-{run}-{number}"),
        number,
        shape: shape(of),
        workers: 1,
        command: command.iter().map(Into::into).collect(),
        directory: None,
    }
}

/// Settings that are quick.
pub(crate) fn quick() -> LaunchSettings {
    LaunchSettings {
        pause: Duration::from_millis(50),
        backoff: Duration::from_secs(1),
        list_every: Duration::from_secs(1),
        connect_for: Duration::from_secs(20),
        ..LaunchSettings::default()
    }
}

impl Rig {
    pub(crate) fn start(
        launcher: impl Launcher + 'static,
        settings: LaunchSettings,
        run: RunId,
        of: Resources,
    ) -> Self {
        let (sender, seen) = mpsc::channel();
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let at = listener.local_addr().expect("it has an address");
        let notices = sender.clone();
        let notices = Box::new(move |notice| drop(notices.send(Seen::Notice(notice))));
        let driver = LaunchDriver::start(
            Box::new(launcher),
            settings,
            run,
            Arc::new(move |job, _: &ResourceRequest| agent(at, job)),
            None,
            notices,
        );
        let driver = Arc::new(driver.expect("there are threads"));
        let of = shape(of);
        let joins = driver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, joins, of) = (sender.clone(), joins.clone(), of.clone());
                thread::spawn(move || worker(stream, &sender, &joins, of));
            }
        });
        Self { driver, seen, began: Instant::now(), said: RefCell::default() }
    }

    /// Waits until something happens that `wanted` makes something of.
    pub(crate) fn until<T>(&self, what: &str, mut wanted: impl FnMut(&Seen) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen.recv_timeout(until.saturating_duration_since(Instant::now()));
            let seen = seen.unwrap_or_else(|error| panic!("{what}: {error}"));
            println!("{:7.3} s {seen:?}", self.began.elapsed().as_secs_f64());
            if let Seen::Notice(LaunchNotice::Says { words, .. }) = &seen {
                self.said.replace(words.clone().unwrap_or_default());
            }
            if let Some(found) = wanted(&seen) {
                return found;
            }
        }
    }

    /// The next worker that joins.
    pub(crate) fn joined(&self) -> (u64, Vec<String>) {
        self.until("a worker", |seen| match seen {
            Seen::Joined(job, words) => Some((*job, words.clone())),
            Seen::Left(_) | Seen::Notice(_) => None,
        })
    }

    /// What a shape waits for, once `wanted` holds for it.
    pub(crate) fn says(&self, wanted: &str) -> String {
        if !self.said.borrow().contains(wanted) {
            self.until(wanted, |seen| match seen {
                Seen::Notice(LaunchNotice::Says { words: Some(words), .. }) => words.contains(wanted).then_some(()),
                _ => None,
            });
        }
        self.said.borrow().clone()
    }

    pub(crate) fn never(&self) -> String {
        self.until("never", |seen| match seen {
            Seen::Notice(LaunchNotice::Never { words, .. }) => Some(words.clone()),
            _ => None,
        })
    }
}

fn worker(stream: TcpStream, sender: &Sender<Seen>, driver: &LaunchDriver, of: Arc<ResourceRequest>) {
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).expect("it says something");
    let mut words = line.split_whitespace().map(str::to_owned);
    let job = words.next().and_then(|job| job.parse().ok()).expect("its job comes first");
    driver.joined(job, of);
    let _ = sender.send(Seen::Joined(job, words.collect()));
    // It says nothing more.
    let _ = stream.read_line(&mut line);
    driver.left(job);
    let _ = sender.send(Seen::Left(job));
}
