//! The kinds of trouble that a run can have. The seed chooses which: a run that has all of them reaches other places than one
//! that has two (swarm testing, Groce et al. 2012).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::dice::Dice;

macro_rules! troubles {
    ($($trouble:ident $name:literal $doc:literal,)+) => {
        /// A kind of trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Trouble {
            $(#[doc = $doc] $trouble,)+
        }

        impl Trouble {
            /// All there are.
            pub const ALL: &'static [Trouble] = &[$(Trouble::$trouble,)+];

            /// Its name on a command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Trouble::$trouble => $name,)+
                }
            }
        }
    };
}

troubles! {
    Errors "errors" "Steps return errors.",
    Panics "panics" "Steps panic.",
    ProcessFaults "process-faults" "Steps end in all the ways in which a process can.",
    LostWorkers "lost-workers" "Workers are gone in the middle of a step.",
    Vanishing "vanishing" "Workers are gone right after they handed in a batch.",
    Hangs "hangs" "Steps never return.",
    Setups "setups" "Set-ups fail.",
    Resets "resets" "Workers can't be reset for the next trial.",
    Spawns "spawns" "Workers can't be had.",
    Saves "saves" "Checkpoints can't be written.",
    Restores "restores" "Checkpoints can't be loaded.",
    Wishes "wishes" "Trials ask for checkpoints.",
    Unsaving "unsaving" "The trainable has no checkpoints to give.",
    BrokenGpu "broken-gpu" "Every step on one of the GPUs fails.",
    WorkerLimits "worker-limits" "Workers end trials by limits of their own.",
    MissingMetrics "missing-metrics" "Reports lack the metric that counts.",
    StrangeNumbers "strange-numbers" "Metrics are NaN or infinite.",
    Ties "ties" "Many trials have the same results.",
    LateThreads "late-threads" "Workers that are to be killed come to the end of what they do.",
    Processes "processes" "Workers that are to be killed are gone at once.",
    Budgets "budgets" "Stop rules end trials and the run.",
    TimeLimits "time-limits" "The run's time is limited.",
    FailFast "fail-fast" "A failed trial ends the run.",
    Holds "holds" "The same error from several workers holds or ends the run.",
    FullStores "full-stores" "There is little room for checkpoints.",
    Stops "stops" "Clients stop trials.",
    Pauses "pauses" "Clients pause and resume trials.",
    Requests "requests" "Clients ask for checkpoints.",
    Additions "additions" "Clients add trials.",
    Priorities "priorities" "Clients change priorities.",
    Concurrency "concurrency" "Clients change how many trials may run at once.",
    Settings "settings" "Clients change how many trials there are to be, and how long the run may take.",
    Spaces "spaces" "Clients change the space.",
    Revivals "revivals" "Clients let trials go on that had ended.",
    StopAlls "stop-alls" "Clients end the run.",
    Drains "drains" "Clients drain the run.",
    Cuts "cuts" "The run is cut off, and resumed.",
    Compaction "compaction" "The journal is compacted before the run is resumed.",
    SlowJournals "slow-journals" "The journal is slow, can't be written for a while, or is waited for.",
    Resumptions "resumptions" "Resumed runs try failed trials again, restart or skip them, or extend finished ones.",
    Wrappers "wrappers" "Searchers stand inside others.",
    Elsewhere "elsewhere" "Workers join from elsewhere, late or never or another than was wanted, are taken away, and outlive the engine.",
    Reordering "reordering" "What is on its way at the same moment arrives in any order.",
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no trouble has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no trouble called `{name}`; there are {}", names())]
pub struct UnknownTrouble {
    name: String,
}

fn names() -> String {
    Trouble::ALL.iter().map(|trouble| trouble.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Trouble {
    type Err = UnknownTrouble;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Trouble::ALL.iter().find(|trouble| trouble.name() == text);
        known.copied().ok_or_else(|| UnknownTrouble { name: text.to_owned() })
    }
}

/// Which troubles a run has: none, few, or many.
pub(super) fn draw(seed: u64) -> BTreeSet<Trouble> {
    let mut dice = Dice::new(seed, "troubles");
    let share = dice.pick([0.05, 0.15, 0.3, 0.5]);
    let mut drawn: BTreeSet<Trouble> = Trouble::ALL.iter().copied().filter(|_| dice.chance(share)).collect();
    // Most of what ends a run early does so in few runs: the others would never see what comes later.
    for early in [Trouble::StopAlls, Trouble::FailFast, Trouble::TimeLimits, Trouble::Budgets] {
        if dice.chance(0.6) {
            drawn.remove(&early);
        }
    }
    if dice.chance(0.5) {
        drawn.insert(Trouble::Cuts);
    }
    drawn
}
