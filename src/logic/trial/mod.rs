//! The first machine: one trial, its states, and the record around them.

mod arrival;
mod batch_limits;
mod event;
mod io;
mod record;
mod reports_form;
mod settings;
mod state;
mod table;
mod talk;
mod transition;

pub use arrival::Arrival;
pub use batch_limits::BatchLimits;
pub use event::{Effect, Event, Keep, Origin, Verdict};
pub use io::{Handled, Inherited, Loaded, TrialInput, TrialOutput, TrialPast};
pub use record::Trial;
pub use settings::{Export, Rests, TrialSettings};
pub use state::{Phase, State, Status};
pub use table::{public_edges, reachable_states, transition_table};
pub use talk::{
    AtRest, Batch, BatchEnd, FirstBatch, Launch, Over, PoolFact, PoolOrder, TrialFact, TrialInfo, TrialNews,
    TrialOrder, WorkerFact, WorkerOrder,
};
pub use transition::{IllegalTransition, Step, transition};
