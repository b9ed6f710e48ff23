//! Who is asked for workers: an existing system, or nobody but the people who read the log.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::server::Hub;
use crate::edge::host;
use crate::edge::launch::{AgentCommand, LaunchDriver, LaunchNotice, LaunchSettings, Launcher};
use crate::logic::ids::RunId;
use crate::logic::one_line::OneLine;
use crate::logic::pool::{ResourceRequest, units};
use crate::ports::elsewhere::JoinNews;

/// A system, and how it is asked.
#[derive(Default)]
pub(crate) struct Launching {
    pub(crate) launcher: Option<Box<dyn Launcher>>,
    pub(crate) settings: LaunchSettings,
}

impl Launching {
    /// The same, if there is such a system.
    pub(super) fn checked(mut self) -> io::Result<Self> {
        let Some(launcher) = &mut self.launcher else {
            let why = "`launch_settings` says how a system is asked, but not which: name it with `workers_from`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        };
        if let Err(why) = launcher.check() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{}: {why}", launcher.name())));
        }
        Ok(self)
    }
}

/// What was said last of each shape.
type Words = Arc<Mutex<HashMap<ResourceRequest, Arc<str>>>>;

/// Who is asked.
pub(super) enum Asks {
    /// Nobody; what people can do.
    Nobody(Arc<str>),
    /// A launcher, which the hub has.
    Launcher { hub: Arc<Hub>, words: Words },
}

impl Asks {
    pub(super) fn nobody(join_file: &Path) -> Self {
        Self::Nobody(
            format!("nobody was asked for one: `tryout worker --join {}` starts it", join_file.display()).into(),
        )
    }

    pub(super) fn launcher(
        launching: Launching,
        run: RunId,
        command: AgentCommand,
        directory: Option<PathBuf>,
        hub: &Arc<Hub>,
    ) -> io::Result<Self> {
        let Launching { launcher, mut settings } = launching;
        let Some(launcher) = launcher else { return Err(io::Error::other("there is no launcher")) };
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory)?;
        }
        // Numbers of earlier sessions aren't given again.
        settings.first_job = settings.first_job.max(host::since_1970().as_secs());
        let words = Words::default();
        let (said, news) = (words.clone(), hub.clone());
        let notices = Box::new(move |notice| hear(notice, &said, &news));
        let driver = LaunchDriver::start(launcher, settings, run, command, directory, notices)?;
        // It is set once.
        let _ = hub.launches.set(driver);
        Ok(Self::Launcher { hub: hub.clone(), words })
    }

    pub(super) fn want(&self, shape: Arc<ResourceRequest>, workers: usize) {
        if let Self::Launcher { hub, .. } = self
            && let Some(launches) = hub.launches.get()
        {
            launches.want(shape, u32::try_from(workers).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn says(&self, shape: &ResourceRequest) -> Option<Arc<str>> {
        match self {
            Self::Nobody(words) => Some(words.clone()),
            Self::Launcher { words, .. } => words.lock().unwrap_or_else(PoisonError::into_inner).get(shape).cloned(),
        }
    }

    /// Cancels what was asked for.
    pub(super) fn close(&self) {
        if let Self::Launcher { hub, .. } = self
            && let Some(launches) = hub.launches.get()
            && !launches.close()
        {
            log::warn!(
                "jobs of this run may be left: the next session finds them by their names, else they end by themselves"
            );
        }
    }
}

fn hear(notice: LaunchNotice, words: &Words, hub: &Hub) {
    match notice {
        LaunchNotice::Says { shape, words: said } => {
            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
            match said {
                Some(said) => words.insert((*shape).clone(), said.into()),
                None => words.remove(&*shape),
            };
        }
        LaunchNotice::Never { shape, words } => {
            log::warn!("workers of {shape} can't be had: {}", OneLine(&words));
            if let Some(news) = hub.news.get() {
                news.say(JoinNews::Never { shape, words });
            }
        }
        LaunchNotice::Submitted { job, id, shape, workers } => {
            log::info!("job {id} (number {job}) is asked for: {workers} of {shape}");
        }
        LaunchNotice::Ended { job, words } => {
            log::info!("job number {job} is gone: {}", OneLine(&words));
            hub.lose_job(job, &words);
        }
    }
}

/// How an agent is started on another machine.
pub(super) fn agent_command(agent: Vec<OsString>, join_file: &Path, worker: Vec<OsString>) -> io::Result<AgentCommand> {
    let join_file = std::path::absolute(join_file)?;
    Ok(Arc::new(move |job, shape| agent_line(&agent, &join_file, Some(job), shape, &worker)))
}

/// The command line of an agent: `agent`, or `tryout worker` if that is empty, with the join file, the number of its job, if it is one of a
/// launcher's, its shape, and the program of a worker and its arguments, if there is one.
pub fn agent_line(
    agent: &[OsString],
    join_file: &Path,
    job: Option<u64>,
    shape: &ResourceRequest,
    worker: &[OsString],
) -> Vec<OsString> {
    let mut words = if agent.is_empty() { vec![tryout(), "worker".into()] } else { agent.to_vec() };
    words.extend(["--join".into(), join_file.as_os_str().to_owned()]);
    words.extend(job.into_iter().flat_map(|job| ["--job".into(), job.to_string().into()]));
    words.extend(["--shape".into(), shape_text(shape).into()]);
    if !worker.is_empty() {
        words.push("--".into());
        words.extend(worker.iter().cloned());
    }
    words
}

/// This very program if it is `tryout`, else the one that is found by its name.
fn tryout() -> OsString {
    let own = std::env::current_exe().ok().filter(|path| path.file_name().is_some_and(|name| name == "tryout"));
    own.map_or_else(|| "tryout".into(), PathBuf::into_os_string)
}

/// A shape as an argument: `{"cpu":2.0}`.
fn shape_text(shape: &ResourceRequest) -> String {
    serde_json::to_value(Shape(shape.clone())).unwrap_or_else(|_| json!({})).to_string()
}

#[derive(serde::Serialize)]
struct Shape(#[serde(with = "units")] ResourceRequest);
