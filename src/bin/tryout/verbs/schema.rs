//! `tryout schema`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};
use tryout::event::ExperimentEvent;

use super::act::{Added, DoneTo, StoppedRun};
use super::{Problem, check, compare, delete, doctor, gc, labels, list, row, run, set, show, status, watch, why};

/// Prints the JSON Schema of experiment files, for editors; or that of what a verb writes with `--json`.
///
/// In an editor that knows TOML schemas, a first line `#:schema tryout.schema.json` then completes and checks the file. What a verb
/// writes is one object a line; the schema is that of a line.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The verb whose `--json` is described [default: experiment files].
    #[arg(value_parser = PossibleValuesParser::new(ANSWERS.map(|(verb, _)| verb)), hide_possible_values = true)]
    verb: Option<String>,
}

type Form = fn(&mut SchemaGenerator) -> Value;

/// What each verb writes with `--json`.
const ANSWERS: [(&str, Form); 22] = [
    ("run", of::<run::Told>),
    ("check", of::<check::Checked>),
    ("status", of::<status::Stands>),
    ("watch", either::<ExperimentEvent, watch::Beside>),
    ("trials", of::<row::Row>),
    ("show", of::<show::Shown>),
    ("why", of::<why::Because>),
    ("pause", of::<DoneTo>),
    ("unpause", of::<DoneTo>),
    ("stop", either::<DoneTo, StoppedRun>),
    ("save", of::<DoneTo>),
    ("add", of::<Added>),
    ("retry", of::<DoneTo>),
    ("extend", of::<DoneTo>),
    ("set", of::<set::Changed>),
    ("list", of::<list::Listed>),
    ("compare", of::<compare::Compared>),
    ("tag", of::<labels::Labelled>),
    ("note", of::<labels::Labelled>),
    ("delete", of::<delete::Deleted>),
    ("gc", of::<gc::Collected>),
    ("doctor", of::<doctor::Found>),
];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    json!({ "anyOf": [of::<A>(generator), of::<B>(generator)] })
}

/// The schema of a line that the verb writes.
fn answer(verb: &str, form: Form) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = form(&mut generator);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = format!("A line of `tryout {verb} --json`").into();
    schema["$defs"] = Value::Object(generator.take_definitions(true));
    schema
}

impl Schema {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let verb = self.verb.as_deref();
        let known = ANSWERS.into_iter().find(|(name, _)| Some(*name) == verb);
        let schema = known.map_or_else(tryout::schema, |(verb, form)| answer(verb, form));
        writeln!(std::io::stdout().lock(), "{schema:#}")?;
        Ok(ExitCode::SUCCESS)
    }
}
