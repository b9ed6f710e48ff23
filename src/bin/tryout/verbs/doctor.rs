//! `tryout doctor`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use serde_json::{Map, Value, json};

use super::Problem;
use super::table::clean;

/// Says what this machine offers to trials: cores, memory, GPUs, Python, the file system, limits.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Where runs are to lie.
    #[arg(long, default_value = "runs")]
    dir: PathBuf,
    /// Asks the engine of this join file, too, whether this machine could join its run: the port, TLS, the token, the clock, the files.
    #[arg(long, value_name = "FILE")]
    join: Option<PathBuf>,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let joined = self.join.as_deref().map(joins).transpose()?;
        let reached = joined.as_ref().is_none_or(|(_, reached)| *reached);
        let mut findings = vec![
            ("tryout", Some(json!(env!("CARGO_PKG_VERSION")))),
            ("cores", std::thread::available_parallelism().ok().map(|cores| json!(cores.get()))),
            ("memory", memory().map(Value::from)),
            ("memory limit", line("/sys/fs/cgroup/memory.max").filter(|most| most != "max").map(Value::from)),
            ("gpus", Some(gpus())),
            ("python", said("python3", &["--version"]).map(Value::from)),
            ("ray for python", said("python3", &["-c", "import ray; print(ray.__version__)"]).map(Value::from)),
            ("shell", Path::new("/bin/sh").exists().then(|| json!("/bin/sh"))),
            ("directory", Some(json!(self.dir))),
            ("writable", Some(json!(writable(&self.dir)))),
            ("file system", file_system(&self.dir).map(Value::from)),
            ("open files", limit("Max open files").map(Value::from)),
            ("processes", limit("Max processes").map(Value::from)),
        ];
        findings.extend(joined.into_iter().flat_map(|(found, _)| found));
        let code = if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let mut out = std::io::stdout().lock();
        if self.json {
            let object: Map<String, Value> =
                findings.into_iter().map(|(name, value)| (name.replace(' ', "_"), value.unwrap_or_default())).collect();
            writeln!(out, "{}", Value::Object(object))?;
            return Ok(code);
        }
        for (name, value) in &findings {
            let value = match value {
                None => "none".to_owned(),
                Some(Value::String(text)) => clean(text),
                Some(other) => other.to_string(),
            };
            writeln!(out, "{name:14}  {value}")?;
        }
        let missing = |name| findings.iter().any(|(known, value)| *known == name && value.is_none());
        if missing("python") {
            writeln!(out, "there is no `python3` in PATH: workers in Python can't run")?;
        }
        if missing("shell") {
            writeln!(out, "there is no `/bin/sh`: trials can't run in processes")?;
        }
        Ok(code)
    }
}

/// Whether this machine could join a run, and whether the engine is reached.
fn joins(file: &Path) -> Result<(Vec<(&'static str, Option<Value>)>, bool), Problem> {
    let found = tryout::remote::probe(file).map_err(|error| Problem::given(&error))?;
    let address = |(address, reached): &(String, Result<(), String>)| match reached {
        Ok(()) => format!("{address}: the engine, TLS and token are right"),
        Err(why) => format!("{address}: {why}"),
    };
    let reached = found.addresses.iter().any(|(_, reached)| reached.is_ok());
    let words: Vec<String> = found.addresses.iter().map(address).collect();
    let files = found.sees_files.map(|sees| match sees {
        true => "seen from here: checkpoints are written there",
        false => "not seen from here: checkpoints go over the connection",
    });
    let findings = vec![
        ("run", Some(json!(found.run))),
        ("engine", Some(json!(words))),
        ("run's directory", files.map(Value::from)),
        ("clock ahead", found.clock_ahead.map(|ahead| json!(format!("{ahead:.2} s")))),
    ];
    Ok((findings, reached))
}

fn line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// As in `16 GiB, 9.1 GiB of it free`.
fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let gib = |name: &str| {
        let kib: f64 =
            text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()?;
        Some(kib / f64::from(1 << 20))
    };
    Some(format!("{:.1} GiB, {:.1} GiB of it available", gib("MemTotal:")?, gib("MemAvailable:")?))
}

/// What a driver says of its GPUs.
fn gpus() -> Value {
    let nvidia = said("nvidia-smi", &["--query-gpu=name,memory.total", "--format=csv,noheader"]);
    let names: Vec<String> = nvidia.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    json!(names)
}

/// What a program prints, if it is there and ends well.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The directory, or the nearest one above it that is there.
fn nearest(dir: &Path) -> PathBuf {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn writable(dir: &Path) -> bool {
    rustix::fs::access(nearest(dir), rustix::fs::Access::WRITE_OK).is_ok()
}

/// The type of the file system that a directory is on. Locks and journals want a local one.
fn file_system(dir: &Path) -> Option<String> {
    let dir = nearest(dir).canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    });
    let over = mounts.filter(|(at, _)| dir.starts_with(at));
    over.max_by_key(|(at, _)| at.len()).map(|(at, kind)| match kind.as_str() {
        "nfs" | "nfs4" | "cifs" | "fuse.sshfs" => format!("{kind} at {at}: runs are safer on a local one"),
        _ => format!("{kind} at {at}"),
    })
}

fn limit(name: &str) -> Option<String> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let words = limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.to_owned();
    Some(words)
}
