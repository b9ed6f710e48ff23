//! Who may do what: the token of programs, codes that are good for once, and sessions of browsers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{Code, WebError};
use crate::edge::secret::{Secret, random_hex};

/// How long a code can be exchanged.
pub(super) const CODE_LIVES: Duration = Duration::from_secs(60);

/// How long a session lasts after it was last used.
const SESSION_LIVES: Duration = Duration::from_secs(7 * 24 * 3600);

const MOST_CODES: usize = 16;
const MOST_SESSIONS: usize = 256;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// See everything, change nothing.
    Watch,
    /// Give orders as well.
    Control,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    /// Who it is, for the record of what was changed.
    pub name: Arc<str>,
    /// What may be done.
    pub role: Role,
}

impl Caller {
    /// A caller of this name.
    pub fn new(name: impl Into<Arc<str>>, role: Role) -> Self {
        Self { name: name.into(), role }
    }
}

/// The time since some moment: told by whoever made the [`Keys`], so that tests needn't wait.
pub(super) type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// All that lets somebody in.
pub(super) struct Keys {
    token: Secret,
    /// Nobody may do more than this.
    most: Role,
    clock: Clock,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    codes: Vec<OneUse>,
    /// By their public names.
    sessions: BTreeMap<String, Session>,
}

struct OneUse {
    secret: Secret,
    role: Role,
    until: Duration,
}

struct Session {
    secret: Secret,
    role: Role,
    until: Duration,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(token: Secret, most: Role, clock: Clock) -> Self {
        Self { token, most, clock, given: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A code that can be exchanged for a session, once and within [`CODE_LIVES`].
    pub(super) fn code(&self, role: Role) -> std::io::Result<Secret> {
        let secret = Secret::draw()?;
        let now = (self.clock)();
        let mut given = self.lock();
        given.codes.retain(|code| code.until > now);
        if given.codes.len() >= MOST_CODES {
            given.codes.remove(0);
        }
        given.codes.push(OneUse { secret: secret.clone(), role: role.min(self.most), until: now + CODE_LIVES });
        Ok(secret)
    }

    /// A new session for a code: what the browser keeps, and who it is from now on.
    pub(super) fn exchange(&self, code: &str) -> Result<(String, Caller), WebError> {
        let unavailable = |error: std::io::Error| WebError::new(Code::Unavailable, error.to_string());
        let (name, secret) = (random_hex::<4>().map_err(unavailable)?, Secret::draw().map_err(unavailable)?);
        let now = (self.clock)();
        let mut given = self.lock();
        given.codes.retain(|code| code.until > now);
        // All are compared, whichever it is.
        let found = given.codes.iter().enumerate().fold(
            None,
            |found, (at, known)| {
                if known.secret.is(code) { Some(at) } else { found }
            },
        );
        let Some(at) = found else {
            let why =
                "the link's code is wrong, was used already, or is older than 60 s: ask the terminal for another link";
            return Err(WebError::new(Code::Unauthorised, why));
        };
        let role = given.codes.remove(at).role;
        given.sessions.retain(|_, session| session.until > now);
        if given.sessions.len() >= MOST_SESSIONS {
            let oldest = given.sessions.iter().min_by_key(|(_, session)| session.until).map(|(name, _)| name.clone());
            oldest.map(|name| given.sessions.remove(&name));
        }
        let kept = format!("{name}.{}", secret.text());
        let caller = session_caller(&name, role);
        given.sessions.insert(name, Session { secret, role, until: now + SESSION_LIVES });
        Ok((kept, caller))
    }

    /// Whose session it is.
    pub(super) fn session(&self, kept: &str) -> Option<Caller> {
        let (name, secret) = kept.split_once('.')?;
        let now = (self.clock)();
        let mut given = self.lock();
        let session = given.sessions.get_mut(name)?;
        if !session.secret.is(secret) || session.until <= now {
            return None;
        }
        session.until = now + SESSION_LIVES;
        Some(session_caller(name, session.role))
    }

    /// Who has the token.
    pub(super) fn bearer(&self, token: &str) -> Option<Caller> {
        self.token.is(token).then(|| Caller::new("the token", self.most))
    }
}

fn session_caller(name: &str, role: Role) -> Caller {
    Caller::new(format!("session {name}"), role)
}
