//! Where a run is kept while it is measured, and what is there afterwards.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tryout::prelude::*;

use super::{Arguments, Place, Sinks};

/// The run's directory, if it has one.
pub(crate) struct Directory {
    parent: Option<TempDir>,
}

impl Directory {
    pub(crate) fn new(arguments: Arguments) -> Result<Self, Box<dyn std::error::Error>> {
        let kept = arguments.store == Place::Dir;
        if !kept && (arguments.sinks == Sinks::All || arguments.reopen) {
            return Err("--sinks all and --reopen need --store dir".into());
        }
        // In the current directory: a temporary one may be in memory.
        Ok(Self { parent: if kept { Some(TempDir::with_prefix_in("control_plane-", ".")?) } else { None } })
    }

    pub(crate) fn place(&self, experiment: Experiment, sinks: Sinks) -> Experiment {
        let Some(parent) = &self.parent else { return experiment };
        let experiment = experiment.dir(parent.path());
        match sinks {
            // The time is taken until all rows are written.
            Sinks::All => experiment.files(Files::all()).patience(Duration::from_secs(600)),
            Sinks::None => experiment,
        }
    }

    /// Opens the run once more, as a process does that resumes it: this one's memory is measured by its peak, so it is said
    /// for a process of its own, which is this program again.
    pub(crate) fn reopen(
        &self,
        trials: usize,
        reports: u64,
        report: &mut serde_json::Value,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let Some(parent) = &self.parent else { return Ok(()) };
        let run: PathBuf = parent.path().join("control_plane");
        let mut bytes = 0;
        for entry in std::fs::read_dir(run.join("journal"))? {
            bytes += entry?.metadata()?.len();
        }
        let (rss, began) = (super::machine::rss_mb(), Instant::now());
        let results = Experiment::open(&run)?;
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!((results.trials().len(), results.totals().reports), (trials, reports), "all of it is there");
        report["journal_mb"] = (bytes as f64 / 1e6).into();
        report["journal_bytes_per_result"] = (bytes as f64 / reports as f64).into();
        report["open_s"] = seconds.into();
        report["open_rss_mb"] = (super::machine::rss_mb() - rss).into();
        Ok(())
    }
}
