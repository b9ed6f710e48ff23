//! The states of parts: what a searcher, scheduler or stop rule gives to be kept, and takes up in a later session.

/// The whole state of a part as JSON.
pub type PartState = serde_json::Value;

/// A state that a part can't take up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The part takes up no states.
    #[error("{part} takes up no saved state")]
    Unsupported {
        /// Its name.
        part: String,
    },
}
