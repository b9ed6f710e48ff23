//! The file with a server's token: nobody but the user can read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::edge::secret::Secret;
use crate::edge::{host, plain_file};

/// The longest token, in bytes.
const LONGEST: u64 = 4096;

/// A token in a file.
#[derive(Debug)]
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    pub(super) token: Secret,
    /// It was made for this server, and goes with it.
    own: bool,
}

impl TokenFile {
    /// The token in a file that somebody keeps; it is made if it isn't there.
    pub(super) fn kept(path: &Path) -> io::Result<Self> {
        match plain_file::read(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), token: read(path, file)?, own: false }),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::make(path.to_owned(), false),
            Err(error) => Err(error),
        }
    }

    /// A new token for this server, in the user's runtime directory, or in `beside` if there is none.
    pub(super) fn fresh(beside: &Path, port: u16) -> io::Result<Self> {
        let path = match host::runtime_directory() {
            Some(runtime) => runtime.join(format!("tryout-web-{port}.token")),
            None => beside.join(format!(".tryout-web-{port}.token")),
        };
        // One that a killed server has left; a link goes, and not what it leads to.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Self::make(path, true)
    }

    fn make(path: PathBuf, own: bool) -> io::Result<Self> {
        let token = Secret::draw()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("can't make `{}`: {error}", path.display()));
        let mut file = options.open(&path).map_err(named)?;
        writeln!(file, "{}", token.text())?;
        Ok(Self { path, token, own })
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        if self.own {
            // The user may have removed it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read(path: &Path, file: File) -> io::Result<Secret> {
    let wrong = |why: &str| io::Error::new(ErrorKind::InvalidData, format!("`{}` {why}", path.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = file.metadata()?;
        if about.mode() & 0o077 != 0 {
            return Err(wrong("can be read by others: `chmod 600` it"));
        }
        if about.uid() != rustix::process::getuid().as_raw() {
            return Err(wrong("belongs to another user"));
        }
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let token = text.trim();
    if token.len() < 32 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("is no token: it has to have at least 32 plain characters on one line"));
    }
    Ok(Secret::given(token))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_for_its_user_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("token");
        let made = TokenFile::kept(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(made.token.is(fs::read_to_string(&path).unwrap().trim()));
        assert_eq!(TokenFile::kept(&path).unwrap().token.text(), made.token.text());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(TokenFile::kept(&path).unwrap_err().to_string().contains("can be read by others"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(TokenFile::kept(&path).unwrap_err().to_string().contains("is no token"));
        // A link isn't followed.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(TokenFile::kept(&link).is_err());
    }
}
