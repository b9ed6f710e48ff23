//! What has to hold of a log's reader and writer whatever stands in the files. The fuzzer runs it too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tryout::edge::log::{Append, Core, Damage, Files, LogError, LogReader, Position, parse};

type Map = BTreeMap<String, Vec<u8>>;

/// A directory in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    files: Arc<Mutex<Map>>,
}

impl Memory {
    /// With these files.
    pub(crate) fn of(files: Map) -> Self {
        Self { files: Arc::new(Mutex::new(files)) }
    }

    /// All files, by their names.
    pub(crate) fn files(&self) -> MutexGuard<'_, Map> {
        self.files.lock().expect("nothing panicked")
    }

    fn file<T>(&self, name: &str, f: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        self.files().get_mut(name).map(f).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Files for Memory {
    fn path(&self) -> &Path {
        Path::new("memory")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.file(name, |bytes| Box::new(Cursor::new(bytes.clone())) as Box<dyn Read + Send>)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        self.files().entry(name.to_owned()).or_default();
        Ok(Box::new(Open(self.clone(), name.to_owned())))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let bytes = self.file(from, std::mem::take)?;
        self.files().remove(from);
        self.files().insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().remove(name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Open(Memory, String);

impl Append for Open {
    fn length(&mut self) -> io::Result<u64> {
        self.0.file(&self.1, |file| file.len() as u64)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.file(&self.1, |file| file.extend_from_slice(bytes))?;
        Ok(bytes.len())
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let same = self.0.file(&self.1, |file| file.get(at as usize..at as usize + bytes.len()) == Some(bytes))?;
        assert!(same, "it stays what it was");
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.file(&self.1, |file| file.truncate(length as usize))
    }
}

/// Several files in one text: each is preceded by a line with its name. What precedes the first name is in the first
/// segment.
pub(crate) fn split(bytes: &[u8]) -> Map {
    let (mut files, mut name) = (Map::new(), "journal-000000000001.jsonl".to_owned());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"=== ").map(|rest| String::from_utf8_lossy(rest).trim_end().to_owned()) {
            Some(next) => name = next,
            None => files.entry(name.clone()).or_default().extend_from_slice(line),
        }
    }
    files
}

/// The same files, with checksums that fit: so what stands behind a checksum is looked at too.
pub(crate) fn mend(files: &Map) -> Map {
    let mend_line = |line: &[u8]| {
        let body = line.get(12..).and_then(|rest| rest.strip_suffix(b"]\n")).filter(|_| line.starts_with(b"[\""));
        match body {
            Some(body) => [format!("[\"{:08x}\",", crc32fast::hash(body)).as_bytes(), body, b"]\n"].concat(),
            None => line.to_vec(),
        }
    };
    let lines = |bytes: &Vec<u8>| bytes.split_inclusive(|byte| *byte == b'\n').flat_map(mend_line).collect();
    files.iter().map(|(name, bytes)| (name.clone(), lines(bytes))).collect()
}

/// What a read log says, and where it ends.
pub(crate) type Whole = (Vec<String>, Position, Option<u64>);

/// Reads all lines; with where they are torn, if they are.
pub(crate) fn read(files: &Memory, damage: Damage) -> Result<Whole, LogError> {
    let mut reader = LogReader::open(files, damage)?;
    let mut lines = Vec::new();
    while let Some(line) = reader.next_line()? {
        lines.push(line.to_owned());
    }
    let torn = reader.torn().map(|torn| torn.offset);
    Ok((lines, reader.position(), torn))
}

/// Whatever the bytes are, nothing panics, nothing is read that isn't there, and the log can be gone on with.
pub(crate) fn any(files: &Map) {
    let good: BTreeSet<&str> = files.values().flat_map(|bytes| good_lines(bytes)).collect();
    let memory = Memory::of(files.clone());
    let strict = read(&memory, Damage::Refuse);
    let salvaged = read(&memory, Damage::UseWhatPrecedes);
    assert_eq!(*memory.files(), *files, "reading changes nothing");
    if let Ok((lines, ..)) = &strict {
        assert_eq!(Some(lines), salvaged.as_ref().ok().map(|salvaged| &salvaged.0), "what can be read can be salvaged");
    }
    let Ok((mut lines, position, _)) = salvaged else { return };
    assert!(lines.iter().all(|line| good.contains(line.as_str())), "{lines:?}");
    let mut core = Core::open(Arc::new(memory.clone()), Some(position)).expect("nothing fails in memory");
    core.push(b"\"more\"");
    core.seal().expect("nothing fails in memory");
    lines.push("\"more\"".to_owned());
    let (again, _, torn) = read(&memory, Damage::Refuse).expect("what was salvaged is whole");
    assert_eq!((again, torn), (lines, None));
}

/// The texts of all good lines. A line can be written in one way only.
fn good_lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|bytes| {
        let line = parse(bytes).ok()?;
        let body = format!("{},{}", line.seq, line.text);
        let written = format!("[\"{:08x}\",{body}]\n", crc32fast::hash(body.as_bytes()));
        assert_eq!(written.as_bytes(), bytes);
        Some(line.text)
    })
}
