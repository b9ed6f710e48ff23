//! What a request must fulfil before anything is looked up for it, whatever its method and path.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;

use super::error::{Answered, Code, WebError};

/// Names under which the server may be reached.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    /// Without ports, in small letters.
    names: Vec<String>,
    /// As they were given: what a proxy's page has as its origin.
    given: Vec<String>,
    /// Any address in digits: no name that somebody else owns leads to it.
    digits: bool,
}

impl Hosts {
    pub(super) fn loopback() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        Self { names, ..Self::default() }
    }

    /// Also under this name: `name` or `name:port`.
    pub(super) fn allow(&mut self, host: &str) {
        let host = host.trim().to_ascii_lowercase();
        self.names.push(without_port(&host).to_owned());
        self.given.push(host);
    }

    pub(super) fn allow_digits(&mut self) {
        self.digits = true;
    }

    fn has(&self, authority: &str) -> bool {
        let host = authority.to_ascii_lowercase();
        let name = without_port(&host);
        let name = name.strip_suffix('.').unwrap_or(name);
        self.names.iter().any(|known| known == name) || self.digits && name.parse::<IpAddr>().is_ok()
    }
}

/// `[::1]:80` is `::1`, `localhost:80` is `localhost`.
fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// What is looked at of a request.
#[derive(Debug)]
pub(super) struct Looked<'a> {
    pub(super) method: &'a Method,
    /// The host in the request's first line, if there is one (HTTP/2 has no other).
    pub(super) authority: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    /// A file of the page: the same for everybody.
    pub(super) is_file: bool,
}

/// Refuses what can't come from our own page, or from a program that means us.
pub(super) fn check(request: &Looked<'_>, hosts: &Hosts) -> Answered<()> {
    let host = host(request, hosts)?;
    if ![Method::GET, Method::POST].contains(request.method) {
        return Err(WebError::method());
    }
    let changes = request.method == Method::POST;
    if changes || !request.is_file {
        origin(request, host, hosts)?;
    }
    if changes {
        let kind = one(request.headers, "content-type")?.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(WebError::new(Code::Forbidden, "a POST has the header `Content-Type: application/json`"));
        }
        if one(request.headers, "x-tryout")? != Some("1") {
            return Err(WebError::new(Code::Forbidden, "a POST has the header `X-Tryout: 1`"));
        }
    }
    Ok(())
}

fn host<'a>(request: &Looked<'a>, hosts: &Hosts) -> Answered<&'a str> {
    let foreign = |host: &str| {
        let why =
            format!("this server isn't reached as {host:?}: `--allow-host`, or `PageSettings::hosts`, names others");
        WebError::new(Code::Forbidden, why)
    };
    let named = one(request.headers, "host")?;
    for host in named.into_iter().chain(request.authority) {
        if !hosts.has(host) {
            return Err(foreign(host));
        }
    }
    named.or(request.authority).ok_or_else(|| WebError::new(Code::Forbidden, "the header `Host` is missing"))
}

fn origin(request: &Looked<'_>, host: &str, hosts: &Hosts) -> Answered<()> {
    if let Some(site) = one(request.headers, "sec-fetch-site")?
        && !["same-origin", "none"].contains(&site)
    {
        return Err(WebError::new(Code::Forbidden, "another site's page asks"));
    }
    let Some(origin) = one(request.headers, "origin")? else { return Ok(()) };
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let ours = authority.is_some_and(|authority| {
        let authority = authority.to_ascii_lowercase();
        authority == host.to_ascii_lowercase() || hosts.given.contains(&authority)
    });
    if ours { Ok(()) } else { Err(WebError::new(Code::Forbidden, format!("a page of {origin:?} asks"))) }
}

/// The value of a header that may be there once.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Answered<Option<&'a str>> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(WebError::malformed(format!("the header `{name}` is there more than once")));
    }
    first
        .map(|value| value.to_str().map_err(|_| WebError::malformed(format!("the header `{name}` isn't text"))))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_stripped() {
        for (authority, name) in [
            ("localhost", "localhost"),
            ("localhost:80", "localhost"),
            ("[::1]:80", "::1"),
            ("[::1]", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("evil.example:80@localhost", "evil.example:80@localhost"),
            ("localhost:80:90", "localhost:80:90"),
        ] {
            assert_eq!(without_port(authority), name);
        }
    }

    #[test]
    fn only_known_names_are_ours() {
        let mut hosts = Hosts::loopback();
        hosts.allow("Runs.Example:8443");
        for ours in ["localhost:1", "LOCALHOST", "localhost.", "[::1]:9", "127.0.0.1", "runs.example", "runs.example:1"]
        {
            assert!(hosts.has(ours), "{ours}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost:x",
            "localhost@x",
        ] {
            assert!(!hosts.has(foreign), "{foreign}");
        }
        hosts.allow_digits();
        assert!(hosts.has("10.0.0.1:80") && !hosts.has("evil.example"));
    }
}
