//! The thread that asks a launcher for workers: it carries out what the machine of launches decides.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::logic::ids::RunId;
use crate::logic::launch::{LaunchInput, LaunchOutput, LaunchSettings, Launches, job_name};
use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;
use crate::ports::launcher::{LaunchJob, Launcher};

/// A launcher that is in the middle of a call has so much more time to come to its end.
const LAST_CALL: Duration = Duration::from_secs(15);

/// What became of what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum LaunchNotice {
    /// The launcher has a job.
    Submitted {
        /// Its number.
        job: u64,
        /// Its id in the launcher's system.
        id: String,
        /// What each of its workers has.
        shape: Arc<ResourceRequest>,
        /// So many workers it has.
        workers: u32,
    },
    /// What workers of this shape wait for: "Slurm job 123: Priority". None: nothing is waited for.
    Says {
        /// The shape.
        shape: Arc<ResourceRequest>,
        /// In words, with those of the launcher.
        words: Option<String>,
    },
    /// Workers of this shape can't be had.
    Never {
        /// The shape.
        shape: Arc<ResourceRequest>,
        /// In words, with those of the launcher.
        words: String,
    },
    /// The launcher says that a job is gone.
    Ended {
        /// Its number.
        job: u64,
        /// The launcher's words; may be empty.
        words: String,
    },
}

/// The agent of a job, by the job's number and what each of its workers has: a program with its arguments.
pub type AgentCommand = Arc<dyn Fn(u64, &ResourceRequest) -> Vec<OsString> + Send + Sync>;

/// Where notices go. It is called on the driver's thread.
pub type NoticeSink = Box<dyn Fn(LaunchNotice) + Send>;

/// A launcher at work, on a thread of its own. Dropping it is closing it without waiting.
pub struct LaunchDriver {
    inputs: Sender<LaunchInput>,
    over: Arc<Over>,
    patience: Duration,
}

/// Whether the thread has come to its end.
#[derive(Default)]
struct Over {
    is: Mutex<bool>,
    changed: Condvar,
}

/// Says so when the thread ends, whatever ended it.
struct SaysOver(Arc<Over>);

impl Drop for SaysOver {
    fn drop(&mut self) {
        *self.0.is.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for LaunchDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchDriver").finish_non_exhaustive()
    }
}

impl LaunchDriver {
    /// Starts the thread. What an earlier session of this run has left is looked for at once.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(
        launcher: Box<dyn Launcher>,
        settings: LaunchSettings,
        run: RunId,
        command: AgentCommand,
        directory: Option<PathBuf>,
        notices: NoticeSink,
    ) -> io::Result<Self> {
        let (sender, inputs) = mpsc::channel();
        let (over, patience) = (Arc::<Over>::default(), settings.close_for.saturating_add(LAST_CALL));
        let says_over = SaysOver(over.clone());
        let launches = Launches::new(run, settings);
        let asker = Asker { launcher, launches, run, command, directory, notices, began: Instant::now() };
        thread::Builder::new().name("tryout-launch".to_owned()).spawn(move || {
            let _says_over = says_over;
            asker.work(&inputs);
        })?;
        Ok(Self { inputs: sender, over, patience })
    }

    /// So many workers of this shape are wanted in all; those that have joined count.
    pub fn want(&self, shape: Arc<ResourceRequest>, workers: u32) {
        self.tell(LaunchInput::Want { shape, workers });
    }

    /// A worker of this job has dialled in.
    pub fn joined(&self, job: u64, shape: Arc<ResourceRequest>) {
        self.tell(LaunchInput::Joined { job, shape });
    }

    /// A worker of this job is gone.
    pub fn left(&self, job: u64) {
        self.tell(LaunchInput::Left { job });
    }

    /// Cancels all jobs, and waits until they are gone, for a bounded time. Whether it got so far.
    pub fn close(&self) -> bool {
        self.tell(LaunchInput::Close);
        let is = self.over.is.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.over.changed.wait_timeout_while(is, self.patience, |is| !*is);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Nobody listens once it is over.
    fn tell(&self, input: LaunchInput) {
        let _ = self.inputs.send(input);
    }
}

/// The thread's own.
struct Asker {
    launcher: Box<dyn Launcher>,
    launches: Launches,
    run: RunId,
    command: AgentCommand,
    directory: Option<PathBuf>,
    notices: NoticeSink,
    began: Instant,
}

impl Asker {
    fn work(mut self, inputs: &Receiver<LaunchInput>) {
        let mut input = LaunchInput::Tick;
        while !self.step(input) {
            input = match self.launches.deadline() {
                Some(deadline) => match inputs.recv_timeout(deadline.since(self.now())) {
                    Ok(input) => input,
                    Err(RecvTimeoutError::Timeout) => LaunchInput::Tick,
                    Err(RecvTimeoutError::Disconnected) => return self.wind_up(),
                },
                None => match inputs.recv() {
                    Ok(input) => input,
                    Err(_) => return self.wind_up(),
                },
            };
        }
    }

    /// Nobody will tell it anything any more.
    fn wind_up(mut self) {
        let mut over = self.step(LaunchInput::Close);
        while !over {
            if let Some(deadline) = self.launches.deadline() {
                thread::sleep(deadline.since(self.now()));
            }
            over = self.step(LaunchInput::Tick);
        }
    }

    fn now(&self) -> Moment {
        Moment::new(self.began.elapsed())
    }

    /// Hands the machine an input, and carries out all that follows. Whether that was the last of it.
    fn step(&mut self, input: LaunchInput) -> bool {
        let mut out = Vec::new();
        self.launches.on(input, self.now(), &mut out);
        let mut orders = VecDeque::from(out);
        while let Some(order) = orders.pop_front() {
            let answer = match self.carry_out(order) {
                Carried::Closed => return true,
                Carried::Done => continue,
                Carried::Answered(answer) => answer,
            };
            let mut out = Vec::new();
            self.launches.on(answer, self.now(), &mut out);
            orders.extend(out);
        }
        false
    }

    fn carry_out(&mut self, order: LaunchOutput) -> Carried {
        match order {
            LaunchOutput::Submit { job, shape, workers } => return Carried::Answered(self.submit(job, shape, workers)),
            LaunchOutput::Cancel(ids) => {
                if let Err(error) = self.launcher.cancel(&ids) {
                    log::warn!("{}: jobs can't be cancelled, which is tried again: {error}", self.launcher.name());
                }
            }
            LaunchOutput::List => {
                return Carried::Answered(match self.launcher.list(&format!("tryout-{}-", self.run)) {
                    Ok(listed) => LaunchInput::Listed(listed),
                    Err(error) => {
                        log::debug!("{}: there is no list: {error}", self.launcher.name());
                        LaunchInput::NotListed(error.into_words())
                    }
                });
            }
            LaunchOutput::Says { shape, words } => {
                let words = words.map(|words| self.named(&words));
                self.notify(LaunchNotice::Says { shape, words });
            }
            LaunchOutput::Never { shape, words } => {
                let words = self.named(&words);
                self.notify(LaunchNotice::Never { shape, words });
            }
            LaunchOutput::Ended { job, words } => self.notify(LaunchNotice::Ended { job, words }),
            LaunchOutput::Closed => return Carried::Closed,
        }
        Carried::Done
    }

    fn submit(&mut self, number: u64, shape: Arc<ResourceRequest>, workers: u32) -> LaunchInput {
        let (name, directory) = (job_name(self.run, number), self.directory.clone());
        let job = LaunchJob { name, number, shape, workers, command: Vec::new(), directory };
        let job = LaunchJob { command: (self.command)(number, &job.shape), ..job };
        match self.launcher.submit(&job) {
            Ok(id) => {
                log::debug!("{}: {} is job {id}, {workers} workers of {}", self.launcher.name(), job.name, job.shape);
                self.notify(LaunchNotice::Submitted { job: number, id: id.clone(), shape: job.shape, workers });
                LaunchInput::Submitted { job: number, id }
            }
            Err(error) => {
                log::debug!("{}: {} wasn't submitted: {error}", self.launcher.name(), job.name);
                LaunchInput::NotSubmitted { job: number, error }
            }
        }
    }

    fn named(&self, words: &str) -> String {
        let colon = if words.starts_with("job ") { "" } else { ":" };
        format!("{}{colon} {words}", self.launcher.name())
    }

    fn notify(&self, notice: LaunchNotice) {
        (self.notices)(notice);
    }
}

/// What became of an order.
enum Carried {
    Done,
    Answered(LaunchInput),
    Closed,
}
