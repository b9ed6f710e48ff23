//! What only Linux has, and what stands in its place on other Unix systems: the one place that asks which system it is.
//!
//! | | on Linux | elsewhere |
//! |---|---|---|
//! | a bell that can be polled | an event descriptor | a pair of sockets |
//! | a child has ended | a descriptor of the process | a thread that waits for it, without reaping it |
//! | a worker's engine has gone | the socket says so at once, and the kernel kills the worker | the next sign of life can't be written; the guard kills the worker |
//! | limits on memory and processor time | `prlimit` | refused before anything runs |
//! | processor time, and whether memory ran out | the kernel's files | not known |
//!
//! `RUSTFLAGS="--cfg tryout_portable"` builds what stands elsewhere on Linux too, so that tests can run it.

#[cfg(all(target_os = "linux", not(tryout_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(tryout_portable)))]
pub(super) use linux::{Bell, Hangup, Memory, Watch, can_limit, cpu_time, die_with_parent, limit_cpu, limit_memory};

#[cfg(not(all(target_os = "linux", not(tryout_portable))))]
mod portable;
#[cfg(not(all(target_os = "linux", not(tryout_portable))))]
pub(super) use portable::{Bell, Hangup, Memory, Watch, can_limit, cpu_time, die_with_parent, limit_cpu, limit_memory};
