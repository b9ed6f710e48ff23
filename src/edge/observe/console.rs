//! The console for people: one line that changes, then one table.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::board::Board;
use super::log_bridge::LogBridge;
use super::notices::Notices;
use super::summary::summary;
use super::table::{Column, RowOrder, Shape, table};
use super::tally::Tally;
use super::terminal::Pane;
use super::words;
use crate::logic::event::{EventKind, ExperimentEvent};
use crate::logic::time::Moment;
use crate::ports::error::ObserverError;
use crate::ports::observer::{Observer, Past};

/// So many rows the table has unless it is said.
const ROWS: usize = 10;
const REDRAW: Duration = Duration::from_millis(200);
const PLAIN_PROGRESS: Duration = Duration::from_secs(10);
const COLUMNS: u16 = 100;

/// How a [`Console`] shows itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// A line on a terminal, else plain. A writer isn't taken for a terminal.
    #[default]
    Auto,
    /// One line that changes, for terminals.
    Line,
    /// Lines that stay, for files: at most one every ten seconds unless it is said, besides failures.
    Plain,
    /// Nothing at all.
    Silent,
}

/// Shows a run to a person.
///
/// On a terminal it is one line that changes: how much of the whole has ended, the best so far, how many were stopped early or
/// failed, the counts by status, the resources in use, the time that is left and the rate of reports. It is redrawn five times a second from the
/// latest counts, however many events there are, and in silence too. Without a terminal there is a plain line every ten seconds
/// ([`every`](Self::every)). Failures and warnings are printed as they come: their first line only, an error that ended a trial
/// before not again, and at most ten within ten seconds. At the end it says how the run ended, shows the best ten trials in a
/// table, and each error once in full, with the trials that it ended. The table can come while the run goes on, too
/// ([`table_every`](Self::table_every)); its rows and columns can be chosen. Numbers have five digits.
///
/// The best value and the parameters in which the trials differ stand first in the table; on a narrow terminal the time, how a
/// trial ended, the iterations and the status are left out for them, in this order. [`columns`](Self::columns) shows what you choose.
///
/// Everything goes to the standard error, so that the standard output stays the program's own. Log records tear the
/// line unless they go through a [`LogBridge`].
///
/// ```
/// use tryout::observe::{Console, Style};
///
/// let on_stderr = Console::new();
/// let into_a_file = Console::to(Vec::new(), Style::Plain);
/// ```
#[derive(Debug)]
pub struct Console {
    style: Style,
    pane: Pane,
    watched: Arc<Mutex<Watched>>,
    board: Board,
    bar: Option<ProgressBar>,
    every: Duration,
    next_progress: Moment,
    table_every: Option<Duration>,
    next_table: Moment,
    shape: Shape,
    notices: Notices,
}

/// What the line shows.
#[derive(Debug)]
struct Watched {
    tally: Tally,
    // When the tally was told its time, to know the run's time in silence.
    told: Instant,
}

impl Console {
    /// On the standard error, as a line if that is a terminal.
    pub fn new() -> Self {
        Self::styled(Style::Auto)
    }

    /// On the standard error, in this style. A line is shown on a terminal only.
    pub fn styled(style: Style) -> Self {
        let terminal = io::stderr().is_terminal();
        let style = match style {
            Style::Auto if terminal => Style::Line,
            Style::Auto => Style::Plain,
            chosen => chosen,
        };
        Self::on(Pane::stderr(), style)
    }

    /// Into a writer, 100 columns wide. In [`Style::Line`] it has to obey what an ANSI terminal obeys.
    pub fn to(out: impl Write + Send + 'static, style: Style) -> Self {
        Self::sized(out, style, COLUMNS)
    }

    /// Into a writer of so many columns.
    pub fn sized(out: impl Write + Send + 'static, style: Style, columns: u16) -> Self {
        match style {
            Style::Line => Self::on(Pane::ansi(Box::new(out), columns), style),
            Style::Auto => Self::on(Pane::plain(Box::new(out), columns), Style::Plain),
            Style::Plain | Style::Silent => Self::on(Pane::plain(Box::new(out), columns), style),
        }
    }

    fn on(pane: Pane, style: Style) -> Self {
        let watched = Watched { tally: Tally::new(), told: Instant::now() };
        Self {
            style,
            pane,
            watched: Arc::new(Mutex::new(watched)),
            board: Board::new(ROWS),
            bar: None,
            every: PLAIN_PROGRESS,
            next_progress: Moment::START,
            table_every: None,
            next_table: Moment::START,
            shape: Shape::default(),
            notices: Notices::default(),
        }
    }

    /// How often a plain line of progress is printed at most. Default: every ten seconds.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.every = period;
        self
    }

    /// How often the table is printed while the run goes on, at most. Default: only at the end.
    #[must_use]
    pub fn table_every(mut self, period: Duration) -> Self {
        self.table_every = Some(period);
        self
    }

    /// What the table shows, from left to right, whatever the width. Default: what there is and fits of trial, best value,
    /// parameters, status, iterations, time and ending.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.shape.columns = Some(columns.into_iter().collect());
        self
    }

    /// In which order the table shows its trials. They are the best, in whatever order. Default: the best first.
    ///
    /// ```
    /// use tryout::observe::{Column, Console, RowOrder};
    ///
    /// let by_rate = Console::new().rows(50).order(RowOrder::Smallest(Column::Parameter("lr".into())));
    /// ```
    #[must_use]
    pub fn order(mut self, order: RowOrder) -> Self {
        self.shape.order = order;
        self
    }

    /// How many trials the table shows: the best, or without an objective those that ended last. Default: 10.
    #[must_use]
    pub fn rows(mut self, most: usize) -> Self {
        self.board.keep(most);
        self
    }

    /// A bridge for log records that end up where this console prints. For the standard error, use
    /// [`LogBridge::install`].
    pub fn bridge(&self, inner: Box<dyn log::Log>) -> LogBridge {
        LogBridge::on(self.pane.clone(), inner)
    }

    fn begin(&mut self, at: Moment) -> io::Result<()> {
        self.next_table = at + self.table_every.unwrap_or_default();
        if self.style == Style::Line {
            self.bar = Some(line(&self.pane, &self.watched));
            return Ok(());
        }
        self.next_progress = at + self.every;
        let text = {
            let tally = &lock(&self.watched).tally;
            let mut text = format!("{} {} started", words::line_of(tally.name()), tally.run());
            if let Some(total) = tally.total() {
                text += &format!(", {}", words::of(total, "trial"));
            }
            text
        };
        self.tell(at, &text)
    }

    fn tell(&self, at: Moment, text: &str) -> io::Result<()> {
        match self.style {
            // The line below says what time it is.
            Style::Line => self.pane.say(&format!("{text}\n")),
            _ => self.pane.say(&format!("[{:>7}] {text}\n", words::duration(at.since_start()))),
        }
    }

    fn progress(&mut self, at: Moment) -> io::Result<()> {
        if self.style != Style::Plain || at < self.next_progress {
            return Ok(());
        }
        self.next_progress = at + self.every;
        let text = words::progress(&lock(&self.watched).tally, at);
        self.tell(at, &text)
    }

    fn live_table(&mut self, at: Moment) -> io::Result<()> {
        let Some(period) = self.table_every.filter(|_| at >= self.next_table) else { return Ok(()) };
        self.next_table = at + period;
        let text = {
            let tally = &lock(&self.watched).tally;
            let rows = self.board.rows(tally);
            if rows.is_empty() {
                return Ok(());
            }
            table(rows, tally, &self.shape, self.pane.columns())
        };
        self.pane.say(&format!("{text}\n"))
    }

    fn notice(&mut self, at: Moment, text: &str) -> io::Result<()> {
        let Some(held_back) = self.notices.pass(at) else { return Ok(()) };
        self.held_back(at, held_back)?;
        self.tell(at, text)
    }

    fn held_back(&self, at: Moment, notices: u64) -> io::Result<()> {
        match notices {
            0 => Ok(()),
            more => self.tell(at, &format!("... and {} like these", words::count(more))),
        }
    }

    fn end(&mut self, at: Moment) -> io::Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.pane.lines().remove(&bar);
        }
        let held_back = self.notices.take_held_back();
        self.held_back(at, held_back)?;
        let text = summary(&lock(&self.watched).tally, &self.board, &self.shape, self.pane.columns());
        self.pane.say(&text)
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Console {
    /// Takes the line away if the run didn't end under it.
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.pane.lines().remove(&bar);
        }
    }
}

impl Observer for Console {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if self.style == Style::Silent {
            return Ok(());
        }
        // What ended a trial before is told again at the end, with all that it ended.
        let known = match &event.kind {
            EventKind::Failed { failure, .. } => !self.board.is_new(failure),
            _ => false,
        };
        {
            let mut watched = lock(&self.watched);
            self.board.add(event, &watched.tally);
            watched.tally.add(event);
            watched.told = Instant::now();
        }
        match &event.kind {
            EventKind::Started { .. } => self.begin(event.at)?,
            EventKind::Finished { .. } => self.end(event.at)?,
            kind => {
                if let Some(text) = Notices::text(kind, event.at).filter(|_| !known) {
                    self.notice(event.at, &text)?;
                }
                self.live_table(event.at)?;
                self.progress(event.at)?;
            }
        }
        Ok(())
    }

    /// Earlier sessions count, and aren't shown again.
    fn on_past(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        let mut watched = lock(&self.watched);
        self.board.add(event, &watched.tally);
        watched.tally.recall(event);
        Ok(())
    }

    fn wants_past(&self) -> Past {
        Past::Wanted
    }

    fn on_missed(&mut self, events: u64) -> Result<(), ObserverError> {
        lock(&self.watched).tally.missed(events);
        Ok(())
    }

    fn name(&self) -> &str {
        "console"
    }
}

fn line(pane: &Pane, watched: &Arc<Mutex<Watched>>) -> ProgressBar {
    let (watched, width) = (watched.clone(), pane.clone());
    let draw = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        let text = {
            let watched = lock(&watched);
            let now = watched.tally.now() + watched.told.elapsed();
            let name = words::line_of(watched.tally.name());
            format!("{name} {}: {}", words::duration(now.since_start()), words::progress(&watched.tally, now))
        };
        // Two columns for the spinner, and the last one free: some terminals wrap when it is filled.
        let room = usize::from(width.columns()).saturating_sub(3);
        let _ = out.write_str(&words::shortened(&text, room));
    };
    let style = ProgressStyle::with_template("{spinner} {run}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = pane.lines().add(ProgressBar::new_spinner());
    bar.set_style(style.with_key("run", draw));
    bar.tick();
    bar.enable_steady_tick(REDRAW);
    bar
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
