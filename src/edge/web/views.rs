//! What can be seen of runs: each answer is made by the run's model, beside the server's threads.

use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, http::header::ContentType};
use serde::Serialize;
use utoipa::ToSchema;

use super::asked::Asked;
use super::error::{Answered, Code, WebError};
use super::model::{ModelError, Summary};
use super::runs::{Run, Runs};

const MOST_TRIALS: usize = 50_000;
const MOST_CURVES: usize = 500;
const MOST_DECISIONS: usize = 1_000;

/// All runs.
#[derive(Serialize, ToSchema)]
pub(super) struct RunList {
    /// The newest first.
    pub(super) runs: Vec<Summary>,
}

impl RunList {
    /// All that can be found. It reads files.
    pub(super) fn look(runs: &Runs) -> Self {
        Self { runs: runs.list() }
    }
}

/// Does what may take a while on a thread that may wait.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> Answered<T> + Send + 'static) -> Answered<T> {
    web::block(work).await.map_err(|_| WebError::new(Code::Unavailable, "this server is ending"))?
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Answered<Bytes> {
    let written = serde_json::to_vec(value);
    written.map(Bytes::from).map_err(|error| WebError::new(Code::Unavailable, format!("it can't be told: {error}")))
}

pub(super) fn answer(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(body)
}

/// A view of the run that the path names.
async fn view<T: Serialize>(
    asked: &Asked,
    view: impl FnOnce(&Run) -> Answered<T> + Send + 'static,
) -> Answered<HttpResponse> {
    let (runs, key) = (asked.page.runs().clone(), asked.part("run")?);
    let body = aside(move || {
        let run = runs.find(&key)?;
        run.model.refresh();
        json(&view(&run)?)
    });
    Ok(answer(body.await?))
}

impl From<ModelError> for WebError {
    fn from(error: ModelError) -> Self {
        let code = match error {
            ModelError::NoTrial { .. } | ModelError::NoMetric | ModelError::NoOutput { .. } => Code::NotFound,
            ModelError::Unavailable { .. } => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

fn most(asked: &Asked, default: usize, limit: usize) -> Answered<usize> {
    Ok(asked.number("most")?.unwrap_or(default).min(limit))
}

fn number(asked: &Asked) -> Answered<u32> {
    let number = asked.part("number")?;
    number.parse().map_err(|_| WebError::not_found("trial", &number))
}

pub(super) async fn runs(asked: Asked) -> Answered<HttpResponse> {
    let runs = asked.page.runs().clone();
    Ok(answer(aside(move || json(&RunList::look(&runs))).await?))
}

pub(super) async fn header(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.header(&run.key))).await
}

pub(super) async fn trials(asked: Asked) -> Answered<HttpResponse> {
    let most = most(&asked, MOST_TRIALS, MOST_TRIALS)?;
    view(&asked, move |run| Ok(run.model.trials(most))).await
}

pub(super) async fn curves(asked: Asked) -> Answered<HttpResponse> {
    let (most, metric) = (most(&asked, MOST_CURVES, MOST_CURVES)?, asked.query("metric")?);
    view(&asked, move |run| Ok(run.model.curves(metric.as_deref(), most)?)).await
}

pub(super) async fn trial(asked: Asked) -> Answered<HttpResponse> {
    let number = number(&asked)?;
    view(&asked, move |run| Ok(run.model.trial(number)?)).await
}

pub(super) async fn output(asked: Asked) -> Answered<HttpResponse> {
    let (number, name, from) = (number(&asked)?, asked.part("name")?, asked.number("from")?);
    view(&asked, move |run| Ok(run.model.output(number, &name, from)?)).await
}

pub(super) async fn importance(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.importance())).await
}

pub(super) async fn pareto(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.pareto())).await
}

pub(super) async fn rungs(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.rungs())).await
}

pub(super) async fn lineage(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.lineage())).await
}

pub(super) async fn workers(asked: Asked) -> Answered<HttpResponse> {
    view(&asked, |run| Ok(run.model.workers())).await
}

pub(super) async fn decisions(asked: Asked) -> Answered<HttpResponse> {
    let (before, most) = (asked.number("before")?, most(&asked, 200, MOST_DECISIONS)?);
    view(&asked, move |run| Ok(run.model.decisions(before, most))).await
}
