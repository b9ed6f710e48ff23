//! What the page needs of a run in this process.

use super::handle::Control;
use crate::actors::messages::InspectAll;
use crate::edge::host;
use crate::edge::web::model::RunModel;
use crate::error::ControlError;

/// So many events wait for a model that is being asked; then reports are dropped, and it says so.
const ROOM: usize = 131_072;

impl Control {
    /// The read model of this run, from this moment on: for a run without a directory. What happened before is there as far as
    /// the trials' own records say it; decisions, and which worker had which trial, are there from now on.
    ///
    /// # Errors
    /// If the run is over.
    #[doc(hidden)]
    pub async fn read_model(&self) -> Result<RunModel, ControlError> {
        // What happens between these two is in both, and told apart by its moment.
        let events = self.events(ROOM);
        let overview = self.controller.send(InspectAll).await?;
        let began = host::since_1970().saturating_sub(overview.now.since_start());
        Ok(RunModel::mounted(overview, began.as_secs_f64(), events))
    }
}
