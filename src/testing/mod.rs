//! For authors of extensions, and for this crate's own tests: a simulator, scripted trainables, conformance suites.
//!
//! The [`Sim`] runs the same engine, journal gate, trials and pool as the actors do, in virtual time, from a seed, in one thread. What
//! trials do is told by a [`Script`]; [`scripted`] makes a backend of real threads out of the same script, so that both
//! can be held against each other.

mod backend;
pub mod campaign;
pub mod conformance;
mod faulty;
mod nobody;
mod renewed;
mod script;
mod sim;
mod spy;
mod trainable;
mod worker;

pub use backend::{ScriptedBackend, scripted};
pub use faulty::{Called, FaultyStore, StoreCall, StoreFault};
pub use nobody::Nobody;
pub use renewed::Renewed;
pub use script::{Chance, Killed, Kinds, Saves, Script};
pub use sim::{Reached, Sim, SimCut, SimEnd, SimError, SimJournal, SimLauncher, Survivors, Topic};
pub use spy::{Heard, Spy};
pub use trainable::{Supported, TrainableFault, check_trainable};
