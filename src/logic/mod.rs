//! Everything that decides, as plain values: no actor, clock, thread, file or environment.

pub mod checkpoint;
pub mod config;
pub mod decision;
pub mod engine;
pub mod event;
pub mod failure;
pub mod ids;
pub mod journal;
pub mod limit;
pub mod metrics;
pub mod objects;
pub mod pool;
pub mod schedule;
pub mod search;
pub mod space;
pub mod spec;
pub mod state;
pub mod stop;
pub mod time;
pub mod trial;
