//! Everything that decides, as plain values: no actor, clock, thread, file or environment.

#[macro_use]
mod setters;

pub mod api;
pub(crate) mod ask_tell;
pub mod checkpoint;
pub mod config;
pub mod decision;
pub mod engine;
pub mod event;
pub mod failure;
mod function;
pub mod gate;
pub mod ids;
pub mod journal;
#[cfg(feature = "remote")]
pub mod launch;
pub mod limit;
#[cfg(feature = "remote")]
pub(crate) mod link;
pub mod metrics;
pub(crate) mod mix;
pub mod names;
pub(crate) mod normal;
pub mod objects;
pub(crate) mod once_in_a_while;
pub(crate) mod one_line;
mod original;
pub(crate) mod place;
pub mod pool;
#[cfg(any(feature = "plot", feature = "web"))]
pub(crate) mod rungs;
mod same_words;
pub mod schedule;
pub mod search;
pub mod settings;
pub mod space;
pub mod spec;
pub mod state;
pub mod stop;
pub mod time;
pub mod trial;
pub mod wire;
// Some of what a worker can be told comes from processes alone.
#[cfg_attr(
    not(all(feature = "process", unix)),
    allow(dead_code, unused_imports, unreachable_pub, reason = "processes are compiled with a feature")
)]
pub(crate) mod worker;
