//! A searcher without a run: for whoever has a loop of their own, and only wants to know what to try next.

mod error;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::edge::plain_file;
use crate::logic::config::Config;
use crate::logic::engine::guarded;
use crate::logic::event::Ending;
use crate::logic::failure::error_chain;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::{Counters, Metrics, Objective, Report};
use crate::logic::place;
use crate::logic::search::{SearchError, Searcher, Suggestion};
use crate::logic::state::PartState;

pub use error::StudyError;

/// The form of the file that [`Study::save`] writes.
const FORMAT: u32 = 1;

/// Asks a searcher for configurations, and tells it what came of them. Nothing runs here: no threads, no trials, no files
/// but the one that [`save`](Study::save) writes. Several processes share a searcher, and a scheduler too, through a run whose trials they
/// ask for: [`ask_tell`](crate::backend::ask_tell).
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::Variants;
/// use tryout::study::Study;
///
/// let space = Space::new().with("x", uniform(-10.0, 10.0));
/// let mut study = Study::new(Variants::new(space, 7)?.samples(20)).objective(Objective::min("loss"));
/// while let Some(trial) = study.ask()? {
///     let x = trial.config.number("x").unwrap_or(f64::NAN);
///     match (x - 3.0).powi(2) {
///         loss if loss.is_finite() => study.tell(&trial, [("loss", loss)])?,
///         _ => study.tell_failed(&trial, "it diverged")?,
///     }
/// }
/// println!("{:?}", study.best());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Study {
    searcher: Box<dyn Searcher>,
    name: String,
    objective: Option<Objective>,
    ready: Ready,
    trials: Vec<Trial>,
    /// All that the searcher was asked and told, in its order.
    past: Vec<Step>,
}

/// One configuration to try. Its id counts from `00000_00000`.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// By what it is told of.
    pub id: TrialId,
    /// What to try.
    pub config: Config,
    /// What came of it; none as long as nobody told.
    pub told: Option<Told>,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// It ended with these metrics.
    Metrics(Metrics),
    /// It failed, for this reason.
    Failed(String),
}

impl From<&Trial> for TrialId {
    fn from(trial: &Trial) -> Self {
        trial.id
    }
}

/// How far the searcher is.
#[derive(Debug)]
enum Ready {
    /// It doesn't know the objective yet.
    No,
    Yes,
    /// It failed, and isn't called again.
    Failed(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Asked { trial: TrialId, config: Config },
    Told { trial: TrialId, metrics: Metrics },
    Failed { trial: TrialId, why: String },
    Observed { config: Config, metrics: Metrics },
}

/// What the file holds; written from references, read as values.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<S> {
    format: u32,
    searcher: String,
    objective: Option<Objective>,
    /// None if the searcher can't give its state. Then it is told the past again.
    state: Option<PartState>,
    past: S,
}

impl Study {
    /// With this searcher, from its beginning. One that learns needs an [`objective`](Study::objective).
    pub fn new(searcher: impl Searcher + 'static) -> Self {
        let searcher: Box<dyn Searcher> = Box::new(searcher);
        let (name, ready) = match guarded(|| searcher.name().to_owned()) {
            Ok(name) => (name, Ready::No),
            Err(why) => ("without a name".to_owned(), Ready::Failed(why)),
        };
        Self { searcher, name, objective: None, ready, trials: Vec::new(), past: Vec::new() }
    }

    /// What counts; none by default. To be said before the first [`ask`](Study::ask): afterwards nothing changes.
    #[must_use]
    pub fn objective(mut self, objective: Objective) -> Self {
        if matches!(self.ready, Ready::No) {
            self.objective = Some(objective);
        }
        self
    }

    /// What to try next; none if nothing more will come. Any number of trials can be open at once.
    ///
    /// # Errors
    /// [`StudyError::Waiting`] if it has to hear of others first; [`StudyError::Searcher`] if the searcher fails, lacks an
    /// objective, or panics.
    pub fn ask(&mut self) -> Result<Option<Trial>, StudyError> {
        let id = TrialId::new(RunId::new(0), u32::try_from(self.trials.len()).unwrap_or(u32::MAX));
        match self.call(|searcher| searcher.suggest(id))? {
            Suggestion::Next(config) => {
                self.note(Step::Asked { trial: id, config: config.clone() });
                Ok(Some(Trial { id, config, told: None }))
            }
            Suggestion::Wait => Err(StudyError::Waiting { searcher: self.name.clone(), open: self.open().count() }),
            Suggestion::Exhausted => Ok(None),
        }
    }

    /// A trial ended with these metrics. A value that isn't finite is taken as one that nothing came of.
    ///
    /// # Errors
    /// If there is no such trial, it was told of before, or `metrics` lacks what counts: then nothing has changed. And if
    /// the searcher fails.
    pub fn tell(&mut self, trial: impl Into<TrialId>, metrics: impl Into<Metrics>) -> Result<(), StudyError> {
        let (trial, metrics) = (trial.into(), metrics.into());
        self.check_open(trial)?;
        self.check_metric(&trial.to_string(), &metrics)?;
        let report = report(trial, metrics.clone());
        self.call(told(trial, Ending::Done, Some(&report)))?;
        self.note(Step::Told { trial, metrics });
        Ok(())
    }

    /// A trial failed. The searcher takes it as one that nothing came of.
    ///
    /// # Errors
    /// If there is no such trial or it was told of before: then nothing has changed. And if the searcher fails.
    pub fn tell_failed(&mut self, trial: impl Into<TrialId>, why: impl Into<String>) -> Result<(), StudyError> {
        let (trial, why) = (trial.into(), why.into());
        self.check_open(trial)?;
        self.call(told(trial, Ending::Error, None))?;
        self.note(Step::Failed { trial, why });
        Ok(())
    }

    /// Something that was tried elsewhere, such as in an earlier study. It is none of the [`trials`](Study::trials).
    ///
    /// # Errors
    /// If `metrics` lacks what counts, or the searcher doesn't learn or has no use for it. A searcher that refuses goes on.
    pub fn observe(&mut self, config: Config, metrics: impl Into<Metrics>) -> Result<(), StudyError> {
        let metrics = metrics.into();
        self.check_metric("the observation", &metrics)?;
        let refused = self.call(|searcher| Ok(searcher.observe(&config, &metrics)))?;
        refused.map_err(|error| self.failed(error_chain(&error)))?;
        self.past.push(Step::Observed { config, metrics });
        Ok(())
    }

    /// All trials that were asked for, in their order.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Those that nobody told of yet: also after a [`load`](Study::load), when their loop is gone.
    pub fn open(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.told.is_none())
    }

    /// The trial with the best finite value of the objective, of equals the first; none if there is none, or no objective.
    pub fn best(&self) -> Option<&Trial> {
        let objective = self.objective.as_ref()?;
        let value = |trial: &Trial| match &trial.told {
            Some(Told::Metrics(metrics)) => metrics.number(&objective.metric),
            _ => None,
        };
        objective.best_of(self.trials.iter().map(|trial| (trial, value(trial))))
    }

    /// Writes all of it to a file, in the place of what stood there: a reader sees the old file or the new one.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), StudyError> {
        let state = match &self.ready {
            Ready::Failed(why) => return Err(self.failed(why.clone())),
            Ready::No => None,
            Ready::Yes => guarded(|| self.searcher.save()).map_err(|why| self.failed(why))?,
        };
        let (searcher, objective) = (self.name.clone(), self.objective.clone());
        let saved = Saved { format: FORMAT, searcher, objective, state, past: &self.past };
        let path = path.as_ref();
        let written = plain_file::replace(path, |file| {
            file.write_all(&serde_json::to_vec(&saved)?)?;
            file.sync_all()
        });
        written.map_err(|source| StudyError::Io { action: "written", path: path.to_owned(), source })
    }

    /// Goes on with what [`save`](Study::save) wrote. `searcher` is made as it was then; its state comes from the file. One
    /// that can't give its state is told again all that it was told, in the same order.
    ///
    /// # Errors
    /// If the file can't be read, is no study's, or is that of another searcher or of one with other settings.
    pub fn load(path: impl AsRef<Path>, searcher: impl Searcher + 'static) -> Result<Self, StudyError> {
        let path = path.as_ref();
        let io = |source| StudyError::Io { action: "read", path: path.to_owned(), source };
        let bytes = plain_file::read_all(path).map_err(io)?;
        let form = |at: String, problem| StudyError::Form { path: path.to_owned(), at, problem };
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| form(".".to_owned(), error.to_string()))?;
        match json.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format > u64::from(FORMAT) => {
                let problem = format!("it is {format}, but this version reads {FORMAT} and older");
                return Err(form("format".to_owned(), problem));
            }
            _ => {}
        }
        let saved: Saved<Vec<Step>> = place::read(&json).map_err(|(at, problem)| form(at, problem.to_string()))?;
        let mut study = Self::new(searcher);
        if study.name != saved.searcher {
            let problem = format!("it is `{}`, but the searcher given is `{}`", saved.searcher, study.name);
            return Err(form("searcher".to_owned(), problem));
        }
        study.objective = saved.objective;
        let replay = saved.state.is_none();
        if let Some(state) = saved.state {
            let taken = study.call(|searcher| Ok(searcher.restore(state)))?;
            taken.map_err(|source| StudyError::State { path: path.to_owned(), source })?;
        }
        for (number, step) in saved.past.into_iter().enumerate() {
            if !study.fits(&step) {
                return Err(form(format!("past[{number}]"), "it doesn't follow from what stands before it".to_owned()));
            }
            if replay {
                study.tell_again(&step)?;
            }
            study.note(step);
        }
        Ok(study)
    }

    /// Whether a step can come now.
    fn fits(&self, step: &Step) -> bool {
        match step {
            Step::Asked { trial, .. } => trial.run() == RunId::new(0) && trial.index() == self.trials.len(),
            Step::Told { trial, .. } | Step::Failed { trial, .. } => self.check_open(*trial).is_ok(),
            Step::Observed { .. } => true,
        }
    }

    /// What was asked and told is known from now on.
    fn note(&mut self, step: Step) {
        let (trial, told) = match &step {
            Step::Asked { trial, config } => {
                self.trials.push(Trial { id: *trial, config: config.clone(), told: None });
                (*trial, None)
            }
            Step::Told { trial, metrics } => (*trial, Some(Told::Metrics(metrics.clone()))),
            Step::Failed { trial, why } => (*trial, Some(Told::Failed(why.clone()))),
            Step::Observed { .. } => return self.past.push(step),
        };
        if let Some(trial) = self.trials.get_mut(trial.index()) {
            trial.told = told;
        }
        self.past.push(step);
    }

    fn tell_again(&mut self, step: &Step) -> Result<(), StudyError> {
        match step {
            Step::Asked { trial, config } => self.call(|searcher| searcher.replay(*trial, config)),
            Step::Observed { config, metrics } => self.call(|searcher| searcher.observe(config, metrics)),
            Step::Failed { trial, .. } => self.call(told(*trial, Ending::Error, None)),
            Step::Told { trial, metrics } => {
                self.call(told(*trial, Ending::Done, Some(&report(*trial, metrics.clone()))))
            }
        }
    }

    /// Calls the searcher, which knows the objective from then on. Once it has failed it isn't called again.
    fn call<R>(&mut self, call: impl FnOnce(&mut dyn Searcher) -> Result<R, SearchError>) -> Result<R, StudyError> {
        let prepare = match &self.ready {
            Ready::Failed(why) => return Err(self.failed(why.clone())),
            ready => matches!(ready, Ready::No),
        };
        let (searcher, objective) = (&mut *self.searcher, self.objective.as_ref());
        let answer = guarded(|| {
            if prepare {
                searcher.prepare(objective)?;
            }
            call(searcher)
        });
        let why = match answer {
            Ok(Ok(answer)) => {
                self.ready = Ready::Yes;
                return Ok(answer);
            }
            Ok(Err(error)) => error_chain(&error),
            Err(panic) => panic,
        };
        self.ready = Ready::Failed(why.clone());
        Err(self.failed(why))
    }

    fn failed(&self, why: String) -> StudyError {
        StudyError::Searcher { searcher: self.name.clone(), why }
    }

    fn check_open(&self, trial: TrialId) -> Result<(), StudyError> {
        match self.trials.get(trial.index()).filter(|known| known.id == trial) {
            None => Err(StudyError::Unknown { trial, asked: self.trials.len() }),
            Some(Trial { told: Some(_), .. }) => Err(StudyError::Again { trial }),
            Some(_) => Ok(()),
        }
    }

    fn check_metric(&self, what: &str, metrics: &Metrics) -> Result<(), StudyError> {
        let Some(metric) = self.objective.as_ref().map(|objective| &objective.metric) else { return Ok(()) };
        if metrics.number(metric).is_some() {
            return Ok(());
        }
        let reported = metrics.iter().map(|(name, _)| format!("`{name}`")).collect();
        Err(StudyError::NoMetric { what: what.to_owned(), metric: metric.clone(), reported })
    }
}

/// What tells a searcher of an end.
fn told(
    trial: TrialId,
    ending: Ending,
    last: Option<&Report>,
) -> impl FnOnce(&mut dyn Searcher) -> Result<(), SearchError> {
    move |searcher| {
        searcher.on_end(trial, ending, last);
        Ok(())
    }
}

/// A trial's only report.
fn report(trial: TrialId, metrics: Metrics) -> Report {
    let report = Counters::default().stamp(trial, metrics, Duration::ZERO, 0.0);
    Report { done: true, ..report }
}
