//! The errors that users' code hands to the engine.

use std::error::Error;
use std::fmt;

use super::store::StoreError;
use crate::logic::failure::error_chain;

type BoxError = Box<dyn Error + Send + Sync>;

/// Any error of a trainable. Made from every error by `?`, or from a text with [`TrialError::new`].
///
/// It isn't an [`Error`] itself, so that `?` can make one from any error.
pub struct TrialError(BoxError);

impl TrialError {
    /// From a text, or from a boxed error such as an `anyhow::Error`.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// The error inside, if it is of this type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The error inside, as a value.
    pub fn into_inner(self) -> BoxError {
        self.0
    }

    /// The error inside.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_ref()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for TrialError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// The error and its sources, joined with `: `.
impl fmt::Display for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_chain(self.0.as_ref()))
    }
}

impl fmt::Debug for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The trial was told to stop, pause or yield its worker: pass it on with `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trial was asked to stop")]
pub struct Stopped;

/// A checkpoint that couldn't be written beside a report, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotSaved(pub(crate) String);

impl NotSaved {
    /// What the store says isn't the trainable's own error.
    pub(crate) fn of(error: TrialError) -> TrialError {
        match error.downcast_ref::<StoreError>() {
            Some(error) => TrialError::new(Self(error_chain(error))),
            None => error,
        }
    }
}

/// A final product that couldn't be written, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotExported(pub(crate) String);

/// A method of a trainable that its author left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this trainable doesn't support `{0}`")]
pub struct Unsupported(pub &'static str);

/// Any error of an observer. It disables that observer and nothing else.
pub type ObserverError = Box<dyn Error + Send + Sync>;
