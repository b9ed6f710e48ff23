//! The application's own actor: it holds the run, hears its events, and drains it when the application ends.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult, ResponseFuture, StreamHandler};
use tryout::prelude::*;

/// Keeps at most one run.
#[derive(Default)]
pub(crate) struct Keeper {
    run: Option<ExperimentHandle>,
    /// What the page shows.
    #[cfg(feature = "page")]
    pub(crate) runs: tryout::web::Runs,
}

impl Actor for Keeper {
    type Context = Context<Self>;
}

/// Start the run, if there is none.
pub(crate) struct Begin;

impl Message for Begin {
    type Result = Result<(), SettingsError>;
}

impl Handler<Begin> for Keeper {
    type Result = Result<(), SettingsError>;

    fn handle(&mut self, _: Begin, ctx: &mut Context<Self>) -> Self::Result {
        if self.run.is_none() {
            let run = experiment().start()?;
            ctx.add_stream(run.events(1_000));
            #[cfg(feature = "page")]
            self.runs.add(&run.control());
            self.run = Some(run);
        }
        Ok(())
    }
}

/// Waits more than it works, so all its trials share one thread.
fn experiment() -> Experiment {
    let service = async_function("service", async |config: Config, trial: &mut AsyncSession| {
        let load = config.number("load").unwrap_or(1.0);
        let saved = trial.checkpoint()?.map(|checkpoint| checkpoint.json("step")).transpose()?;
        for step in saved.unwrap_or(0) + 1..=100_000_u32 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            trial.report_with([("delay", load / f64::from(step))], |to| Ok(to.json("step", &step)?)).await?;
        }
        Ok(())
    });
    let space = Space::new().with("load", uniform(0.0, 1.0));
    Experiment::new("service", service).space(space).samples(6).seed(0).workers(4).retention(Retention::last(1))
}

/// Events arrive like any other message.
impl StreamHandler<Seen> for Keeper {
    fn handle(&mut self, seen: Seen, _: &mut Context<Self>) {
        if let Seen::Event(event) = seen
            && let EventKind::Status { trial, from, to } = event.kind
        {
            println!("{trial} was {from}, is {to}");
        }
    }

    /// The run is over; the keeper stays.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

/// How is the run controlled, if there is one?
pub(crate) struct GetControl;

impl Message for GetControl {
    type Result = Option<Control>;
}

impl Handler<GetControl> for Keeper {
    type Result = MessageResult<GetControl>;

    fn handle(&mut self, _: GetControl, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.run.as_ref().map(ExperimentHandle::control))
    }
}

/// The application ends: save and pause what runs. Answers how that went.
pub(crate) struct End;

impl Message for End {
    type Result = String;
}

impl Handler<End> for Keeper {
    type Result = ResponseFuture<String>;

    fn handle(&mut self, _: End, _: &mut Context<Self>) -> Self::Result {
        let run = self.run.take();
        Box::pin(async move {
            let Some(run) = run else { return "there was no run".to_owned() };
            // A run that is over already needs no draining.
            let _ = run.drain(Duration::from_secs(10)).await;
            match run.wait().await {
                Ok(results) => format!("{:?}, {} trials paused", results.outcome(), results.count(Status::Paused)),
                Err(error) => error.to_string(),
            }
        })
    }
}
