//! The scope that an application mounts: all routes behind the rules.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Payload};
use actix_web::{Error, HttpRequest, HttpResponse, Resource, Scope};

use super::asked::{Asked, body};
use super::error::{Answered, Code, WebError};
use super::guard::{self, Looked};
use super::page::Page;
use super::routes::{Needs, ROUTES, Route};

/// The page and its API below a path of an application: `""` for the whole, or `"/runs"` and the like.
///
/// The page must be reached under a path that ends in `/`; without it a browser is sent there. An application with its own
/// authentication wraps the scope in it, and says by [`Access::host`](super::Access::host) who asks.
///
/// ```no_run
/// use actix_web::{App, HttpServer, rt};
/// use tryout::prelude::*;
/// use tryout::web::{Access, Page, PageSettings, Runs};
///
/// # fn run(control: Control) -> Result<(), Box<dyn std::error::Error>> {
/// let page = Page::new(Runs::new().with(&control), Access::token("a long secret"), PageSettings::default())?;
/// let server = HttpServer::new(move || App::new().service(tryout::web::scope("/runs", &page)));
/// rt::System::new().block_on(server.bind(("127.0.0.1", 8080))?.run())?;
/// # Ok(()) }
/// ```
pub fn scope(
    path: &str,
    page: &Page,
) -> Scope<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let path = path.trim_end_matches('/');
    let mut scope = web::scope(path);
    if !path.is_empty() {
        scope = scope.route("", web::get().to(to_slash));
    }
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        scope = scope.service(resource(path, page));
    }
    let guarded_page = page.clone();
    scope
        .default_service(web::to(|request: HttpRequest| async move {
            WebError::not_found("page", request.path()).response()
        }))
        .wrap(from_fn(move |request, next| guarded(guarded_page.clone(), request, next)))
}

fn resource(path: &'static str, page: &Page) -> Resource {
    let here = ROUTES.iter().filter(|route| route.path == path);
    here.fold(web::resource(format!("/{path}")), |resource, route| {
        let page = page.clone();
        let method = if route.changes { web::post() } else { web::get() };
        resource.route(method.to(move |request, payload| serve(route, page.clone(), request, payload)))
    })
    .default_service(web::to(|| async { WebError::method().response() }))
}

/// A relative link on the page leads to the scope's files only below its slash.
async fn to_slash(request: HttpRequest) -> HttpResponse {
    let last = request.path().rsplit('/').next().unwrap_or_default();
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, format!("{last}/"))).finish()
}

/// So many bytes a request with a code may have.
const CODE_BODY: usize = 4 << 10;

/// Carries a route out for whoever may ask for it.
async fn serve(route: &'static Route, page: Page, request: HttpRequest, payload: Payload) -> HttpResponse {
    let path = request.path().to_owned();
    match carry_out(route, page, request, payload).await {
        Ok(response) => response,
        Err(error) => {
            if matches!(error.code, Code::Unauthorised | Code::Forbidden | Code::TooLarge) {
                log::warn!("refused: {:?}: {}", shortened(&path), shortened(&error.why));
            }
            error.response()
        }
    }
}

async fn carry_out(
    route: &'static Route,
    page: Page,
    request: HttpRequest,
    payload: Payload,
) -> Answered<HttpResponse> {
    let caller = match route.needs {
        Needs::Nothing => None,
        Needs::Role(role) => {
            let caller = page.caller(&request)?;
            if caller.role < role {
                let why = format!("{} may watch, and change nothing", caller.name);
                return Err(WebError::new(Code::Forbidden, why));
            }
            Some(caller)
        }
    };
    let limits = &page.settings().limits;
    // Of somebody who isn't known yet only a code is read.
    let most = if caller.is_none() { limits.body.min(CODE_BODY) } else { limits.body };
    let body = if route.changes { body(&request, payload, most, limits.body_time).await? } else { Default::default() };
    (route.answer)(Asked { page, caller, request, body }).await
}

/// The rules that hold before anything is looked up, and the headers that every answer has.
async fn guarded(
    page: Page,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let is_file = Rc::new(request.method() == Method::GET && is_file(&request));
    let looked = Looked {
        method: request.method(),
        authority: request.uri().authority().map(|authority| authority.as_str()),
        headers: request.headers(),
        is_file: *is_file,
    };
    if let Err(error) = guard::check(&looked, page.hosts()) {
        let from = request.peer_addr().map_or_else(|| "somebody".to_owned(), |peer| peer.to_string());
        let (method, path) = (request.method(), shortened(request.path()));
        log::warn!("refused: {method} {path:?} from {from}: {}", shortened(&error.why));
        let mut response = request.into_response(error.response());
        add_headers(response.headers_mut(), &page);
        return Ok(response);
    }
    match next.call(request).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            add_headers(response.headers_mut(), &page);
            Ok(response)
        }
        // None of our routes fails, but what isn't ours may.
        Err(error) => {
            let mut response = error.error_response();
            add_headers(response.headers_mut(), &page);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Whether the page's own files are asked for: they are the same for everybody, and links from elsewhere may lead there.
fn is_file(request: &ServiceRequest) -> bool {
    // Parts of a scope's path that the application left open don't matter: the tail is what our routes match.
    let path = request.match_info().unprocessed();
    path.is_empty() || path == "/" || path.strip_prefix("/assets/").is_some_and(|name| !name.contains('/'))
}

fn add_headers(headers: &mut HeaderMap, page: &Page) {
    let frames = &page.settings().frame_ancestors;
    let ancestors = if frames.is_empty() { "'none'".to_owned() } else { frames.join(" ") };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
    );
    // What a host gave for its frames may be no header: then nobody may.
    let policy = HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if frames.is_empty() {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// A path as it is logged: somebody else wrote it.
fn shortened(path: &str) -> String {
    path.chars().take(200).collect()
}
