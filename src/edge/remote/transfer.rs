//! Directories over a connection: in pieces, each with its checksum, with a window, and from where they stood when a connection is healed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::frame::{FileAbout, Gives, Took, piece, read_piece};
use crate::edge::store::Tree;

/// How large a piece is.
const PIECE: u64 = 256 << 10;
/// How much is on its way before the other end has taken it.
const WINDOW: u64 = 4 << 20;
/// So many pieces may wait to be written: twice those of the window, and some.
const MOST_PIECES: usize = 64;
/// More files than this are no checkpoint.
const MOST_FILES: usize = 100_000;

/// All transfers of one worker, at one end.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    inner: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    going: HashMap<u64, Arc<Outgoing>>,
    coming: HashMap<u64, SyncSender<Came>>,
    /// There will be no connection any more.
    over: bool,
}

/// What comes of a transfer.
#[derive(Debug)]
pub(super) enum Came {
    Gives(Gives),
    Piece(u64, Vec<u8>),
}

impl Transfers {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are some.
    pub(super) fn are_open(&self) -> bool {
        let open = self.lock();
        !open.going.is_empty() || !open.coming.is_empty()
    }

    /// A directory is about to be given.
    pub(super) fn give(&self, transfer: u64, root: &Path) -> Result<Arc<Outgoing>, String> {
        let outgoing = Arc::new(Outgoing::new(transfer, root)?);
        let mut open = self.lock();
        if open.over {
            return Err("there is no connection any more".to_owned());
        }
        open.going.insert(transfer, outgoing.clone());
        Ok(outgoing)
    }

    /// A directory is about to come.
    pub(super) fn expect(&self, transfer: u64) -> Receiver<Came> {
        let (to, from) = sync_channel(MOST_PIECES);
        let mut open = self.lock();
        if !open.over {
            open.coming.insert(transfer, to);
        }
        from
    }

    /// It is over.
    pub(super) fn forget(&self, transfer: u64) {
        let mut open = self.lock();
        open.going.remove(&transfer);
        open.coming.remove(&transfer);
    }

    /// Whoever gives says something. Those that nobody expects any more are dropped.
    pub(super) fn on_gives(&self, gives: Gives) {
        let (Gives::Files { transfer, .. } | Gives::Missing { transfer } | Gives::Failed { transfer, .. }) = &gives;
        if let Some(to) = self.lock().coming.get(transfer) {
            let _ = to.try_send(Came::Gives(gives));
        }
    }

    /// Whoever takes says something.
    pub(super) fn on_took(&self, took: Took) {
        let (Took::UpTo { transfer, .. } | Took::All { transfer, .. } | Took::Failed { transfer, .. }) = &took;
        let going = self.lock().going.get(transfer).cloned();
        if let Some(going) = going {
            going.on(took);
        }
    }

    /// A piece that isn't whole breaks its transfer off by never being taken; TLS doesn't let one come.
    pub(super) fn on_piece(&self, message: &[u8]) {
        let Some((transfer, offset, bytes)) = read_piece(message) else { return };
        if let Some(to) = self.lock().coming.get(&transfer) {
            // Beyond the window, and what is under way once more, nobody may send anything.
            let _ = to.try_send(Came::Piece(offset, bytes.to_vec()));
        }
    }

    /// There is a new connection: what was on its way goes once more.
    pub(super) fn rewind(&self) {
        self.lock().going.values().for_each(|going| going.change(|state| state.sent = state.taken));
    }

    /// There will be no connection any more.
    pub(super) fn end(&self, why: &str) {
        let mut open = self.lock();
        open.over = true;
        open.coming.clear();
        for (_, going) in open.going.drain() {
            going.change(|state| state.end = Some(Err(why.to_owned())));
        }
    }
}

/// A directory that is given.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) transfer: u64,
    root: PathBuf,
    files: Vec<(PathBuf, u64)>,
    pub(super) about: Vec<FileAbout>,
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    sent: u64,
    taken: u64,
    end: Option<Result<u64, String>>,
}

impl Outgoing {
    fn new(transfer: u64, root: &Path) -> Result<Self, String> {
        let tree = Tree::below(root).map_err(|error| error.to_string())?;
        let total = tree.bytes();
        let directories = tree.directories.iter().filter(|path| !path.as_os_str().is_empty());
        let mut about = directories.rev().map(|path| about(path, None)).collect::<Result<Vec<_>, _>>()?;
        for (path, bytes) in &tree.files {
            about.push(self::about(path, Some(*bytes))?);
        }
        let root = root.to_owned();
        Ok(Self { transfer, root, files: tree.files, about, total, state: Mutex::default(), changed: Condvar::new() })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    fn on(&self, took: Took) {
        self.change(|state| match took {
            Took::UpTo { offset, .. } => {
                state.taken = state.taken.max(offset.min(self.total));
                // After a rewind the other end may have had more than it had said.
                state.sent = state.sent.max(state.taken);
            }
            Took::All { bytes, .. } => state.end = Some(Ok(bytes)),
            Took::Failed { why, .. } => state.end = Some(Err(why)),
        });
    }

    /// Gives piece after piece until the other end has all of it. Answers the size of what is kept there.
    pub(super) fn run(&self, mut emit: impl FnMut(Vec<u8>)) -> Result<u64, String> {
        loop {
            let offset = {
                let full = |state: &mut State| {
                    state.end.is_none()
                        && (state.sent >= self.total || state.sent.saturating_sub(state.taken) >= WINDOW)
                };
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let mut state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
                if let Some(end) = state.end.take() {
                    return end;
                }
                let offset = state.sent;
                state.sent = (offset + PIECE).min(self.total);
                offset
            };
            let bytes = self.read(offset).map_err(|error| format!("can't read what is to be given: {error}"))?;
            emit(piece(self.transfer, offset, &bytes));
        }
    }

    fn read(&self, offset: u64) -> std::io::Result<Vec<u8>> {
        let (mut at, mut bytes) = (0, Vec::with_capacity(PIECE as usize));
        for (path, length) in &self.files {
            let end = at + length;
            let from = offset + bytes.len() as u64;
            let wanted = (PIECE - bytes.len() as u64).min(end.saturating_sub(from));
            if wanted > 0 && from >= at {
                let mut file = File::open(self.root.join(path))?;
                file.seek(SeekFrom::Start(from - at))?;
                let had = bytes.len();
                file.take(wanted).read_to_end(&mut bytes)?;
                if ((bytes.len() - had) as u64) < wanted {
                    return Err(std::io::Error::other(format!("`{}` has become shorter", path.display())));
                }
            }
            at = end;
        }
        Ok(bytes)
    }
}

fn about(path: &Path, bytes: Option<u64>) -> Result<FileAbout, String> {
    let part = |part: Component<'_>| part.as_os_str().to_str().map(str::to_owned);
    let parts: Option<Vec<String>> = path.components().map(part).collect();
    let path = parts.ok_or_else(|| format!("`{}` isn't a name in UTF-8: it can't be sent", path.display()))?;
    Ok(FileAbout { path, bytes })
}

/// Takes a directory: writes what comes below `root`, until all is there.
pub(super) fn take(
    transfer: u64,
    root: &Path,
    files: Vec<FileAbout>,
    from: &Receiver<Came>,
    say: impl FnMut(Took),
) -> Result<(), String> {
    let mut stream = Stream { transfer, from, piece: Vec::new(), used: 0, offset: 0, say };
    for (path, length) in lay_out(root, files)? {
        let failed = |error: std::io::Error| format!("can't write `{}`: {error}", path.display());
        let mut file = File::create(&path).map_err(failed)?;
        let mut left = length;
        while left > 0 {
            let bytes = stream.next(left)?;
            file.write_all(bytes).map_err(failed)?;
            left -= bytes.len() as u64;
        }
    }
    Ok(())
}

/// All files as one stream.
struct Stream<'a, S> {
    transfer: u64,
    from: &'a Receiver<Came>,
    piece: Vec<u8>,
    /// How much of the piece was used.
    used: usize,
    /// Where the next piece begins.
    offset: u64,
    say: S,
}

impl<S: FnMut(Took)> Stream<'_, S> {
    /// The next bytes, at least one and at most so many.
    fn next(&mut self, most: u64) -> Result<&[u8], String> {
        while self.used == self.piece.len() {
            if self.offset > 0 {
                (self.say)(Took::UpTo { transfer: self.transfer, offset: self.offset });
            }
            self.receive()?;
        }
        let begin = self.used;
        let rest = self.piece.len() - begin;
        self.used += usize::try_from(most).map_or(rest, |most| rest.min(most));
        Ok(&self.piece[begin..self.used])
    }

    fn receive(&mut self) -> Result<(), String> {
        match self.from.recv() {
            // One that comes once more was taken before.
            Ok(Came::Piece(at, bytes)) if at == self.offset => {
                self.offset += bytes.len() as u64;
                (self.piece, self.used) = (bytes, 0);
                Ok(())
            }
            Ok(Came::Piece(..) | Came::Gives(Gives::Files { .. })) => Ok(()),
            Ok(Came::Gives(Gives::Missing { .. })) => Err("it isn't there any more".to_owned()),
            Ok(Came::Gives(Gives::Failed { why, .. })) => Err(why),
            Err(_) => Err("the other end is gone".to_owned()),
        }
    }
}

/// Makes the directories, and answers the files with their lengths.
fn lay_out(root: &Path, files: Vec<FileAbout>) -> Result<Vec<(PathBuf, u64)>, String> {
    if files.len() > MOST_FILES {
        return Err(format!("{} files: at most {MOST_FILES} can be sent at once", files.len()));
    }
    let mut laid = Vec::new();
    for FileAbout { path, bytes } in files {
        let mut below = root.to_owned();
        for part in &path {
            let plain = Path::new(part).components().eq([Component::Normal(part.as_ref())]);
            if !plain || part.contains('\0') {
                return Err(format!("`{}` isn't a path below a directory", path.join("/")));
            }
            below.push(part);
        }
        let parent = if bytes.is_some() { below.parent() } else { Some(&*below) };
        if let Some(parent) = parent {
            fs::create_dir_all(parent).map_err(|error| format!("can't make `{}`: {error}", parent.display()))?;
        }
        laid.extend(bytes.map(|bytes| (below, bytes)));
    }
    Ok(laid)
}
