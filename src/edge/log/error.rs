//! What can be wrong with a log.

use std::io;
use std::path::PathBuf;

use super::line::Flaw;

/// Why a log can't be read or written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file system said no.
    #[error("can't {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is no log.
    #[error("there is no journal in `{}`", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// A line that was written, and made durable, isn't what it was.
    #[error("`{}` is damaged at byte {offset}, where line {seq} should be: {flaw}; {}", path.display(), last_good(snapshot.as_ref()))]
    Damaged {
        /// In which file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Which line should be there.
        seq: u64,
        /// What is wrong.
        flaw: Flaw,
        /// The last good snapshot, and through which line it goes.
        snapshot: Option<(PathBuf, u64)>,
    },
    /// A snapshot isn't what it was. Nothing precedes it, so nothing can be used.
    #[error(
        "`{}` is damaged at byte {offset}, where its line {line} should be: {flaw}; only this file holds what it says, so \
         it has to be restored from a backup",
        path.display()
    )]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Which of its lines should be there.
        line: u64,
        /// What is wrong.
        flaw: Flaw,
    },
    /// Lines are missing between two files.
    #[error("lines {from} to {to} are missing: there is no file that holds them in `{}`", path.display())]
    Gap {
        /// The directory.
        path: PathBuf,
        /// The first missing line.
        from: u64,
        /// The last.
        to: u64,
    },
    /// It was written by a later version.
    #[error("`{}` has format {found}, and this version of tryout reads formats up to {known}: use a newer one", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// Somebody else writes it.
    #[error("`{}` is in use by process {pid} on {host}: two runs can't share a directory", path.display())]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// The owner's process.
        pid: u32,
        /// The owner's machine.
        host: String,
    },
}

crate::logic::failure::debug_as_chain!(LogError);

fn last_good(snapshot: Option<&(PathBuf, u64)>) -> String {
    match snapshot {
        Some((path, through)) => format!(
            "the last good snapshot is `{}`, through line {through}; what precedes the damage can be used with \
             `Damage::UseWhatPrecedes`",
            path.display()
        ),
        None => "what precedes the damage can be used with `Damage::UseWhatPrecedes`".to_owned(),
    }
}

impl LogError {
    /// An input or output error on `path`.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
