//! What whoever serves the page says of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;

use super::access::{Caller, Clock, Keys, Role};
use crate::edge::secret::Secret;

/// What a host, or the server that stands alone, says of the page.
///
/// ```
/// let mut settings = tryout::web::PageSettings::default();
/// settings.hosts = vec!["runs.example.org".to_owned()];
/// settings.frame_ancestors = vec!["'self'".to_owned()];
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PageSettings {
    /// Names under which the page is reached besides `localhost`, `127.0.0.1` and `[::1]`: those of a proxy, with the port if it isn't
    /// the scheme's own. Requests with another `Host` are refused, since a name that somebody else owns may lead to this machine.
    pub hosts: Vec<String>,
    /// Any address in digits is a good `Host`, for a server that is bound to all addresses.
    pub any_address: bool,
    /// Who may show the page in a frame, as in a Content-Security-Policy: `'self'`, `https://example.org`. Nobody by default.
    pub frame_ancestors: Vec<String>,
    /// What a caller may do at most.
    pub most: Role,
    /// What the server takes at most.
    pub limits: WebLimits,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            any_address: false,
            frame_ancestors: Vec::new(),
            most: Role::Control,
            limits: WebLimits::default(),
        }
    }
}

/// What the page's server takes at most.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WebLimits {
    /// Bytes of a request's body: 1 MiB.
    pub body: usize,
    /// How long a body may take to come: 10 s.
    pub body_time: Duration,
    /// Streams of live changes at once: 64.
    pub listeners: usize,
    /// How long a listener may leave what it was sent unread before it is dropped: 30 s.
    pub stalled: Duration,
    /// Requests that wait for a run's answer at once: 64.
    pub waiting: usize,
    /// Connections at once, of the server that stands alone: 128, each with two descriptors. Further ones wait to be accepted.
    pub connections: usize,
    /// How long a connection may take to send a request's head, for the server that stands alone: 5 s.
    pub head_time: Duration,
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            body_time: Duration::from_secs(10),
            listeners: 64,
            stalled: Duration::from_secs(30),
            waiting: 64,
            connections: 128,
            head_time: Duration::from_secs(5),
        }
    }
}

/// A host's own way to tell who asks.
type Asks = Arc<dyn Fn(&HttpRequest) -> Option<Caller> + Send + Sync>;

/// How callers are told from each other.
#[derive(Clone)]
pub struct Access(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Host(Asks),
    Own { token: Secret, clock: Clock },
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Host(_) => "Access::host(..)",
            Kind::Own { .. } => "Access::token(..)",
        })
    }
}

impl Access {
    /// The application that mounts the page has its own authentication: it says who sends a request, and what they may do; `None`
    /// is refused. The other rules hold all the same: `Host`, `Origin`, the headers of a POST.
    ///
    /// ```
    /// use tryout::web::{Access, Caller, Role};
    /// // Whoever came through the application's own middleware may watch.
    /// let access = Access::host(|_request| Some(Caller::new("a colleague", Role::Watch)));
    /// ```
    pub fn host(asks: impl Fn(&HttpRequest) -> Option<Caller> + Send + Sync + 'static) -> Self {
        Self(Kind::Host(Arc::new(asks)))
    }

    /// Programs have this token; people have links with a code that is good for once, see [`Page::code`](super::Page::code).
    pub fn token(token: &str) -> Self {
        let began = std::time::Instant::now();
        Self::token_at(token, move || began.elapsed())
    }

    /// The same with another clock: the time since some moment.
    #[doc(hidden)]
    pub fn token_at(token: &str, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Kind::Own { token: Secret::given(token), clock: Arc::new(clock) })
    }
}

/// The same, ready to be asked.
#[derive(Clone)]
pub(super) enum Door {
    Host(Asks),
    Own(Arc<Keys>),
}

impl Door {
    pub(super) fn new(access: Access, most: Role) -> Self {
        match access.0 {
            Kind::Host(asks) => Self::Host(asks),
            Kind::Own { token, clock } => Self::Own(Arc::new(Keys::new(token, most, clock))),
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}
