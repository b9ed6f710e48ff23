//! What the web sees of the run: every answer is the run's own.

use actix::Addr;
use actix_web::error::{ErrorBadRequest, ErrorConflict, ErrorGone, ErrorNotFound, ErrorServiceUnavailable};
use actix_web::{HttpResponse, Result, get, post, web};
use futures::StreamExt;
use tryout::logic::engine::Waiting;
use tryout::prelude::*;

use crate::keeper::{Begin, GetControl, Keeper};

pub(crate) fn all(config: &mut web::ServiceConfig) {
    config.service(begin).service(trials).service(order);
}

#[post("/run")]
async fn begin(keeper: web::Data<Addr<Keeper>>) -> Result<HttpResponse> {
    keeper.send(Begin).await.map_err(ErrorServiceUnavailable)?.map_err(ErrorBadRequest)?;
    Ok(HttpResponse::Created().finish())
}

#[get("/trials")]
async fn trials(keeper: web::Data<Addr<Keeper>>) -> Result<String> {
    let trials = control(&keeper).await?.trials(0, 100).await.map_err(ErrorGone)?;
    let lines = trials.iter().map(|trial| {
        let reports = trial.record.last.as_ref().map_or(0, |last| last.iteration());
        let why = if trial.waiting == Waiting::Not { String::new() } else { format!(": {}", trial.waiting) };
        format!("{} {}, reports: {reports}{why}\n", trial.record.id, trial.record.status)
    });
    Ok(lines.collect())
}

#[post("/trials/{number}/{order}")]
async fn order(keeper: web::Data<Addr<Keeper>>, path: web::Path<(u32, String)>) -> Result<HttpResponse> {
    let (number, order) = path.into_inner();
    let control = control(&keeper).await?;
    let found = control.trials(number, 1).await.map_err(ErrorGone)?;
    let trial = found.first().ok_or_else(|| ErrorNotFound("there is no such trial"))?.record.id;
    match order.as_str() {
        "pause" => pause(&control, trial).await,
        "resume" => control.resume(trial).await,
        "stop" => control.stop_trial(trial).await,
        _ => return Err(ErrorNotFound("a trial can be told to pause, resume or stop")),
    }
    .map_err(ErrorConflict)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Answers when it has come to rest: a running trial goes on to its next report.
async fn pause(control: &Control, trial: TrialId) -> Result<(), ControlError> {
    let mut events = control.events(1_000);
    control.pause(trial).await?;
    let rests = |status: Status| status == Status::Paused || status.is_terminal();
    while control.trial(trial).await?.is_some_and(|trial| !rests(trial.record.status)) && events.next().await.is_some()
    {
    }
    Ok(())
}

async fn control(keeper: &Addr<Keeper>) -> Result<Control> {
    let control = keeper.send(GetControl).await.map_err(ErrorServiceUnavailable)?;
    control.ok_or_else(|| ErrorNotFound("nothing was started yet"))
}
