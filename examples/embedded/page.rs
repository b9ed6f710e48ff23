//! tryout's page below `/runs/`, and the application's own page around it.

use actix_web::{HttpResponse, web};
use tryout::web::{Access, Caller, Page, PageSettings, Role, Runs, scope};

/// This application listens on the loopback address and has no users: whoever asks may do everything. Yours knows better.
pub(crate) fn of(runs: Runs) -> std::io::Result<Page> {
    let access = Access::host(|_request| Some(Caller::new("somebody at this machine", Role::Control)));
    let mut settings = PageSettings::default();
    settings.frame_ancestors = vec!["'self'".to_owned()];
    Page::new(runs, access, settings)
}

/// One line mounts it.
pub(crate) fn mount(config: &mut web::ServiceConfig, page: &Page) {
    config.service(scope("/runs", page)).route("/", web::get().to(around));
}

async fn around() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(
        "<!doctype html><title>An application</title><h1>An application</h1>\
         <p>Its runs:</p><iframe src=\"runs/\" title=\"runs\" width=\"100%\" height=\"800\"></iframe>",
    )
}
