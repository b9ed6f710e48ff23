//! The second machine: resources, leases, the line of waiting requests, and the workers that are kept for reuse.

mod resources;
mod slot;

pub use resources::{Amount, ResourceError, ResourceRequest, Resources};
pub use slot::Slot;
