//! All routes, once: the scope, the roles and the description for programs are made from this table, so none can be left out of one.

use actix_web::HttpResponse;
use futures::future::LocalBoxFuture;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::access::Role;
use super::asked::Asked;
use super::error::Answered;
use super::model::{
    Columns, Curves, DecisionsView, Header, ImportanceView, LineageView, OutputPart, ParetoView, RungsView, TrialPage,
    WorkersView,
};
use super::{assets, live, metrics, openapi, request, session, views};

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Everybody: what is here is the same for all, or is how one comes to be known.
    Nothing,
    /// Whoever may do this.
    Role(Role),
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answers {
    /// A file of the page.
    File,
    /// Something else than JSON.
    Text(&'static str),
    /// JSON of this form: the schemas of a type and of what it is made of, and its own name.
    Json(fn(&mut Vec<(String, RefOr<Schema>)>) -> String),
    /// JSON of a form that is described elsewhere.
    Object(&'static str),
}

/// A value behind the path's `?`: name, type and what it says.
type Query = (&'static str, &'static str, &'static str);

type Answer = fn(Asked) -> LocalBoxFuture<'static, Answered<HttpResponse>>;

/// One route.
#[derive(Debug)]
pub(super) struct Route {
    /// Below the scope, without its first slash.
    pub(super) path: &'static str,
    /// It is a POST, not a GET.
    pub(super) changes: bool,
    pub(super) needs: Needs,
    /// What it does, in one sentence.
    pub(super) does: &'static str,
    pub(super) queries: &'static [Query],
    pub(super) answers: Answers,
    pub(super) answer: Answer,
}

const WATCH: Needs = Needs::Role(Role::Watch);

const fn get(path: &'static str, does: &'static str, answers: Answers, answer: Answer) -> Route {
    Route { path, changes: false, needs: WATCH, does, queries: &[], answers, answer }
}

const fn post(path: &'static str, does: &'static str, needs: Needs, answers: Answers, answer: Answer) -> Route {
    Route { path, changes: true, needs, does, queries: &[], answers, answer }
}

impl Route {
    const fn for_all(self) -> Self {
        Self { needs: Needs::Nothing, ..self }
    }

    const fn with(self, queries: &'static [Query]) -> Self {
        Self { queries, ..self }
    }
}

/// The name of a type's schema; it and those it needs are added.
fn schema<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) -> String {
    T::schemas(schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    T::name().into_owned()
}

const POSITION: &str = "integer";

/// Routes of one path follow each other.
pub(super) static ROUTES: &[Route] = &[
    get("", "The page.", Answers::File, |asked| Box::pin(assets::index(asked))).for_all(),
    get("assets/{name}", "A file of the page.", Answers::File, |asked| Box::pin(assets::file(asked))).for_all(),
    get("api/session", "Who asks, and what may be done.", Answers::Object("role, version, epoch"), |asked| {
        Box::pin(session::who(asked))
    }),
    post(
        "api/session",
        "Exchanges the code of a link for a cookie.",
        Needs::Nothing,
        Answers::Object("role, version, epoch"),
        |asked| Box::pin(session::begin(asked)),
    ),
    post(
        "api/code",
        "Makes a code for another link, good for 60 s and once. Only whoever has the token may ask.",
        Needs::Role(Role::Control),
        Answers::Object("code"),
        |asked| Box::pin(session::code(asked)),
    ),
    get("api/runs", "All runs, the newest first.", Answers::Json(schema::<views::RunList>), |asked| {
        Box::pin(views::runs(asked))
    }),
    get("api/runs/{run}", "A run.", Answers::Json(schema::<Header>), |asked| Box::pin(views::header(asked))),
    get("api/runs/{run}/trials", "The trials of a run, as columns.", Answers::Json(schema::<Columns>), |asked| {
        Box::pin(views::trials(asked))
    })
    .with(&[("most", "integer", "at most so many")]),
    get("api/runs/{run}/curves", "Curves of a metric.", Answers::Json(schema::<Curves>), |asked| {
        Box::pin(views::curves(asked))
    })
    .with(&[
        ("metric", "string", "which; that of the objective if none is given"),
        ("most", "integer", "at most so many"),
    ]),
    get("api/runs/{run}/trials/{number}", "One trial.", Answers::Json(schema::<TrialPage>), |asked| {
        Box::pin(views::trial(asked))
    }),
    get(
        "api/runs/{run}/trials/{number}/output/{name}",
        "A part of what a trial has printed; the last 64 KiB if no `from` is given.",
        Answers::Json(schema::<OutputPart>),
        |asked| Box::pin(views::output(asked)),
    )
    .with(&[("from", POSITION, "from this byte on")]),
    get(
        "api/runs/{run}/importance",
        "How much the parameters mattered.",
        Answers::Json(schema::<ImportanceView>),
        |asked| Box::pin(views::importance(asked)),
    ),
    get("api/runs/{run}/pareto", "All trials by all objectives.", Answers::Json(schema::<ParetoView>), |asked| {
        Box::pin(views::pareto(asked))
    }),
    get(
        "api/runs/{run}/rungs",
        "The rungs, and what became of trials there.",
        Answers::Json(schema::<RungsView>),
        |asked| Box::pin(views::rungs(asked)),
    ),
    get(
        "api/runs/{run}/lineage",
        "Which trials became copies of which.",
        Answers::Json(schema::<LineageView>),
        |asked| Box::pin(views::lineage(asked)),
    ),
    get("api/runs/{run}/workers", "The timeline of the workers.", Answers::Json(schema::<WorkersView>), |asked| {
        Box::pin(views::workers(asked))
    }),
    get(
        "api/runs/{run}/decisions",
        "What was decided, the newest first.",
        Answers::Json(schema::<DecisionsView>),
        |asked| Box::pin(views::decisions(asked)),
    )
    .with(&[("before", POSITION, "before this one"), ("most", "integer", "at most so many")]),
    post(
        "api/runs/{run}/request",
        "A request to a run that goes on, as in docs/control.md; a trial's number may stand for its id.",
        Needs::Role(Role::Control),
        Answers::Object("an answer of docs/control.md"),
        |asked| Box::pin(request::request(asked)),
    ),
    get("api/events", "What changes, as server-sent events.", Answers::Text("text/event-stream"), |asked| {
        Box::pin(live::events(asked))
    })
    .with(&[("run", "string", "a run; may be given several times")]),
    get("api/openapi.json", "This description.", Answers::Object("OpenAPI 3.1"), |asked| {
        Box::pin(openapi::describe(asked))
    }),
    get("metrics", "Numbers for Prometheus.", Answers::Text("text/plain"), |asked| Box::pin(metrics::metrics(asked))),
];
