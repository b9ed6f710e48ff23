//! A campaign: very many random runs of everything there is, in virtual time, each held to what this crate promises.
//!
//! A seed says what a run is: its scheduler, searcher, stop rule and settings, which kinds of [trouble](Trouble) it has, what
//! clients ask for, and where it is cut off, compacted and resumed. Each run has two parts: first whatever may go wrong goes
//! wrong, and nothing may be said twice, lost or forgotten; then the trouble ends, and everything must come to its end.
//!
//! | file | what it does |
//! |---|---|
//! | `parts`, `schedulers` | who takes part |
//! | `trouble` | what can go wrong |
//! | `plan` | what a run is to be, from its seed |
//! | `rig` | its engine, pool, trials and script |
//! | `run` | plays it, session after session |
//! | `past` | what a session leaves for the next: the journal |
//! | `promises` | what it is held to |
//! | `shrink` | makes a run that broke a promise smaller |
//!
//! ```
//! use tryout::prelude::*;
//! use tryout::testing::campaign::Campaign;
//!
//! // A scheduler of one's own, with everything else that there is.
//! let campaign = Campaign::new(1).runs(20).scheduler("Mine", |setup| Box::new(Asha::new().max_t(setup.longest)));
//! let summary = campaign.only("Mine")?.run(|_| true);
//! assert_eq!(summary.broken, None);
//! # Ok::<(), tryout::testing::campaign::UnknownName>(())
//! ```

mod dice;
mod parts;
mod past;
mod plan;
mod promises;
mod rig;
mod run;
mod schedulers;
mod shrink;
mod trouble;

use std::fmt;

pub use parts::Setup;
pub use plan::Limits;
pub use promises::{Promise, UnknownPromise};
pub use trouble::{Trouble, UnknownTrouble};

use parts::{Named, Parts};
use plan::Plan;
use run::play;

use crate::logic::schedule::Scheduler;
use crate::logic::search::Searcher;
use crate::testing::{Reached, Topic};

/// Very many random runs.
#[derive(Clone)]
pub struct Campaign {
    seed: u64,
    runs: u64,
    only: Option<String>,
    limits: Limits,
    except: Vec<Promise>,
    parts: Parts,
}

impl fmt::Debug for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Campaign").field("seed", &self.seed).field("runs", &self.runs).finish_non_exhaustive()
    }
}

/// What a campaign did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Runs that were played to their ends.
    pub runs: u64,
    /// Their sessions.
    pub sessions: u64,
    /// Messages between engine, pool, trials and workers in all of them.
    pub messages: u64,
    /// What they reached, and how often.
    pub reached: Reached,
    /// The first promise that was broken; the campaign ended with it.
    pub broken: Option<BrokenPromise>,
}

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenPromise {
    /// The seed of the run: a campaign of one run from this seed plays it again.
    pub seed: u64,
    /// Which promise.
    pub promise: Promise,
    /// How it was broken.
    pub what: String,
    /// A smaller run of the same seed that breaks the same promise.
    pub smaller: Limits,
    /// How the smaller run breaks it.
    pub smaller_what: String,
    /// Who took part in it.
    pub parts: Vec<String>,
    /// What went wrong in the smaller run.
    pub troubles: Vec<Trouble>,
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, promise, what, smaller, smaller_what, parts, troubles } = self;
        writeln!(f, "the promise `{promise}` was broken: {what}")?;
        writeln!(f, "  to play it again: --seed {seed} --runs 1")?;
        writeln!(f, "  made smaller:     --seed {seed} --runs 1{smaller}")?;
        writeln!(f, "  which says:       {smaller_what}")?;
        writeln!(f, "  of:               {}", parts.join(", "))?;
        let troubles: Vec<&str> = troubles.iter().map(|trouble| trouble.name()).collect();
        write!(
            f,
            "  with:             {}",
            if troubles.is_empty() { "no trouble".to_owned() } else { troubles.join(", ") }
        )
    }
}

/// A name that nothing has that takes part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing that takes part is called `{name}`; there are {}", known.join(", "))]
pub struct UnknownName {
    name: String,
    known: Vec<String>,
}

impl Campaign {
    /// Runs of the seeds from this one on; a thousand by default.
    pub fn new(seed: u64) -> Self {
        let (limits, parts) = (Limits::default(), Parts::bundled());
        Self { seed, runs: 1_000, only: None, limits, except: Vec::new(), parts }
    }

    /// So many of them.
    #[must_use]
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = runs;
        self
    }

    /// Runs smaller than their seeds say.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Doesn't hold runs to this promise.
    #[must_use]
    pub fn except(mut self, promise: Promise) -> Self {
        self.except.push(promise);
        self
    }

    /// Lets a scheduler take part, beside those that are bundled. It gets an objective called `loss`, which is to be small.
    #[must_use]
    pub fn scheduler(
        mut self,
        name: &str,
        make: impl Fn(&Setup) -> Box<dyn Scheduler> + Send + Sync + 'static,
    ) -> Self {
        self.parts.schedulers.push(Named { pauses: true, ..Named::new(name, move |setup| Ok(make(setup))) });
        self
    }

    /// Lets a searcher take part, beside those that are bundled. What it suggests has an `x` between 0 and 1, which the
    /// results follow.
    #[must_use]
    pub fn searcher(mut self, name: &str, make: impl Fn(&Setup) -> Box<dyn Searcher> + Send + Sync + 'static) -> Self {
        self.parts.searchers.push(Named::new(name, move |setup| Ok(make(setup))));
        self
    }

    /// Only runs in which the scheduler, searcher, wrapper, stop rule or trouble of this name takes part. Seeds of other runs
    /// are passed over.
    ///
    /// # Errors
    /// If there is none.
    pub fn only(mut self, name: &str) -> Result<Self, UnknownName> {
        let known = self.names();
        match known.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => self.only = Some(known.clone()),
            None => return Err(UnknownName { name: name.to_owned(), known }),
        }
        Ok(self)
    }

    /// The names of all that can take part.
    pub fn names(&self) -> Vec<String> {
        let schedulers = self.parts.schedulers.iter().map(|part| part.name.clone());
        let searchers = self.parts.searchers.iter().map(|part| part.name.clone());
        let rules = self.parts.rules.iter().map(|part| part.name.clone());
        let wrappers = parts::Wrapper::ALL.iter().map(|wrapper| format!("{wrapper:?}"));
        let troubles = Trouble::ALL.iter().map(|trouble| trouble.name().to_owned());
        schedulers.chain(searchers).chain(wrappers).chain(rules).chain(troubles).collect()
    }

    fn wants(&self, plan: &Plan) -> bool {
        let Some(only) = &self.only else { return true };
        plan.troubles.iter().any(|trouble| trouble.name() == only) || plan.names(&self.parts).contains(only)
    }

    /// Plays the runs until one breaks a promise, or all are played, or `go_on`, which is asked before each with what has been
    /// done by then, says no.
    pub fn run(&self, mut go_on: impl FnMut(&Summary) -> bool) -> Summary {
        let mut summary = Summary::default();
        let mut seed = self.seed;
        while summary.runs < self.runs && go_on(&summary) {
            let plan = Plan::new(seed, &self.parts, &self.limits);
            if self.wants(&plan) {
                if let Some(broken) = self.one(&plan, &mut summary) {
                    summary.broken = Some(broken);
                    break;
                }
                summary.runs += 1;
            }
            seed = seed.wrapping_add(1);
        }
        summary
    }

    fn one(&self, plan: &Plan, summary: &mut Summary) -> Option<BrokenPromise> {
        let names = plan.names(&self.parts);
        names.iter().for_each(|name| summary.reached.add_named(Topic::Part, name, 1));
        plan.troubles.iter().for_each(|trouble| summary.reached.add_named(Topic::Trouble, trouble.name(), 1));
        match play(plan, &self.parts, &self.except, &mut summary.reached) {
            Ok(played) => {
                summary.sessions += played.sessions;
                summary.messages += played.messages;
                None
            }
            Err(broken) => {
                let (promise, what) = (broken.promise, broken.what.clone());
                let (smaller, broken) = shrink::shrink(plan.seed, &self.limits, &self.parts, &self.except, broken);
                let plan = Plan::new(plan.seed, &self.parts, &smaller);
                let (parts, troubles) = (plan.names(&self.parts), plan.troubles.iter().copied().collect());
                let smaller_what = broken.what;
                Some(BrokenPromise { seed: plan.seed, promise, what, smaller, smaller_what, parts, troubles })
            }
        }
    }
}
