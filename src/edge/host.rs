//! This process and the machine that it is on.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::logic::event::Process;

/// The machine's name, where the system keeps it in a file.
pub(crate) fn name() -> Option<Arc<str>> {
    let names = ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter();
    let mut names = names.filter_map(|path| std::fs::read_to_string(path).ok());
    names.find_map(|name| Some(name.trim()).filter(|name| !name.is_empty()).map(Arc::from))
}

/// The same, with words for one that isn't known.
pub(crate) fn known_name() -> String {
    name().map_or_else(|| "an unknown machine".to_owned(), |name| name.to_string())
}

/// This process.
pub(crate) fn this_process() -> Process {
    Process { pid: std::process::id(), host: name() }
}

/// The directory that only this user has, as long as they are logged in, if there is one.
#[cfg(unix)]
pub(crate) fn runtime_directory() -> Option<std::path::PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid().as_raw();
    let runtime = std::path::PathBuf::from(format!("/run/user/{user}"));
    let own = std::fs::metadata(&runtime).is_ok_and(|about| about.is_dir() && about.uid() == user);
    own.then_some(runtime)
}

/// There is none.
#[cfg(not(unix))]
#[cfg_attr(not(feature = "web"), expect(dead_code, reason = "only the page's server asks for it there"))]
pub(crate) fn runtime_directory() -> Option<std::path::PathBuf> {
    None
}

/// The machine's clock: the time since 1970, nothing if it stands before that.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Names the boot of this machine, where the system says it.
#[cfg(all(feature = "remote", unix))]
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}
