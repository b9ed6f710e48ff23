//! The scope in an application of somebody else, with its own authentication, frames and time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt};
use serde_json::json;
use tryout::web::{Access, Caller, Page, PageSettings, Role, Runs, scope};

use crate::common::live::{Gate, Script, Watch, end, numbered, wait};
use crate::site::Ask;

/// An application with the page below `/inside/`.
struct Host {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Host {
    fn start(page: Page) -> Self {
        let (to, from) = mpsc::channel();
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(move || App::new().service(scope("/inside", &page)));
                let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                to.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = from.recv().unwrap();
        Self { address, handle }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        wait(self.handle.stop(false));
    }
}

#[test]
fn a_code_is_good_for_a_minute() {
    let now = Arc::new(AtomicU64::new(1_000));
    let clock = now.clone();
    let access = Access::token_at("a token that is long enough to be one", move || {
        Duration::from_secs(clock.load(Ordering::SeqCst))
    });
    let page = Page::new(Runs::new(), access, PageSettings::default()).unwrap();
    let host = Host::start(page.clone());
    let begin = |code: &str| Ask::post("/inside/api/session", &json!({ "code": code })).send(host.address);
    let (old, young) = (page.code(Role::Control).unwrap(), page.code(Role::Control).unwrap());
    now.fetch_add(59, Ordering::SeqCst);
    let response = begin(&young);
    assert_eq!(response.status, 200);
    assert!(response.head.contains("; path=/inside/; httponly"), "{}", response.head);
    now.fetch_add(1, Ordering::SeqCst);
    assert_eq!(begin(&old).status, 401, "60 s are over");
    // A session ends a week after it was last used.
    let seen = || Ask::get("/inside/api/session").header("Cookie", &response.cookie()).send(host.address).status;
    now.fetch_add(6 * 24 * 3600, Ordering::SeqCst);
    assert_eq!(seen(), 200);
    now.fetch_add(6 * 24 * 3600, Ordering::SeqCst);
    assert_eq!(seen(), 200);
    now.fetch_add(7 * 24 * 3600, Ordering::SeqCst);
    assert_eq!(seen(), 401);
}

#[test]
fn a_host_lets_in_whom_it_knows() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let handle = Script::gated(&gate).experiment("mounted").points(numbered(2)).stop(tryout::stop::iterations(2));
    let handle = handle.observer(watcher).start().unwrap();
    watch.running(0);
    let access = Access::host(|request| {
        let name = request.headers().get("x-user")?.to_str().ok()?;
        Some(Caller::new(name, if name == "ann" { Role::Control } else { Role::Watch }))
    });
    let mut settings = PageSettings::default();
    settings.frame_ancestors = vec!["'self'".to_owned(), "https://host.example".to_owned()];
    let runs = Runs::new();
    let page = Page::new(runs.clone(), access, settings).unwrap();
    assert!(page.code(Role::Control).is_err(), "the host has its own way in");
    let host = Host::start(page);
    // A run that begins later.
    runs.add(&handle.control());
    let get = |path: &str, user: &str| Ask::get(path).header("X-User", user).send(host.address);
    assert_eq!(Ask::get("/inside/api/runs").send(host.address).status, 401);
    let response = get("/inside/api/runs", "bob");
    let runs = response.json();
    assert_eq!((&runs["runs"][0]["state"], &runs["runs"][0]["name"]), (&json!("running"), &json!("mounted")));
    let key = runs["runs"][0]["run"].as_str().unwrap().to_owned();
    assert!(response.head.contains("frame-ancestors 'self' https://host.example;"), "{}", response.head);
    assert!(!response.head.contains("x-frame-options"));
    let path = format!("/inside/api/runs/{key}/request");
    let order = Ask::post(&path, &json!({ "order": { "pause": 1 } }));
    assert_eq!(order.clone().header("X-User", "bob").send(host.address).status, 403);
    assert_eq!(
        order.clone().header("X-User", "ann").header("Origin", "http://evil.example").send(host.address).status,
        403
    );
    let done = order.header("X-User", "ann").send(host.address);
    assert_eq!((done.status, done.json()), (200, json!({ "done": { "trial": null } })));
    watch.line("1 PENDING>PAUSED");
    // Without its last slash the page's links would lead elsewhere.
    let moved = get("/inside", "bob");
    assert!(moved.status == 308 && moved.has("location: inside/"), "{moved:?}");
    assert_eq!(get("/inside/api/nothing", "bob").status, 404);
    assert_eq!(get("/outside", "bob").status, 404);
    wait(handle.control().stop_trial(handle.trial_id(1))).unwrap();
    gate.open();
    end(handle).unwrap();
}
