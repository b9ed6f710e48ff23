//! A user's panic as a value, with its words and its place.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::task::Poll;

use crate::logic::failure::{FailureKind, Fault, Original};
use crate::ports::error::{NotExported, NotSaved, TrialError, Unsupported};

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

/// Calls code that isn't ours. A panic is a fault, whatever else is wrong with what it throws.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    install_hook();
    let before = CONTAINED.replace(true);
    let answer = catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = crate::logic::engine::panic_message(payload.as_ref());
        let place = PLACE.take();
        // What was thrown can panic when it is dropped, and so can what that throws.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(another);
        }
        Fault { place, ..Fault::new(FailureKind::Panic, message) }
    });
    CONTAINED.set(before);
    answer
}

/// Calls code that isn't ours and answers with a fault of its own; a panic is one of another kind.
pub(super) fn contain_fault<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    guarded(call).and_then(|answer| answer)
}

/// Calls a user's code; an error is a fault of `kind`, a panic one of its own.
pub(super) fn contain<T>(kind: FailureKind, call: impl FnOnce() -> Result<T, TrialError>) -> Result<T, Fault> {
    guarded(call)?.map_err(|error| in_words(kind, error))
}

/// An error in its own words, which are a user's code as well.
fn in_words(kind: FailureKind, error: TrialError) -> Fault {
    if let Some(NotSaved(message)) = error.downcast_ref() {
        return Fault::new(FailureKind::SaveFailed, message);
    }
    if let Some(NotExported(message)) = error.downcast_ref() {
        return Fault::new(FailureKind::ExportFailed, message);
    }
    let words = guarded(|| error.to_string());
    let original = Original::new(error.into_inner());
    words.map_or_else(|panicked| panicked, |message| Fault { original, ..Fault::new(kind, message) })
}

/// The async form of [`contain`]: every poll is contained, and nothing else that runs on the same thread.
pub(super) async fn contain_async<T>(
    kind: FailureKind,
    call: impl Future<Output = Result<T, TrialError>>,
) -> Result<T, Fault> {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(move |context| match guarded(|| call.as_mut().poll(context)) {
        Ok(answer) => answer.map(|answer| answer.map_err(|error| in_words(kind, error))),
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
