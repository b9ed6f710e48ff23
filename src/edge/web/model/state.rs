//! All that is known of a run: the engine's own ledger, told of what was recorded, and what follows from it for views.

use std::collections::HashSet;

use super::decisions::Decisions;
use super::rows::Rows;
use super::timeline::Timeline;
use super::views::LiveChange;
use crate::logic::engine::{Ledger, Onlooker, Overview, ReplayError, RunRecord};
use crate::logic::event::{Closing, Ending, EventKind, ExperimentEvent, PausedBy};
use crate::logic::ids::TrialId;
use crate::logic::journal::{Opened, Record};
use crate::logic::metrics::Objective;
use crate::logic::settings::{LiveSetting, OrCode, Settings};
use crate::logic::spec::PartSpec;
use crate::logic::time::Moment;
use crate::logic::trial::Status;
use crate::logic::{schedule, search};

/// Where a record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In a snapshot, which has left things out, and the times of others.
    Snapshot,
    /// Among the lines that were written as it happened, or it was heard as it happened.
    Lines,
}

/// A run, as far as it was read.
#[derive(Debug)]
pub(super) struct State {
    /// How the last session began.
    pub(super) opened: Opened,
    /// When the first one did, in seconds since 1970.
    pub(super) began: f64,
    onlooker: Onlooker,
    /// How far it was read.
    pub(super) position: u64,
    /// What has changed can be said from here on.
    pub(super) since: u64,
    pub(super) rows: Rows,
    pub(super) decisions: Decisions,
    pub(super) timeline: Timeline,
    /// What clients changed.
    pub(super) edits: Vec<LiveChange>,
    /// When each copy was made, in their order: the trial, the place in its lineage, and the moment if it is known.
    pub(super) copies: Vec<(u32, usize, Option<Moment>)>,
    /// The names of all metrics, in the order in which they first came.
    pub(super) metrics: Vec<String>,
    known: HashSet<String>,
    /// What counts, all of it.
    pub(super) objectives: Vec<Objective>,
    /// Whether a scheduler stopped or paused a trial.
    pub(super) halted: bool,
    /// How the run will have ended, once that was decided.
    pub(super) ending: Option<Closing>,
    /// Whether a snapshot has left things out.
    compacted: bool,
    /// So many events weren't heard.
    pub(super) missed: u64,
}

impl State {
    /// Of a run whose first record this is.
    pub(super) fn new(opened: Opened) -> Self {
        let mut state = Self {
            began: opened.wall_clock,
            onlooker: Onlooker::new(opened.run),
            opened: opened.clone(),
            position: 0,
            since: 0,
            rows: Rows::default(),
            decisions: Decisions::default(),
            timeline: Timeline::default(),
            edits: Vec::new(),
            copies: Vec::new(),
            metrics: Vec::new(),
            known: HashSet::new(),
            objectives: Vec::new(),
            halted: false,
            ending: None,
            compacted: false,
            missed: 0,
        };
        state.open(opened);
        state
    }

    /// Of a run of which all this is known, and no more of what was before.
    pub(super) fn mounted(overview: Overview, began: f64) -> Self {
        let Overview { now, opened, run, trials, workers } = overview;
        let id = opened.run;
        let mut state = Self::new(Opened { wall_clock: began, ..opened });
        state.edits_of(&run);
        state.onlooker = Onlooker::of(id, run, trials);
        for record in state.onlooker.ledger().iter() {
            let number = record.id.number();
            state.rows.touch(record, 0);
            state.halted |= record.ending == Some(Ending::Scheduler) || record.status == Status::Paused;
            state.copies.extend((0..record.lineage.len()).map(|place| (number, place, None)));
            for (name, _) in record.stats.iter().filter(|(name, _)| !state.known.contains(*name)) {
                state.metrics.push(name.to_owned());
            }
            state.known.extend(state.metrics.iter().skip(state.known.len()).cloned());
        }
        workers.into_iter().for_each(|(trial, worker)| state.timeline.found(trial, worker, now));
        state
    }

    pub(super) fn ledger(&self) -> &Ledger {
        self.onlooker.ledger()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.opened.settings
    }

    /// What counts first.
    pub(super) fn objective(&self) -> Option<&Objective> {
        self.settings().objective.as_ref()
    }

    pub(super) fn trial_id(&self, number: u32) -> TrialId {
        TrialId::new(self.opened.run, number)
    }

    /// Whether a snapshot has left out what happened before.
    pub(super) fn is_compacted(&self) -> bool {
        self.compacted
    }

    /// Everything so far was there before anybody asked: what has changed is said from here on.
    pub(super) fn read_up_to(&mut self, position: u64) {
        (self.position, self.since) = (position, position);
    }

    /// Takes one more record, with which it was read up to `position`.
    pub(super) fn hear(&mut self, record: Record, position: u64, origin: Origin) -> Result<(), ReplayError> {
        match record {
            Record::Opened(opened) => {
                self.onlooker.hear(Record::Opened(opened.clone()))?;
                self.open(opened);
            }
            Record::Step(events) => {
                events.iter().try_for_each(|event| self.onlooker.event(event))?;
                self.after(&events, position, origin);
            }
            Record::Trial(_) | Record::Facts(_) => {
                let number = match &record {
                    Record::Trial(stored) => stored.trial,
                    Record::Facts(facts) => facts.trial,
                    _ => 0,
                };
                self.onlooker.hear(record)?;
                self.stored(number, position);
            }
            Record::Run(run) => {
                self.compacted |= origin == Origin::Snapshot;
                self.edits_of(&run);
                self.onlooker.hear(Record::Run(run))?;
            }
            Record::Parts(_) => self.compacted |= origin == Origin::Snapshot,
            Record::Turn(_) | Record::Observer(_) | Record::Mark(_) | Record::Fresh => self.onlooker.hear(record)?,
        }
        self.position = self.position.max(position);
        Ok(())
    }

    /// A session begins.
    fn open(&mut self, opened: Opened) {
        let now = self.ledger().run().now;
        if opened.session > 1 {
            self.timeline.session(now);
            self.decisions.add(now, None, format!("session {} begins", opened.session), None);
        }
        let objective = opened.settings.objective.clone();
        self.objectives.clear();
        for found in objective.iter().cloned().chain(others(&opened.settings)) {
            if !self.objectives.iter().any(|known| known.metric == found.metric) {
                self.objectives.push(found);
            }
        }
        self.opened = opened;
        self.ending = None;
        self.rows.judge_by(objective, self.onlooker.ledger());
    }

    /// A trial of a snapshot is known.
    fn stored(&mut self, number: u32, position: u64) {
        let ledger = self.onlooker.ledger();
        let Some(record) = ledger.get(TrialId::new(self.opened.run, number)) else { return };
        self.rows.touch(record, position);
        self.halted |= record.ending == Some(Ending::Scheduler) || record.status == Status::Paused;
        if let Some((ending, ended)) = record.ending.zip(record.ended) {
            let (what, why) = (super::words::of_ending(ending), record.reason.clone());
            self.decisions.add(ended, Some(number), what, why.map(|why| why.into_owned().into()));
        }
    }

    /// The ledger has taken these events: what follows from them for views.
    fn after(&mut self, events: &[ExperimentEvent], position: u64, origin: Origin) {
        for event in events {
            if let Some(record) = event.kind.trial().and_then(|trial| self.onlooker.ledger().get(trial)) {
                self.rows.touch(record, position);
            }
            self.note(event, origin);
            self.decisions.hear(event, self.onlooker.ledger());
            self.timeline.hear(event);
        }
        if self.timeline.has_new_gaps() {
            let why =
                super::words::why_idle(self.onlooker.ledger(), self.opened.settings.concurrency, self.ending.is_some());
            self.timeline.explain(&why);
        }
    }

    fn note(&mut self, event: &ExperimentEvent, origin: Origin) {
        let timed = !(self.compacted && origin == Origin::Snapshot);
        match &event.kind {
            EventKind::Reported { report } => {
                for (name, _) in report.metrics.iter().filter(|(name, _)| !self.known.contains(name.as_ref())) {
                    self.metrics.push(name.to_string());
                }
                if self.metrics.len() > self.known.len() {
                    self.known.extend(self.metrics.iter().cloned());
                }
            }
            EventKind::Exploited { trial, .. } => {
                let place = self.onlooker.ledger().get(*trial).map_or(0, |record| record.lineage.len());
                self.copies.push((trial.number(), place.saturating_sub(1), timed.then_some(event.at)));
            }
            EventKind::Closing { closing } => self.ending = Some(closing.clone()),
            EventKind::Stopping { ending: Ending::Scheduler, .. }
            | EventKind::Paused { by: PausedBy::Scheduler, .. } => self.halted = true,
            EventKind::Finished { .. } => self.ending = None,
            _ => {}
        }
        self.edits.extend(super::words::edit(event));
    }

    /// What a snapshot says that clients had changed by then.
    fn edits_of(&mut self, run: &RunRecord) {
        if !self.edits.is_empty() {
            return;
        }
        let at = run.now;
        let limited = run.limited.map(|most| EventKind::Limited { concurrency: std::num::NonZeroU32::new(most) });
        let rescaled = run.resources.clone().map(|total| EventKind::Rescaled { total });
        let staged = run.staged.map(|most| EventKind::Staged { most });
        let space = run.space.clone().map(|space| EventKind::SpaceChanged {
            version: space.version,
            changes: space.changes,
            by: space.by,
        });
        let set = |setting: &LiveSetting| EventKind::SettingChanged { setting: setting.clone(), by: None };
        let kinds = limited.into_iter().chain(rescaled).chain(staged).chain(space).chain(run.settings.iter().map(set));
        self.edits.extend(kinds.filter_map(|kind| super::words::edit(&ExperimentEvent { at, kind })));
    }

    /// Some events weren't heard: what they said isn't known.
    pub(super) fn miss(&mut self, events: u64) {
        self.missed += events;
    }
}

/// What searcher and scheduler judge by, as far as they are data.
fn others(settings: &Settings) -> Vec<Objective> {
    let searcher = settings.searcher.as_ref().and_then(OrCode::data).and_then(|spec| search::from_spec(spec).ok());
    let scheduler = settings.scheduler.data().and_then(|spec: &PartSpec| schedule::from_spec(spec).ok());
    let searched = searcher.map(|part| part.objectives().to_vec()).unwrap_or_default();
    let scheduled = scheduler.map(|part| part.objectives().to_vec()).unwrap_or_default();
    searched.into_iter().chain(scheduled).collect()
}
