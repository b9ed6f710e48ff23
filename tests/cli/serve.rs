//! `tryout serve` and `tryout run --serve`: where the page is, and when it goes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::SQUARES;
use crate::shell::{Shell, signal};

/// The address and the token's file, as they are printed.
fn printed(lines: impl Read) -> (String, String, impl Read) {
    let mut lines = BufReader::new(lines);
    let (mut link, mut about) = (String::new(), String::new());
    lines.read_line(&mut link).unwrap();
    lines.read_line(&mut about).unwrap();
    let (address, code) = link.trim().strip_prefix("http://").unwrap().split_once("/#code=").unwrap();
    assert_eq!(code.len(), 64, "{link}");
    let file = about.split('`').nth(3).unwrap_or_else(|| panic!("{about}"));
    (address.to_owned(), file.to_owned(), lines)
}

fn runs(shell: &Shell, address: &str, file: &str) -> Value {
    let token = std::fs::read_to_string(shell.path(file)).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("Host: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n", token.trim());
    write!(stream, "GET /api/runs HTTP/1.1\r\n{head}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn ends(mut child: Child, code: i32) {
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(code));
}

#[test]
fn runs_are_served_until_ctrl_c() {
    let shell = Shell::with(SQUARES);
    shell.said("run a.toml --quiet");
    let serve = "serve runs --bind 127.0.0.1:0 --token-file token";
    let mut child = shell.command(serve).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (address, file, _rest) = printed(child.stdout.take().unwrap());
    let list = runs(&shell, &address, &file);
    assert_eq!((&list["runs"][0]["name"], &list["runs"][0]["state"]), (&"squares".into(), &"completed".into()));
    // One that begins later is found.
    shell.said("run a.toml --quiet --set name=later");
    assert_eq!(runs(&shell, &address, &file)["runs"][0]["name"], "later");
    ends(child, 0);
    assert!(shell.path("token").exists(), "it is kept");
    for (line, words) in [
        ("serve nowhere", "there is no directory `nowhere`"),
        ("serve runs --bind 0.0.0.0:0", "can be reached from other machines"),
        ("serve runs --bind here", "invalid value 'here'"),
    ] {
        let (code, _, error) = shell.tryout(line);
        assert!(code == 2 && error.contains(words), "{line}: {code}, {error}");
    }
}

#[test]
fn a_run_s_page_stays_for_a_person_and_goes_for_a_program() {
    let shell = Shell::with(SQUARES);
    let run = "run a.toml --quiet --serve 127.0.0.1:0";
    let mut child = shell.command(run).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (address, file, rest) = printed(child.stderr.take().unwrap());
    let said = BufReader::new(rest).lines().map_while(Result::ok).find(|line| line.contains("its page stays"));
    assert!(said.is_some_and(|line| line == "the run has ended; its page stays, read-only, until Ctrl-C"));
    assert_eq!(runs(&shell, &address, &file)["runs"][0]["state"], "completed");
    ends(child, 0);
    assert!(!shell.path(&file).exists(), "its token goes with it");
    let (code, summary, _) = shell.tryout("run a.toml --quiet --json --set name=other --serve 127.0.0.1:0");
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&summary).unwrap()["name"], "other");
}
