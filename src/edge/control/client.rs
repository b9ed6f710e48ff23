//! The other end of a run's socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place::Pointer;
use crate::logic::api::{Answer, Request};

/// Why a run can't be asked or steered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlClientError {
    /// Nobody has opened a socket for this run.
    #[error("`{}` has no control socket: its run has ended, or it was started without one", run.display())]
    None {
        /// The run's directory.
        run: PathBuf,
    },
    /// The process that opened the socket is on another machine.
    #[error("the run in `{}` goes on in process {pid} on `{host}`, not on this machine: ask there", run.display())]
    Elsewhere {
        /// The run's directory.
        run: PathBuf,
        /// The process.
        pid: u32,
        /// Its machine.
        host: String,
    },
    /// The process that opened the socket doesn't listen any more.
    #[error("nobody listens at `{}`: process {pid}, which ran `{}`, was killed or has just ended ({source})", socket.display(), run.display())]
    Gone {
        /// The run's directory.
        run: PathBuf,
        /// The socket.
        socket: PathBuf,
        /// The process.
        pid: u32,
        /// What connecting to it said.
        source: io::Error,
    },
    /// The connection broke, or what came over it can't be read.
    #[error("the run's socket: {0}")]
    Io(#[from] io::Error),
}

/// Where the process listens that has the run in this directory, if that is this machine.
pub(crate) fn listening(run: &Path) -> Result<Pointer, ControlClientError> {
    let Some(place) = Pointer::read(run)? else { return Err(ControlClientError::None { run: run.to_owned() }) };
    if place.host == crate::edge::host::known_name() {
        return Ok(place);
    }
    Err(ControlClientError::Elsewhere { run: run.to_owned(), pid: place.pid, host: place.host })
}

impl Pointer {
    /// That connecting to it failed.
    pub(crate) fn gone(self, run: &Path, source: io::Error) -> ControlClientError {
        ControlClientError::Gone { run: run.to_owned(), socket: self.socket, pid: self.pid, source }
    }
}

/// No answer of a run is longer, in bytes.
const LONGEST_ANSWER: u64 = 256 << 20;

/// A connection to a run that goes on in another process, or in this one.
#[derive(Debug)]
pub struct ControlClient {
    stream: BufReader<UnixStream>,
}

impl ControlClient {
    /// Connects to the run in this directory.
    ///
    /// # Errors
    /// If the run has no socket, if nobody listens there, or if that is on another machine.
    pub fn connect(run: &Path) -> Result<Self, ControlClientError> {
        let place = listening(run)?;
        match UnixStream::connect(&place.socket) {
            Ok(stream) => Ok(Self { stream: BufReader::new(stream) }),
            Err(source) => Err(place.gone(run, source)),
        }
    }

    /// How long an answer may take from now on; none: as long as it takes. A connection on which one took longer is of no use any more.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn patience(&self, most: Option<Duration>) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(most)?;
        self.stream.get_ref().set_write_timeout(most)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// If the connection breaks, as when the run ends.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, ControlClientError> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        self.read()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }

    /// All events from now on, until the run ends.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn watch(mut self) -> Result<impl Iterator<Item = Result<Answer, ControlClientError>>, ControlClientError> {
        self.ask(&Request::Watch)?;
        Ok(std::iter::from_fn(move || self.read().transpose()))
    }

    /// Rings whenever something has happened in the run, until it ends: what isn't looked at needn't be read.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn doorbell(mut self) -> Result<Doorbell, ControlClientError> {
        self.ask(&Request::Watch)?;
        self.patience(None)?;
        Ok(Doorbell(self.stream))
    }

    /// What ends the connection from another thread: whoever waits for an answer, or for the doorbell, is told that it broke.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn hangup(&self) -> io::Result<Hangup> {
        self.stream.get_ref().try_clone().map(Hangup)
    }

    fn read(&mut self) -> Result<Option<Answer>, ControlClientError> {
        let mut line = String::new();
        if (&mut self.stream).take(LONGEST_ANSWER).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line).map_err(io::Error::from)?))
    }
}

/// Rings whenever something has happened in a run.
#[derive(Debug)]
pub struct Doorbell(BufReader<UnixStream>);

impl Doorbell {
    /// Waits until it rings. False: the run has ended, its process was killed, or the connection was ended.
    pub fn wait(&mut self) -> bool {
        let heard = self.0.fill_buf().map_or(0, <[u8]>::len);
        self.0.consume(heard);
        heard > 0
    }
}

/// Ends a connection when it is dropped.
#[derive(Debug)]
pub struct Hangup(UnixStream);

impl Drop for Hangup {
    fn drop(&mut self) {
        // It may be closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
