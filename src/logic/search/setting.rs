//! What can be wrong with a searcher's settings.

use super::SearchError;

/// A setting that a searcher can't work with. The caller can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{searcher}: `{setting}` is {value}, but must be {expected}")]
pub struct SearchSettingError {
    /// Whose.
    pub searcher: &'static str,
    /// Which.
    pub setting: &'static str,
    /// What it is.
    pub value: String,
    /// What it must be.
    pub expected: &'static str,
}

impl From<SearchSettingError> for SearchError {
    fn from(error: SearchSettingError) -> Self {
        SearchError::new(error)
    }
}
