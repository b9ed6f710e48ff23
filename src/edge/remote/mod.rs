//! Workers that join from other machines: one port, TLS, WebSocket, and conversations that outlive their connections.
//!
//! The engine's side is `RemoteWorkers`, the other is an agent: a process on another machine that runs one worker by a backend of
//! its own, hands on what it is ordered and says what its worker says. `docs/remote-workers.md` describes what is said between them.

mod agent;
mod asks;
mod connection;
mod frame;
mod handle;
mod join_file;
mod outbox;
mod peer;
mod rights;
mod server;
mod tls;
mod transfer;
mod workers;

pub use agent::{Agent, AgentEnd, AgentError, Backends, Eviction, Probe, ProbeError, probe};
pub(crate) use asks::Launching;
pub use asks::agent_line;
pub use frame::{SharedFiles, Welcome};
pub use join_file::{JoinFile, JoinFileError};
pub use workers::RemoteSettings;
pub(crate) use workers::{About, RemoteWorkers};
