//! `tryout logs`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tryout::edge::journal::LOCK;

use super::Problem;
use super::open::Which;

/// Prints what a trial's process printed: `stdout.txt` and `stderr.txt` of its directory.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Its number, or its id.
    trial: String,
    #[command(flatten)]
    which: Which,
    /// Goes on with what it prints from now on, until the run is over.
    #[arg(short, long)]
    follow: bool,
    /// Only the standard error.
    #[arg(long, conflicts_with = "stdout")]
    stderr: bool,
    /// Only the standard output.
    #[arg(long)]
    stdout: bool,
    /// Only the last lines of each.
    #[arg(long, value_name = "LINES")]
    last: Option<usize>,
}

impl Logs {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let trial = run.trial(&self.trial)?;
        let home = run.dir.join(trial.id.to_string());
        let names = ["stdout.txt", "stderr.txt"].into_iter();
        let names =
            names.filter(|name| !(self.stderr && *name == "stdout.txt" || self.stdout && *name == "stderr.txt"));
        let mut files: Vec<Printed> = names.map(|name| Printed::new(home.join(name))).collect();
        let follow = self.follow && run.owner.is_some();
        if !follow && files.iter().all(|file| !file.path.exists()) {
            return Err(Problem::Given(format!(
                "trial {} has printed nothing that was kept: there is neither `stdout.txt` nor `stderr.txt` in `{}`",
                trial.id.number(),
                home.display()
            )));
        }
        // What happens from here on is told, so nothing is missed between the two.
        let watch = if follow { Some(Watch::begin(&run.dir, &home)?) } else { None };
        let mut out = std::io::stdout().lock();
        for file in &mut files {
            file.print(&mut out, self.last)?;
        }
        while let Some(watch) = &watch {
            let over = watch.wait()?;
            for file in &mut files {
                file.print(&mut out, None)?;
            }
            if over {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A file that grows, and is put aside when it is full.
struct Printed {
    path: PathBuf,
    file: Option<File>,
    read: u64,
}

impl Printed {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, read: 0 }
    }

    /// Prints what is new; of the first part only the last lines, if so many are wanted.
    fn print(&mut self, out: &mut impl Write, last: Option<usize>) -> std::io::Result<()> {
        self.rest(out, last)?;
        // Another file may have taken its name.
        let renewed = self.path.metadata().is_ok_and(|now| self.file.as_ref().is_none_or(|file| !is_same(file, &now)));
        if renewed {
            self.file = File::open(&self.path).ok();
            self.read = 0;
            self.rest(out, last)?;
        }
        out.flush()
    }

    fn rest(&mut self, out: &mut impl Write, last: Option<usize>) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        self.read += file.read_to_end(&mut bytes)? as u64;
        out.write_all(last.map_or(bytes.as_slice(), |lines| tail(&bytes, lines)))
    }
}

fn is_same(file: &File, now: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|held| (held.ino(), held.dev()) == (now.ino(), now.dev()))
}

fn tail(bytes: &[u8], lines: usize) -> &[u8] {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    match lines {
        0 => &[],
        lines => ends.take(lines).nth(lines - 1).and_then(|start| bytes.get(start..)).unwrap_or(bytes),
    }
}

/// Is told by the system of what changes in a trial's directory, and when whoever runs the run lets go of its lock.
struct Watch {
    inotify: rustix::fd::OwnedFd,
    lock: i32,
}

impl Watch {
    fn begin(run: &Path, home: &Path) -> Result<Self, Problem> {
        let failed =
            |error: rustix::io::Errno| Problem::Failed(format!("`{}` can't be watched: {error}", home.display()));
        let inotify = inotify::init(CreateFlags::CLOEXEC).map_err(failed)?;
        let lock = inotify::add_watch(&inotify, run.join(LOCK), WatchFlags::CLOSE_WRITE).map_err(failed)?;
        if home.is_dir() {
            let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
            inotify::add_watch(&inotify, home, changes).map_err(failed)?;
        } else {
            return Err(Problem::Given(format!("the trial hasn't begun: there is no `{}` yet", home.display())));
        }
        Ok(Self { inotify, lock })
    }

    /// Waits until something has changed; whether the run is over.
    fn wait(&self) -> Result<bool, Problem> {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut room);
        let failed =
            |error: rustix::io::Errno| Problem::Failed(format!("the trial can't be watched any more: {error}"));
        let mut over = events.next().map_err(failed)?.wd() == self.lock;
        while !events.is_buffer_empty() {
            over |= events.next().map_err(failed)?.wd() == self.lock;
        }
        Ok(over)
    }
}
