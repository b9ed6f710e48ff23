//! A client changes what is searched while the run goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::io::OrderError;
use super::ledger::{Ordered, SpaceChange};
use super::{Demand, Engine, EngineOutput};
use crate::logic::event::{AddedBy, Ending, EventKind};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::space::Space;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

impl Engine {
    /// Changes the values that are named. All parts are asked first: if one of them refuses, nothing has changed.
    pub(super) fn change_space(
        &mut self,
        changes: &Space,
        by: Option<Arc<str>>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<(), OrderError> {
        let before = self.ledger.run().space.clone().unwrap_or_default();
        let all = before.changes.merged(changes);
        self.check_changes(changes, &all).map_err(|why| OrderError::Space { why })?;
        let (version, changes) = (before.version.saturating_add(1), Arc::new(all));
        self.take_space(SpaceChange { version, changes, by }, now, out);
        Ok(())
    }

    /// Whether the values that are named are known, and whether the parts can take up all changes.
    fn check_changes(&self, changes: &Space, all: &Space) -> Result<(), String> {
        if changes.is_empty() {
            return Err("no value is named; give names and what each may be".to_owned());
        }
        if serde_json::to_value(changes).is_err() {
            return Err("a function of other values can't be written down".to_owned());
        }
        let searched = self.searcher.space_with(all)?;
        let copied = self.scheduler.ask(|part| part.space_with(all).map_err(|error| error_chain(&error)));
        let copied = copied.unwrap_or_else(|| Err("the scheduler has failed".to_owned()))?;
        let spaces: Vec<Space> = std::iter::once(searched).chain(copied).collect();
        let unknown = spaces.iter().map(|space| space.lacks(changes)).reduce(|one, other| &one & &other);
        match unknown.into_iter().flatten().next() {
            None => Ok(()),
            Some(name) => {
                let known: BTreeSet<&str> = spaces.iter().flat_map(Space::keys).collect();
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                Err(format!("`{name}` is not in the space; there are {known}"))
            }
        }
    }

    /// From here on this is the space.
    pub(super) fn take_space(&mut self, change: SpaceChange, now: Moment, out: &mut Vec<EngineOutput>) {
        let SpaceChange { version, changes, by } = change;
        self.commit(now, out, EventKind::SpaceChanged { version, changes: changes.clone(), by });
        self.tell_space(&changes);
        let open: Vec<TrialId> = self.ledger.open_trials().collect();
        open.into_iter().for_each(|trial| self.withdraw_if_outside(trial, now, out));
        self.ask_again();
    }

    /// There may be something to try again.
    pub(super) fn ask_again(&mut self) {
        if matches!(self.demand, Demand::Waits | Demand::Exhausted) && self.is_open() {
            self.demand = Demand::Open;
        }
    }

    fn tell_space(&mut self, changes: &Arc<Space>) {
        self.searcher.set_space(changes);
        self.scheduler.call(|scheduler| scheduler.set_space(changes));
    }

    /// Ends a trial that was suggested, hasn't begun, and isn't in the space.
    pub(super) fn withdraw_if_outside(&mut self, trial: TrialId, now: Moment, out: &mut Vec<EngineOutput>) {
        let Some(record) = self.ledger.get(trial).filter(|_| self.is_fresh(trial)) else { return };
        let outside = self.ledger.run().space.as_ref().and_then(|space| space.changes.shuts_out(&record.config));
        if let Some(outside) = outside {
            let reason = format!("the space was changed before it began: {outside}");
            self.end_trial(trial, Ending::Withdrawn, Some(reason.into()), now, out);
        }
    }

    /// Whether the searcher suggested a trial that hasn't begun, and nobody has said anything of it.
    pub(super) fn is_fresh(&self, trial: TrialId) -> bool {
        let Some((record, plan)) = self.ledger.get(trial).zip(self.ledger.plan(trial)) else { return false };
        let fresh = record.status == Status::Pending && record.started.is_none() && record.attempts == 1;
        let untouched = plan.ordered == Ordered::Nothing && plan.exploit.is_none();
        let waits = self.ledger.live(trial).is_some_and(|live| live.lease.is_none());
        record.by == AddedBy::Searcher && fresh && untouched && waits
    }

    /// Whether this end of a trial was decided, and hasn't come.
    pub(super) fn is_going(&self, trial: TrialId, ending: Ending) -> bool {
        self.ledger.plan(trial).is_some_and(|plan| plan.ordered == Ordered::End(ending))
    }

    /// What an earlier session's parts were told. Parts whose states were taken up know it. The program may have another space by
    /// now, in which it means nothing.
    pub(super) fn replay_space(&mut self, changes: &Arc<Space>) {
        let restored = self.replayed.restored;
        if !restored.searcher && self.searcher.space_with(changes).is_ok() {
            self.searcher.set_space(changes);
        }
        let takes = self.scheduler.ask(|part| part.space_with(changes).is_ok()).unwrap_or(false);
        if !restored.scheduler && takes {
            self.scheduler.call(|scheduler| scheduler.set_space(changes));
        }
    }
}
