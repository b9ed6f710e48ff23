//! tryout
pub mod edge;
pub mod logic;
pub mod ports;
/// What an experiment needs.
pub mod prelude {
    pub use crate::logic::{config::*, metrics::*, pool::*};
    pub use crate::ports::{error::*, store::*, trainable::*};
}
/// What an extension needs.
pub mod extend {
    pub use crate::logic::{config::*, decision::*, event::*, ids::*, metrics::*, pool::*, schedule::*, search::*};
    pub use crate::ports::{backend::*, error::*, observer::*, store::*, trainable::*};
}
