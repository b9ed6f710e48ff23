//! The page: what all requests share.

use std::io;
use std::sync::Arc;

use actix_web::HttpRequest;

use super::access::{Caller, Keys, Role};
use super::error::{Answered, Code, WebError};
use super::guard::{Hosts, one};
use super::live::Listeners;
use super::request::Waiting;
use super::runs::Runs;
use super::settings::{Access, Door, PageSettings};
use crate::edge::secret::random_hex;

/// The page of some runs: cheap to clone, and the same in all threads of a server.
#[derive(Clone, Debug)]
pub struct Page(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: PageSettings,
    hosts: Hosts,
    door: Door,
    epoch: String,
    runs: Runs,
    listeners: Listeners,
    waiting: Waiting,
}

impl Page {
    /// The page of these runs.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(runs: Runs, access: Access, settings: PageSettings) -> io::Result<Self> {
        let mut hosts = Hosts::loopback();
        settings.hosts.iter().for_each(|host| hosts.allow(host));
        if settings.any_address {
            hosts.allow_digits();
        }
        Ok(Self(Arc::new(Shared {
            hosts,
            door: Door::new(access, settings.most),
            epoch: random_hex::<3>()?,
            runs,
            listeners: Listeners::new(&settings.limits),
            waiting: Waiting::new(settings.limits.waiting),
            settings,
        })))
    }

    /// A code for the fragment of a link, `#code=..`: within 60 s a browser exchanges it for a session, once.
    ///
    /// # Errors
    /// If the system has no random numbers, or the host has its own authentication.
    pub fn code(&self, role: Role) -> io::Result<String> {
        match self.keys() {
            Some(keys) => Ok(keys.code(role)?.text().to_owned()),
            None => Err(io::Error::other("whoever mounts the page lets people in")),
        }
    }

    pub(super) fn settings(&self) -> &PageSettings {
        &self.0.settings
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(super) fn epoch(&self) -> &str {
        &self.0.epoch
    }

    pub(super) fn runs(&self) -> &Runs {
        &self.0.runs
    }

    pub(super) fn listeners(&self) -> &Listeners {
        &self.0.listeners
    }

    pub(super) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    pub(super) fn keys(&self) -> Option<&Keys> {
        match &self.0.door {
            Door::Own(keys) => Some(keys),
            Door::Host(_) => None,
        }
    }

    /// The name of this server's cookies: cookies ignore ports, so that of another server mustn't be the same.
    pub(super) fn cookie(&self) -> String {
        format!("tryout-{}", self.epoch())
    }

    /// Who sends a request. A token that is wrong isn't made good by a session.
    pub(super) fn caller(&self, request: &HttpRequest) -> Answered<Caller> {
        let unknown = |why: &str| WebError::new(Code::Unauthorised, why);
        let keys = match &self.0.door {
            Door::Own(keys) => keys,
            Door::Host(asks) => {
                let mut caller = asks(request).ok_or_else(|| unknown("the application doesn't know who asks"))?;
                caller.role = caller.role.min(self.settings().most);
                return Ok(caller);
            }
        };
        if let Some(said) = one(request.headers(), "authorization")? {
            let token = said.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let caller = token.and_then(|(_, token)| keys.bearer(token.trim()));
            return caller.ok_or_else(|| unknown("the token is wrong"));
        }
        let name = self.cookie();
        let cookies = request.headers().get_all("cookie").filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let kept = pairs.find(|(key, _)| *key == name).map(|(_, kept)| kept);
        let no_session =
            "there is no session: open the link that the terminal shows, or send `Authorization: Bearer TOKEN`";
        kept.and_then(|kept| keys.session(kept)).ok_or_else(|| unknown(no_session))
    }
}
