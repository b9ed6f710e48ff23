//! Who asks, and the orders themselves.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Control;
use crate::actors::messages::{By, Drain, Order, OrderAndWait};
use crate::error::ControlError;
use crate::logic::api::{GivenTrial, Next, TrialEnd};
use crate::logic::checkpoint::Checkpoint;
use crate::logic::engine::{ClientOrder, WaitFor};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::metrics::Metrics;
use crate::ports::control::{GivesTrials, Unheard};

impl Control {
    /// The same run, asked by somebody who is known: each order that is accepted is in the journal with this name, as the event `asked`.
    ///
    /// ```no_run
    /// # use tryout::prelude::*;
    /// # async fn example(run: Control, trial: TrialId) -> Result<(), ControlError> {
    /// run.by("ann").stop_trial(trial).await
    /// # }
    /// ```
    #[must_use]
    pub fn by(&self, who: impl Into<Arc<str>>) -> Control {
        Control { by: Some(who.into()), ..self.clone() }
    }

    fn signed<M>(&self, order: M) -> By<M> {
        By { by: self.by.clone(), order }
    }

    /// Gives any order.
    ///
    /// # Errors
    /// If the run is over, or the order can't be carried out; then nothing has changed.
    pub async fn order(&self, order: ClientOrder) -> Result<Option<TrialId>, ControlError> {
        Ok(self.controller.send(self.signed(Order(order))).await??)
    }

    pub(super) async fn order_and_wait(
        &self,
        what: WaitFor,
        trial: TrialId,
    ) -> Result<Option<Arc<Checkpoint>>, ControlError> {
        let checkpoint = self.controller.send(self.signed(OrderAndWait(what, trial))).await??;
        // A crash from here on doesn't lose it.
        self.sync().await?;
        Ok(checkpoint)
    }

    /// Saves and pauses all running trials within this time, then ends the run: for a host's own shutdown.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn drain(&self, within: Duration) -> Result<(), ControlError> {
        Ok(self.controller.send(self.signed(Drain(within))).await??)
    }

    /// A trial to work on, of a run that [gives its trials to whoever asks](crate::backend::ask_tell): it is lost once nothing has been
    /// heard of it for as long as `lease`. None if there is none within `wait`.
    ///
    /// # Errors
    /// If the run is over, so that there will be none any more, or runs its trials itself.
    pub async fn ask(&self, lease: Duration, wait: Duration) -> Result<Option<GivenTrial>, ControlError> {
        let by = self.by.clone().unwrap_or_else(|| "somebody in the run's own process".into());
        self.gives()?.ask(by, lease, wait).await.map_err(unheard)
    }

    /// A report, an end, or both, of a trial that was [asked](Self::ask) for; with neither: that somebody still works on it. What is to
    /// follow is known when the run has judged it.
    ///
    /// # Errors
    /// If the run is over, or the lease is.
    pub async fn tell(
        &self,
        lease: LeaseId,
        metrics: Option<Metrics>,
        end: Option<TrialEnd>,
    ) -> Result<Next, ControlError> {
        self.gives()?.tell(lease, metrics, end).await.map_err(unheard)
    }

    fn gives(&self) -> Result<&Arc<dyn GivesTrials>, ControlError> {
        self.about.gives.as_ref().ok_or_else(|| ControlError::NotTaken {
            why: "this run works on its trials itself: one whose trials others work on is made with `ask_tell`"
                .to_owned(),
        })
    }
}

fn unheard(why: Unheard) -> ControlError {
    match why {
        Unheard::Over => ControlError::Over,
        Unheard::Refused(why) => ControlError::NotTaken { why },
    }
}
