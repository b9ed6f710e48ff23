//! What there is to run on and what trials need of it, both of which clients may change while the run goes on.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::io::OrderError;
use super::ledger::Ordered;
use super::{Engine, EngineOutput};
use crate::logic::config::Config;
use crate::logic::event::{EventKind, PausedBy, ResumedBy};
use crate::logic::ids::TrialId;
use crate::logic::pool::{Infeasible, ResourceRequest, Resources};
use crate::logic::time::Moment;

impl Engine {
    /// All there is to run on: what a client said last, else what the session began with.
    pub fn total(&self) -> &Resources {
        self.ledger.run().resources.as_ref().unwrap_or(&self.settings.total)
    }

    /// How many trials may be made that have no worker yet: what a client said last, else what the settings say.
    pub(super) fn staged(&self) -> usize {
        self.ledger.run().staged.map_or(self.settings.staged, NonZeroU32::get) as usize
    }

    /// What a trial with this configuration needs.
    pub(super) fn request_for(&mut self, config: &Config) -> Result<Arc<ResourceRequest>, String> {
        let request = (self.settings.request)(config)?;
        self.feasible(&request).map_err(|why| why.to_string())?;
        Ok(request)
    }

    /// Whether a request could be met if nothing were in use. Most trials share one.
    fn feasible(&mut self, request: &Arc<ResourceRequest>) -> Result<(), Infeasible> {
        if !self.settings.elsewhere && !self.fits.as_ref().is_some_and(|fits| Arc::ptr_eq(fits, request)) {
            self.total().feasible(request)?;
            self.fits = Some(request.clone());
        }
        Ok(())
    }

    /// Changes what there is to run on.
    pub(super) fn rescale(
        &mut self,
        total: Resources,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<(), OrderError> {
        (self.settings.check_total)(&total)?;
        let mut fits: Option<&Arc<ResourceRequest>> = None;
        let open = self.ledger.open_trials().filter(|_| !self.settings.elsewhere);
        for trial in open {
            let Some(plan) = self.ledger.plan(trial) else { continue };
            if !fits.is_some_and(|fits| Arc::ptr_eq(fits, &plan.request)) {
                total.feasible(&plan.request).map_err(|why| OrderError::Hopeless { trial, why })?;
                fits = Some(&plan.request);
            }
        }
        self.fits = None;
        self.commit(now, out, EventKind::Rescaled { total: total.clone() });
        out.push(EngineOutput::Resize(total));
        Ok(())
    }

    /// Gives a trial other resources. One that is at work, or about to be, leaves its worker and comes back.
    pub(super) fn change_request(
        &mut self,
        trial: TrialId,
        request: Arc<ResourceRequest>,
        now: Moment,
        out: &mut Vec<EngineOutput>,
    ) -> Result<(), OrderError> {
        self.feasible(&request).map_err(|why| OrderError::Hopeless { trial, why })?;
        let Some(plan) = self.ledger.plan(trial).filter(|plan| plan.request != request) else { return Ok(()) };
        let leaves = plan.launched && plan.ordered == Ordered::Nothing && !self.has_last_step(trial);
        if leaves {
            self.pause_trial(trial, PausedBy::Client, Some("it is given other resources".into()), now, out);
        }
        self.commit(now, out, EventKind::Resized { trial, request });
        if leaves {
            self.unpause(trial, ResumedBy::Client, now, out)?;
            self.scheduler.call(|scheduler| scheduler.on_resume(trial));
        }
        Ok(())
    }
}
