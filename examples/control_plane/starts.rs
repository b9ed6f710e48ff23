//! What starting a process costs by itself: the floor under fresh worker processes.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::Where;

/// What the worker of `python/` imports before its first word, and nothing else.
const IMPORTS: &str = "import io, json, os, select, sys, threading";

/// Seconds that a bare process of the same kind takes from its start to its end, one after another.
pub(super) fn bare(backend: Where, processes: u32) -> std::io::Result<Option<f64>> {
    let began = Instant::now();
    for _ in 0..processes {
        let mut command = match backend {
            Where::Thread => return Ok(None),
            #[cfg(feature = "remote")]
            Where::Remote => return Ok(None),
            Where::Process => Command::new(std::env::current_exe()?),
            Where::Python => Command::new("python3"),
        };
        match backend {
            Where::Python => command.args(["-c", IMPORTS]),
            _ => command.arg("--version"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    }
    Ok(Some(began.elapsed().as_secs_f64() / f64::from(processes)))
}
