//! A run with its page, the plainest client there is, and a logger that keeps what it hears.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, Once};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tryout::prelude::*;
use tryout::web::{Runs, ServerSettings, Serving};

use crate::common::live::{Gate, PATIENCE, Script, Watch, end, numbered};

/// A run of two trials whose first one waits at a gate, and its page.
pub(crate) struct Site {
    pub(crate) gate: Gate,
    pub(crate) watch: Watch,
    pub(crate) handle: Option<ExperimentHandle>,
    pub(crate) dir: TempDir,
    pub(crate) serving: Serving,
    pub(crate) runs: Runs,
    pub(crate) token: String,
    pub(crate) key: String,
}

impl Site {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    /// A script is found by the name of its experiment, so each test has a name of its own.
    pub(crate) fn with(name: &str, set: impl FnOnce(&mut ServerSettings)) -> Self {
        let (gate, (watcher, mut watch), dir) = (Gate::new(), Watch::new(), TempDir::new().unwrap());
        let script = Script::gated(&gate).experiment(name).points(numbered(2)).stop(stop::iterations(50));
        let handle = script.dir(dir.path()).control_socket().observer(watcher).start().unwrap();
        watch.running(0);
        let mut settings = ServerSettings::new("127.0.0.1:0".parse().unwrap());
        settings.beside = dir.path().to_owned();
        settings.token_file = Some(dir.path().join("token"));
        set(&mut settings);
        let runs = Runs::new().with(&handle.control());
        let serving = Serving::start(runs.clone(), settings).unwrap();
        let token = std::fs::read_to_string(serving.token_file()).unwrap().trim().to_owned();
        let mut site = Self { gate, watch, handle: Some(handle), dir, serving, runs, token, key: String::new() };
        let runs = site.get("/api/runs").json();
        site.key = runs["runs"][0]["run"].as_str().unwrap().to_owned();
        site
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// What a program sends: good in every way.
    pub(crate) fn get(&self, path: &str) -> Response {
        Ask::get(path).header("Authorization", &self.bearer()).send(self.address())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        Ask::post(path, body).header("Authorization", &self.bearer()).send(self.address())
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(crate) fn request_path(&self) -> String {
        format!("/api/runs/{}/request", self.key)
    }

    /// The status of a trial, asked behind the server's back.
    pub(crate) fn status(&self, number: u32) -> Status {
        let control = self.handle.as_ref().unwrap().control();
        let id = control.trial_id(number);
        crate::common::live::wait(control.trial(id)).unwrap().unwrap().record.status
    }

    /// A browser's session: its cookie.
    pub(crate) fn session(&self) -> String {
        let link = self.serving.links().another().unwrap();
        let (_, code) = link.split_once("#code=").unwrap();
        let response = Ask::post("/api/session", &json!({ "code": code })).send(self.address());
        assert_eq!(response.status, 200, "{response:?}");
        response.cookie()
    }

    pub(crate) fn finish(mut self) -> Results {
        self.gate.open();
        end(self.handle.take().unwrap()).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.gate.open();
    }
}

/// A request as text.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { method: method.to_owned(), path: path.to_owned(), host: Some("localhost".to_owned()), headers, body }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        let ask = Self::new("POST", path).header("Content-Type", "application/json").header("X-Tryout", "1");
        ask.body(body.to_string().as_bytes())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn host(mut self, host: Option<&str>) -> Self {
        self.host = host.map(str::to_owned);
        self
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.path);
        text.extend(self.host.iter().map(|host| format!("Host: {host}\r\n")));
        text.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        if !self.body.is_empty() && !self.headers.iter().any(|(name, _)| name == "Transfer-Encoding") {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        let mut text = text.into_bytes();
        text.extend(&self.body);
        text
    }

    pub(crate) fn send(&self, to: SocketAddr) -> Response {
        let mut stream = connect(to);
        // A server that has refused doesn't read the rest.
        let _ = stream.write_all(&self.text());
        Response::read(&mut stream)
    }
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A connection that was reset after the answer has given it all the same.
        let ended = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { panic!("no answer: {text:?}, {ended:?}") };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header)
    }

    pub(crate) fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        line.split(';').next().unwrap().to_owned()
    }
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeps;

impl log::Log for Keeps {
    fn enabled(&self, about: &log::Metadata<'_>) -> bool {
        about.target().starts_with("tryout::edge::web")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// From here on what the server logs is kept.
pub(crate) fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeps).unwrap();
        log::set_max_level(log::LevelFilter::Info);
    });
}

/// Whether a line was logged that has all of these.
pub(crate) fn logged(parts: &[&str]) -> bool {
    LINES.lock().unwrap().iter().any(|line| parts.iter().all(|part| line.contains(part)))
}
