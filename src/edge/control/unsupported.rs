//! Where there are no Unix sockets.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::ports::control::Controlled;

/// A run's socket, which can't be there.
#[derive(Debug)]
pub struct ControlSocket(Infallible);

impl ControlSocket {
    /// There are no Unix sockets here.
    ///
    /// # Errors
    /// Always.
    pub fn bind(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "there are no Unix sockets on this system"))
    }
}

/// Answers requests on a run's socket.
#[derive(Debug)]
pub struct ControlServer(Infallible);

impl ControlServer {
    /// Nobody can call this.
    ///
    /// # Errors
    /// Never.
    pub fn start(socket: ControlSocket, _: Arc<dyn Controlled>) -> io::Result<Self> {
        match socket.0 {}
    }
}
