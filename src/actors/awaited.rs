//! Clients that wait for the effect of an order.

use actix::{Context, Handler, ResponseFuture};
use futures::channel::oneshot;

use super::controller::Controller;
use super::messages::{By, OrderAndWait};
use crate::logic::engine::{Awaited, Effect, OrderError};

/// Who waits, and for what.
#[derive(Default)]
pub(super) struct Waiters(Vec<(Awaited, oneshot::Sender<Effect>)>);

impl Controller {
    /// Answers those whose wait is over, and forgets those who have gone.
    pub(super) fn answer_waiters(&mut self) {
        if self.waiters.0.is_empty() {
            return;
        }
        for (awaited, waiter) in std::mem::take(&mut self.waiters.0) {
            match self.engine.effect(&awaited) {
                Some(effect) => drop(waiter.send(effect)),
                None if waiter.is_canceled() => {}
                None => self.waiters.0.push((awaited, waiter)),
            }
        }
    }
}

impl Handler<OrderAndWait> for Controller {
    type Result = ResponseFuture<Effect>;

    fn handle(&mut self, order: OrderAndWait, ctx: &mut Context<Self>) -> Self::Result {
        self.handle(By { by: None, order }, ctx)
    }
}

impl Handler<By<OrderAndWait>> for Controller {
    type Result = ResponseFuture<Effect>;

    fn handle(&mut self, asked: By<OrderAndWait>, ctx: &mut Context<Self>) -> Self::Result {
        let By { by, order: OrderAndWait(what, trial) } = asked;
        let (done, wait) = oneshot::channel();
        let ordered = self.attempt(ctx, |controller, ctx| {
            let awaited =
                controller.with_engine(ctx, |engine, now, out| engine.order_awaited(what, trial, by, now, out))?;
            controller.waiters.0.push((awaited, done));
            controller.answer_waiters();
            Ok(())
        });
        let refused = ordered.unwrap_or(Err(OrderError::Over));
        Box::pin(async move {
            refused?;
            wait.await.unwrap_or(Err(OrderError::Over))
        })
    }
}
