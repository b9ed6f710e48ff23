//! `tryout serve`, and what it shares with `tryout run --serve`.

use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use log::{LevelFilter, Log, Metadata, Record};
use tryout::observe::LogBridge;
use tryout::web::{Links, Role, Runs, ServeError, ServerSettings, Serving};

use super::Problem;
use super::table::clean;

/// Where the page is if nothing else is said, and nobody else is there.
const USUAL: &str = "127.0.0.1:8970";

/// Shows runs in a browser, live, and steers those that go on.
///
/// It prints a link that lets one browser in within 60 s; Enter shows another one. Ctrl-C ends it; runs don't notice. Programs send the
/// token that is in a file: `docs/http.md` describes the API.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Runs, or directories with runs below them, at most two levels down. Those that begin later are found.
    #[arg(value_name = "DIR", default_value = "runs")]
    dirs: Vec<PathBuf>,
    /// Where it listens [default: 127.0.0.1:8970, or another port if that is taken].
    #[arg(long, value_name = "ADDR")]
    bind: Option<SocketAddr>,
    /// The file that keeps the token; it is made if it isn't there [default: a new token each time, in a file that goes with the server].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificates for TLS, the server's own first (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Their key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serves other machines without TLS: whoever is on the way can read and do everything.
    #[arg(long)]
    insecure: bool,
    /// Another name under which the server is reached, as that of a proxy; may be given several times.
    #[arg(long = "allow-host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Nobody can change anything.
    #[arg(long)]
    watch_only: bool,
}

impl Serve {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if let Some(dir) = self.dirs.iter().find(|dir| !dir.is_dir()) {
            return Err(Problem::Given(format!("there is no directory `{}`", dir.display())));
        }
        show_log(LevelFilter::Info)?;
        let runs = self.dirs.iter().fold(Runs::new(), |runs, dir| runs.below(dir));
        let mut settings = ServerSettings::new(address(USUAL)?);
        settings.beside = self.dirs.first().cloned().unwrap_or_else(|| PathBuf::from("."));
        settings.token_file = self.token_file;
        settings.tls = self.tls_cert.zip(self.tls_key);
        settings.insecure = self.insecure;
        settings.page.hosts = self.hosts;
        settings.page.most = if self.watch_only { Role::Watch } else { Role::Control };
        let serving = match self.bind {
            Some(bind) => {
                settings.bind = bind;
                start(runs, settings)?
            }
            None => start_somewhere(runs, settings)?,
        };
        let (to, from) = channel();
        end_on_interrupt(to)?;
        listen_to_enter(serving.links());
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serving.links().another()?)?;
        writeln!(out, "{}", about(&serving, "it"))?;
        out.flush()?;
        drop(out);
        // Nobody is left who could say it if this fails.
        let _ = from.recv();
        Ok(ExitCode::SUCCESS)
    }
}

fn address(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| Problem::Given(format!("`{text}` is no address: give one as in 127.0.0.1:8970")))
}

/// The address of `--serve`.
pub(crate) fn serve_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("give an address as in {USUAL}, or say `--serve` behind the file"))
}

fn problem(error: ServeError) -> Problem {
    match error {
        ServeError::Io(_) => Problem::failed(&error),
        error => Problem::given(&error),
    }
}

fn start(runs: Runs, settings: ServerSettings) -> Result<Serving, Problem> {
    Serving::start(runs, settings).map_err(problem)
}

/// On the usual port, or on any that is free.
pub(crate) fn start_somewhere(runs: Runs, mut settings: ServerSettings) -> Result<Serving, Problem> {
    settings.bind = address(USUAL)?;
    match Serving::start(runs.clone(), settings.clone()) {
        Err(ServeError::Bind { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            settings.bind.set_port(0);
            start(runs, settings)
        }
        started => started.map_err(problem),
    }
}

/// The server of a run that is about to begin: where, and beside which directory.
pub(crate) fn start_for_run(runs: Runs, bind: Option<SocketAddr>, beside: &Path) -> Result<Serving, Problem> {
    let mut settings = ServerSettings::new(bind.map_or_else(|| address(USUAL), Ok)?);
    settings.beside = beside.to_owned();
    if bind.is_some() { start(runs, settings) } else { start_somewhere(runs, settings) }
}

/// What a person should know of the server.
pub(crate) fn about(serving: &Serving, ends: &str) -> String {
    let enter = if std::io::stdin().is_terminal() { "; Enter shows another one" } else { "" };
    format!(
        "the link lets one browser in, within 60 s{enter}. Programs: `Authorization: Bearer TOKEN` with the token in `{}`. Ctrl-C ends {ends}",
        serving.token_file().display()
    )
}

/// The first Ctrl-C ends the server in order, a second one this process.
fn end_on_interrupt(to: Sender<()>) -> Result<(), Problem> {
    let pressed = std::sync::atomic::AtomicBool::new(false);
    let handler = move || {
        if pressed.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::process::exit(130);
        }
        // Nobody listens if it is ending by itself.
        let _ = to.send(());
    };
    ctrlc::set_handler(handler).map_err(|error| Problem::failed(&error))
}

/// Each line that is typed shows another link.
pub(crate) fn listen_to_enter(links: Links) {
    if !std::io::stdin().is_terminal() {
        return;
    }
    let listen = move || {
        for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
            match links.another() {
                Ok(link) => eprintln!("{link}"),
                Err(error) => eprintln!("error: there is no link: {error}"),
            }
        }
    };
    // Without the thread there is one link only.
    if let Err(error) = std::thread::Builder::new().name("tryout-enter".to_owned()).spawn(listen) {
        eprintln!("Enter isn't listened to: {error}");
    }
}

/// Shows what the server logs: who did what, and who was refused.
pub(crate) fn show_log(most: LevelFilter) -> Result<(), Problem> {
    LogBridge::install(Box::new(ServerLog), most).map_err(|error| Problem::failed(&error))
}

struct ServerLog;

impl Log for ServerLog {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("tryout::edge::web") && about.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let day = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % 86_400;
            let (hours, minutes, seconds) = (day / 3600, day / 60 % 60, day % 60);
            eprintln!("{hours:02}:{minutes:02}:{seconds:02} UTC {}", clean(&record.args().to_string()));
        }
    }

    fn flush(&self) {}
}
