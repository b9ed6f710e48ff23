//! What a run is to be, drawn from its seed alone: who takes part, what goes wrong, and when it is cut off.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::dice::Dice;
use super::parts::{Parts, Setup, Wrapper};
use super::trouble::{self, Trouble};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::engine::{ClientOrder, OnResume, Resume};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::limit::{OnLimit, TimeLimit};
use crate::logic::search::Samples;
use crate::logic::settings::LiveSetting;
use crate::logic::space::{Space, choice, grid, int, uniform};
use crate::logic::spec::PartSpec;
use crate::logic::time::Moment;

pub(super) const RUN: RunId = RunId::new(7);

/// A run that is smaller than its seed says: what was left out of it. By default nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// At most so many trials.
    pub trials: Option<u64>,
    /// At most so many iterations of each trial.
    pub iterations: Option<u64>,
    /// None of these troubles.
    pub without: BTreeSet<Trouble>,
    /// The sessions are cut off after so many messages, the trouble of the last one ends then, and there are no more of
    /// them than this.
    pub cuts: Option<Vec<u64>>,
}

impl Limits {
    /// A run of at most so many trials.
    #[must_use]
    pub fn trials(mut self, trials: u64) -> Self {
        self.trials = Some(trials);
        self
    }

    /// Trials of at most so many iterations.
    #[must_use]
    pub fn iterations(mut self, iterations: u64) -> Self {
        self.iterations = Some(iterations);
        self
    }

    /// A run without this trouble.
    #[must_use]
    pub fn without(mut self, trouble: Trouble) -> Self {
        self.without.insert(trouble);
        self
    }

    /// A run whose sessions are cut off after so many messages each.
    #[must_use]
    pub fn cuts(mut self, cuts: Vec<u64>) -> Self {
        self.cuts = Some(cuts);
        self
    }
}

impl std::fmt::Display for Limits {
    /// As flags of the example `campaign`, each with a blank before it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(trials) = self.trials {
            write!(f, " --trials {trials}")?;
        }
        if let Some(iterations) = self.iterations {
            write!(f, " --iterations {iterations}")?;
        }
        if let Some(cuts) = &self.cuts {
            write!(f, " --cuts {}", cuts.iter().map(u64::to_string).collect::<Vec<_>>().join(","))?;
        }
        if !self.without.is_empty() {
            write!(f, " --without {}", self.without.iter().map(|it| it.name()).collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }
}

/// One session of a run, and how it is taken up again.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// After so many messages it is cut off.
    pub(super) cut: u64,
    /// Whether the journal is compacted before the next session, and whether with the states of the parts.
    pub(super) compact: Option<PartsKept>,
    pub(super) resume: Resume,
    /// What clients say, and when.
    pub(super) orders: Vec<(Duration, ClientOrder)>,
}

/// What a snapshot has of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsKept {
    States,
    Nothing,
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) troubles: BTreeSet<Trouble>,
    /// Its parts, by their places in [`Parts`].
    pub(super) scheduler: usize,
    pub(super) searcher: usize,
    pub(super) rule: Option<usize>,
    pub(super) wrappers: Vec<Wrapper>,
    pub(super) trials: u64,
    pub(super) iterations: u64,
    /// Those before the last.
    pub(super) sessions: Vec<Session>,
    /// What clients say in the last one, and when its trouble ends.
    pub(super) last: Session,
    /// Nothing goes wrong: a run that is cut off must end like one that isn't.
    pub(super) calm: bool,
}

impl Plan {
    pub(super) fn new(seed: u64, parts: &Parts, limits: &Limits) -> Self {
        let mut dice = Dice::new(seed, "plan");
        let calm = dice.chance(0.15);
        let mut troubles = trouble::draw(seed);
        let scheduler = dice.below(parts.schedulers.len() as u64) as usize;
        let searcher = dice.below(parts.searchers.len() as u64) as usize;
        let rule = dice.below(parts.rules.len() as u64) as usize;
        let trials = dice.pick([2, 3, 5, 8, 12]).min(limits.trials.unwrap_or(u64::MAX)).max(1);
        let iterations = dice.between(1, 8).min(limits.iterations.unwrap_or(u64::MAX)).max(1);
        // What is learnt, and who is paused for whom, depends on the order of the results, and that on who runs when.
        let calm = calm
            && parts.schedulers.get(scheduler).is_some_and(|part| part.steady)
            && parts.searchers.get(searcher).is_some_and(|part| !part.learns);
        if calm {
            troubles = [Trouble::Cuts, Trouble::Compaction].into();
        }
        if parts.schedulers.get(scheduler).is_none_or(|scheduler| scheduler.pauses) {
            // What can't be saved begins anew after each pause, for ever: that is the trainable's doing.
            troubles.remove(&Trouble::Unsaving);
        }
        troubles.retain(|trouble| !limits.without.contains(trouble));
        let mut all: Vec<Session> = (0..4).map(|index| session(seed, index, &troubles)).collect();
        let count = if troubles.contains(&Trouble::Cuts) { dice.between(2, 4) } else { 1 };
        all.truncate(limits.cuts.as_ref().map_or(count as usize, Vec::len).max(1));
        all.iter_mut().zip(limits.cuts.iter().flatten()).for_each(|(session, cut)| session.cut = (*cut).max(1));
        let last = all.pop().unwrap_or_else(|| session(seed, 0, &troubles));
        let rule = troubles.contains(&Trouble::Budgets).then_some(rule);
        let mut wrappers = if troubles.contains(&Trouble::Wrappers) { wrappers(seed) } else { Vec::new() };
        let base = parts.searchers.get(searcher);
        wrappers.retain(|wrapper| match wrapper {
            Wrapper::Within => base.is_some_and(|base| base.in_space),
            Wrapper::WarmStart => base.is_some_and(|base| base.learns),
            _ => true,
        });
        Self { seed, troubles, scheduler, searcher, rule, wrappers, trials, iterations, sessions: all, last, calm }
    }

    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    pub(super) fn setup(&self) -> Setup {
        Setup { seed: self.seed, longest: self.iterations, trials: self.trials }
    }

    /// Its parts by their names, and its troubles.
    pub(super) fn names(&self, parts: &Parts) -> Vec<String> {
        let scheduler = parts.schedulers.get(self.scheduler).map(|part| part.name.clone());
        let searcher = parts.searchers.get(self.searcher).map(|part| part.name.clone());
        let rule = self.rule.and_then(|rule| parts.rules.get(rule)).map(|part| part.name.clone());
        let wrappers = self.wrappers.iter().map(|wrapper| format!("{wrapper:?}"));
        scheduler.into_iter().chain(searcher).chain(wrappers).chain(rule).collect()
    }
}

fn wrappers(seed: u64) -> Vec<Wrapper> {
    let mut dice = Dice::new(seed, "wrappers");
    let share = dice.pick([0.2, 0.4]);
    let mut chosen: Vec<Wrapper> = Wrapper::ALL.into_iter().filter(|_| dice.chance(share)).collect();
    // In any order, but that a space is held against what a searcher itself suggests.
    let turn = dice.below(chosen.len().max(1) as u64) as usize;
    chosen.rotate_left(turn);
    // And nothing is distinct any more that is repeated.
    chosen.sort_by_key(|wrapper| match wrapper {
        Wrapper::Within => 0,
        Wrapper::Distinct => 1,
        _ => 2,
    });
    chosen
}

fn session(seed: u64, index: u64, troubles: &BTreeSet<Trouble>) -> Session {
    let mut dice = Dice::new(seed, ["first", "second", "third", "fourth"][index as usize % 4]);
    // The first message is that it begins.
    let most = dice.pick([40, 150, 400, 1_000]);
    let cut = dice.between(1, most);
    let kept = if dice.chance(0.5) { PartsKept::States } else { PartsKept::Nothing };
    let compact = dice.chance(0.7);
    let resume = dice.below(6);
    let has = |trouble| troubles.contains(&trouble);
    Session {
        cut,
        compact: (compact && has(Trouble::Compaction)).then_some(kept),
        resume: if has(Trouble::Resumptions) { resumption(resume) } else { Resume::new() },
        orders: orders(seed ^ index, troubles),
    }
}

fn resumption(kind: u64) -> Resume {
    let resume = Resume::new();
    match kind {
        0 => resume.errored(OnResume::Resume),
        1 => resume.errored(OnResume::Restart),
        2 => resume.unfinished(OnResume::Restart),
        3 => resume.unfinished(OnResume::Skip).errored(OnResume::Resume),
        4 => resume.extend(),
        _ => resume.finished(OnResume::Resume),
    }
}

/// What clients say in a session.
fn orders(seed: u64, troubles: &BTreeSet<Trouble>) -> Vec<(Duration, ClientOrder)> {
    let mut dice = Dice::new(seed, "orders");
    let mut all = Vec::new();
    for trouble in Trouble::ALL.iter().filter(|trouble| is_order(**trouble)) {
        // Whether or not it is wanted: what is drawn for one kind is the same with and without another.
        let mut dice = Dice::new(dice.bits(), trouble.name());
        let count = if matches!(trouble, Trouble::Drains | Trouble::StopAlls) { 1 } else { dice.between(1, 4) };
        if !troubles.contains(trouble) {
            continue;
        }
        for _ in 0..count {
            let at = Duration::from_millis(dice.below(15_000));
            all.push((at, order(*trouble, &mut dice)));
        }
    }
    all
}

/// What a client makes of the space that is searched: it may be refused.
fn changes(dice: &mut Dice) -> Space {
    let (low, width) = (dice.share() * 0.6, 0.05 + dice.share());
    let (least, most) = (dice.small(0, 8), dice.small(1, 12));
    let kinds = dice.pick([vec!["a"], vec!["c", "b"], vec!["b", "a", "d"], vec!["d", "c", "b", "a"]]);
    let sides = dice.pick([vec!["left"], vec!["right", "left", "middle"], vec!["up", "left", "right"]]);
    let mut changes = Space::new();
    if dice.chance(0.7) {
        changes = changes.with("x", uniform(low, low + width));
    }
    if dice.chance(0.3) {
        changes = changes.with("n", int(i64::from(least), i64::from(least + most)));
    }
    if dice.chance(0.3) {
        changes = changes.with("kind", choice(kinds));
    }
    // Few spaces have that.
    if dice.chance(0.1) { changes.with("side", grid(sides)) } else { changes }
}

fn setting(dice: &mut Dice) -> LiveSetting {
    let after = Duration::from_secs(dice.between(1, 40));
    let then = dice.pick([OnLimit::FinishStep, OnLimit::SaveThenStop, OnLimit::Kill]);
    let samples = Samples::Finite(dice.between(1, 16));
    let rule = |limit: u64| PartSpec { kind: "iterations".into(), settings: serde_json::json!({ "limit": limit }) };
    match dice.below(10) {
        0 => LiveSetting::TimeLimit(Some(TimeLimit { after, then })),
        1 => LiveSetting::TimeLimit(None),
        2 => LiveSetting::Samples(None),
        3 => LiveSetting::Stop(None),
        4 => LiveSetting::Stop(Some(vec![rule(dice.between(1, 12))])),
        _ => LiveSetting::Samples(Some(samples)),
    }
}

fn is_order(trouble: Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Stops
            | Trouble::Pauses
            | Trouble::Requests
            | Trouble::Additions
            | Trouble::Priorities
            | Trouble::Concurrency
            | Trouble::Spaces
            | Trouble::Settings
            | Trouble::Revivals
            | Trouble::StopAlls
            | Trouble::Drains
            | Trouble::Holds
    )
}

fn order(trouble: Trouble, dice: &mut Dice) -> ClientOrder {
    let trial = TrialId::new(RUN, dice.small(0, 11));
    match trouble {
        Trouble::Stops => ClientOrder::Stop(trial),
        Trouble::Pauses if dice.chance(0.3) => ClientOrder::Resume(trial),
        Trouble::Pauses => ClientOrder::Pause(trial),
        Trouble::Requests => ClientOrder::Save(trial),
        Trouble::Additions => {
            let config = Config::new().with("x", dice.share()).with("n", dice.below(9)).with("kind", "b");
            let checkpoint = CheckpointId { trial, index: dice.small(0, 3) };
            if dice.chance(0.4) { ClientOrder::AddFrom(config, checkpoint) } else { ClientOrder::Add(config) }
        }
        Trouble::Priorities => ClientOrder::Prioritise(trial, dice.small(0, 6) as i32 - 3),
        Trouble::Concurrency => ClientOrder::Concurrency(NonZeroU32::new(dice.small(0, 3))),
        Trouble::Settings => ClientOrder::Set { setting: setting(dice), by: Some("somebody".into()) },
        Trouble::Spaces => ClientOrder::SetSpace { changes: changes(dice), by: None },
        Trouble::Revivals => ClientOrder::Revive(trial),
        Trouble::StopAlls => ClientOrder::StopAll,
        Trouble::Drains => ClientOrder::Drain { by: Moment::new(Duration::from_secs(dice.below(20))) },
        _ => ClientOrder::Proceed,
    }
}
