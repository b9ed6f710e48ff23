//! Reads a log further from where its reader ended, while another process writes it.

use std::io::{BufRead, BufReader, Read};

use super::error::LogError;
use super::files::{DirFiles, Files};
use super::line::{self, Line};
use super::parts::Kind;
use super::reader::Position;

/// What a [`Tail`] finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Tailed<'a> {
    /// The next line.
    Line(&'a str),
    /// There is none yet.
    Nothing,
    /// What follows isn't where it should be: it is in a snapshot by now, or was written again after a crash. The log has to be
    /// read from its beginning.
    Again,
}

/// The end of a log that grows.
pub struct Tail {
    files: DirFiles,
    /// The segment that is read, if one is.
    name: Option<String>,
    source: Option<BufReader<Box<dyn Read + Send>>>,
    /// Where in it the next line begins.
    offset: u64,
    next: u64,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("name", &self.name).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Tail {
    /// What follows a position.
    pub fn new(files: DirFiles, end: &Position) -> Self {
        let (name, offset) = end.segment.as_ref().map_or((None, 0), |end| (Some(end.name.clone()), end.good));
        Self { files, name, source: None, offset, next: end.next, buffer: Vec::new() }
    }

    /// The number of the next line.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next line, if it is there.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn next_line(&mut self) -> Result<Tailed<'_>, LogError> {
        let length = loop {
            let Some(source) = &mut self.source else {
                match self.open()? {
                    Some(true) => continue,
                    Some(false) => return Ok(Tailed::Nothing),
                    None => return Ok(Tailed::Again),
                }
            };
            self.buffer.clear();
            let read = source.read_until(b'\n', &mut self.buffer);
            let read = read.map_err(LogError::io("read", self.files.path()))?;
            if read == 0 {
                match self.end_of_segment()? {
                    Some(true) => continue,
                    Some(false) => return Ok(Tailed::Nothing),
                    None => return Ok(Tailed::Again),
                }
            }
            if self.buffer.last() != Some(&b'\n') {
                // It is being written: it is read again as a whole.
                self.source = None;
                return Ok(Tailed::Nothing);
            }
            match line::parse(&self.buffer) {
                Ok(Line { seq: 0, .. }) => self.offset += read as u64,
                Ok(Line { seq, text }) if seq == self.next => {
                    self.next += 1;
                    self.offset += read as u64;
                    break text.len();
                }
                Ok(_) | Err(_) => return Ok(Tailed::Again),
            }
        };
        // It stands before a bracket and the line's end.
        let end = self.buffer.len().saturating_sub(2);
        let text = self.buffer.get(end.saturating_sub(length)..end).unwrap_or_default();
        Ok(Tailed::Line(std::str::from_utf8(text).unwrap_or_default()))
    }

    /// Opens the segment where it was left, or the one that the next line begins. None: it has to be read again.
    fn open(&mut self) -> Result<Option<bool>, LogError> {
        let Some(name) = self.name.clone() else { return self.next_segment() };
        match self.files.read_from(&name, self.offset) {
            Ok(source) => {
                self.source = Some(BufReader::with_capacity(1 << 16, source));
                Ok(Some(true))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::io("read", self.files.path())(error)),
        }
    }

    fn end_of_segment(&mut self) -> Result<Option<bool>, LogError> {
        match self.next_segment()? {
            Some(false) => {}
            found => return Ok(found),
        }
        // What can still come to this one isn't known of any more if it has gone.
        let names = self.files.list().map_err(LogError::io("list", self.files.path()))?;
        Ok(self.name.as_ref().is_none_or(|name| names.contains(name)).then_some(false))
    }

    /// Goes on with the segment that the next line begins, if there is one.
    fn next_segment(&mut self) -> Result<Option<bool>, LogError> {
        let name = Kind::Segment { first: self.next }.name();
        if self.name.as_ref() == Some(&name) {
            return Ok(Some(false));
        }
        match self.files.read(&name) {
            Ok(source) => {
                self.source = Some(BufReader::with_capacity(1 << 16, source));
                (self.name, self.offset) = (Some(name), 0);
                Ok(Some(true))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(false)),
            Err(error) => Err(LogError::io("read", self.files.path())(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::log::{Damage, LogReader};

    fn lines(from: u64, to: u64) -> Vec<u8> {
        let mut out = Vec::new();
        (from..=to).for_each(|seq| line::write(seq, format!("{{\"n\":{seq}}}").as_bytes(), &mut out));
        out
    }

    fn segment(dir: &std::path::Path, first: u64, body: &[u8]) {
        let mut out = Vec::new();
        line::Meta::Segment { format: 1, first }.write(&mut out);
        out.extend_from_slice(body);
        std::fs::write(dir.join(Kind::Segment { first }.name()), out).unwrap();
    }

    fn next(tail: &mut Tail) -> Option<String> {
        match tail.next_line().unwrap() {
            Tailed::Line(text) => Some(text.to_owned()),
            Tailed::Nothing => None,
            Tailed::Again => Some("again".to_owned()),
        }
    }

    fn read(dir: &std::path::Path) -> Tail {
        let files = DirFiles::new(dir);
        let mut reader = LogReader::open(&files, Damage::Refuse).unwrap();
        while reader.next_line().unwrap().is_some() {}
        Tail::new(files, &reader.position())
    }

    #[test]
    fn it_goes_on_where_the_reader_ended() {
        let dir = tempfile::tempdir().unwrap();
        segment(dir.path(), 1, &lines(1, 2));
        let mut tail = read(dir.path());
        assert_eq!((tail.next(), next(&mut tail)), (3, None));
        let more = lines(3, 4);
        // A line that is being written isn't there yet.
        let half = more.len() - 5;
        segment(dir.path(), 1, &[lines(1, 2), more[..half].to_vec()].concat());
        assert_eq!(next(&mut tail).as_deref(), Some("{\"n\":3}"));
        assert_eq!(next(&mut tail), None);
        segment(dir.path(), 1, &[lines(1, 2), more].concat());
        assert_eq!(next(&mut tail).as_deref(), Some("{\"n\":4}"));
        assert_eq!(next(&mut tail), None);
        segment(dir.path(), 5, &lines(5, 5));
        assert_eq!(next(&mut tail).as_deref(), Some("{\"n\":5}"));
        assert_eq!(next(&mut tail), None);
    }

    #[test]
    fn what_is_in_a_snapshot_by_now_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        segment(dir.path(), 1, &lines(1, 2));
        let mut tail = read(dir.path());
        assert_eq!(next(&mut tail), None);
        std::fs::remove_file(dir.path().join(Kind::Segment { first: 1 }.name())).unwrap();
        segment(dir.path(), 9, &lines(9, 9));
        assert_eq!(next(&mut tail).as_deref(), Some("again"));
    }

    #[test]
    fn a_torn_line_that_another_session_wrote_over_is_read_again_or_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let two = lines(1, 2);
        segment(dir.path(), 1, &two[..two.len() - 4]);
        let mut tail = read(dir.path());
        assert_eq!((tail.next(), next(&mut tail)), (2, None));
        segment(dir.path(), 1, &two);
        assert_eq!(next(&mut tail).as_deref(), Some("{\"n\":2}"));
    }
}
