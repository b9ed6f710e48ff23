//! An actix-web application with an experiment inside: it starts one, watches it, controls it, and drains it at its end.
//!
//! `keeper` is the application's own actor around the run, `routes` what the web sees of it, `demo` a client that tries
//! it all. Without `--demo`, be that client yourself: the server prints what to type, and Ctrl-C ends it. With the feature `page` the
//! application shows tryout's own page inside of its own: `cargo run -p tryout-embedded --example embedded --features page`.

mod demo;
mod keeper;
#[cfg(feature = "page")]
mod page;
mod routes;

use std::error::Error;

use actix::Actor;
use actix_web::{App, HttpServer, rt, web};
use clap::Parser;
use futures::executor::block_on;

use keeper::{End, Keeper};

/// An actix-web application with an experiment inside.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on the loopback address; 0 is any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Be your own client: start a run, pause a trial, stop another, look, and end.
    #[arg(long)]
    demo: bool,
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let arguments = Arguments::parse();
    let keeper = Keeper::default();
    #[cfg(feature = "page")]
    let page = page::of(keeper.runs.clone())?;
    let keeper = keeper.start();
    let shared = web::Data::new(keeper.clone());
    let application = move || {
        let application = App::new().app_data(shared.clone()).configure(routes::all);
        #[cfg(feature = "page")]
        let application = application.configure(|config| page::mount(config, &page));
        application
    };
    let server = HttpServer::new(application)
        .workers(1)
        // Neither actix-web nor the engine takes the application's signals: it has its own idea of an end.
        .disable_signals()
        .bind(("127.0.0.1", arguments.port))?;
    let address = server.addrs()[0];
    let server = server.run();
    let listening = server.handle();

    if arguments.demo {
        rt::spawn(async move {
            if let Err(error) = web::block(move || demo::play(address)).await {
                eprintln!("the demo broke off: {error}");
            }
            listening.stop(true).await;
        });
    } else {
        #[cfg(feature = "page")]
        println!("http://{address}/ in a browser");
        println!("curl -X POST http://{address}/run");
        println!("curl http://{address}/trials");
        println!("curl -X POST http://{address}/trials/0/pause    (or resume, or stop)");
        ctrlc::set_handler(move || block_on(listening.stop(true)))?;
    }
    server.await?;
    println!("{}", keeper.send(End).await?);
    Ok(())
}
