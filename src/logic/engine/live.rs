//! A client changes settings while the run goes on.

use std::sync::Arc;

use super::{Engine, EngineOutput};
use crate::logic::event::{Ending, EventKind};
use crate::logic::ids::TrialId;
use crate::logic::search::Samples;
use crate::logic::settings::{LiveSetting, Settings};
use crate::logic::time::Moment;

impl Engine {
    /// From now on a setting is this.
    pub(super) fn set(&mut self, setting: LiveSetting, by: Option<Arc<str>>, now: Moment, out: &mut Vec<EngineOutput>) {
        self.commit(now, out, EventKind::SettingChanged { setting, by });
        match setting {
            LiveSetting::Samples(samples) => {
                self.searcher.set_samples(samples);
                self.withdraw_surplus(now, out);
                self.ask_again();
            }
            // Whether it is over is asked after every input.
            LiveSetting::TimeLimit(_) => {}
        }
    }

    /// Whether the searcher has suggested as many trials as a client wants.
    pub(super) fn has_enough(&self) -> bool {
        let run = self.ledger.run();
        matches!(run.samples(), Some(Samples::Finite(samples)) if run.suggested >= samples)
    }

    /// Ends those that haven't begun and are more than there are to be, the newest first.
    pub(super) fn withdraw_surplus(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let run = self.ledger.run();
        let Some(Samples::Finite(samples)) = run.samples() else { return };
        let surplus = run.suggested.saturating_sub(samples);
        if surplus == 0 {
            return;
        }
        let going = self.ledger.open_trials().filter(|trial| self.is_going(*trial, Ending::Withdrawn)).count();
        let mut fresh: Vec<TrialId> = self.ledger.open_trials().filter(|trial| self.is_fresh(*trial)).collect();
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX).saturating_sub(going);
        fresh.reverse();
        for trial in fresh.into_iter().take(surplus) {
            let reason = format!("there are to be {samples} trials, and it hadn't begun");
            self.end_trial(trial, Ending::Withdrawn, Some(reason.into()), now, out);
        }
    }

    /// What a client changed in an earlier session holds, unless the program has changed the same setting since.
    pub(super) fn bring_back_settings(&mut self, before: &Settings, now: Moment, out: &mut Vec<EngineOutput>) {
        let program = &self.settings;
        let (samples, limit) = (program.samples != before.samples, program.time_limit != before.time_limit);
        for setting in self.ledger.run().settings.clone() {
            let again = match setting {
                LiveSetting::Samples(Some(_)) if samples => LiveSetting::Samples(None),
                LiveSetting::TimeLimit(_) if limit => LiveSetting::TimeLimit(self.settings.time_limit),
                LiveSetting::Samples(_) | LiveSetting::TimeLimit(_) => continue,
            };
            self.set(again, None, now, out);
        }
    }

    /// What an earlier session's searcher was told. It is a setting, and not part of a state.
    pub(super) fn replay_setting(&mut self, setting: LiveSetting) {
        if let LiveSetting::Samples(samples) = setting {
            self.searcher.set_samples(samples);
        }
    }
}
