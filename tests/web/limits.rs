//! What is taken at most.

use std::io::{Read, Write};
use std::time::Duration;

use serde_json::json;

use crate::site::{Ask, Site, connect, keep_log, logged};

#[test]
fn a_body_is_no_longer_than_it_may_be() {
    keep_log();
    let site = Site::with("body", |settings| {
        settings.page.limits.body = 1_000;
        settings.page.limits.body_time = Duration::from_millis(300);
    });
    let long = vec![b' '; 5_000_000];
    let ask = Ask::post(&site.request_path(), &json!(null)).header("Authorization", &site.bearer());
    let response = ask.clone().body(&long).send(site.address());
    assert_eq!((response.status, response.code().as_str()), (413, "too_large"));
    assert!(logged(&["refused", "a body has at most 1000 bytes"]));
    // Who doesn't say how long it is, is stopped where it becomes too long.
    let mut chunked = b"400\r\n".to_vec();
    chunked.extend([b' '; 1024]);
    chunked.extend(b"\r\n0\r\n\r\n");
    let response = ask.clone().header("Transfer-Encoding", "chunked").body(&chunked).send(site.address());
    assert_eq!(response.status, 413);
    // Nor may it come drop by drop.
    let mut stream = connect(site.address());
    let text = ask.header("Content-Length", "900").body(b"").text();
    stream.write_all(&text).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("took too long"), "{answer}");
    // A stranger's body isn't read at all.
    let stranger = Ask::post(&site.request_path(), &json!(null)).body(&long).send(site.address());
    assert_eq!(stranger.status, 401);
    for odd in [b"{".as_slice(), b"\xff", &[b'['; 900], b"1e999"] {
        let odd = Ask::post(&site.request_path(), &json!(null)).header("Authorization", &site.bearer()).body(odd);
        assert_eq!(odd.send(site.address()).status, 400);
    }
}

/// 10,000 connections are more than a test may open: the limit is scaled down with them, to one in 125.
#[test]
fn connections_that_say_nothing_hold_nobody_up_for_long() {
    let site = Site::with("connections", |settings| {
        settings.page.limits.connections = 8;
        settings.page.limits.head_time = Duration::from_millis(500);
    });
    let silent: Vec<_> = (0..80)
        .map(|number| {
            let mut stream = connect(site.address());
            if number % 2 == 0 {
                stream.write_all(b"GET /api/runs HTTP/1.1\r\nHost: loc").unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(site.get("/api/runs").status, 200);
    drop(silent);
    site.finish();
}

#[test]
fn only_so_many_listen() {
    let site = Site::with("listeners", |settings| settings.page.limits.listeners = 2);
    let listen = || {
        let mut stream = connect(site.address());
        let ask = Ask::get("/api/events").header("Authorization", &site.bearer());
        stream.write_all(&ask.text()).unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).unwrap();
        (String::from_utf8_lossy(&first).into_owned(), stream)
    };
    let (first, second, third) = (listen(), listen(), listen());
    assert_eq!((first.0.as_str(), second.0.as_str()), ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"));
    assert_eq!(third.0, "HTTP/1.1 503 Se");
    assert_eq!(site.get("/api/runs").status, 200, "others are served");
}
