//! The place where consoles print: lines that stay, and below them the lines that change.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use ::console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

type SharedWriter = Arc<Mutex<Box<dyn Write + Send>>>;

const REDRAWS_PER_SECOND: u8 = 10;

/// A terminal, or a writer that stands for one. Clones are the same place.
#[derive(Clone)]
pub(super) struct Pane {
    lines: MultiProgress,
    out: SharedWriter,
    columns: Columns,
}

#[derive(Clone, Copy, Debug)]
enum Columns {
    /// As many as the standard error's terminal has at the moment.
    Stderr,
    Fixed(u16),
}

impl Columns {
    fn now(self) -> u16 {
        match self {
            // The same answer as the drawing gets, its default included.
            Columns::Stderr if io::stderr().is_terminal() => Term::stderr().size().1,
            Columns::Stderr => 100,
            Columns::Fixed(columns) => columns,
        }
    }
}

// There is one standard error in a process: consoles of several runs share it, each with its own line.
static STDERR: LazyLock<Pane> = LazyLock::new(|| {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::term_like_with_hz(Box::new(Forgiving(Term::buffered_stderr())), REDRAWS_PER_SECOND)
    } else {
        ProgressDrawTarget::hidden()
    };
    Pane {
        lines: MultiProgress::with_draw_target(target),
        out: Arc::new(Mutex::new(Box::new(io::stderr()))),
        columns: Columns::Stderr,
    }
});

impl Pane {
    pub(super) fn stderr() -> Self {
        STDERR.clone()
    }

    /// A writer that takes plain text only.
    pub(super) fn plain(out: Box<dyn Write + Send>, columns: u16) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self { lines, out: Arc::new(Mutex::new(out)), columns: Columns::Fixed(columns) }
    }

    /// A writer that obeys what an ANSI terminal obeys.
    pub(super) fn ansi(out: Box<dyn Write + Send>, columns: u16) -> Self {
        let out: SharedWriter = Arc::new(Mutex::new(out));
        let terminal = AnsiTerminal { out: out.clone(), pending: Mutex::default(), columns };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Forgiving(terminal)), REDRAWS_PER_SECOND);
        Self { lines: MultiProgress::with_draw_target(target), out, columns: Columns::Fixed(columns) }
    }

    pub(super) fn columns(&self) -> u16 {
        self.columns.now()
    }

    pub(super) fn lines(&self) -> &MultiProgress {
        &self.lines
    }

    /// Writes `text`, whole lines, above the lines that change.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        self.suspended(|| {
            let mut out = lock(&self.out);
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    }

    /// Takes the changing lines away while `print` runs. It must not call back into this pane.
    pub(super) fn suspended<R>(&self, print: impl FnOnce() -> R) -> R {
        // A panic inside would poison the locks, and with them every later log record of the process.
        let printed = self.lines.suspend(|| catch_unwind(AssertUnwindSafe(print)));
        printed.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl fmt::Debug for Pane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pane").field("columns", &self.columns).finish_non_exhaustive()
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal whose errors are swallowed: `MultiProgress::suspend` panics on them, which would hit whoever logs.
/// What matters is written through `Pane::say`, which doesn't swallow them.
#[derive(Debug)]
struct Forgiving<T>(T);

macro_rules! forgiving {
    ($($method:ident($($name:ident: $type:ty),*);)+) => {
        $(fn $method(&self, $($name: $type),*) -> io::Result<()> {
            let _ = self.0.$method($($name),*);
            Ok(())
        })+
    };
}

impl<T: TermLike> TermLike for Forgiving<T> {
    fn width(&self) -> u16 {
        self.0.width()
    }

    fn height(&self) -> u16 {
        self.0.height()
    }

    forgiving! {
        move_cursor_up(n: usize);
        move_cursor_down(n: usize);
        move_cursor_right(n: usize);
        move_cursor_left(n: usize);
        write_line(text: &str);
        write_str(text: &str);
        clear_line();
        flush();
    }
}

/// An ANSI terminal behind a writer. What belongs together goes out in one write.
struct AnsiTerminal {
    out: SharedWriter,
    pending: Mutex<Vec<u8>>,
    columns: u16,
}

impl AnsiTerminal {
    fn put(&self, text: &str) -> io::Result<()> {
        lock(&self.pending).extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn go(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.put(&format!("\x1b[{n}{direction}")) }
    }
}

impl fmt::Debug for AnsiTerminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsiTerminal").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl TermLike for AnsiTerminal {
    fn width(&self) -> u16 {
        self.columns
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(text)?;
        self.put("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let pending = std::mem::take(&mut *lock(&self.pending));
        let mut out = lock(&self.out);
        out.write_all(&pending)?;
        out.flush()
    }
}
