//! `tryout plot`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use tryout::plot::{PictureError, View};
use tryout::prelude::*;

use super::Problem;
use super::open::Which;
use super::table::clean;

/// Draws a picture of a run, as SVG or PNG.
///
/// Views: `history` (the value of each trial, and the best so far), `curves` (the metric by iteration), `parallel` (parallel coordinates),
/// `importance` (which values of the configurations mattered), `rungs` (who was stopped at which iteration), `slice` (the value
/// over each value of the configurations). Where there is nothing to draw, the picture says why.
#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// What is drawn.
    #[arg(value_parser = PossibleValuesParser::new(View::ALL.map(View::name)))]
    view: String,
    #[command(flatten)]
    which: Which,
    /// Into which file: its name ends in `.svg` or `.png`; `-` is SVG on the standard output [default: `VIEW.svg` in the run's
    /// directory]. A file that is there is replaced.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// By which metric [default: the objective's].
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Which way it is better [default: the objective's way if it is the same metric, else `min`].
    #[arg(long, value_enum, requires = "metric")]
    mode: Option<Better>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Better {
    Min,
    Max,
}

impl Plot {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let view: View = self.view.parse().map_err(|error| Problem::given(&error))?;
        let run = self.which.open()?;
        let picture = match self.metric {
            None => run.results.plot(view),
            Some(metric) => {
                let known = run.results.objective().filter(|objective| objective.metric == metric);
                let mode = match self.mode {
                    Some(Better::Min) => Mode::Min,
                    Some(Better::Max) => Mode::Max,
                    None => known.map_or(Mode::Min, |objective| objective.mode),
                };
                run.results.plot_by(view, &Objective { metric, mode })
            }
        };
        let mut out = std::io::stdout().lock();
        let path = self.out.unwrap_or_else(|| run.dir.join(format!("{view}.svg")));
        if path.as_os_str() == "-" {
            out.write_all(picture.to_svg().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        picture.write(&path).map_err(|error| match error {
            PictureError::Format { .. } => Problem::given(&error),
            _ => Problem::failed(&error),
        })?;
        writeln!(out, "{}", clean(&path.display().to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}
