//! The page: what a browser and other programs see of runs, and how they steer them.
//!
//! [`scope`] mounts it in an actix-web application, [`Serving`] is a server of its own. `docs/http.md` describes the API, and the rules
//! that keep others out: they hold before a request is looked at (`scope.rs`, `guard.rs`), and the routes that there are stand in one
//! table (`routes.rs`).

mod access;
mod asked;
mod assets;
mod connection;
mod error;
mod guard;
mod live;
mod metrics;
pub mod model;
mod openapi;
mod page;
mod request;
mod routes;
mod runs;
mod scope;
mod server;
mod session;
mod settings;
mod token_file;
mod views;

pub use access::{Caller, Role};
pub use page::Page;
pub(crate) use runs::MakesModel;
pub use runs::{LiveRun, Runs};
pub use scope::scope;
pub use server::{Links, ServeError, ServerSettings, Serving};
pub use settings::{Access, PageSettings, WebLimits};
