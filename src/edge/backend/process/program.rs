//! The program that is run, its arguments and its environment.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

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

/// Which GPUs are seen, by the variables that CUDA and ROCm read.
const GPUS: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"];

impl Program {
    /// A path that is relative is one from here, wherever the process works later.
    pub(super) fn new(path: &OsStr) -> Self {
        Self {
            path: if Path::new(path).components().count() > 1 { from_here(path) } else { path.to_owned() },
            arguments: Vec::new(),
            environment: Environment::default(),
            added: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// The last words of its name.
    pub(super) fn name(&self) -> String {
        Path::new(&self.path).file_name().unwrap_or(&self.path).to_string_lossy().into_owned()
    }

    /// What depends on the slot in a process's environment.
    pub(super) fn of_slot(&self, slot: &Slot) -> Vec<(OsString, OsString)> {
        of_slot(slot).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// A command with its environment, and no arguments yet. What is added by hand goes before what the lease says.
    pub(super) fn command(&self, slot: &Slot) -> Command {
        let mut command = Command::new(&self.path);
        if self.environment == Environment::Empty {
            command.env_clear();
        }
        command.envs(of_slot(slot));
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

/// What a slot says to the libraries of a process. One without GPUs says nothing of them: the experiment doesn't count any.
fn of_slot(slot: &Slot) -> impl Iterator<Item = (&'static str, String)> {
    let (cpus, gpus) = (cpus(slot).to_string(), gpus(slot));
    let seen = gpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let gpus = GPUS.iter().filter(move |_| !gpus.is_empty()).map(move |name| (*name, seen.clone()));
    THREADS.iter().map(move |name| (*name, cpus.clone())).chain(gpus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pool::Resources;

    fn slot(cpus: f64, gpus: &[u32]) -> Slot {
        let bundle = Resources::new().with("cpu", cpus).expect("cpus");
        Slot { bundles: vec![bundle], gpus: vec![gpus.to_vec()] }
    }

    #[test]
    fn a_slot_says_how_many_threads_and_which_gpus() {
        let said: Vec<_> = of_slot(&slot(1.5, &[3, 5])).collect();
        assert!(said.contains(&("OMP_NUM_THREADS", "2".to_owned())), "{said:?}");
        assert!(said.contains(&("CUDA_VISIBLE_DEVICES", "3,5".to_owned())), "{said:?}");
        assert!(of_slot(&slot(0.5, &[])).all(|(name, value)| THREADS.contains(&name) && value == "1"));
    }

    #[test]
    fn a_relative_path_is_one_from_here_but_a_bare_name_is_looked_for() {
        assert_eq!(Program::new(OsStr::new("python")).path, "python");
        assert!(Path::new(&Program::new(OsStr::new("./worker")).path).is_absolute());
    }
}
