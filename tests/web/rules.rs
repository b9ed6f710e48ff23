//! Who is let in, from where, and with what.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tryout::prelude::Status;
use tryout::web::{Role, Runs, ServeError, ServerSettings, Serving};

use crate::site::{Ask, Site, keep_log, logged};

#[test]
fn other_machines_are_served_only_with_tls_or_if_that_is_said() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut settings = ServerSettings::new("0.0.0.0:0".parse().unwrap());
    settings.token_file = Some(dir.path().join("token"));
    let error = Serving::start(Runs::new(), settings.clone()).unwrap_err();
    assert!(matches!(error, ServeError::Insecure(_)), "{error}");
    settings.insecure = true;
    let serving = Serving::start(Runs::new(), settings).unwrap();
    let address = serving.address();
    // Any address in digits leads here, and no name that somebody else owns.
    let to = std::net::SocketAddr::from(([127, 0, 0, 1], address.port()));
    for (host, status) in [("127.0.0.1", 401), ("10.1.2.3:80", 401), ("[fe80::1]:80", 401), ("evil.example", 403)] {
        assert_eq!(Ask::get("/api/runs").host(Some(host)).send(to).status, status, "{host}");
    }
}

#[test]
fn nobody_is_let_in_without_the_token_or_a_session() {
    keep_log();
    let site = Site::new("let-in");
    assert_eq!(site.serving.token_file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let paths = ["/api/runs", "/api/session", "/metrics", "/api/openapi.json", "/api/events", "/api/runs/x"];
    let (token, half) = (&site.token, &site.token[..32]);
    let wrong = [
        ("X-Nothing", String::new()),
        ("Authorization", "Bearer".to_owned()),
        ("Authorization", "Bearer ".to_owned()),
        ("Authorization", format!("Bearer {half}")),
        ("Authorization", format!("Bearer {token}0")),
        ("Authorization", format!("Bearer {}", token.to_uppercase())),
        ("Authorization", format!("Basic {token}")),
        ("Authorization", token.clone()),
        ("Cookie", format!("tryout={token}")),
        ("Cookie", "tryout-000000=00000000.0".to_owned()),
    ];
    for path in paths {
        for (name, value) in &wrong {
            let response = Ask::get(path).header(name, value).send(site.address());
            assert_eq!((response.status, response.code().as_str()), (401, "unauthorised"), "{path} {name}: {value}");
        }
        let order = Ask::post(&site.request_path(), &json!({ "order": { "pause": 1 } }));
        assert_eq!(order.send(site.address()).status, 401);
    }
    // Neither in the path, where logs and proxies would keep it.
    assert_eq!(Ask::get(&format!("/api/runs?token={token}")).send(site.address()).status, 401);
    assert!(logged(&["WARN refused", "/metrics", "the token is wrong"]));
    assert_eq!(site.status(1), Status::Pending);
    assert_eq!(site.get("/api/session").json()["role"], "control");
    // A wrong token isn't made good by a session, nor two tokens by one of them being right.
    let cookie = site.session();
    let both = Ask::get("/api/runs").header("Cookie", &cookie).header("Authorization", "Bearer wrong");
    assert_eq!(both.send(site.address()).status, 401);
    let twice = Ask::get("/api/runs").header("Authorization", &site.bearer()).header("Authorization", "Bearer wrong");
    assert_eq!(twice.send(site.address()).status, 400);
}

#[test]
fn a_code_lets_one_browser_in() {
    keep_log();
    let site = Site::new("code");
    let link = site.serving.links().another().unwrap();
    let (page, code) = link.split_once("#code=").unwrap();
    assert_eq!(page, format!("http://{}/", site.address()));
    let begin = |code: &str| Ask::post("/api/session", &json!({ "code": code })).send(site.address());
    for wrong in ["", "0", &code[..63], &site.token] {
        assert_eq!(begin(wrong).status, 401);
    }
    let first = begin(code);
    let epoch = first.json()["epoch"].as_str().unwrap().to_owned();
    let cookie = first.cookie();
    assert!(cookie.starts_with(&format!("tryout-{epoch}=")), "{cookie}");
    let line = first.head.lines().find(|line| line.starts_with("set-cookie")).unwrap();
    assert!(line.ends_with("; path=/; httponly; samesite=strict"), "{line}");
    assert_eq!(begin(code).status, 401, "it is good for once");
    assert!(logged(&["refused", "/api/session", "was used already"]));
    let seen = |cookie: &str| Ask::get("/api/runs").header("Cookie", cookie).send(site.address()).status;
    assert_eq!((seen(&cookie), seen(&format!("a=b; {cookie}; c=d"))), (200, 200));
    // One character less or more, another name, the public part alone.
    let public = cookie.split('.').next().unwrap();
    let others = [&cookie[..cookie.len() - 1], &format!("{cookie}0"), &cookie.replace("tryout-", "tryout_"), public];
    for wrong in others {
        assert_eq!(seen(wrong), 401, "{wrong}");
    }
    // The token's owner may have codes, a session may not multiply itself.
    let asked = json!({ "role": "watch" });
    let more = Ask::post("/api/code", &asked).header("Cookie", &cookie).send(site.address());
    assert_eq!((more.status, more.code().as_str()), (403, "forbidden"));
    let code = site.post("/api/code", &asked).json()["code"].as_str().unwrap().to_owned();
    let watcher = begin(&code);
    assert_eq!(watcher.json()["role"], "watch");
    let order = Ask::post(&site.request_path(), &json!({ "order": { "pause": 1 } }));
    let refused = order.header("Cookie", &watcher.cookie()).send(site.address());
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert_eq!(site.status(1), Status::Pending);
}

#[test]
fn a_server_that_only_shows_takes_no_orders() {
    keep_log();
    let site = Site::with("watch-only", |settings| settings.page.most = Role::Watch);
    assert_eq!(site.get("/api/session").json()["role"], "watch");
    assert_eq!(site.get("/api/runs").status, 200);
    for order in [
        json!({ "order": { "pause": 1 } }),
        json!({ "order": "stop_all" }),
        json!("status"),
        json!({ "drain": { "within_s": 0 } }),
    ] {
        assert_eq!(site.post(&site.request_path(), &order).status, 403, "{order}");
    }
    assert_eq!(site.post("/api/code", &json!({})).status, 403);
    assert!(logged(&["refused", "request", "may watch, and change nothing"]));
    assert_eq!(site.status(1), Status::Pending);
}

#[test]
fn a_name_that_somebody_else_owns_leads_nowhere() {
    keep_log();
    let site = Site::with("rebinding", |settings| settings.page.hosts = vec!["runs.example".to_owned()]);
    let port = site.address().port();
    let foreign = [
        "evil.example",
        "evil.example:80",
        &format!("localhost.evil.example:{port}"),
        "10.0.0.1",
        "0.0.0.0",
        "",
        "localhost@evil.example",
    ];
    let paths = ["/", "/assets/page.js", "/api/runs", "/api/events", "/nothing", "/metrics", "/api/session"];
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND"] {
        for path in paths {
            for host in foreign {
                let ask = Ask::new(method, path).host(Some(host)).header("Authorization", &site.bearer());
                let ask = ask.header("Content-Type", "application/json").header("X-Tryout", "1");
                assert_eq!(ask.send(site.address()).status, 403, "{method} {path} as {host}");
            }
        }
    }
    let none = Ask::get("/api/runs").header("Authorization", &site.bearer()).host(None);
    // HTTP itself asks for one.
    assert_eq!(none.send(site.address()).status, 400);
    assert!([400, 403].contains(
        &none.clone().header("Host", "localhost").header("Host", "evil.example").send(site.address()).status
    ));
    let whole = Ask::get("http://evil.example/api/runs").header("Authorization", &site.bearer());
    assert_eq!(whole.send(site.address()).status, 403);
    // What a proxy says of the host doesn't count.
    let forwarded = none.header("X-Forwarded-Host", "localhost").host(Some("evil.example"));
    assert_eq!(forwarded.send(site.address()).status, 403);
    assert!(logged(&["refused: DELETE", "evil.example"]) && logged(&["refused: PROPFIND"]));
    for host in [
        &format!("localhost:{port}"),
        &format!("127.0.0.1:{port}"),
        "[::1]",
        "LocalHost",
        "runs.example",
        "runs.example:443",
    ] {
        let ask = Ask::get("/api/runs").header("Authorization", &site.bearer()).host(Some(host));
        assert_eq!(ask.send(site.address()).status, 200, "{host}");
    }
}

#[test]
fn another_sites_page_can_change_and_read_nothing() {
    keep_log();
    let site = Site::with("csrf", |settings| settings.page.hosts = vec!["runs.example".to_owned()]);
    let (path, cookie) = (site.request_path(), site.session());
    let host = site.address().to_string();
    let good = Ask::post(&path, &json!({ "order": { "pause": 1 } })).header("Cookie", &cookie).host(Some(&host));
    let refused = |ask: &Ask, what: &str| {
        let response = ask.send(site.address());
        assert!([403, 405].contains(&response.status), "{what}: {response:?}");
        assert!(!response.head.contains("access-control-"), "{what}");
    };
    // What a form or a plain fetch of another page can send.
    let kinds = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "text/json",
        "application/jsonp",
    ];
    for kind in kinds {
        refused(&good.clone().without("Content-Type").header("Content-Type", kind), kind);
    }
    refused(&good.clone().without("Content-Type"), "no content type");
    refused(&good.clone().without("X-Tryout"), "no header");
    refused(&good.clone().without("X-Tryout").header("X-Tryout", "0"), "another value");
    let port = site.address().port();
    for origin in [
        "http://evil.example",
        "null",
        "",
        &format!("http://127.0.0.1:{}", port ^ 1),
        &format!("http://localhost:{port}"),
        &format!("file://{host}"),
        &format!("http://{host}.evil.example"),
        "http://runs.example:1",
    ] {
        refused(&good.clone().header("Origin", origin), origin);
        refused(&Ask::get("/api/runs").header("Cookie", &cookie).host(Some(&host)).header("Origin", origin), origin);
    }
    for from in ["cross-site", "same-site", "Same-Origin"] {
        refused(&good.clone().header("Sec-Fetch-Site", from), from);
        let read = Ask::get("/api/events").header("Cookie", &cookie).header("Sec-Fetch-Site", from);
        refused(&read, from);
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET", "LOCK"] {
        let mut other = good.clone();
        other.method = method.to_owned();
        refused(&other, method);
    }
    let preflight = Ask::new("OPTIONS", &path).header("Origin", "http://evil.example");
    refused(&preflight.header("Access-Control-Request-Method", "POST"), "preflight");
    assert!(logged(&["refused: POST", "another site's page asks"]) && logged(&["refused: POST", "X-Tryout"]));
    assert_eq!(site.status(1), Status::Pending, "nothing was done");
    // A link from elsewhere leads to the page, which is the same for everybody.
    assert_ne!(Ask::get("/").header("Sec-Fetch-Site", "cross-site").send(site.address()).status, 403);
    let ours = good.header("Origin", &format!("http://{host}")).header("Sec-Fetch-Site", "same-origin");
    assert_eq!(ours.clone().send(site.address()).status, 200);
    // A proxy that puts another host into its requests: its page's origin is the name that was allowed.
    let proxied = Ask::get("/api/runs").header("Cookie", &cookie).header("Origin", "https://runs.example");
    assert_eq!(proxied.send(site.address()).status, 200);
}

#[test]
fn every_answer_says_what_a_browser_must_not_do() {
    let site = Site::new("headers");
    let bearer = site.bearer();
    let asks = [
        Ask::get("/api/runs").header("Authorization", &bearer),
        Ask::get("/"),
        Ask::get("/api/runs"),
        Ask::get("/nothing"),
        Ask::get("/assets/nothing"),
        Ask::get("/metrics").host(Some("evil.example")),
        Ask::new("DELETE", "/api/runs"),
        Ask::get("/api/openapi.json").header("Authorization", &bearer),
    ];
    for ask in asks {
        let response = ask.send(site.address());
        let policy = "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        for header in
            [policy, "x-content-type-options: nosniff", "referrer-policy: no-referrer", "x-frame-options: deny"]
        {
            assert!(response.has(header), "{ask:?}: {header}: {}", response.head);
        }
        assert!(
            response.has("cache-control: no-store") || response.has("cache-control: no-cache"),
            "{}",
            response.head
        );
    }
    assert!(site.get("/api/runs").has("cache-control: no-store"));
}

#[test]
fn a_name_is_no_path() {
    let site = Site::new("traversal");
    std::fs::write(site.dir.path().join("secret"), "secret").unwrap();
    let key = &site.key;
    let climbs = [
        "..%2f..%2f..%2fetc%2fpasswd",
        "..",
        "%2e%2e",
        "%2fetc%2fpasswd",
        "..%5c..%5csecret",
        "%00",
        "....//",
        "token",
        "%252e%252e%252fsecret",
    ];
    for climb in climbs {
        for path in [
            format!("/assets/{climb}"),
            format!("/api/runs/{climb}"),
            format!("/api/runs/{key}/trials/{climb}"),
            format!("/api/runs/{key}/trials/0/output/{climb}"),
            format!("/api/runs/{key}/{climb}/token"),
            format!("/api/runs/{climb}/trials"),
            format!("/{climb}"),
            format!("/assets/x/../../{climb}"),
        ] {
            let response = site.get(&path);
            assert!([400, 404].contains(&response.status), "{path}: {response:?}");
            assert!(!response.body.contains(&site.token) && !response.body.contains("root:"), "{path}");
        }
    }
    // A path in a request, however it is meant.
    let checkpoint = json!({ "trial": 0, "index": 0 });
    let from = json!({ "add_from": { "config": {}, "checkpoint": checkpoint, "run": "/etc" } });
    let response = site.post(&site.request_path(), &from);
    assert_eq!((response.status, response.code().as_str()), (403, "forbidden"), "{response:?}");
}

#[test]
fn a_script_is_a_text() {
    let site = Site::new("script");
    let script = "<script>alert(1)</script>";
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let number = format!("/api/runs/{}/trials/{encoded}", site.key);
    for response in [
        site.get(&format!("/api/runs/{encoded}")),
        site.get(&number),
        site.get(&format!("/api/runs/{}/curves?metric={encoded}", site.key)),
        site.post(&site.request_path(), &json!({ "order": { "pause": script } })),
        site.post(&site.request_path(), &json!({ "order": { "add": { "x": script } } })),
        site.get(&format!("/api/runs/{}", site.key)),
    ] {
        // Never a page, and never guessed to be one.
        assert!(
            response.has("content-type: application/json") && response.has("x-content-type-options: nosniff"),
            "{response:?}"
        );
    }
}
