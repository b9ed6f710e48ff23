//! A program that is called for its answer, for a bounded time.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use crate::edge::deadline;

/// More than this of an answer isn't read.
const MOST: u64 = 64 << 20;

/// What a program said, and whether it succeeded.
#[derive(Clone, Debug, Default)]
pub(super) struct Called {
    pub(super) succeeded: bool,
    pub(super) out: String,
    pub(super) err: String,
}

impl Called {
    /// Its complaint: what it wrote to its standard error, in one line; else its answer.
    pub(super) fn words(&self, program: &str) -> String {
        let said = if self.err.trim().is_empty() { &self.out } else { &self.err };
        let own = format!("{program}: ");
        let lines = said.lines().map(|line| line.trim()).filter(|line| !line.is_empty());
        let lines = lines.map(|line| line.strip_prefix(&own).unwrap_or(line));
        let lines: Vec<&str> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
        if lines.is_empty() { format!("`{program}` failed without a word") } else { lines.join("; ") }
    }
}

/// Calls a program with `input` as its standard input. After `patience` it is killed, and the answer is an error.
pub(super) fn call(command: &mut Command, input: &str, patience: Duration) -> io::Result<Called> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), format!("there is no `{program}`")),
        _ => io::Error::new(error.kind(), format!("`{program}` can't be started: {error}")),
    })?;
    let answer = answer_of(&mut child, input, patience);
    if answer.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let (out, err) = answer.map_err(|error| io::Error::new(error.kind(), format!("`{program}` {error}")))?;
    Ok(Called { succeeded: status.success(), out, err })
}

fn answer_of(child: &mut Child, input: &str, patience: Duration) -> io::Result<(String, String)> {
    let until = deadline::after(Instant::now(), patience);
    let (out, err) = (mpsc::channel(), mpsc::channel());
    child.stdout.take().into_iter().try_for_each(|pipe| read(pipe, out.0.clone()))?;
    child.stderr.take().into_iter().try_for_each(|pipe| read(pipe, err.0.clone()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // One that doesn't listen says so by its end. The pipe closes with the thread.
        thread::Builder::new().name("tryout-call".to_owned()).spawn(move || {
            let _ = stdin.write_all(input.as_bytes());
        })?;
    }
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("didn't answer within {} s", patience.as_secs()));
    let wait = |from: &Receiver<String>| from.recv_timeout(until.saturating_duration_since(Instant::now()));
    Ok((wait(&out.1).map_err(late)?, wait(&err.1).map_err(late)?))
}

fn read(pipe: impl Read + Send + 'static, to: Sender<String>) -> io::Result<()> {
    let reads = move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(MOST).read_to_end(&mut bytes);
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
    };
    thread::Builder::new().name("tryout-call".to_owned()).spawn(reads).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_waited_for_so_long_and_no_longer() {
        let cat = call(&mut Command::new("cat"), "words\n", Duration::from_secs(60)).expect("there is a cat");
        assert_eq!((cat.succeeded, cat.out.as_str()), (true, "words\n"));
        let late =
            call(Command::new("sleep").arg("600"), "", Duration::from_millis(50)).expect_err("it takes too long");
        assert_eq!(late.to_string(), "`sleep` didn't answer within 0 s");
        let none = call(&mut Command::new("no-such-program"), "", Duration::ZERO).expect_err("it isn't there");
        assert_eq!(none.to_string(), "there is no `no-such-program`");
    }

    #[test]
    fn a_complaint_is_one_line() {
        let err = "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed\n";
        let called = Called { err: err.to_owned(), ..Called::default() };
        assert_eq!(called.words("sbatch"), "invalid partition specified: x; Batch job submission failed");
    }
}
