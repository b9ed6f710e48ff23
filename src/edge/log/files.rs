//! The little that a log asks of a file system.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::edge::plain_file;

/// One directory of files, by their names.
pub trait Files: Send + Sync + fmt::Debug {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// The names of all files.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file to read.
    ///
    /// # Errors
    /// What the file system says.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Opens a file to write behind its end; it is made if it isn't there.
    ///
    /// # Errors
    /// What the file system says.
    fn append(&self, name: &str) -> io::Result<Box<dyn Append>>;

    /// Gives a file another name, in the place of whatever had it.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_names(&self) -> io::Result<()>;
}

/// A file that grows.
pub trait Append: Send {
    /// How long it is.
    ///
    /// # Errors
    /// What the file system says.
    fn length(&mut self) -> io::Result<u64>;

    /// Writes some of `bytes` behind its end, and says how many.
    ///
    /// # Errors
    /// What the file system says.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes `bytes` once more where they already stand, `at` so many bytes from the beginning.
    ///
    /// # Errors
    /// What the file system says. Some of them may have been written.
    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was written.
    ///
    /// # Errors
    /// What the file system says. What was written since the last success may then be lost.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts it off behind so many bytes.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A directory of the machine's own file system.
#[derive(Clone, Debug)]
pub struct DirFiles {
    path: PathBuf,
}

impl DirFiles {
    /// The directory at `path`, which must be there for everything but reading.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl DirFiles {
    /// Opens a file to read from a byte on.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn read_from(&self, name: &str, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = plain_file::read(&self.path.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }
}

impl Files for DirFiles {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.file_name().into_string().ok()));
        names.filter_map(Result::transpose).collect()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(plain_file::read(&self.path.join(name))?))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        Ok(Box::new(plain_file::open(&self.path.join(name), &mut options)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        // Only where a directory can be opened does it need it.
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }
}

impl Append for File {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.seek(SeekFrom::End(0))?;
        Write::write(self, bytes)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
