//! The fourth machine: one worker, from its first order to its last, whatever its trainable is and wherever it runs.
//!
//! | file | what is in it |
//! |---|---|
//! | `io` | what reaches a worker, what it says, and what its trainable is to do |
//! | `machine` | the rules |
//! | `limits` | how long a trial may work, and with how much |
//! | `relay` | stands between engine and worker, and remembers the reports for the case that the engine is lost |
//! | `batch` | the batch in the making: reports are stamped, and it ends for a reason |
//!
//! A *shell* runs it: it hands in orders and what became of calls, says facts, and makes the calls. There are shells for
//! threads, for tasks, for both ends of a process, and the simulator's. The rules, which `docs/worker-protocol.md` tells to
//! authors of workers in other languages:
//!
//! - **One call at a time.** Each is answered by one input. What is ordered during a call waits, but for what ends it:
//!   `Yield` ends the batch with its next report, `Release` and `Shutdown` void the call.
//! - **A batch ends** when it is full or its time is over, at a checkpoint that is due or asked for, at the trainable's end,
//!   and with the next report after an order that waits, or at which a limit of the trial is reached.
//! - **Reports come before the fault.** A failure in the middle of a batch hands in the reports before it; it is said
//!   when the trial asks for more.
//! - **A trial that leaves gets nothing more** but that the worker is at rest. What comes of a call that was under way is
//!   void, and so is every order under its lease that comes later.
//! - **A start begins anew**: counters, faults and checkpoints of the trial before are forgotten. Its first batch follows by
//!   itself, unless the trial has left in the meantime.
//! - **After a failure** the worker takes no order but the release, the next start and the shutdown.

mod batch;
mod io;
mod limits;
mod machine;
mod relay;
#[cfg(test)]
mod tests;

pub(crate) use io::{Call, Room, Wish, WorkerInput, WorkerOutput};
pub use limits::Limits;
pub(crate) use limits::TimeLimit;
pub(crate) use machine::Worker;
#[cfg(any(feature = "remote", feature = "testing", test))]
pub(crate) use relay::{Relay, Says};
