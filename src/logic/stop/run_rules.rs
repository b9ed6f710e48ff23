//! The stop rules of a run: the program's, until a client gives others in their place.

use serde::{Deserialize, Serialize};

use super::{Any, Progress, StopError, StopReason, StopRule, any, from_spec};
use crate::logic::failure::error_chain;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, pack, unpack};
use crate::logic::time::Moment;

const PART: &str = "changed stop rules";

/// The rules that these describe.
///
/// # Errors
/// Which of them can't be made, or can't work as it is set.
pub(crate) fn made(specs: &[PartSpec]) -> Result<Any, String> {
    let make = |spec: &PartSpec| {
        let rule = from_spec(spec).map_err(|error| error_chain(&error))?;
        rule.validate().map_err(|error| error_chain(&error))?;
        Ok(rule)
    };
    specs.iter().map(make).collect::<Result<Vec<_>, String>>().map(any)
}

/// What the rules are, in words.
#[cfg(feature = "web")]
pub(crate) fn in_words(specs: &[PartSpec]) -> String {
    match made(specs) {
        Ok(_) if specs.is_empty() => "no stop rule".to_owned(),
        Ok(rules) => format!("stop rules: {}", rules.words()),
        // Another version may know them.
        Err(_) => format!("stop rules: {}", specs.iter().map(|spec| &*spec.kind).collect::<Vec<_>>().join(" or ")),
    }
}

/// The rules that hold. Those of the program hear everything, so that they go on when a client's are taken back.
pub(crate) struct RunRules {
    program: Box<dyn StopRule>,
    given: Option<Given>,
}

struct Given {
    specs: Vec<PartSpec>,
    rules: Any,
}

#[derive(Serialize, Deserialize)]
struct State {
    specs: Vec<PartSpec>,
    program: PartState,
    given: PartState,
}

impl RunRules {
    /// Those of the program.
    pub(crate) fn new(program: Box<dyn StopRule>) -> Self {
        Self { program, given: None }
    }

    /// From now on these hold, and count from now on; none: the program's. The same again change nothing.
    ///
    /// # Errors
    /// If one of them can't be made; then nothing has changed.
    pub(crate) fn set(&mut self, specs: Option<&[PartSpec]>) -> Result<(), String> {
        match specs {
            Some(specs) if self.given.as_ref().is_some_and(|given| given.specs == specs) => {}
            Some(specs) => self.given = Some(Given { specs: specs.to_vec(), rules: made(specs)? }),
            None => self.given = None,
        }
        Ok(())
    }

    fn holding(&self) -> &dyn StopRule {
        self.given.as_ref().map_or(&*self.program, |given| &given.rules)
    }
}

impl StopRule for RunRules {
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason> {
        let program = self.program.check(trial, report);
        self.given.as_mut().map_or(program, |given| given.rules.check(trial, report))
    }

    fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
        let program = self.program.check_experiment(progress);
        self.given.as_mut().map_or(program, |given| given.rules.check_experiment(progress))
    }

    fn last_iteration(&self) -> Option<u64> {
        self.holding().last_iteration()
    }

    fn deadline(&self) -> Option<Moment> {
        self.holding().deadline()
    }

    fn forget(&mut self, trial: TrialId) {
        self.program.forget(trial);
        self.given.iter_mut().for_each(|given| given.rules.forget(trial));
    }

    fn warning(&mut self) -> Option<String> {
        let Some(given) = &mut self.given else { return self.program.warning() };
        // What the program's rules lack doesn't matter to anybody now.
        while self.program.warning().is_some() {}
        given.rules.warning()
    }

    fn words(&self) -> StopReason {
        self.holding().words()
    }

    fn validate(&self) -> Result<(), StopError> {
        self.holding().validate()
    }

    fn save(&self) -> Option<PartState> {
        let program = self.program.save()?;
        match &self.given {
            None => Some(program),
            Some(Given { specs, rules }) => pack(PART, &State { specs: specs.clone(), program, given: rules.save()? }),
        }
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        if state.get("part").and_then(serde_json::Value::as_str) != Some(PART) {
            return self.program.restore(state);
        }
        let State { specs, program, given } = unpack(PART, state)?;
        let mut rules = made(&specs).map_err(|why| StateError::Value {
            part: PART,
            at: "specs",
            found: why,
            expected: "rules that this version knows".to_owned(),
        })?;
        rules.restore(given)?;
        self.program.restore(program)?;
        self.given = Some(Given { specs, rules });
        Ok(())
    }
}
