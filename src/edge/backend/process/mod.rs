//! Trials in processes: workers that speak the protocol, and any program as a trial. They can really be ended.
//!
//! | file | what it does |
//! |---|---|
//! | `worker` | the supervisor of a worker that speaks the protocol, a thread for each |
//! | `prestart` | workers that are started before they are wanted |
//! | `command` | the supervisor of a program that knows nothing of tryout |
//! | `child`, `guard` | a process in a session of its own; who ends it if the engine dies |
//! | `body`, `watch` | a process with its streams and clocks; waiting for all of them at once |
//! | `mailbox`, `fast_path` | orders on their way to a supervisor; a step on its way past it |
//! | `clocks`, `verdict` | how long it may work; what its end means |
//! | `output`, `place` | what it prints, and where it works |
//! | `program`, `shared` | what is run, and how |

/// Settings that all backends with processes have.
macro_rules! settings_of_processes {
    ($backend:ty) => {
        impl $backend {
            /// One more argument.
            #[must_use]
            pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
                self.settings.program.arguments.push(argument.as_ref().to_owned());
                self
            }

            /// More arguments.
            #[must_use]
            pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
                let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
                self.settings.program.arguments.extend(arguments);
                self
            }

            /// A variable of its environment; goes before what the lease would say under that name.
            #[must_use]
            pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
                self.settings.program.added.push((name.into(), value.into()));
                self
            }

            /// A variable that it doesn't get.
            #[must_use]
            pub fn without_env(mut self, name: impl Into<OsString>) -> Self {
                self.settings.program.removed.push(name.into());
                self
            }

            /// Whether it gets the engine's environment: [`Environment::Inherited`] unless it is said.
            #[must_use]
            pub fn environment(mut self, environment: Environment) -> Self {
                self.settings.program.environment = environment;
                self
            }

            /// Limits on time and memory; none unless they are said.
            #[must_use]
            pub fn limits(mut self, limits: Limits) -> Self {
                self.settings.limits = limits;
                self
            }

            /// How much is kept of what it prints.
            #[must_use]
            pub fn output(mut self, output: Output) -> Self {
                self.settings.output = output;
                self
            }

            /// How long a process that was sent SIGTERM has before it is sent SIGKILL: 5 s unless it is said.
            #[must_use]
            pub fn after_term(mut self, wait: Duration) -> Self {
                self.settings.after_term = wait;
                self
            }

            /// What experiments call it: the program's name unless it is said. A resumed run must have the same.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }

            /// What its workers share, made when it is first needed.
            fn shared(&mut self) -> Arc<Shared> {
                self.shared.get_or_insert_with(|| Arc::new(Shared::new(self.settings.clone()))).clone()
            }
        }
    };
}
mod body;
mod child;
mod clocks;
mod command;
mod fast_path;
mod guard;
mod import_checkpoint;
mod mailbox;
mod output;
mod place;
mod prestart;
mod program;
mod shared;
mod verdict;
mod watch;
mod worker;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use crate::logic::worker::Limits;
pub use command::{CommandBackend, MetricsFrom, PlaceError, command};
pub use output::Output;
pub use program::Environment;

use self::mailbox::ProcessHandle;
use self::place::Place;
use self::prestart::Prestarted;
use self::program::Program;
use self::shared::{Heartbeat, Settings, Shared};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::pool::Resources;
use crate::logic::trial::Rests;
use crate::ports::backend::{Backend, WorkerHandle, WorkerStart};

/// How much room a supervisor's thread has: it calls no user's code.
const STACK: usize = 512 << 10;

/// Runs trials in worker processes, one after another in each: programs that speak the worker protocol
/// (`docs/worker-protocol.md`).
///
/// In Rust such a program calls `tryout::worker::serve`, in Python `tryout_worker.serve` (see `python/`). It is the same
/// life as a thread's, and can be ended: a worker that doesn't end within the experiment's grace period gets SIGTERM, and
/// SIGKILL a little later, with all processes that it has started. If the engine's process dies, its workers do.
///
/// Made by [`process`]. On Unix; see [`Limits`] for what only Linux has.
pub struct ProcessBackend {
    name: String,
    settings: Settings,
    /// Made when it is first needed: until then settings may change.
    shared: Option<Arc<Shared>>,
    prestarted: Prestarted,
}

/// A backend whose workers are processes of `program`, which is looked for in `PATH` if it is a bare name.
///
/// ```no_run
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let workers = process("python3")
///     .arg("train.py")
///     .env("PYTHONUNBUFFERED", "1")
///     .limits(Limits::new().step(Duration::from_secs(600), OnLimit::Kill).memory(8 << 30));
/// let results = Experiment::new("script", workers)
///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
///     .samples(20)
///     .objective(Objective::min("loss"))
///     .run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn process(program: impl AsRef<OsStr>) -> ProcessBackend {
    let program = Program::new(program.as_ref());
    ProcessBackend {
        name: program.name(),
        settings: Settings::new(program),
        shared: None,
        prestarted: Prestarted::default(),
    }
}

impl fmt::Debug for ProcessBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessBackend").field("program", &self.settings.program.path).finish_non_exhaustive()
    }
}

settings_of_processes!(ProcessBackend);

impl ProcessBackend {
    /// How often a worker gives a sign of life, 5 s unless it is said, and after what silence it is given up: 120 s. Signs
    /// come from a thread of their own, which a long step doesn't hold up, unless it keeps the whole process from
    /// running (in Python: native code that never lets go of the interpreter's lock).
    #[must_use]
    pub fn heartbeat(mut self, every: Duration, lost_after: Duration) -> Self {
        self.settings.heartbeat = Some(Heartbeat { every, lost_after });
        self
    }

    /// No worker is given up for its silence.
    #[must_use]
    pub fn without_heartbeat(mut self) -> Self {
        self.settings.heartbeat = None;
        self
    }

    /// How long a worker may take from its start to its first word, 300 s unless it is said: the time that imports take.
    #[must_use]
    pub fn start_up(mut self, most: Duration) -> Self {
        self.settings.start_up = most;
        self
    }

    /// How long a frame may be, in bytes, both ways: 16 MiB unless it is said.
    #[must_use]
    pub fn max_frame(mut self, bytes: usize) -> Self {
        self.settings.max_frame = bytes;
        self
    }

    /// Starts so many workers before anybody asks for them; the default is none. A worker that has begun already is there at
    /// once for a trial that needs a fresh one: after a failure, or always if workers aren't reused. They are begun when
    /// the first worker is asked for, in the environment of its lease, and take memory while they wait.
    #[must_use]
    pub fn prestart(mut self, workers: usize) -> Self {
        self.prestarted = Prestarted::new(workers);
        self
    }
}

impl Backend for ProcessBackend {
    fn spawn(&mut self, start: WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault> {
        self.settings.check_limits().map_err(|why| Fault::new(FailureKind::SetupFailed, why))?;
        let (handle, mail) = ProcessHandle::new()?;
        let shared = self.shared();
        self.prestarted.hand_over(&shared, (start, mail))?;
        Ok(Box::new(handle))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rests(&self) -> Rests {
        Rests::WhenReleased
    }

    fn program(&self) -> Vec<OsString> {
        self.settings.program.words()
    }

    fn in_processes(&self) -> bool {
        true
    }

    fn set_resources(&mut self, total: &Resources) {
        self.shared().set_resources(total);
    }

    fn set_run_dir(&mut self, directory: &Path) -> io::Result<()> {
        self.shared().set_place(Place::Run(std::path::absolute(directory)?));
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        self.settings.check_limits()?;
        self.settings.program.check()
    }

    fn takes_objects(&self) -> bool {
        false
    }
}
