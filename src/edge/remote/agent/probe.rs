//! Whether a machine could join a run: asked without joining.

use std::io;
use std::path::Path;

use tokio::time::timeout;

use super::super::frame::{Answer, Hello};
use super::super::join_file::{JoinFile, JoinFileError, PROTOCOL};
use super::dial::{PATIENCE, reach};
use super::life::is_seen;
use crate::edge::host;

/// What was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The run's id, by the join file.
    pub run: String,
    /// Each address, and why the engine isn't reached there: the connection, TLS, the token.
    pub addresses: Vec<(String, Result<(), String>)>,
    /// Whether the run's directory is seen from here; none if the engine isn't reached, or the run has no directory.
    pub sees_files: Option<bool>,
    /// By how many seconds this machine's clock is ahead of the engine's.
    pub clock_ahead: Option<f64>,
}

/// Asks the engine of a join file whether this machine could join.
///
/// # Errors
/// If the join file is of no use, or nothing can be asked.
pub fn probe(join_file: &Path) -> Result<Probe, ProbeError> {
    let file = JoinFile::read(join_file)?;
    let hello = Hello {
        protocol: PROTOCOL,
        agent: String::new(),
        heard: 0,
        session: None,
        shape: None,
        job: None,
        process: host::this_process(),
        boot: host::boot_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ends_in: None,
        keeps: None,
        probe: true,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let mut found = Probe { run: file.run.clone(), addresses: Vec::new(), sees_files: None, clock_ahead: None };
    for address in &file.addresses {
        let reached = runtime.block_on(async { timeout(PATIENCE, reach(address, &file, &hello)).await });
        let reached = match reached {
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            Ok(Err(why)) => Err(why),
            Ok(Ok((_, Answer::Refused(refusal)))) => Err(refusal.why),
            Ok(Ok((_, Answer::Welcome(welcome)))) => {
                found.sees_files = welcome.files.as_ref().map(is_seen);
                found.clock_ahead = Some(host::since_1970().as_secs_f64() - welcome.now);
                Ok(())
            }
        };
        found.addresses.push((address.clone(), reached));
    }
    Ok(found)
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The join file is of no use.
    #[error(transparent)]
    JoinFile(#[from] JoinFileError),
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}
