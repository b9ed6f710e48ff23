//! Ctrl-C: the first ends the runs that listen to it in good order, the next ends the process.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::executor::block_on;

use super::builder::Experiment;
use super::handle::Control;
use super::place::Existing;
use crate::error::SettingsError;

/// What a shell expects of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// The runs that listen, and haven't been told to end.
static RUNS: Mutex<Vec<(OnCtrlC, Control)>> = Mutex::new(Vec::new());

/// What Ctrl-C does to a run.
pub(super) struct OnCtrlC {
    within: Duration,
    /// What a person reads then.
    words: String,
}

impl Experiment {
    /// Ends the run in good order when Ctrl-C is pressed (SIGINT): trials that run have so long to save themselves and pause, as
    /// with [`drain`](crate::Control::drain), and it is said on the standard error how the run goes on. Ctrl-C once more ends
    /// the process at once, with the code 130. Default: no signal is listened to.
    ///
    /// A process has one handler: any number of its runs can share this one, but a host that has its own calls
    /// [`drain`](crate::Control::drain) there.
    #[must_use]
    pub fn on_ctrl_c(mut self, within: Duration) -> Self {
        self.session.on_ctrl_c = Some(within);
        self
    }

    /// What Ctrl-C is to do, if anything. The handler is there from now on.
    pub(super) fn listens(&self) -> Result<Option<OnCtrlC>, SettingsError> {
        static HANDLER: OnceLock<Result<(), String>> = OnceLock::new();
        let Some(within) = self.session.on_ctrl_c else { return Ok(None) };
        let set = HANDLER.get_or_init(|| ctrlc::set_handler(pressed).map_err(|error| error.to_string()));
        set.clone().map_err(|why| SettingsError::CtrlC { why })?;
        Ok(Some(OnCtrlC { within, words: self.how_it_goes_on() }))
    }

    fn how_it_goes_on(&self) -> String {
        let name = &self.settings.name;
        let Some(place) = self.run_dir() else {
            return format!("`{name}` ends; it has no `.dir(..)`, so it can't be gone on with");
        };
        let how = match self.session.existing {
            Existing::Resume => "start the program again and it goes on".to_owned(),
            Existing::Refuse => format!("go on with `Experiment::resume({:?}, ..)`", place.display().to_string()),
        };
        format!("`{name}` saves what runs, and ends; {how}")
    }
}

impl OnCtrlC {
    /// From now on, until the run is over.
    pub(super) fn listen(self, control: Control) {
        let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|(_, control)| control.controller.connected());
        runs.push((self, control));
    }
}

/// On the handler's own thread.
fn pressed() {
    let mut runs = std::mem::take(&mut *RUNS.lock().unwrap_or_else(PoisonError::into_inner));
    runs.retain(|(_, control)| control.controller.connected());
    if runs.is_empty() {
        std::process::exit(INTERRUPTED);
    }
    for (OnCtrlC { within, words }, control) in runs {
        eprintln!("\n{words}. Ctrl-C again ends it at once.");
        // A run that has ended meanwhile needs no telling.
        let _ = block_on(control.drain(within));
    }
}
