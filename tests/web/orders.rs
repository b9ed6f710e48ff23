//! Orders to a run, in this process and in another one, and what is kept of them.

use std::io::Write;

use serde_json::json;
use tryout::prelude::{EventKind, Status};
use tryout::web::{Runs, ServerSettings, Serving};

use crate::site::{Ask, Site, connect, keep_log, logged};

#[test]
fn an_order_is_carried_out_and_kept() {
    keep_log();
    let mut site = Site::new("ordered");
    let path = site.request_path();
    let ask = |body| site.post(&path, &body);
    assert_eq!(ask(json!({ "order": { "pause": 1 } })).json(), json!({ "done": { "trial": null } }));
    site.watch.line("1 PENDING>PAUSED");
    assert!(logged(&["INFO \"the token\" asked run", &site.key, "pause"]));
    assert!(logged(&["pause", "of \"the token\" to run", &site.key, "was accepted"]));
    let path = site.request_path();
    let ask = |body| site.post(&path, &body);
    // Without a number, too.
    let id = site.handle.as_ref().unwrap().control().trial_id(1).to_string();
    let trial = ask(json!({ "trial": id })).json();
    assert_eq!(trial["trial"]["status"], "PAUSED");
    assert_eq!(ask(json!({ "trial": 1 })).json(), trial);
    for (request, status, code) in [
        (json!({ "order": { "resume": 0 } }), 409, "impossible"),
        (json!({ "order": { "stop": 99 } }), 409, "impossible"),
        (json!({ "order": { "stop": -1 } }), 400, "malformed"),
        (json!({ "order": { "stop": 1.5 } }), 400, "malformed"),
        (json!({ "order": { "stop": 4_294_967_296_u64 } }), 400, "malformed"),
        (json!({ "order": { "nothing": 1 } }), 400, "malformed"),
        (json!({ "drain": { "within_s": -1 } }), 400, "malformed"),
        (json!("hello"), 403, "forbidden"),
        (json!("watch"), 403, "forbidden"),
        (json!({ "as": { "by": "eve", "request": "hello" } }), 403, "forbidden"),
        (json!({ "as": { "by": "eve", "request": { "order": { "stop": 99 } } } }), 409, "impossible"),
        (json!(null), 400, "malformed"),
    ] {
        let response = ask(request.clone());
        assert_eq!((response.status, response.code().as_str()), (status, code), "{request}: {response:?}");
    }
    // Who it was stands in the journal, and nobody is somebody else.
    let change = |by| json!({ "order": { "set": { "setting": { "samples": 5 }, "by": by } } });
    assert_eq!(ask(change(json!(null))).status, 200);
    assert_eq!(ask(change(json!("ann"))).status, 200);
    assert_eq!(ask(json!({ "order": { "resume": 1 } })).status, 200);
    let nested = json!({ "as": { "by": "root", "request": { "order": { "prioritise": [1, 2] } } } });
    assert_eq!(ask(json!({ "as": { "by": "eve", "request": nested } })).status, 200);
    site.gate.open();
    let handle = site.handle.take().unwrap();
    crate::common::live::end(handle).unwrap();
    let dir = site.dir.path().join("ordered/journal");
    let files = crate::common::live::below(&dir);
    let journal: String = files.iter().map(|file| std::fs::read_to_string(dir.join(file)).unwrap()).collect();
    let asked = [
        r#"{"asked":{"order":"resume","trial":1,"by":"the token, on the page"}}"#,
        r#"{"asked":{"order":"prioritise","trial":1,"by":"eve (the token, on the page)"}}"#,
    ];
    assert!(asked.iter().all(|asked| journal.contains(asked)) && !journal.contains("root"), "{journal}");
    for by in ["\"the token, on the page\"", "\"ann (the token, on the page)\""] {
        assert!(journal.contains(by), "{by}: {journal}");
    }
}

#[test]
fn a_client_that_goes_away_holds_nothing_up() {
    let mut site = Site::new("gone");
    let gate = site.gate.clone();
    let path = site.request_path();
    let mut waits = connect(site.address());
    // Trial 0 is held at the gate: it can't be paused before that opens.
    let ask = Ask::post(&path, &json!({ "pause_and_wait": 0 })).header("Authorization", &site.bearer());
    waits.write_all(&ask.text()).unwrap();
    // The others are served meanwhile, and further ones that would wait are told so.
    assert_eq!(site.get("/api/runs").status, 200);
    drop(waits);
    let control = site.handle.as_ref().unwrap().control();
    site.gate.let_pass(1);
    // The order stands, though nobody waits for its end; it came while the trial was in one of its steps.
    site.watch.until(|event| {
        if matches!(event, EventKind::Reported { .. }) {
            gate.let_pass(1);
        }
        crate::common::live::line(event).as_deref() == Some("0 RUNNING>PAUSED")
    });
    crate::common::live::wait(control.resume(control.trial_id(0))).unwrap();
    site.finish();
}

#[test]
fn a_run_of_another_process_is_steered_by_its_socket() {
    let mut site = Site::new("elsewhere");
    // A second server that has the run's directory alone.
    let mut settings = ServerSettings::new("127.0.0.1:0".parse().unwrap());
    settings.token_file = Some(site.dir.path().join("token"));
    let other = Serving::start(Runs::new().below(site.dir.path()), settings).unwrap();
    let runs = Ask::get("/api/runs").header("Authorization", &site.bearer()).send(other.address()).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    let key = runs["runs"][0]["run"].as_str().unwrap();
    assert_eq!(key, site.key, "a run has one key, whoever shows it");
    let path = format!("/api/runs/{key}/request");
    let bearer = site.bearer();
    let ask = |body| Ask::post(&path, &body).header("Authorization", &bearer).send(other.address());
    assert_eq!(ask(json!({ "pause_and_wait": 1 })).json(), json!({ "saved": null }));
    assert_eq!(site.status(1), Status::Paused);
    assert_eq!(ask(json!({ "order": { "resume": 1 } })).status, 200);
    assert_eq!(ask(json!({ "order": { "stop": 1 } })).status, 200);
    site.gate.open();
    crate::common::live::end(site.handle.take().unwrap()).unwrap();
    let over = ask(json!({ "order": { "pause": 1 } }));
    assert_eq!((over.status, over.code().as_str()), (409, "over"), "{over:?}");
}
