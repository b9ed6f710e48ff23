//! A client over the loopback address, in the plainest HTTP there is.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// Starts a run, pauses a trial, stops another, makes a mistake, and looks.
pub(crate) fn play(server: SocketAddr) -> Result<()> {
    ask(server, "POST", "/run")?;
    ask(server, "POST", "/trials/0/pause")?;
    ask(server, "POST", "/trials/1/stop")?;
    ask(server, "POST", "/trials/1/resume")?;
    ask(server, "GET", "/trials")
}

fn ask(server: SocketAddr, method: &str, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    println!("{method} {path}: {}", head.lines().next().unwrap_or_default());
    println!("{}", body.trim_end());
    Ok(())
}
