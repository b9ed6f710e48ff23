//! Who asks, and the orders themselves.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Control;
use crate::actors::messages::{By, Drain, Order, OrderAndWait};
use crate::error::ControlError;
use crate::logic::checkpoint::Checkpoint;
use crate::logic::engine::{ClientOrder, WaitFor};
use crate::logic::ids::TrialId;

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
}
