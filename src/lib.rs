//! tryout
pub mod logic;
pub mod prelude {
    pub use crate::logic::search::{ConcurrencyLimiter, Points, Repeater, Samples, Variants};
    pub use crate::logic::space::{
        Domain, Outside, Space, SpaceError, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform,
    };
    pub use crate::logic::{config::*, metrics::*, pool::*};
}
pub mod extend {
    pub use crate::logic::{config::*, decision::*, ids::*, metrics::*, pool::*, schedule::*, search::*, space::*};
}
