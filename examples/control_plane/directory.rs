//! Where a run is kept while it is measured, and what is there afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tryout::prelude::*;

use super::{Arguments, Place, Sinks, machine};

/// The run's directory, if it has one. It stays: ext4 takes its time to make files while many were just deleted, so the next
/// measurement would pay for it.
pub(crate) struct Directory {
    parent: Option<PathBuf>,
}

impl Directory {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, Box<dyn std::error::Error>> {
        let kept = arguments.store == Place::Dir;
        if !kept && (arguments.sinks == Sinks::All || arguments.reopen) {
            return Err("--sinks all and --reopen need --store dir".into());
        }
        Ok(Self {
            parent: if kept { Some(tempfile::Builder::new().prefix("control_plane-").tempdir()?.keep()) } else { None },
        })
    }

    pub(crate) fn place(&self, experiment: Experiment, sinks: Sinks) -> Experiment {
        let Some(parent) = &self.parent else { return experiment };
        let experiment = experiment.dir(parent);
        match sinks {
            // The time is taken until all rows are written.
            Sinks::All => experiment.files(Files::all()).patience(Duration::from_secs(600)),
            Sinks::None => experiment,
        }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.parent.as_ref().map(|parent| parent.join("control_plane"))
    }

    /// Has a process of its own resume the run, so that its time and memory are seen, and adds what it says.
    pub(crate) fn reopen(&self, report: &mut serde_json::Value) -> Result<(), Box<dyn std::error::Error>> {
        let Some(run) = self.path() else { return Ok(()) };
        let mut bytes = 0;
        for entry in std::fs::read_dir(run.join("journal"))? {
            bytes += entry?.metadata()?.len();
        }
        let output = Command::new(std::env::current_exe()?).arg("--resume").arg(&run).output()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        if said["results"] != report["results"] || said["trials"] != report["trials"] {
            return Err(format!("not all of it is there: {said}").into());
        }
        report["journal_mb"] = (bytes as f64 / 1e6).into();
        report["resume_s"] = said["resume_s"].clone();
        report["resume_peak_rss_mb"] = said["peak_rss_mb"].clone();
        Ok(())
    }
}

/// Resumes a finished run: everything is read and told to engine, scheduler and searcher, and there is nothing left to do.
pub(crate) fn resume(run: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let results = Experiment::resume(run, stepwise::<super::Trivial>())?.run()?;
    let report = serde_json::json!({
        "resume_s": began.elapsed().as_secs_f64(),
        "peak_rss_mb": machine::peak_rss_mb(),
        "trials": results.trials().len(),
        "results": results.totals().reports,
    });
    println!("{report}");
    Ok(())
}
