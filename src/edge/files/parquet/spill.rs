//! Rows put aside until all columns and their types are known.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::super::csv::Columns;
use super::super::disk;
use super::super::error::FileError;
use super::super::row::Cell;

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Float,
    Bool,
    Text,
}

impl Kind {
    fn of(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Float(_) => Kind::Float,
            Cell::Int(_) => Kind::Int,
            Cell::Bool(_) => Kind::Bool,
            Cell::Text(_) => Kind::Text,
        }
    }

    /// What can hold both.
    fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Kind::Float,
            _ => Kind::Text,
        }
    }
}

/// A cell that was read again.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Owned {
    Float(f64),
    Int(i64),
    Bool(bool),
    Text(Vec<u8>),
}

/// The bytes gathered before they are written.
const FULL: usize = 1 << 20;

/// The rows. One is the number of its cells, then for each its column, its kind and its value.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    columns: Columns,
    kinds: Vec<Kind>,
    near: usize,
    row: Vec<u8>,
    cells: u32,
    pending: Vec<u8>,
}

impl Spill {
    pub(super) fn new(path: PathBuf) -> Self {
        let (columns, kinds) = (Columns::default(), Vec::new());
        Self { path, columns, kinds, near: 0, row: Vec::new(), cells: 0, pending: Vec::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The columns by their names, and what each can hold.
    pub(super) fn columns(&self) -> impl ExactSizeIterator<Item = (&str, Kind)> {
        self.columns.names().zip(self.kinds.iter().copied())
    }

    /// Begins a row.
    pub(super) fn begin(&mut self) {
        self.row.clear();
        self.cells = 0;
        self.near = 0;
    }

    /// Adds a cell to it.
    pub(super) fn put(&mut self, name: &str, cell: Cell<'_>) {
        let kind = Kind::of(cell);
        let place = self.columns.place(name, self.near).unwrap_or_else(|| {
            self.kinds.push(kind);
            self.columns.push(name)
        });
        if let Some(known) = self.kinds.get_mut(place) {
            *known = known.join(kind);
        }
        self.near = place + 1;
        self.cells += 1;
        self.row.extend_from_slice(&(place as u32).to_le_bytes());
        self.row.push(kind as u8);
        match cell {
            Cell::Float(value) => self.row.extend_from_slice(&value.to_le_bytes()),
            Cell::Int(value) => self.row.extend_from_slice(&value.to_le_bytes()),
            Cell::Bool(value) => self.row.push(u8::from(value)),
            Cell::Text(text) => {
                self.row.extend_from_slice(&(text.len() as u64).to_le_bytes());
                self.row.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Ends it.
    pub(super) fn end(&mut self) -> Result<(), FileError> {
        self.pending.extend_from_slice(&self.cells.to_le_bytes());
        self.pending.extend_from_slice(&self.row);
        if self.pending.len() > FULL { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        disk::append(&self.path, &self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Reads the rows again, in their order.
    pub(super) fn read(&self) -> Result<Rows, FileError> {
        let file =
            disk::open(&self.path)?.ok_or_else(|| FileError::io("read", &self.path)(ErrorKind::NotFound.into()))?;
        Ok(Rows { path: self.path.clone(), file, at: 0 })
    }
}

/// The rows as they are read again.
#[derive(Debug)]
pub(super) struct Rows {
    path: PathBuf,
    file: BufReader<std::fs::File>,
    at: u64,
}

impl Rows {
    /// The next row's cells by their columns, into `row`; none if there is no row.
    pub(super) fn next(&mut self, row: &mut Vec<(usize, Owned)>) -> Result<Option<()>, FileError> {
        row.clear();
        let began = self.at;
        let mut count = [0; 4];
        match self.bytes(&mut count) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(FileError::io("read", &self.path))?,
        }
        for _ in 0..u32::from_le_bytes(count) {
            match self.cell().map_err(FileError::io("read", &self.path))? {
                Some(cell) => row.push(cell),
                None => return Err(FileError::Spill { path: self.path.clone(), at: began }),
            }
        }
        Ok(Some(()))
    }

    fn cell(&mut self) -> io::Result<Option<(usize, Owned)>> {
        let mut place = [0; 4];
        self.bytes(&mut place)?;
        let cell = match self.byte()? {
            0 => Owned::Int(i64::from_le_bytes(self.word()?)),
            1 => Owned::Float(f64::from_le_bytes(self.word()?)),
            2 => Owned::Bool(self.byte()? != 0),
            3 => {
                let length = u64::from_le_bytes(self.word()?);
                let mut text = Vec::new();
                let read = self.file.by_ref().take(length).read_to_end(&mut text)?;
                self.at += read as u64;
                Owned::Text(text)
            }
            _ => return Ok(None),
        };
        Ok(Some((u32::from_le_bytes(place) as usize, cell)))
    }

    fn bytes(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.bytes(&mut byte)?;
        Ok(byte[0])
    }

    fn word(&mut self) -> io::Result<[u8; 8]> {
        let mut word = [0; 8];
        self.bytes(&mut word)?;
        Ok(word)
    }
}
