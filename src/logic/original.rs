//! The error itself behind the words of a failure.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::engine::guarded;

/// The error that a trainable of this process returned, as a value. It is no part of what a failure says: it isn't stored, and
/// two failures with the same words are equal.
#[derive(Clone, Default)]
pub struct Original(Option<Arc<Kept>>);

struct Kept(Option<Box<dyn Error + Send + Sync>>);

/// An error is a user's code, which can panic when it is dropped.
impl Drop for Kept {
    fn drop(&mut self) {
        let error = self.0.take();
        // The panic hook has said it.
        let _ = guarded(|| drop(error));
    }
}

impl Original {
    pub(crate) fn new(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(Some(Arc::new(Kept(Some(error)))))
    }

    /// The error; none if it was a text from another process, a panic, or isn't kept.
    pub fn get(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.as_ref()?.0.as_deref()
    }
}

impl PartialEq for Original {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Original {}

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "kept" } else { "none" })
    }
}
