//! The errors that users' code hands to the engine.

use std::error::Error;
use std::fmt;

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
        write_chain(f, self.0.as_ref())
    }
}

impl fmt::Debug for TrialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Writes an error and its sources. A source whose words the error repeats already is left out.
pub(crate) fn write_chain(f: &mut impl fmt::Write, error: &(dyn Error + 'static)) -> fmt::Result {
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !said.contains(&words) {
            write!(f, ": {words}")?;
        }
        said = words;
        next = source.source();
    }
    Ok(())
}

/// The trial was told to stop, pause or yield its worker: pass it on with `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trial was asked to stop")]
pub struct Stopped;

/// A method of a trainable that its author left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this trainable doesn't support `{0}`")]
pub struct Unsupported(pub &'static str);

/// Any error of an observer. It disables that observer and nothing else.
pub type ObserverError = Box<dyn Error + Send + Sync>;
