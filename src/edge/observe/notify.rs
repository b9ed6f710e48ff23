//! A command for what somebody should hear of who isn't looking.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::edge::deadline;
use crate::edge::system::Watch;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::failure::FailureKind;
use crate::logic::one_line::OneLine;
use crate::ports::error::ObserverError;
use crate::ports::observer::Observer;

/// So long a message may be, in characters.
const LONGEST: usize = 2_000;

/// So many notices wait at most; a run has few.
const MOST: usize = 64;

/// When somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The run has ended, however it did.
    End,
    /// A trial has failed for the first time in this session.
    FirstFailure,
    /// The run is held until a client lets it go on.
    Hold,
    /// No trial has reported or ended for a while ([`Notify::stall_after`]). Said once until one does again.
    Stall,
}

impl Occasion {
    const ALL: [Self; 4] = [Self::End, Self::FirstFailure, Self::Hold, Self::Stall];
}

/// Runs a command at the end of a run, at its first failure, at a hold, and when nothing comes any more.
///
/// The command gets one JSON object on its standard input: `{"run", "name", "dir", "occasion", "message", "at_s"}`, `occasion` as in
/// [`Occasion`]: `end`, `first_failure`, `hold`, `stall`. It has ten seconds ([`within`](Self::within)), then it is killed; one that
/// fails is tried three times in all, at once, and then it is logged as a warning. The run never waits for it: at the end
/// it has the experiment's [`patience`](crate::prelude::Experiment::patience).
///
/// ```no_run
/// use tryout::observe::{Notify, Occasion};
/// # fn example(experiment: tryout::prelude::Experiment) {
/// let mail = Notify::command(["sh", "-c", "mail -s 'a run has ended' me"]).on([Occasion::End]);
/// let hook = Notify::webhook("https://chat.example/hooks/7");
/// let experiment = experiment.observer(mail).observer(hook);
/// # }
/// ```
#[derive(Debug)]
pub struct Notify {
    command: Vec<OsString>,
    occasions: BTreeSet<Occasion>,
    stall_after: Duration,
    within: Duration,
    attempts: u32,
    name: String,
    run: RunNamed,
    failed: bool,
    teller: Option<Teller>,
}

/// Which run it is about.
#[derive(Clone, Debug, Default, Serialize)]
struct RunNamed {
    run: String,
    name: String,
    dir: Option<String>,
}

/// One notice.
#[derive(Debug, Serialize)]
struct Notice {
    #[serde(flatten)]
    run: RunNamed,
    occasion: Occasion,
    message: String,
    at_s: f64,
}

impl Notify {
    /// Runs a program with its arguments.
    pub fn command(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let command: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let name = format!("notify: {}", command.first().map(|word| word.to_string_lossy()).unwrap_or_default());
        Self {
            command,
            occasions: Occasion::ALL.into(),
            stall_after: Duration::from_secs(1800),
            within: Duration::from_secs(10),
            attempts: 3,
            name,
            run: RunNamed::default(),
            failed: false,
            teller: None,
        }
    }

    /// Posts the notice to an address, by the program `curl`.
    pub fn webhook(address: impl Into<OsString>) -> Self {
        let words = ["curl", "--fail", "--silent", "--show-error", "--output", "/dev/null"];
        let post = ["--header", "Content-Type: application/json", "--data-binary", "@-", "--"];
        let words = words.into_iter().chain(post).map(OsString::from).chain([address.into()]);
        Self::command(words)
    }

    /// Only on these occasions. Default: all.
    #[must_use]
    pub fn on(mut self, occasions: impl IntoIterator<Item = Occasion>) -> Self {
        self.occasions = occasions.into_iter().collect();
        self
    }

    /// After how long without a report it is a stall. Default: half an hour.
    #[must_use]
    pub fn stall_after(mut self, silence: Duration) -> Self {
        self.stall_after = silence;
        self
    }

    /// How long the command may take, each time. Default: ten seconds.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// How often it is tried, at least 1. Default: 3.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    fn tell(&mut self, occasion: Occasion, message: &str, at: f64) {
        let Some(teller) = self.teller.as_ref().filter(|_| self.occasions.contains(&occasion)) else { return };
        let message = message.chars().take(LONGEST).collect();
        teller.shared.say(Notice { run: self.run.clone(), occasion, message, at_s: at });
    }
}

impl Observer for Notify {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let at = event.at.since_start().as_secs_f64();
        match &event.kind {
            EventKind::Started { run, name, info, .. } => {
                let dir = info.dir.as_ref().map(|dir| dir.display().to_string());
                self.run = RunNamed { run: run.to_string(), name: name.to_string(), dir };
                let stall = self.occasions.contains(&Occasion::Stall).then_some(self.stall_after);
                let how = How { command: self.command.clone(), within: self.within, attempts: self.attempts };
                self.teller = Some(Teller::start(how, self.run.clone(), stall)?);
            }
            EventKind::Failed { trial, failure, .. }
                if !self.failed && failure.fault.kind != FailureKind::Preempted =>
            {
                self.failed = true;
                self.tell(Occasion::FirstFailure, &format!("trial {} failed: {failure}", trial.number()), at);
            }
            EventKind::Held { why } => self.tell(Occasion::Hold, &format!("the run is held: {why}"), at),
            EventKind::Reported { .. } | EventKind::Ended { .. } => {
                self.teller.iter().for_each(|teller| teller.shared.hear());
            }
            EventKind::Finished { outcome } => {
                self.tell(Occasion::End, &format!("the run has ended: {outcome}"), at);
                if let Some(teller) = self.teller.take() {
                    teller.finish();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// How it is told.
#[derive(Clone, Debug)]
struct How {
    command: Vec<OsString>,
    within: Duration,
    attempts: u32,
}

/// The thread that runs the command, so that nothing waits for it but itself.
#[derive(Debug)]
struct Teller {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    notices: VecDeque<Notice>,
    began: Instant,
    /// When something was last heard of a trial.
    heard: Instant,
    /// That nothing was heard since has been said.
    stalled: bool,
    over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, notice: Notice) {
        let mut state = self.lock();
        if state.notices.len() < MOST {
            state.notices.push_back(notice);
        }
        self.changed.notify_all();
    }

    /// Something was heard of a trial.
    fn hear(&self) {
        let mut state = self.lock();
        state.heard = Instant::now();
        if std::mem::take(&mut state.stalled) {
            self.changed.notify_all();
        }
    }

    /// The next notice; none when there will be no more. A silence of so long is one too, once.
    fn next(&self, run: &RunNamed, stall_after: Option<Duration>) -> Option<Notice> {
        let mut state = self.lock();
        loop {
            if let Some(notice) = state.notices.pop_front() {
                return Some(notice);
            }
            if state.over {
                return None;
            }
            let Some(silence) = stall_after.filter(|_| !state.stalled) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (now, until) = (Instant::now(), deadline::after(state.heard, silence));
            if now >= until {
                state.stalled = true;
                let message = format!("no trial has reported or ended for {} s", silence.as_secs_f64());
                let at_s = now.duration_since(state.began).as_secs_f64();
                return Some(Notice { run: run.clone(), occasion: Occasion::Stall, message, at_s });
            }
            let waited = self.changed.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Teller {
    fn start(how: How, run: RunNamed, stall_after: Option<Duration>) -> Result<Self, ObserverError> {
        let now = Instant::now();
        let state = State { notices: VecDeque::new(), began: now, heard: now, stalled: false, over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let told = shared.clone();
        let work = move || {
            while let Some(notice) = told.next(&run, stall_after) {
                how.tell(&notice);
            }
        };
        let thread = std::thread::Builder::new().name("tryout-notify".to_owned()).spawn(work)?;
        Ok(Self { shared, thread })
    }

    /// Waits until all has been told.
    fn finish(self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        // It doesn't panic, and if it did, nothing would be left to tell.
        let _ = self.thread.join();
    }
}

impl How {
    fn tell(&self, notice: &Notice) {
        let text = match serde_json::to_string(notice) {
            Ok(text) => text,
            Err(error) => return log::warn!("a notice can't be written: {error}"),
        };
        for attempt in 1..=self.attempts {
            match self.once(&text) {
                Ok(()) => return,
                Err(why) => log::warn!(
                    "the notice `{}` isn't told, attempt {attempt}: {}",
                    OneLine(&notice.message),
                    OneLine(&why)
                ),
            }
        }
    }

    fn once(&self, text: &str) -> Result<(), String> {
        let Some((program, args)) = self.command.split_first() else { return Err("there is no command".to_owned()) };
        let shown = program.to_string_lossy();
        let mut command = Command::new(program);
        let mut child = command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("`{shown}` can't be started: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Who doesn't read it may still do what is wanted.
            let _ = stdin.write_all(text.as_bytes());
        }
        let ended = i32::try_from(child.id()).ok().and_then(Pid::from_raw).and_then(|pid| Watch::over(pid).ok());
        if ended.is_some_and(|watch| !ended_within(&watch, self.within)) {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("`{shown}` took longer than {} s", self.within.as_secs_f64()));
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{shown}` ended with {status}")),
            Err(error) => Err(format!("`{shown}`: {error}")),
        }
    }
}

fn ended_within(watch: &Watch, time: Duration) -> bool {
    let until = deadline::after(Instant::now(), time);
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        match poll(&mut [PollFd::new(watch, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) => {}
            polled => return matches!(polled, Ok(1..)),
        }
    }
}
