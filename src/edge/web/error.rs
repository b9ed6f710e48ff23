//! What is answered when something isn't carried out: one form for all routes.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::json;

/// Why, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    Unauthorised,
    Forbidden,
    NotFound,
    Malformed,
    TooLarge,
    Busy,
    Impossible,
    Over,
    Unavailable,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WebError {
    pub(super) code: Code,
    /// In words.
    pub(super) why: String,
    /// If it isn't the code's own.
    status: Option<StatusCode>,
}

pub(super) type Answered<T> = Result<T, WebError>;

impl WebError {
    pub(super) fn new(code: Code, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), status: None }
    }

    /// There is no `what` of this name.
    pub(super) fn not_found(what: &str, name: &str) -> Self {
        let (name, more) = name.char_indices().nth(60).map_or((name, ""), |(end, _)| (&name[..end], ".."));
        Self::new(Code::NotFound, format!("there is no {what} {name:?}{more}"))
    }

    pub(super) fn malformed(why: impl Into<String>) -> Self {
        Self::new(Code::Malformed, why)
    }

    pub(super) fn method() -> Self {
        let why = "this can't be done here: GET reads, POST changes";
        Self { status: Some(StatusCode::METHOD_NOT_ALLOWED), ..Self::new(Code::Malformed, why) }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status.unwrap_or(match self.code {
            Code::Unauthorised => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Malformed => StatusCode::BAD_REQUEST,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Impossible | Code::Over => StatusCode::CONFLICT,
            Code::Busy | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        })
    }

    pub(super) fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if self.code == Code::Unauthorised {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        response.json(json!({ "error": { "code": self.code, "why": self.why } }))
    }
}
