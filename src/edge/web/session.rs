//! Sessions of browsers: a code of a link becomes a cookie.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Deserialize;
use serde_json::json;

use super::access::{Caller, Role};
use super::asked::Asked;
use super::error::{Answered, Code, WebError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchanged {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeFor {
    #[serde(default = "control")]
    role: Role,
}

fn control() -> Role {
    Role::Control
}

/// `GET api/session`.
pub(super) async fn who(asked: Asked) -> Answered<HttpResponse> {
    let caller = asked.caller.as_ref().ok_or_else(|| WebError::new(Code::Unauthorised, "nobody knows who asks"))?;
    Ok(HttpResponse::Ok().json(about(&asked, caller)))
}

/// `POST api/session`.
pub(super) async fn begin(asked: Asked) -> Answered<HttpResponse> {
    let Exchanged { code } = asked.json()?;
    let Some(keys) = asked.page.keys() else {
        return Err(WebError::new(Code::Forbidden, "the application that shows this page lets people in, not a code"));
    };
    let (kept, caller) = keys.exchange(&code)?;
    let secure = if asked.request.app_config().secure() { "; Secure" } else { "" };
    let path = mounted_at(&asked);
    let cookie = format!("{}={kept}; Path={path}; HttpOnly; SameSite=Strict{secure}", asked.page.cookie());
    log::info!("{} has begun, which may {}", caller.name, may(caller.role));
    Ok(HttpResponse::Ok().insert_header((header::SET_COOKIE, cookie)).json(about(&asked, &caller)))
}

/// `POST api/code`: only for the token's owner, so that a browser's session can't multiply itself.
pub(super) async fn code(asked: Asked) -> Answered<HttpResponse> {
    let CodeFor { role } = asked.json()?;
    if !asked.request.headers().contains_key(header::AUTHORIZATION) {
        return Err(WebError::new(Code::Forbidden, "codes are made for whoever has the token"));
    }
    let code = asked.page.code(role).map_err(|error| WebError::new(Code::Unavailable, error.to_string()))?;
    log::info!("a code was made for a session that may {}", may(role));
    Ok(HttpResponse::Ok().json(json!({ "code": code })))
}

fn may(role: Role) -> &'static str {
    match role {
        Role::Watch => "watch",
        Role::Control => "control",
    }
}

fn about(asked: &Asked, caller: &Caller) -> serde_json::Value {
    json!({ "role": caller.role, "version": env!("CARGO_PKG_VERSION"), "epoch": asked.page.epoch() })
}

/// The path of the scope: what stands before `api/session`.
fn mounted_at(asked: &Asked) -> String {
    let path = asked.request.path();
    let path = path.strip_suffix("api/session").unwrap_or("/");
    // It becomes part of a header.
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
    if plain { path.to_owned() } else { "/".to_owned() }
}
