//! One JSON object a line for each event, for machines.

use std::io::{self, Write};

use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::time::Moment;
use crate::ports::error::ObserverError;
use crate::ports::observer::Observer;

/// Writes every event as one line of JSON.
///
/// Every object has `at`, the seconds since the start of the run, and `event`. A trial is its id as a text, times are
/// in seconds, what isn't known is `null`; a metric that isn't finite is `"NaN"`, `"Infinity"` or `"-Infinity"`.
/// More events and more keys may come: skip what you don't know.
///
/// | `event` | further keys |
/// |---|---|
/// | `started` | `run`, `name`, `total`, `objective` (`metric`, `mode`), `session`, `seed`, `samples`, `searcher`, `scheduler`, `stop`, `resources`, `dir`, `checkpoints`: a checkpoint lies at `<checkpoints>/<trial>/checkpoint_<index, six digits>` |
/// | `added` | `trial`, `config` |
/// | `status` | `trial`, `from`, `to`: `PENDING`, `RUNNING`, `PAUSED`, `TERMINATED` or `ERROR` |
/// | `launched` | `trial`, `attempt`, `worker`, `lease` |
/// | `restored` | `checkpoint` (`trial`, `index`), `iteration` |
/// | `reported` | `report` (`trial_id`, `training_iteration`, `time_total_s`, ..., `metrics`) |
/// | `saved` | `checkpoint` (`id`, `report`, `bytes`) |
/// | `deleted` | `checkpoint` (`trial`, `index`) |
/// | `paused` | `trial`, `by`, `reason` |
/// | `failed` | `trial`, `failure` (`kind`, `message`, `place`, `attempt`, `iteration`, `worker`, `at`), `retry_at` |
/// | `ended` | `trial`, `status`, `ending`, `reason`, `last` (a report) |
/// | `abandoned` | `worker`, `trial` |
/// | `warning` | `message` |
/// | `missed` | `count`: the reader of these lines was too slow, and so many events are missing here |
/// | `finished` | `outcome`: `completed`, `stopped`, `drained` or `failed`; `reason` with `stopped` and `failed` |
///
/// Each line is one write, so that a reader of a pipe sees whole lines at once. Put a
/// [`BufWriter`](std::io::BufWriter) around a file. It is flushed after `finished`.
///
/// ```
/// use tryout::observe::JsonLines;
/// use tryout::extend::*;
/// use tryout::event::Moment;
///
/// let mut out = Vec::new();
/// let event = ExperimentEvent { at: Moment::from_secs_f64(1.5), kind: EventKind::Warning { message: "hot".into() } };
/// JsonLines::new(&mut out).on_event(&event)?;
/// assert_eq!(out, b"{\"at\":1.5,\"event\":\"warning\",\"message\":\"hot\"}\n");
/// # Ok::<(), ObserverError>(())
/// ```
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    line: Vec<u8>,
    now: Moment,
}

impl JsonLines<io::Stdout> {
    /// To the standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write + Send> JsonLines<W> {
    /// To any writer.
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new(), now: Moment::START }
    }

    pub(super) fn flush(&mut self) -> Result<(), ObserverError> {
        Ok(self.out.flush()?)
    }

    fn write(&mut self, event: &impl serde::Serialize) -> Result<(), ObserverError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, event)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)?;
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Missed {
    at: Moment,
    event: &'static str,
    count: u64,
}

impl<W: Write + Send> Observer for JsonLines<W> {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.now = event.at;
        self.write(event)?;
        if matches!(event.kind, EventKind::Finished { .. }) {
            self.out.flush()?;
        }
        Ok(())
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        self.write(&Missed { at: self.now, event: "missed", count: events })
    }

    fn name(&self) -> &str {
        "json"
    }
}
