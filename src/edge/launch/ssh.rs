//! Workers on hosts that are reached by `ssh`, as many on each as its line in a file says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::call::{Called, call};
use super::shell;
use crate::logic::launch::{Allocation, LaunchError, LaunchListed, LaunchState};
use crate::logic::pool::ResourceRequest;
use crate::ports::launcher::{LaunchJob, Launcher};

/// The variable that a job is found by.
const NAME: &str = "TRYOUT_JOB_NAME";

/// Workers on hosts that are reached by `ssh` without a password. On each there must be a shell, `setsid` and Linux's `/proc`.
///
/// A host's line in the file says how many workers it may have at a time, which GPUs they share, and variables for them:
///
/// ```text
/// # two workers with one GPU each, and four without
/// gpu1.lab slots=2 gpus=0,1
/// user@cpu2 slots=4 OMP_NUM_THREADS=8
/// ```
///
/// A worker outlives the connection, and the engine: it ends by itself, or by [`cancel`](Launcher::cancel).
#[derive(Clone, Debug)]
pub struct Ssh {
    slots: Vec<Slot>,
    options: Vec<OsString>,
    patience: Duration,
    /// Jobs that were told once to end; the second time they are killed.
    cancelled: BTreeSet<String>,
}

/// Room for one worker.
#[derive(Clone, Debug, PartialEq)]
struct Slot {
    host: String,
    gpus: Vec<u32>,
    variables: Vec<(String, String)>,
    /// The job in it, by its id.
    job: Option<Taken>,
}

#[derive(Clone, Debug, PartialEq)]
struct Taken {
    id: String,
    name: String,
}

impl Ssh {
    /// The hosts of a file.
    ///
    /// # Errors
    /// If it can't be read, or the line that is wrong.
    pub fn hosts(file: &Path) -> io::Result<Self> {
        let told = |error: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()));
        Self::new(&fs::read_to_string(file)?).map_err(told)
    }

    /// The hosts of a text with the lines of such a file.
    ///
    /// # Errors
    /// The line that is wrong.
    pub fn new(hosts: &str) -> Result<Self, String> {
        let mut slots = Vec::new();
        for (at, line) in hosts.lines().enumerate() {
            let line = line.split('#').next().unwrap_or(line).trim();
            if !line.is_empty() {
                slots.extend(slots_of(line).map_err(|error| format!("line {}: {error}", at + 1))?);
            }
        }
        if slots.is_empty() {
            return Err("there is no host in it".to_owned());
        }
        Ok(Self { slots, options: Vec::new(), patience: Duration::from_secs(30), cancelled: BTreeSet::new() })
    }

    /// One more argument of `ssh`, before the host.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.options.push(argument.into());
        self
    }

    /// How long one call of `ssh` may take. Default: 30 s.
    #[must_use]
    pub fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    fn call(&self, host: &str, script: &str) -> Result<Called, LaunchError> {
        let mut command = Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]).args(&self.options).args(["--", host, "sh"]);
        let called =
            call(&mut command, script, self.patience).map_err(|error| LaunchError::Unavailable(error.to_string()))?;
        if called.succeeded { Ok(called) } else { Err(LaunchError::Unavailable(called.words("ssh"))) }
    }

    fn hosts_in_use(&self) -> BTreeSet<String> {
        self.slots.iter().map(|slot| slot.host.clone()).collect()
    }

    fn fits(slot: &Slot, job: &LaunchJob) -> bool {
        slot.gpus.len() as u64 >= Allocation::new(&job.shape, job.workers).gpus
    }

    /// What is run on a host: the workers in a session of their own, which outlives the connection.
    fn script(slot: &Slot, job: &LaunchJob) -> String {
        let mut inner = format!("export TRYOUT_JOB={}\n", job.number);
        let gpus = slot.gpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        inner.push_str(&format!("export CUDA_VISIBLE_DEVICES={gpus}\n"));
        for (name, value) in &slot.variables {
            inner.push_str(&format!("export {name}={}\n", shell::quoted(value.as_ref())));
        }
        inner.push_str(&shell::workers(job));
        let output = match &job.directory {
            Some(directory) => shell::quoted(directory.join(format!("{}.out", job.name)).as_os_str()),
            None => "/dev/null".to_owned(),
        };
        let (name, inner) = (shell::quoted(job.name.as_ref()), shell::quoted(inner.as_ref()));
        // The directory needn't be there on that host.
        format!(
            "out={output}\n: 2>/dev/null >>\"$out\" || out=/dev/null\n\
             {NAME}={name} setsid sh -c {inner} >>\"$out\" 2>&1 </dev/null &\necho $!\n"
        )
    }
}

fn slots_of(line: &str) -> Result<Vec<Slot>, String> {
    let mut words = line.split_whitespace();
    let host = words.next().unwrap_or(line).to_owned();
    if host.starts_with('-') {
        return Err(format!("`{host}` isn't a host"));
    }
    let (mut count, mut gpus, mut variables) = (1_usize, Vec::new(), Vec::new());
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` isn't NAME=VALUE"))?;
        match name {
            "slots" => count = value.parse().map_err(|_| format!("`{value}` isn't a number of slots"))?,
            "gpus" => {
                let all = value.split(',').map(|gpu| gpu.parse().map_err(|_| format!("`{gpu}` isn't a GPU's index")));
                gpus = all.collect::<Result<Vec<u32>, String>>()?;
            }
            _ if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty() => {
                variables.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(format!("`{name}` isn't the name of a variable")),
        }
    }
    if count == 0 || count > 10_000 {
        return Err("slots are from 1 to 10,000".to_owned());
    }
    // Each slot has its part of the GPUs; what is left over, the first ones have.
    let part = |at: usize| gpus.iter().copied().skip(at).step_by(count).collect();
    let slot = |at| Slot { host: host.clone(), gpus: part(at), variables: variables.clone(), job: None };
    Ok((0..count).map(slot).collect())
}

impl Launcher for Ssh {
    fn name(&self) -> &str {
        "ssh"
    }

    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError> {
        let Some(at) = self.slots.iter().position(|slot| slot.job.is_none() && Self::fits(slot, job)) else {
            self.may_serve(&job.shape).map_err(LaunchError::Refused)?;
            return Err(LaunchError::Unavailable("all slots that fit are taken".to_owned()));
        };
        let script = Self::script(&self.slots[at], job);
        let host = self.slots[at].host.clone();
        let called = self.call(&host, &script)?;
        let pid = called.out.trim().parse::<u32>();
        let pid = pid.map_err(|_| LaunchError::Unavailable(format!("{host} answered {:?}", called.out)))?;
        let id = format!("{host}:{pid}");
        self.slots[at].job = Some(Taken { id: id.clone(), name: job.name.clone() });
        Ok(id)
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError> {
        // The first process of each session that has the variable. Others are its children.
        let script = format!(
            "for file in $(grep -lsz '^{NAME}={prefix}' /proc/[0-9]*/environ); do\n\
             pid=${{file#/proc/}}; pid=${{pid%/environ}}\n\
             [ \"$(ps -o sid= -p \"$pid\" | tr -d ' ')\" = \"$pid\" ] || continue\n\
             echo \"$pid $(tr '\\0' '\\n' <\"$file\" | sed -n 's/^{NAME}=//p' | head -n 1)\"\ndone\ntrue\n"
        );
        let (mut all, mut trouble) = (Vec::new(), None);
        for host in self.hosts_in_use() {
            let called = match self.call(&host, &script) {
                Ok(called) => called,
                Err(error) => {
                    // Nobody knows: what was there is taken to be there.
                    let known = self.slots.iter().filter(|slot| slot.host == host).filter_map(|slot| slot.job.clone());
                    let says = error.into_words();
                    all.extend(known.map(|job| running(job.id, job.name, format!("{host} can't be reached: {says}"))));
                    trouble = Some(says);
                    continue;
                }
            };
            let jobs = called.out.lines().filter_map(|line| line.split_once(' '));
            let jobs: Vec<Taken> =
                jobs.map(|(pid, name)| Taken { id: format!("{host}:{pid}"), name: name.to_owned() }).collect();
            for slot in self.slots.iter_mut().filter(|slot| slot.host == host) {
                slot.job.take_if(|job| !jobs.contains(job));
            }
            for job in &jobs {
                let known = self.slots.iter().any(|slot| slot.job.as_ref() == Some(job));
                // What an earlier session left takes room, too.
                if !known && let Some(slot) = self.slots.iter_mut().find(|slot| slot.host == host && slot.job.is_none())
                {
                    slot.job = Some(job.clone());
                }
            }
            all.extend(jobs.into_iter().map(|job| running(job.id, job.name, String::new())));
        }
        // If no host at all answers, there is no list.
        match trouble {
            Some(words) if all.is_empty() => Err(LaunchError::Unavailable(words)),
            Some(_) | None => Ok(all),
        }
    }

    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError> {
        let mut trouble = Ok(());
        for host in self.hosts_in_use() {
            let mut script = String::new();
            for id in ids {
                let Some(pid) = id.strip_prefix(&format!("{host}:")).filter(|pid| pid.parse::<u32>().is_ok()) else {
                    continue;
                };
                let signal = if self.cancelled.insert(id.clone()) { "TERM" } else { "KILL" };
                // Another process may have its number by now.
                script.push_str(&format!(
                    "grep -qsz '^{NAME}=tryout-' /proc/{pid}/environ && kill -s {signal} -- -{pid}\n"
                ));
            }
            if !script.is_empty() {
                trouble = self.call(&host, &format!("{{\n{script}}} 2>/dev/null\ntrue\n")).map(|_| ()).and(trouble);
            }
        }
        trouble
    }

    fn dry_run(&self, job: &LaunchJob) -> String {
        let slot = self.slots.iter().find(|slot| Self::fits(slot, job));
        let Some(slot) = slot else { return "no host has so many GPUs\n".to_owned() };
        let options = shell::command_line(&self.options);
        let space = if options.is_empty() { "" } else { " " };
        format!(
            "ssh{space}{options} -- {} sh <<'TRYOUT'\n{}TRYOUT\n",
            shell::quoted(slot.host.as_ref()),
            Self::script(slot, job)
        )
    }

    fn check(&mut self) -> Result<(), String> {
        let wrong = |host: &String| self.call(host, "command -v setsid >/dev/null || echo no setsid\n");
        for host in self.hosts_in_use() {
            let called = wrong(&host).map_err(|error| format!("{host}: {}", error.into_words()))?;
            if !called.out.is_empty() {
                return Err(format!("{host}: there is no `setsid`"));
            }
        }
        Ok(())
    }

    fn may_serve(&self, request: &ResourceRequest) -> Result<(), String> {
        if request.as_bundles().len() > 1 {
            return Err("a worker is on one host: a trial of several bundles can't have one".to_owned());
        }
        let gpus = Allocation::new(request, 1).gpus;
        let most = self.slots.iter().map(|slot| slot.gpus.len() as u64).max().unwrap_or(0);
        if gpus <= most { Ok(()) } else { Err(format!("no slot of the hosts has {gpus} GPUs: the most is {most}")) }
    }
}

fn running(id: String, name: String, says: String) -> LaunchListed {
    LaunchListed { id, name, state: LaunchState::Running, says, ends_in: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_hosts_is_read() {
        let ssh =
            Ssh::new("# mine\ngpu1 slots=2 gpus=0,1,2\n\nme@cpu2 X=1 # the old one\n").expect("it is well-formed");
        let slots: Vec<_> = ssh.slots.iter().map(|slot| (slot.host.as_str(), slot.gpus.clone())).collect();
        assert_eq!(slots, [("gpu1", vec![0, 2]), ("gpu1", vec![1]), ("me@cpu2", vec![])]);
        assert_eq!(ssh.slots[2].variables, [("X".to_owned(), "1".to_owned())]);
        for (text, why) in [
            ("", "there is no host in it"),
            ("\na slots=x", "line 2: `x` isn't a number of slots"),
            ("-oProxyCommand=id", "line 1: `-oProxyCommand=id` isn't a host"),
            ("a b;c=1", "line 1: `b;c` isn't the name of a variable"),
            ("a word", "line 1: `word` isn't NAME=VALUE"),
        ] {
            assert_eq!(Ssh::new(text).expect_err(text), why);
        }
    }
}
