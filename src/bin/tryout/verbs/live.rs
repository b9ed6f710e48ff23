//! A run that goes on in another process, and what is asked of it.

use std::path::{Path, PathBuf};

use tryout::api::{Answer, ClientOrder, ControlClient, Request, RunName};
use tryout::event::TrialId;
use tryout::failure::error_chain;
use tryout::prelude::Outcome;

use super::Problem;
use super::open::{Run, Which, owner};

/// A connection to the run that is meant.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) dir: PathBuf,
    pub(crate) name: RunName,
    client: ControlClient,
}

impl Which {
    /// Connects to the run that is meant, which must be going on.
    pub(crate) fn connect(&self) -> Result<Live, Problem> {
        Live::connect(self.find()?)
    }
}

impl Run {
    /// A connection to the run's process, if it goes on and has a socket.
    pub(crate) fn client(&self) -> Option<ControlClient> {
        self.owner.as_ref()?;
        ControlClient::connect(&self.dir).ok()
    }
}

impl Live {
    pub(crate) fn connect(dir: PathBuf) -> Result<Self, Problem> {
        if owner(&dir).is_none() {
            return Err(Problem::Given(ended(&Run::open(dir)?)));
        }
        let mut client = ControlClient::connect(&dir).map_err(|error| Problem::failed(&error))?;
        match ask(&mut client, &dir, &Request::Hello)? {
            Answer::Hello(name) => Ok(Self { dir, name, client }),
            other => Err(unexpected(&other)),
        }
    }

    /// A connection of its own to the same run.
    pub(crate) fn again(&self) -> Result<ControlClient, Problem> {
        ControlClient::connect(&self.dir).map_err(|error| Problem::failed(&error))
    }

    /// Asks; what is refused is a problem.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Answer, Problem> {
        ask(&mut self.client, &self.dir, request)
    }

    /// Asks for what changes something, by the user's name if the system says it.
    pub(crate) fn act(&mut self, request: Request) -> Result<Answer, Problem> {
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        self.ask(&match user {
            Ok(user) => request.by(&user),
            Err(_) => request,
        })
    }

    pub(crate) fn order(&mut self, order: ClientOrder) -> Result<Option<TrialId>, Problem> {
        match self.act(Request::Order(order))? {
            Answer::Done { trial } => Ok(trial),
            other => Err(unexpected(&other)),
        }
    }

    /// A trial by its number or its id.
    pub(crate) fn trial(&self, name: &str) -> Result<TrialId, Problem> {
        let id = match name.parse::<u32>() {
            Ok(number) => Some(TrialId::new(self.name.run, number)),
            Err(_) => name.parse().ok(),
        };
        id.ok_or_else(|| {
            let example = TrialId::new(self.name.run, 17);
            Problem::Given(format!("`{name}` is no trial: give its number, or its id as in `{example}`"))
        })
    }

    /// Several of them.
    pub(crate) fn trials(&self, names: &[String]) -> Result<Vec<TrialId>, Problem> {
        names.iter().map(|name| self.trial(name)).collect()
    }
}

fn ask(client: &mut ControlClient, dir: &Path, request: &Request) -> Result<Answer, Problem> {
    match client.ask(request) {
        Ok(Answer::Refused { why, .. }) => Err(Problem::Given(why)),
        Ok(answer) => Ok(answer),
        Err(error) => Err(Problem::Failed(format!(
            "the run in `{}` ended, or its process was killed, before it answered: {}",
            dir.display(),
            error_chain(&error)
        ))),
    }
}

/// An answer of another kind than that of the request.
pub(crate) fn unexpected(answer: &Answer) -> Problem {
    Problem::Failed(format!("the run gave an answer of another kind: {answer:?}"))
}

/// Why nothing can be asked of a run that doesn't go on, and how it goes on.
fn ended(run: &Run) -> String {
    let dir = run.dir.display();
    match run.results.outcome() {
        Outcome::Completed | Outcome::Stopped(_) => format!(
            "the run in `{dir}` has ended ({}): nothing of it can be steered; `tryout run FILE --resume` goes on with it, \
             with `--set` for what is to be otherwise, `--add` for another trial, `--extend` or `--retry` for those that have ended",
            run.state()
        ),
        _ => format!("the run in `{dir}` doesn't go on at the moment ({})", run.state()),
    }
}
