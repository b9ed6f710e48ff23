//! A user's panic as a value, with its words and its place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::task::Poll;

use crate::logic::failure::{FailureKind, Fault};
use crate::ports::error::{TrialError, Unsupported};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The place of a panic is known to the panic hook alone. Ours passes everything on to the hook before it, except for
/// panics inside [`contain`], which become failures and are reported as such.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CONTAINED.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
}

fn panicked(payload: &(dyn Any + Send)) -> Fault {
    let message = crate::logic::engine::panic_message(payload);
    Fault { place: PLACE.take(), ..Fault::new(FailureKind::Panic, message) }
}

/// Calls a user's code; an error is a fault of `kind`, a panic one of its own.
pub(super) fn contain<T>(kind: FailureKind, call: impl FnOnce() -> Result<T, TrialError>) -> Result<T, Fault> {
    install_hook();
    let before = CONTAINED.replace(true);
    let answer = catch_unwind(AssertUnwindSafe(call));
    CONTAINED.set(before);
    match answer {
        Ok(answer) => answer.map_err(|error| Fault::new(kind, error.to_string())),
        Err(payload) => Err(panicked(payload.as_ref())),
    }
}

/// The async form of [`contain`]: every poll is contained, and nothing else that runs on the same thread.
pub(super) async fn contain_async<T>(
    kind: FailureKind,
    call: impl Future<Output = Result<T, TrialError>>,
) -> Result<T, Fault> {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(move |context| match contain(kind, || Ok(call.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(answer.map_err(|error| Fault::new(kind, error.to_string()))),
        Err(fault) => Poll::Ready(Err(fault)),
    })
    .await
}

/// The trainable, which a worker has from its start on.
pub(super) fn present<T>(trainable: &mut Option<T>) -> Result<&mut T, Fault> {
    trainable.as_mut().ok_or_else(|| Fault::new(FailureKind::WorkerLost, "the worker has no trainable"))
}

/// Whether a method that an author may leave out is there.
pub(super) fn supported(answer: Result<(), TrialError>) -> Result<bool, TrialError> {
    match answer {
        Err(error) if error.downcast_ref::<Unsupported>().is_some() => Ok(false),
        answer => answer.map(|()| true),
    }
}
