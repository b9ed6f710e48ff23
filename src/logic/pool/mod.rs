//! The second machine: resources, leases, the line of waiting requests, and the workers that are kept for reuse.

mod budget;
mod cache;
mod elsewhere;
mod endings;
mod fleet;
mod gpus;
mod io;
mod joined;
mod kind;
mod kinds;
mod line;
mod machine;
mod orders;
mod request;
mod resources;
mod returning;
mod room;
mod serve;
mod settings;
mod share;
pub mod shares;
mod slot;
pub(crate) mod units;
pub mod worker;

pub use elsewhere::Stays;
pub use io::{PoolCounts, PoolInput, PoolOutput, WaitsFor, WhyWaiting, WorkerTotals};
pub use joined::Joined;
pub use machine::Pool;
pub use request::ResourceRequest;
pub use resources::{Amount, ResourceError, Resources};
pub use settings::{AbandonPolicy, Demand, Infeasible, PoolError, Reuse};
pub use slot::Slot;
