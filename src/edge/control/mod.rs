//! A run's Unix socket: other processes of the same user see and steer the run through it.
//!
//! The socket lies in a directory of its own that only the user can enter, for a path in the run's directory may be too long for a
//! socket, or on a file system that other machines share. The file [`POINTER`] in the run's directory says where it is. There is
//! no port and no token: whoever can enter the directory is the user, trials of the same user included.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod server;
#[cfg(not(unix))]
mod unsupported;

#[cfg(all(unix, feature = "web"))]
pub(crate) use client::listening;
#[cfg(unix)]
pub use client::{ControlClient, ControlClientError, Doorbell, Hangup};
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
pub(super) use place::runtime_directory;
#[cfg(unix)]
pub use place::{ControlSocket, POINTER};
#[cfg(unix)]
pub use server::ControlServer;
#[cfg(not(unix))]
pub use unsupported::{ControlServer, ControlSocket};
