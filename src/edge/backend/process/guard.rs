//! Somebody who outlives the engine: when it dies, the guard ends all process groups that it left.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::Pid;

/// Reads `+ GROUP` and `- GROUP`; at the end of its input, which is the engine's, it kills the groups that are left, and removes
/// the directory that `=` named if that is still there. It has a session of its own, and doesn't mind signals that are meant
/// for the engine's terminal.
const SCRIPT: &str = r#"trap '' HUP INT TERM
groups=' '
directory=
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    =) directory=$group ;;
    -) case $groups in *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -z "$directory" ] || rm -rf -- "$directory"
"#;

/// The guard of all workers of one backend.
///
/// A process that is killed can't clean up after itself. The parent-death signal of Linux reaches a child, but not the
/// child's children, and a program that doesn't know of us doesn't read its standard input: this does for all of them.
#[derive(Debug)]
pub(super) struct Guard(Mutex<Option<Watching>>);

#[derive(Debug)]
struct Watching {
    child: Box<dyn ChildWrapper>,
    orders: ChildStdin,
}

impl Guard {
    pub(super) fn start() -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "tryout-guard"]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = CommandWrap::from(command).wrap(ProcessSession).spawn()?.into_inner();
        let orders = child.stdin().take();
        Ok(Self(Mutex::new(orders.map(|orders| Watching { child, orders }))))
    }

    fn tell(&self, sign: char, what: &dyn std::fmt::Display) {
        let mut watching = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watching) = watching.as_mut() {
            let line = format!("{sign} {what}\n");
            if let Err(error) = watching.orders.write_all(line.as_bytes()) {
                log::warn!(
                    "the guard of the worker processes has gone ({error}): if this process is killed, some may go on"
                );
            }
        }
    }

    /// From now on it is killed with the engine.
    pub(super) fn watch(&self, group: Pid) {
        self.tell('+', &group.as_raw_nonzero());
    }

    /// It goes with the engine. One whose name is no line of text stays.
    pub(super) fn clear(&self, directory: &Path) {
        if let Some(directory) = directory.to_str().filter(|name| !name.contains('\n')) {
            self.tell('=', &directory);
        }
    }

    /// It has ended.
    pub(super) fn forget(&self, group: Pid) {
        self.tell('-', &group.as_raw_nonzero());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let watching = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Watching { mut child, orders }) = watching {
            drop(orders);
            // It has nothing left to do but to end.
            let _ = child.wait();
        }
    }
}
