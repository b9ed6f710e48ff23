//! A file of comma-separated values whose columns may appear late.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::{Columns, Fullness, Line, cells, read_record};
use super::disk;
use super::error::FileError;

const ITERATION: &str = "training_iteration";

/// When the file gets the header that its columns ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// With the first row that needs it: the file is always whole.
    AtOnce,
    /// When it has doubled since the last time, or at the end: all rewriting together costs no more than writing did.
    Seldom,
}

/// A file so small that writing it anew costs next to nothing, in bytes.
const SMALL: u64 = 1 << 18;

/// One such file.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    rewrite: Rewrite,
    columns: Arc<Columns>,
    pending: Vec<u8>,
    /// The bytes in the file, and how many there were when it was last written anew.
    length: u64,
    rewritten: u64,
    header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Not written yet.
    Missing,
    /// In the file, or on its way.
    Written,
    /// In the file, but columns have come since.
    Old,
}

impl Table {
    /// A file that isn't there yet. It is likely to have these columns.
    pub(super) fn fresh(path: PathBuf, rewrite: Rewrite, likely: &Arc<Columns>) -> Self {
        let (pending, columns) = (Vec::new(), likely.clone());
        Self { path, rewrite, columns, pending, length: 0, rewritten: 0, header: Header::Missing }
    }

    /// A file that may be there, shortened to the whole rows up to `iteration`; answers the last row's as well.
    pub(super) fn found(path: PathBuf, rewrite: Rewrite, iteration: u64) -> Result<(Self, u64), FileError> {
        let mut table = Self::fresh(path, rewrite, &Arc::default());
        let last = table.shorten(iteration)?;
        Ok((table, last))
    }

    /// Keeps the whole rows up to `iteration`, and answers the last one's; 0 if there is none.
    pub(super) fn shorten(&mut self, iteration: u64) -> Result<u64, FileError> {
        self.flush()?;
        self.header = Header::Missing;
        let Some(mut file) = disk::open(&self.path)? else { return Ok(0) };
        let (mut record, mut end, mut last) = (Vec::new(), 0, 0);
        let mut read = |record: &mut Vec<u8>| read_record(&mut file, record).map_err(FileError::io("read", &self.path));
        read(&mut record)?;
        let header = Columns::of_header(&record).and_then(|columns| Some((columns.place(ITERATION, 0)?, columns)));
        if let Some((place, columns)) = header {
            (self.columns, self.header) = (Arc::new(columns), Header::Written);
            while !record.is_empty() {
                end += record.len() as u64;
                read(&mut record)?;
                match number_in(&record, place).filter(|found| *found <= iteration) {
                    Some(found) => last = found,
                    None => break,
                }
            }
        }
        disk::cut(&self.path, end)?;
        self.length = end;
        Ok(last)
    }

    /// Adds a row; `fill` sets its cells, and is called again if the row brings columns. Answers the columns then.
    pub(super) fn add(
        &mut self,
        line: &mut Line,
        mut fill: impl FnMut(&Columns, &mut Line),
    ) -> Result<Option<Arc<Columns>>, FileError> {
        line.begin(&self.columns);
        fill(&self.columns, line);
        let likely = self.header == Header::Missing && line.is_full() == Fullness::Other;
        let more = line.take_unknown();
        let changed = likely || !more.is_empty();
        if likely {
            // The first row is its own measure: others' columns would stay empty.
            self.columns = Arc::default();
            line.begin(&self.columns);
            fill(&self.columns, line);
            self.widen(line.take_unknown())?;
        } else if changed {
            self.widen(more)?;
        }
        if changed {
            line.begin(&self.columns);
            fill(&self.columns, line);
        }
        if self.header == Header::Missing {
            self.pending.extend(self.columns.header());
            self.header = Header::Written;
        }
        line.write(&mut self.pending);
        Ok(changed.then(|| self.columns.clone()))
    }

    fn widen(&mut self, more: Vec<String>) -> Result<(), FileError> {
        self.columns = Arc::new(self.columns.with(more));
        if self.header == Header::Missing {
            return Ok(());
        }
        self.header = Header::Old;
        if self.rewrite == Rewrite::AtOnce { self.write_anew() } else { self.rewrite_if_due() }
    }

    fn rewrite_if_due(&mut self) -> Result<(), FileError> {
        let length = self.length + self.pending.len() as u64;
        let due = length < SMALL || length >= self.rewritten.saturating_mul(2);
        if self.header == Header::Old && due { self.write_anew() } else { Ok(()) }
    }

    /// The same rows under the header that holds now, each as long as it.
    fn write_anew(&mut self) -> Result<(), FileError> {
        self.flush_rows()?;
        let columns = &self.columns;
        let mut written = 0;
        if let Some(mut file) = disk::open(&self.path)? {
            disk::replace(&self.path, |out| {
                let mut record = Vec::new();
                read_record(&mut file, &mut record)?;
                let header = columns.header();
                out.write_all(&header)?;
                written += header.len() as u64;
                loop {
                    read_record(&mut file, &mut record)?;
                    if record.pop().is_none() {
                        return Ok(());
                    }
                    let missing = columns.len().saturating_sub(cells(&record).count());
                    record.resize(record.len() + missing, b',');
                    record.push(b'\n');
                    out.write_all(&record)?;
                    written += record.len() as u64;
                }
            })?;
        }
        (self.length, self.rewritten, self.header) = (written, written, Header::Written);
        Ok(())
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        self.flush_rows()?;
        self.rewrite_if_due()
    }

    fn flush_rows(&mut self) -> Result<(), FileError> {
        if !self.pending.is_empty() {
            disk::append(&self.path, &self.pending)?;
            self.length += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(())
    }

    /// Nothing more comes: the file is made whole.
    pub(super) fn finish(&mut self) -> Result<(), FileError> {
        self.flush_rows()?;
        if self.header == Header::Old { self.write_anew() } else { Ok(()) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn number_in(record: &[u8], place: usize) -> Option<u64> {
    let cell = cells(record).nth(place)?;
    std::str::from_utf8(record.get(cell)?).ok()?.parse().ok()
}
