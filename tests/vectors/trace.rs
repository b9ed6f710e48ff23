//! What a file of recorded decisions holds, and the scheduler that it calls for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tryout::logic::decision::Decision;
use tryout::logic::metrics::Mode;
use tryout::logic::schedule::{Asha, AtMaxT, HyperBand, MedianStopping, Scheduler, WhenBehind};

#[derive(Deserialize)]
pub(crate) struct Trace {
    pub(crate) params: Value,
    pub(crate) events: Vec<Event>,
    /// How each trial ended up.
    #[serde(default)]
    pub(crate) r#final: BTreeMap<String, Final>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Event {
    Add {
        trial: String,
    },
    Chosen {
        trial: String,
    },
    Result {
        trial: String,
        training_iteration: u64,
        loss: Option<f64>,
        decision: Answer,
        #[serde(default)]
        also_stopped: Vec<String>,
    },
    Complete {
        trial: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Final {
    pub(crate) status: String,
    pub(crate) training_iteration: u64,
}

#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Answer {
    Continue,
    Pause,
    Stop,
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Continue => Answer::Continue,
            Decision::Pause => Answer::Pause,
            Decision::Stop => Answer::Stop,
        }
    }
}

/// What is made of parameters, if they can be read.
type Made<T> = Result<T, serde_json::Error>;

/// What every scheduler has.
#[derive(Deserialize)]
pub(crate) struct Common {
    pub(crate) time_attr: String,
    pub(crate) metric: String,
    pub(crate) mode: Mode,
}

#[derive(Deserialize)]
struct AshaParams {
    max_t: u64,
    grace_period: u64,
    reduction_factor: f64,
    brackets: u32,
    stop_last_trials: bool,
}

#[derive(Deserialize)]
struct MedianParams {
    grace_period: f64,
    min_samples_required: u32,
    min_time_slice: f64,
    hard_stop: bool,
}

#[derive(Deserialize)]
struct HyperBandParams {
    max_t: u64,
    reduction_factor: f64,
    stop_last_trials: bool,
}

/// Whether the file says when a trial ended, or leaves it to the decision to stop it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    Told,
    AtOnce,
}

fn at_max_t(stop_last_trials: bool) -> AtMaxT {
    if stop_last_trials { AtMaxT::Stop } else { AtMaxT::RunOn }
}

fn asha(params: &Value) -> Made<Box<dyn Scheduler>> {
    let params = AshaParams::deserialize(params)?;
    let asha = Asha::new().max_t(params.max_t).grace_period(params.grace_period).brackets(params.brackets);
    Ok(Box::new(asha.reduction_factor(params.reduction_factor).at_max_t(at_max_t(params.stop_last_trials))))
}

fn median(params: &Value) -> Made<Box<dyn Scheduler>> {
    let params = MedianParams::deserialize(params)?;
    let median = MedianStopping::new()
        .time_attr("training_iteration")
        .grace_period(params.grace_period)
        .min_samples(params.min_samples_required)
        .min_time_slice(params.min_time_slice)
        .when_behind(if params.hard_stop { WhenBehind::Stop } else { WhenBehind::PauseOnce });
    Ok(Box::new(median))
}

fn hyperband(params: &Value) -> Made<Box<dyn Scheduler>> {
    let params = HyperBandParams::deserialize(params)?;
    let hyperband = HyperBand::new().max_t(params.max_t).reduction_factor(params.reduction_factor);
    Ok(Box::new(hyperband.at_max_t(at_max_t(params.stop_last_trials))))
}

/// The scheduler that a file's name calls for; none if there is no such scheduler here.
pub(crate) fn scheduler(name: &str, params: &Value) -> Option<Made<(Box<dyn Scheduler>, Ends)>> {
    let (made, ends) = match name.split('_').next()? {
        "asha" => (asha(params), Ends::Told),
        "median" => (median(params), Ends::Told),
        "hyperband" => (hyperband(params), Ends::AtOnce),
        _ => return None,
    };
    Some(made.map(|made| (made, ends)))
}
