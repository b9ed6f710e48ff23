//! Which GPUs this process sees, by the environment that it inherited, and what a worker process inherits of them.
//!
//! An index of the run counts what this process sees. `CUDA_VISIBLE_DEVICES` holds for CUDA. `HIP_VISIBLE_DEVICES` holds for HIP,
//! which takes CUDA's variable if it has none of its own. `ROCR_VISIBLE_DEVICES` holds for all of ROCm below HIP, whose variable
//! then counts what that one leaves. A list ends at its first entry that is none, as CUDA reads it. Entries are indices, or
//! names of GPUs (`GPU-...`) and of parts of them (`MIG-...`), which are handed on as they are.

use std::fs;

use crate::logic::pool::{PoolError, Resources};

const CUDA: &str = "CUDA_VISIBLE_DEVICES";
const HIP: &str = "HIP_VISIBLE_DEVICES";
const ROCR: &str = "ROCR_VISIBLE_DEVICES";

/// What hides all GPUs. An empty list doesn't: HIP takes it for none.
#[cfg(all(feature = "process", unix))]
const NONE: &str = "-1";

/// A list of GPUs that was inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
struct List {
    variable: &'static str,
    value: String,
    entries: Vec<String>,
}

/// The lists that this process inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VisibleGpus {
    cuda: Option<List>,
    hip: Option<List>,
    rocr: Option<List>,
}

impl VisibleGpus {
    /// Reads them.
    pub(crate) fn inherited() -> Self {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn read(variable: impl Fn(&'static str) -> Option<String>) -> Self {
        let list = |name| variable(name).map(|value| List::new(name, value));
        Self { cuda: list(CUDA), hip: list(HIP), rocr: list(ROCR) }
    }

    /// How many this process sees: as many as it inherited, else as many as the machine is known to have.
    pub(crate) fn count(&self) -> u32 {
        match self.longest() {
            Some(list) => u32::try_from(list.entries.len()).unwrap_or(u32::MAX),
            None => on_this_machine(),
        }
    }

    fn longest(&self) -> Option<&List> {
        // Those of the other maker may be left over from somewhere: the longest is the one that is meant.
        [&self.cuda, &self.hip, &self.rocr].into_iter().flatten().max_by_key(|list| list.entries.len())
    }

    /// Whether this process sees all GPUs that there are to run on. Where nothing was inherited, it sees what the machine has.
    ///
    /// # Errors
    /// If it doesn't: the first that it doesn't see, and which variable says so.
    pub(crate) fn check(&self, total: &Resources) -> Result<(), PoolError> {
        let Some(longest) = self.longest() else { return Ok(()) };
        match total.gpus().into_iter().find(|&index| index as usize >= longest.entries.len()) {
            None => Ok(()),
            Some(index) => {
                let variable = format!("{}={}", longest.variable, longest.value);
                Err(PoolError::UnseenGpu { index, variable, seen: longest.entries.len() })
            }
        }
    }
}

/// The GPUs that drivers show as files: `/dev/nvidia0`, or nodes of AMD's driver that compute and aren't processors.
fn on_this_machine() -> u32 {
    let names = |path: &str| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let number = |name: &String| name.strip_prefix("nvidia").is_some_and(|rest| rest.parse::<u32>().is_ok());
    let nvidia = names("/dev").iter().filter(|name| number(name)).count();
    let nodes = "/sys/class/kfd/kfd/topology/nodes";
    let computes = |node: &String| {
        let id = fs::read_to_string(format!("{nodes}/{node}/gpu_id")).unwrap_or_default();
        id.trim().parse::<u64>().is_ok_and(|id| id > 0)
    };
    let found = if nvidia > 0 { nvidia } else { names(nodes).iter().filter(|node| computes(node)).count() };
    u32::try_from(found).unwrap_or(u32::MAX)
}

impl List {
    fn new(variable: &'static str, value: String) -> Self {
        let is_entry = |entry: &&str| !entry.is_empty() && !entry.starts_with('-') && *entry != "NoDevFiles";
        let entries = value.split(',').map(str::trim).take_while(is_entry).map(str::to_owned).collect();
        Self { variable, value, entries }
    }
}

#[cfg(all(feature = "process", unix))]
impl VisibleGpus {
    /// The variables of a process that is to see these GPUs and no others; none of them: none at all.
    pub(crate) fn variables(&self, gpus: &[u32]) -> Vec<(&'static str, String)> {
        if gpus.is_empty() {
            return [CUDA, HIP, ROCR].map(|variable| (variable, NONE.to_owned())).to_vec();
        }
        let cuda = self.names(gpus);
        let Some(rocr) = &self.rocr else {
            let hip = self.hip.as_ref().map_or_else(|| cuda.clone(), |hip| named(gpus, hip));
            return vec![(CUDA, joined(&cuda)), (HIP, joined(&hip))];
        };
        let hip = self.hip.as_ref().map_or_else(|| numbers(gpus), |hip| named(gpus, hip));
        // A name is one for ROCm too, whatever it counts.
        let below = |entry: &String| match entry.parse() {
            Ok(index) => named(&[index], rocr).pop(),
            Err(_) => Some(entry.clone()),
        };
        let seen: Vec<String> = hip.iter().filter_map(below).collect();
        let counted: Vec<String> = (0..seen.len()).map(|index| index.to_string()).collect();
        vec![(CUDA, joined(&cuda)), (HIP, joined(&counted)), (ROCR, joined(&seen))]
    }

    /// The names of these GPUs, for people and for programs that are told of them.
    pub(crate) fn names(&self, gpus: &[u32]) -> Vec<String> {
        self.cuda.as_ref().map_or_else(|| numbers(gpus), |cuda| named(gpus, cuda))
    }
}

#[cfg(all(feature = "process", unix))]
fn numbers(gpus: &[u32]) -> Vec<String> {
    gpus.iter().map(u32::to_string).collect()
}

#[cfg(all(feature = "process", unix))]
fn named(gpus: &[u32], list: &List) -> Vec<String> {
    gpus.iter().filter_map(|&index| list.entries.get(index as usize).cloned()).collect()
}

#[cfg(all(feature = "process", unix))]
fn joined(entries: &[String]) -> String {
    if entries.is_empty() { NONE.to_owned() } else { entries.join(",") }
}

#[cfg(all(test, feature = "process", unix))]
mod tests {
    use super::*;

    fn inherited(lists: &[(&'static str, &str)]) -> VisibleGpus {
        VisibleGpus::read(|name| lists.iter().find(|(list, _)| *list == name).map(|(_, value)| (*value).to_owned()))
    }

    fn variables(lists: &[(&'static str, &str)], gpus: &[u32]) -> Vec<(&'static str, String)> {
        inherited(lists).variables(gpus)
    }

    fn are(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        expected.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    #[test]
    fn where_nothing_was_inherited_an_index_is_the_machines() {
        assert_eq!(variables(&[], &[0, 2]), are(&[(CUDA, "0,2"), (HIP, "0,2")]));
    }

    #[test]
    fn an_index_counts_what_was_inherited() {
        assert_eq!(variables(&[(CUDA, "4,5")], &[1]), are(&[(CUDA, "5"), (HIP, "5")]));
        assert_eq!(variables(&[(HIP, "6, 7")], &[0, 1]), are(&[(CUDA, "0,1"), (HIP, "6,7")]));
        let names = [(CUDA, "GPU-8932f937,MIG-9f1c-1/0")];
        assert_eq!(variables(&names, &[1]), are(&[(CUDA, "MIG-9f1c-1/0"), (HIP, "MIG-9f1c-1/0")]));
    }

    #[test]
    fn what_rocm_hides_hip_counts_anew() {
        let both = |gpus: &[u32]| variables(&[(ROCR, "4,5,6"), (HIP, "2,0")], gpus);
        assert_eq!(both(&[0]), are(&[(CUDA, "0"), (HIP, "0"), (ROCR, "6")]));
        assert_eq!(both(&[0, 1]), are(&[(CUDA, "0,1"), (HIP, "0,1"), (ROCR, "6,4")]));
        let cluster = [(ROCR, "4,5"), (CUDA, "4,5")];
        assert_eq!(variables(&cluster, &[1]), are(&[(CUDA, "5"), (HIP, "0"), (ROCR, "5")]));
    }

    #[test]
    fn without_a_gpu_none_is_seen() {
        assert_eq!(variables(&[(CUDA, "4,5")], &[]), are(&[(CUDA, "-1"), (HIP, "-1"), (ROCR, "-1")]));
    }

    #[test]
    fn what_is_not_seen_is_refused_with_its_reason() {
        let gpus = |indices: &[u32]| Resources::new().with_gpus(indices.iter().copied());
        let seen = inherited(&[(CUDA, "4,5,-1,6"), (HIP, "")]);
        assert_eq!(seen.check(&gpus(&[0, 1])), Ok(()));
        let refused = seen.check(&gpus(&[1, 2])).map_err(|error| error.to_string());
        let expected = "GPU 2 isn't there for this process: it inherited CUDA_VISIBLE_DEVICES=4,5,-1,6, which leaves 2 to be \
                        seen, counted from 0";
        assert_eq!(refused, Err(expected.to_owned()));
        assert!(inherited(&[(CUDA, "")]).check(&gpus(&[0])).is_err());
        assert_eq!(inherited(&[]).check(&gpus(&[7])), Ok(()));
        assert_eq!(inherited(&[(CUDA, "")]).check(&Resources::cpus(2)), Ok(()));
    }
}
