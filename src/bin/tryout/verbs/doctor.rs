//! `tryout doctor`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::table::clean;
use super::{Problem, json_line};

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

/// With `--json`: what this machine offers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    /// The version of this program.
    tryout: &'static str,
    cores: Option<usize>,
    memory: Option<String>,
    /// How many bytes this program's group may use, if that is limited.
    memory_limit: Option<String>,
    gpus: Vec<String>,
    /// What `python3 --version` says.
    python: Option<String>,
    /// The version of Ray that `python3` can import.
    ray_for_python: Option<String>,
    shell: Option<&'static str>,
    /// Where runs are to lie.
    directory: PathBuf,
    /// Whether this user can write there.
    writable: bool,
    file_system: Option<String>,
    /// How many files a process may open.
    open_files: Option<String>,
    /// How many processes this user may have.
    processes: Option<String>,
    /// What was found of the run to join.
    #[serde(flatten)]
    joins: Option<Joins>,
}

/// What was found of a run to join.
#[derive(Serialize, JsonSchema)]
struct Joins {
    run: String,
    /// Each address of the engine, and whether it answers there.
    engine: Vec<String>,
    /// Whether the run's files are seen from here.
    #[serde(rename = "run's_directory")]
    directory: Option<&'static str>,
    /// By how much the engine's clock is ahead.
    clock_ahead: Option<String>,
}

impl Found {
    /// As people read it; `_` stands for a blank.
    const NAMES: [&str; 17] = [
        "tryout",
        "cores",
        "memory",
        "memory_limit",
        "gpus",
        "python",
        "ray_for_python",
        "shell",
        "directory",
        "writable",
        "file_system",
        "open_files",
        "processes",
        "run",
        "engine",
        "run's_directory",
        "clock_ahead",
    ];

    fn look(dir: PathBuf, joins: Option<Joins>) -> Self {
        Self {
            tryout: env!("CARGO_PKG_VERSION"),
            cores: std::thread::available_parallelism().ok().map(usize::from),
            memory: memory(),
            memory_limit: line("/sys/fs/cgroup/memory.max").filter(|most| most != "max"),
            gpus: gpus(),
            python: said("python3", &["--version"]),
            ray_for_python: said("python3", &["-c", "import ray; print(ray.__version__)"]),
            shell: Path::new("/bin/sh").exists().then_some("/bin/sh"),
            writable: writable(&dir),
            file_system: file_system(&dir),
            directory: dir,
            open_files: limit("Max open files"),
            processes: limit("Max processes"),
            joins,
        }
    }
}

impl Doctor {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let (joins, reached) = self.join.as_deref().map(joins).transpose()?.unzip();
        let code = if reached.unwrap_or(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let found = Found::look(self.dir, joins);
        let mut out = std::io::stdout().lock();
        if self.json {
            json_line(&mut out, &found)?;
            return Ok(code);
        }
        let values = serde_json::to_value(&found)?;
        for (name, value) in Found::NAMES.iter().filter_map(|name| Some((name, values.get(name)?))) {
            let value = match value {
                Value::Null => "none".to_owned(),
                Value::String(text) => clean(text),
                other => other.to_string(),
            };
            writeln!(out, "{:14}  {value}", name.replace('_', " "))?;
        }
        if found.python.is_none() {
            writeln!(out, "there is no `python3` in PATH: workers in Python can't run")?;
        }
        if found.shell.is_none() {
            writeln!(out, "there is no `/bin/sh`: trials can't run in processes")?;
        }
        Ok(code)
    }
}

/// Whether this machine could join a run, and whether the engine is reached.
fn joins(file: &Path) -> Result<(Joins, bool), Problem> {
    let found = tryout::remote::probe(file).map_err(|error| Problem::given(&error))?;
    let address = |(address, reached): &(String, Result<(), String>)| match reached {
        Ok(()) => format!("{address}: the engine, TLS and token are right"),
        Err(why) => format!("{address}: {why}"),
    };
    let reached = found.addresses.iter().any(|(_, reached)| reached.is_ok());
    let directory = found.sees_files.map(|sees| match sees {
        true => "seen from here: checkpoints are written there",
        false => "not seen from here: checkpoints go over the connection",
    });
    let joins = Joins {
        engine: found.addresses.iter().map(address).collect(),
        run: found.run,
        directory,
        clock_ahead: found.clock_ahead.map(|ahead| format!("{ahead:.2} s")),
    };
    Ok((joins, reached))
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
fn gpus() -> Vec<String> {
    let nvidia = said("nvidia-smi", &["--query-gpu=name,memory.total", "--format=csv,noheader"]);
    nvidia.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
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
