//! The file that lets workers join: where the engine is, and how it is told from others. Nobody but the user can read it.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::edge::{plain_file, store};

/// The version of this file, and of what is said between agent and engine.
pub(super) const PROTOCOL: u32 = 1;

/// More than any such file needs.
const LONGEST: u64 = 64 << 10;

/// All that a worker needs to join a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinFile {
    /// The version of the protocol.
    pub protocol: u32,
    /// The run's id.
    pub run: String,
    /// Where the engine listens, as in `10.0.0.7:43211`: each is tried, in this order.
    pub addresses: Vec<String>,
    /// What lets a worker in.
    pub token: String,
    /// The SHA-256 of the engine's certificate, in hex.
    pub fingerprint: String,
}

/// Why a join file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinFileError {
    /// It can't be read.
    #[error("can't read the join file `{}`: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could read it.
    #[error("the join file `{}` can be read by others: `chmod 600` it", path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
    /// It isn't one.
    #[error("`{}` is no join file: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is one of another version of tryout.
    #[error("the join file `{}` is of protocol {found}, this is {PROTOCOL}: use the same version of tryout on both sides", path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
}

impl JoinFile {
    /// Reads it.
    ///
    /// # Errors
    /// If it isn't there, can be read by others, or isn't such a file.
    pub fn read(path: &Path) -> Result<Self, JoinFileError> {
        let io = |source| JoinFileError::Io { path: path.to_owned(), source };
        let file = plain_file::read(path).map_err(io)?;
        {
            use std::os::unix::fs::MetadataExt;
            if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
                return Err(JoinFileError::Open { path: path.to_owned() });
            }
        }
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).map_err(io)?;
        let content =
            |error: serde_json::Error| JoinFileError::Content { path: path.to_owned(), why: error.to_string() };
        let known: Self = serde_json::from_str(&text).map_err(content)?;
        if known.protocol != PROTOCOL {
            return Err(JoinFileError::Version { path: path.to_owned(), found: known.protocol });
        }
        Ok(known)
    }

    /// Writes it, in the place of one that is there: readers see the one or the other.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", store::unique_name()));
        let written = self.write_new(Path::new(&beside)).and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // It may not have been made.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(|error| io::Error::new(error.kind(), format!("can't write `{}`: {error}", path.display())))
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        writeln!(file, "{text}")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_join_file_is_for_its_user_alone_and_of_this_version() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("join.json");
        let file = JoinFile {
            protocol: PROTOCOL,
            run: "3fa01".into(),
            addresses: vec!["127.0.0.1:4".into()],
            token: "t".into(),
            fingerprint: "f".into(),
        };
        file.write(&path).unwrap();
        assert_eq!(JoinFile::read(&path).unwrap(), file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(JoinFile::read(&path), Err(JoinFileError::Open { .. })));
        JoinFile { protocol: 9, ..file }.write(&path).unwrap();
        assert!(matches!(JoinFile::read(&path), Err(JoinFileError::Version { found: 9, .. })));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(JoinFile::read(&path), Err(JoinFileError::Content { .. })));
    }
}
