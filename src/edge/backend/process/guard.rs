//! Somebody who outlives the engine: when it dies, the guard ends all process groups that it left.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::Pid;

use crate::edge::host;

/// The variable that all processes of a backend have in their environment, and what they start inherits.
const MARK: &str = "TRYOUT_GUARD";

/// Reads `+ GROUP` and `- GROUP`, and `.` if the engine needs no guard any more. At the end of its input, which is the engine's,
/// it kills the groups that are left, then whoever has the engine's mark in its environment: a process that had just begun, so
/// that nobody could name its group yet. (A child has the other end of this input until it has become its program, so none
/// is still to come.) Then it removes the directory that `=` named if that is still there. It has a session of its own, and
/// doesn't mind signals that are meant for the engine's terminal.
const SCRIPT: &str = r#"trap '' HUP INT TERM
groups=' '
directory=
engine=dead
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    =) directory=$group ;;
    -) case $groups in *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;; esac ;;
    .) engine=done ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
clean=0
rounds=0
while [ $engine = dead ] && [ $clean -lt 2 ] && [ $rounds -lt 100 ]; do
  clean=$((clean + 1))
  rounds=$((rounds + 1))
  for found in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
    clean=0
    found=${found#/proc/}
    found=${found%/environ}
    kill -s KILL -- "-$found" 2>/dev/null
    kill -s KILL -- "$found" 2>/dev/null
  done
  sleep 0.1
done
[ -z "$directory" ] || rm -rf -- "$directory"
"#;

/// The guard of all workers of one backend.
///
/// A process that is killed can't clean up after itself. The parent-death signal of Linux reaches a child, but not the
/// child's children, and a program that doesn't know of us doesn't read its standard input: this does for all of them.
#[derive(Debug)]
pub(super) struct Guard {
    watching: Mutex<Option<Watching>>,
    mark: String,
}

#[derive(Debug)]
struct Watching {
    child: Box<dyn ChildWrapper>,
    orders: ChildStdin,
}

impl Guard {
    pub(super) fn start() -> std::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let since = host::since_1970().as_nanos();
        let mark = format!("{}-{}-{since}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "tryout-guard", &format!("{MARK}={mark}")]).current_dir("/");
        // An engine may be a worker's child, and its guard has to outlive it then too.
        command.env_remove(MARK);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = CommandWrap::from(command).wrap(ProcessSession).spawn()?.into_inner();
        let orders = child.stdin().take();
        Ok(Self { watching: Mutex::new(orders.map(|orders| Watching { child, orders })), mark })
    }

    /// Marks a process that is about to be started, so that it is found even if the engine dies before it can say more.
    pub(super) fn mark(&self, command: &mut Command) {
        command.env(MARK, &self.mark);
    }

    fn tell(&self, sign: char, what: &dyn std::fmt::Display) {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
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
        let watching = self.watching.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Watching { mut child, mut orders }) = watching {
            // One that has gone needn't be told.
            let _ = orders.write_all(b".\n");
            drop(orders);
            // It has nothing left to do but to end.
            let _ = child.wait();
        }
    }
}
