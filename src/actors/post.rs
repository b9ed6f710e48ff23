//! The one way a message is sent.

use actix::Recipient;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

/// Posts a message. A mailbox that is closed belongs to an actor that has ended, to which nothing matters any more; it
/// is said in the log, so that nothing is dropped in silence.
pub(super) fn post<M>(to: &Recipient<M>, message: M)
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

/// [`post`] to an actor whose type is known.
pub(super) fn post_to<A, M>(to: &Addr<A>, message: M)
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
