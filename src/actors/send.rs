//! The one way a message is sent.

use actix::Recipient;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

use super::messages::ToController;
use crate::logic::event::{EventKind, WorkerChange};
use crate::logic::ids::WorkerId;
use crate::logic::one_line::OneLine;

/// Sends a message. A closed mailbox belongs to an actor that has ended, to which nothing matters any more; the log says
/// so, at its finest level.
pub(super) fn send<M>(to: &Recipient<M>, message: M)
where
    M: Message + Send,
    M::Result: Send,
{
    if to.connected() {
        to.do_send(message);
    } else {
        log::trace!("a {} came after its actor's end", std::any::type_name::<M>());
    }
}

/// [`send`] to an actor whose type is known.
pub(super) fn send_to<A, M>(to: &Addr<A>, message: M)
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    if to.connected() {
        to.do_send(message);
    } else {
        log::trace!("a {} came after its actor's end", std::any::type_name::<M>());
    }
}

/// Tells observers, and whoever reads the log, what happened to a worker.
pub(super) fn tell_of_worker(controller: &Recipient<ToController>, worker: WorkerId, change: WorkerChange) {
    log::debug!("worker {worker} {}", OneLine(&change));
    send(controller, ToController::Noticed(EventKind::Worker { worker, change }));
}
