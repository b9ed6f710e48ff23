//! The page's own files. They are part of the program.

use actix_web::HttpResponse;
use actix_web::http::header;

use super::asked::Asked;
use super::error::{Answered, WebError};

/// A file: its name, what it is, and what is in it.
struct File {
    name: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal)*) => {
        [$(File { name: $name, bytes: include_bytes!(concat!("assets/", $name)) }),*]
    };
}

static FILES: &[File] = &files! {
    "actions.js"
    "api.js"
    "dom.js"
    "filter.js"
    "format.js"
    "forms.js"
    "header.js"
    "icon.svg"
    "index.html"
    "live.js"
    "log.js"
    "marks.js"
    "page.css"
    "page.js"
    "plot.js"
    "run.js"
    "store.js"
    "table.js"
    "theme.js"
    "top.js"
    "uPlot.LICENSE"
    "uPlot.esm.js"
    "uPlot.min.css"
    "view-curves.js"
    "view-decisions.js"
    "view-history.js"
    "view-lineage.js"
    "view-parallel.js"
    "view-pareto.js"
    "view-rungs.js"
    "view-runs.js"
    "view-slice.js"
    "view-trial.js"
    "view-workers.js"
    "view.js"
};

/// The first file that is asked for.
const INDEX: &str = "index.html";

/// `GET /`.
pub(super) async fn index(asked: Asked) -> Answered<HttpResponse> {
    answer(&asked, INDEX)
}

/// `GET assets/NAME`: the name is compared with those of the files, and never part of a path.
pub(super) async fn file(asked: Asked) -> Answered<HttpResponse> {
    answer(&asked, &asked.part("name")?)
}

fn answer(asked: &Asked, name: &str) -> Answered<HttpResponse> {
    let file = FILES.iter().find(|file| file.name == name).ok_or_else(|| WebError::not_found("file", name))?;
    let tag = format!("\"{:08x}-{:x}\"", crc32fast::hash(file.bytes), file.bytes.len());
    let known = asked.request.headers().get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((header::CONTENT_TYPE, kind(name))).body(file.bytes))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_part_of_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/edge/web/assets");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // A page of documentation isn't served.
        let mut there: Vec<String> = entries.filter(|name| !name.ends_with(".md")).collect();
        let mut known: Vec<&str> = FILES.iter().map(|file| file.name).collect();
        there.sort();
        known.sort_unstable();
        assert_eq!(there, known);
        assert!(known.contains(&INDEX));
    }
}
