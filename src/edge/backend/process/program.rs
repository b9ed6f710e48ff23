//! The program that is run, its arguments and its environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::edge::gpus::VisibleGpus;
use crate::logic::pool::Slot;

/// What a process knows of its engine's environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// All of it, and what is added.
    #[default]
    Inherited,
    /// Only what is added.
    Empty,
}

/// A program with its arguments and its environment.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Environment,
    pub(super) added: Vec<(OsString, OsString)>,
    pub(super) removed: Vec<OsString>,
    visible: VisibleGpus,
}

/// Whether the run counts GPUs, so that a worker without one must see none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GpusCounted {
    Yes,
    No,
}

/// How many threads numerical libraries start, by the variables that they read.
const THREADS: [&str; 6] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
];

/// Whether a program is there and may be run; what has no path is a part of the shell, and there as well.
const SEEK: &str = r#"p=$(command -v -- "$1") || exit 1; case $p in /*) [ -f "$p" ] && [ -x "$p" ];; esac"#;

impl Program {
    /// A path that is relative is one from here, wherever the process works later.
    pub(super) fn new(path: &OsStr) -> Self {
        Self {
            path: if Path::new(path).components().count() > 1 { from_here(path) } else { path.to_owned() },
            arguments: Vec::new(),
            environment: Environment::default(),
            added: Vec::new(),
            removed: Vec::new(),
            visible: VisibleGpus::inherited(),
        }
    }

    /// The last words of its name.
    pub(super) fn name(&self) -> String {
        Path::new(&self.path).file_name().unwrap_or(&self.path).to_string_lossy().into_owned()
    }

    /// The program and its arguments.
    pub(super) fn words(&self) -> Vec<OsString> {
        std::iter::once(&self.path).chain(&self.arguments).cloned().collect()
    }

    /// What depends on the slot in a process's environment. A slot without GPUs says nothing of them where none are counted.
    pub(super) fn of_slot(&self, slot: &Slot, counted: GpusCounted) -> Vec<(OsString, OsString)> {
        let (cpus, gpus) = (cpus(slot).to_string(), gpus(slot));
        let threads = THREADS.iter().map(|name| (*name, cpus.clone()));
        let seen = match (gpus.as_slice(), counted) {
            ([], GpusCounted::No) => Vec::new(),
            (gpus, _) => self.visible.variables(gpus),
        };
        threads.chain(seen).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// The GPUs of a slot, as they are named in the environment that was inherited.
    pub(super) fn gpu_names(&self, slot: &Slot) -> Vec<String> {
        self.visible.names(&gpus(slot))
    }

    /// Whether it is there and may be run: the shell looks for it where the system will. If there is no shell, nobody knows.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut shell = self.with_environment(OsStr::new("/bin/sh"), &Slot::default(), GpusCounted::No);
        shell.args(["-c", SEEK, "sh"]).arg(&self.path).stdout(Stdio::null()).stderr(Stdio::null());
        shell.stdin(Stdio::null());
        match shell.status() {
            Ok(status) if !status.success() => {
                let name = self.path.to_string_lossy();
                Err(format!(
                    "the program `{name}` isn't there, or may not be run: give its path, or a name that is in `PATH`"
                ))
            }
            _ => Ok(()),
        }
    }

    /// A command with its environment, and no arguments yet.
    pub(super) fn command(&self, slot: &Slot, counted: GpusCounted) -> Command {
        self.with_environment(&self.path, slot, counted)
    }

    /// What is added by hand goes before what the lease says.
    fn with_environment(&self, program: &OsStr, slot: &Slot, counted: GpusCounted) -> Command {
        let mut command = Command::new(program);
        if self.environment == Environment::Empty {
            command.env_clear();
        }
        command.envs(self.of_slot(slot, counted));
        self.removed.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.added.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A path as it is from the root of the file system.
pub(super) fn from_here(path: impl AsRef<Path>) -> OsString {
    std::path::absolute(&path).map_or_else(|_| path.as_ref().into(), OsString::from)
}

/// How many cpus a slot has, rounded up; at least 1.
fn cpus(slot: &Slot) -> u64 {
    let cpus: f64 = slot.bundles.iter().map(|bundle| bundle.get("cpu").as_f64()).sum();
    (cpus.ceil() as u64).max(1)
}

/// All GPUs of a slot, each once.
pub(super) fn gpus(slot: &Slot) -> Vec<u32> {
    let mut gpus: Vec<u32> = slot.gpus.iter().flatten().copied().collect();
    gpus.sort_unstable();
    gpus.dedup();
    gpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pool::Resources;

    #[test]
    fn a_slot_says_how_many_threads_and_which_gpus() {
        let program = Program { visible: VisibleGpus::default(), ..Program::new(OsStr::new("work")) };
        let said = |cpus: f64, gpus: &[u32], counted| {
            let bundle = Resources::new().with("cpu", cpus);
            let said = program.of_slot(&Slot { bundles: vec![bundle], gpus: vec![gpus.to_vec()] }, counted);
            move |name: &str| {
                said.iter().find(|(said, _)| said == name).and_then(|(_, value)| value.to_str().map(str::to_owned))
            }
        };
        let two = said(1.5, &[3, 5], GpusCounted::Yes);
        assert_eq!(two("OMP_NUM_THREADS").as_deref(), Some("2"));
        assert_eq!(two("CUDA_VISIBLE_DEVICES").as_deref(), Some("3,5"));
        let none = said(0.5, &[], GpusCounted::No);
        assert_eq!((none("OMP_NUM_THREADS").as_deref(), none("CUDA_VISIBLE_DEVICES")), (Some("1"), None));
        assert_eq!(said(1.0, &[], GpusCounted::Yes)("CUDA_VISIBLE_DEVICES").as_deref(), Some("-1"));
    }

    #[test]
    fn a_relative_path_is_one_from_here_but_a_bare_name_is_looked_for() {
        assert_eq!(Program::new(OsStr::new("python")).path, "python");
        assert!(Path::new(&Program::new(OsStr::new("./worker")).path).is_absolute());
    }
}
