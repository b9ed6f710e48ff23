//! A run's copy in an object store, where there is one: fetched before the directory is taken, claimed after it, brought up to date
//! once more when the journal is closed.

use std::path::Path;

use super::given::Given;
use crate::error::SettingsError;

/// The file by which a directory is known to be a copy.
const MARKER: &str = "cloud.json";

#[cfg(feature = "cloud")]
mod real {
    use super::{Given, Path, SettingsError};
    use crate::edge::cloud::{Prepared, Syncing};

    /// The copy is the newest there is.
    #[derive(Debug, Default)]
    pub(in crate::experiment) struct Fetched(Option<Prepared>);

    /// The copy is brought up to date by its own thread.
    #[derive(Debug, Default)]
    pub(in crate::experiment) struct Copying(Option<Syncing>);

    impl Fetched {
        pub(in crate::experiment) fn at(
            given: &Given,
            name: &str,
            path: &Path,
            may_exist: bool,
        ) -> Result<Self, SettingsError> {
            let prepared = given.cloud.as_ref().map(|cloud| cloud.prepare(name, path, may_exist)).transpose()?;
            super::warn_of_a_copy(path, prepared.is_some());
            Ok(Self(prepared))
        }

        pub(in crate::experiment) fn claim(self, path: &Path) -> Result<Copying, SettingsError> {
            Ok(Copying(self.0.map(|prepared| prepared.claim(path)).transpose()?))
        }
    }

    impl Copying {
        pub(in crate::experiment) fn finish(self) -> Result<(), String> {
            let finished = self.0.map_or(Ok(()), Syncing::finish);
            finished.map_err(|error| crate::logic::failure::error_chain(&error))
        }
    }

    impl Given {
        pub(in crate::experiment) fn has_cloud(&self) -> bool {
            self.cloud.is_some()
        }
    }
}

#[cfg(not(feature = "cloud"))]
mod real {
    use super::{Given, Path, SettingsError};

    /// There is no copy.
    #[derive(Debug, Default)]
    pub(in crate::experiment) struct Fetched;

    /// There is no copy.
    #[derive(Debug, Default)]
    pub(in crate::experiment) struct Copying;

    impl Fetched {
        pub(in crate::experiment) fn at(_: &Given, _: &str, path: &Path, _: bool) -> Result<Self, SettingsError> {
            super::warn_of_a_copy(path, false);
            Ok(Self)
        }

        pub(in crate::experiment) fn claim(self, _: &Path) -> Result<Copying, SettingsError> {
            Ok(Copying)
        }
    }

    impl Copying {
        pub(in crate::experiment) fn finish(self) -> Result<(), String> {
            Ok(())
        }
    }

    impl Given {
        pub(in crate::experiment) fn has_cloud(&self) -> bool {
            false
        }
    }
}

pub(super) use real::{Copying, Fetched};

fn warn_of_a_copy(path: &Path, is_kept: bool) {
    if !is_kept && path.join(MARKER).exists() {
        let path = path.display();
        log::warn!(
            "earlier sessions of the run in `{path}` were kept in an object store: without `.cloud(..)` this one isn't"
        );
    }
}
