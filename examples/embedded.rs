//! An actix-web application that starts an experiment, watches it, controls it, and drains it at its own end.
//!
//! `cargo run --example embedded -- --port 8080`, then:
//! `curl -X POST localhost:8080/runs`, `curl localhost:8080/runs`, `curl -X POST localhost:8080/trials/0/pause`,
//! `.../trials/0/stop`. With `--demo` it is its own client, and ends by itself.

use std::sync::Mutex;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use actix_web::{App, HttpResponse, HttpServer, Responder, web};
use clap::Parser;
use tryout::prelude::*;

/// An actix-web application with an experiment inside.
#[derive(Parser)]
struct Arguments {
    /// The port on the loopback address; any free one unless it is said.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Start a run, pause a trial, look at it, and end.
    #[arg(long)]
    demo: bool,
}

/// An actor of the host's own: it keeps the handle of the run.
#[derive(Default)]
struct Keeper {
    run: Option<ExperimentHandle>,
}

impl Actor for Keeper {
    type Context = Context<Self>;
}

/// Start the run, if there is none. Answers control over it.
#[derive(Message)]
#[rtype(result = "Result<Control, SettingsError>")]
struct Begin;

impl Handler<Begin> for Keeper {
    type Result = Result<Control, SettingsError>;

    fn handle(&mut self, _: Begin, _: &mut Context<Self>) -> Self::Result {
        if self.run.is_none() {
            let slow = async_function("slow", async |config: Config, trial: &mut AsyncSession| {
                for step in 1..=100_000_u32 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    trial.report([("loss", config.number("x").unwrap_or(1.0) / f64::from(step))]).await?;
                }
                Ok(())
            });
            let space = Space::new().with("x", uniform(0.0, 1.0));
            self.run = Some(Experiment::new("slow", slow).space(space).samples(8).workers(4).start()?);
        }
        Ok(self.run.as_ref().map(ExperimentHandle::control).expect("it was just started"))
    }
}

type Shared = web::Data<Mutex<Option<Control>>>;

/// The host ends: save and pause what runs, and wait for the end of that.
#[derive(Message)]
#[rtype(result = "()")]
struct End;

impl Handler<End> for Keeper {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: End, _: &mut Context<Self>) -> Self::Result {
        let run = self.run.take();
        Box::pin(async move {
            let Some(run) = run else { return };
            // A run that is over already needs no draining.
            let _ = run.drain(Duration::from_secs(10)).await;
            match run.wait().await {
                Ok(results) => {
                    println!("the run ended: {:?}, {} paused", results.outcome(), results.count(Status::Paused))
                }
                Err(error) => println!("the run failed: {error}"),
            }
        })
    }
}

/// Control over the run, if it was started.
fn control(shared: &Shared) -> Option<Control> {
    shared.lock().ok()?.clone()
}

async fn begin(keeper: web::Data<actix::Addr<Keeper>>, shared: Shared) -> impl Responder {
    match keeper.send(Begin).await {
        Ok(Ok(started)) => {
            shared.lock().expect("nobody panics while holding it").replace(started);
            HttpResponse::Created().finish()
        }
        Ok(Err(error)) => HttpResponse::BadRequest().body(error.to_string()),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn list(shared: Shared) -> HttpResponse {
    let Some(control) = control(&shared) else { return HttpResponse::NotFound().finish() };
    let Ok(trials) = control.trials(0, 100).await else { return HttpResponse::Gone().body("the run is over") };
    let line = |trial: &tryout::actors::messages::TrialStatus| {
        let iteration = trial.record.last.as_ref().map_or(0, |last| last.iteration());
        format!("{} {} iteration {iteration}: {}", trial.record.id, trial.record.status, trial.waiting)
    };
    HttpResponse::Ok().body(trials.iter().map(line).collect::<Vec<_>>().join("\n") + "\n")
}

async fn act(path: web::Path<(u32, String)>, shared: Shared) -> HttpResponse {
    let (number, action) = path.into_inner();
    let Some(control) = control(&shared) else { return HttpResponse::NotFound().finish() };
    let trial = match control.trials(number, 1).await.ok().and_then(|trials| trials.first().map(|one| one.record.id)) {
        Some(trial) => trial,
        None => return HttpResponse::NotFound().body("there is no such trial"),
    };
    let done = match action.as_str() {
        "pause" => control.pause(trial).await,
        "resume" => control.resume(trial).await,
        "stop" => control.stop_trial(trial).await,
        _ => return HttpResponse::NotFound().body("pause, resume or stop"),
    };
    match done {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => HttpResponse::Conflict().body(error.to_string()),
    }
}

/// One request over the loopback address, answered as text.
async fn call(address: std::net::SocketAddr, method: &str, path: &str) -> std::io::Result<String> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let work = move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    web::block(work).await.map_err(std::io::Error::other)?
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let (keeper, shared): (_, Shared) = (Keeper::default().start(), web::Data::new(Mutex::new(None)));
    let (keeper_data, shared_data) = (web::Data::new(keeper.clone()), shared.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(keeper_data.clone())
            .app_data(shared_data.clone())
            .route("/runs", web::post().to(begin))
            .route("/runs", web::get().to(list))
            .route("/trials/{number}/{action}", web::post().to(act))
    })
    .workers(1)
    .bind(("127.0.0.1", arguments.port))?;
    let address = server.addrs()[0];
    println!("listening on {address}");
    let server = server.run();
    let stop = server.handle();
    if arguments.demo {
        actix_web::rt::spawn(async move {
            for (method, path) in
                [("POST", "/runs"), ("POST", "/trials/0/pause"), ("POST", "/trials/1/stop"), ("GET", "/runs")]
            {
                match call(address, method, path).await {
                    Ok(answer) => println!("{method} {path}\n{}\n", answer.trim_end()),
                    Err(error) => println!("{method} {path}: {error}"),
                }
            }
            stop.stop(true).await;
        });
    }
    server.await?;
    keeper.send(End).await?;
    Ok(())
}
