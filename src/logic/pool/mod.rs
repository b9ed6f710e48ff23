//! The second machine: resources, leases, the line of waiting requests, and the workers that are kept for reuse.

mod budget;
mod cache;
mod endings;
mod fleet;
mod gpus;
mod io;
mod kinds;
mod line;
mod machine;
mod orders;
mod resources;
mod room;
mod serve;
mod settings;
mod slot;
pub mod worker;

pub use io::{PoolCounts, PoolInput, PoolOutput, WaitsFor, WhyWaiting};
pub use machine::Pool;
pub use resources::{Amount, ResourceError, ResourceRequest, Resources};
pub use settings::{AbandonPolicy, Demand, Infeasible, PoolError, PoolSettings, Reuse};
pub use slot::Slot;
