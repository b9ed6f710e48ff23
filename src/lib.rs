//! tryout
pub mod logic;
pub mod prelude {
    pub use crate::logic::schedule::{Asha, AtMaxT, Fifo};
    pub use crate::logic::stop::{self, StopRule};
    pub use crate::logic::{config::*, metrics::*, pool::*};
}
pub mod extend {
    pub use crate::logic::stop::{Progress, StopError, StopReason, StopRule};
    pub use crate::logic::{config::*, decision::*, ids::*, metrics::*, pool::*, schedule::*, search::*};
}
