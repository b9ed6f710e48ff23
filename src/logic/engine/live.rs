//! A client changes settings while the run goes on.

use std::sync::Arc;

use super::io::OrderError;
use super::{Engine, EngineOutput};
use crate::logic::event::{Ending, EventKind};
use crate::logic::ids::TrialId;
use crate::logic::search::Samples;
use crate::logic::settings::{LiveSetting, Settings};
use crate::logic::spec::PartSpec;
use crate::logic::stop::{StopRule, made_rules};
use crate::logic::time::Moment;

impl Engine {
    /// From now on a setting is this.
    pub(super) fn set(&mut self, setting: LiveSetting, by: Option<Arc<str>>, now: Moment, out: &mut Vec<EngineOutput>) {
        self.commit(now, out, EventKind::SettingChanged { setting: setting.clone(), by });
        match setting {
            LiveSetting::Samples(samples) => {
                self.searcher.set_samples(samples);
                self.withdraw_surplus(now, out);
                self.ask_again();
            }
            // Whether it is over is asked after every input.
            LiveSetting::TimeLimit(_) => {}
            LiveSetting::Stop(rules) => self.set_rules(rules.as_deref()),
        }
    }

    /// From here on these stop rules hold; what can't be made was refused before.
    fn set_rules(&mut self, rules: Option<&[PartSpec]>) {
        let set = self.stop.call(|rule| rule.set(rules));
        if let Some(Err(why)) = set {
            self.stop.fail(format!("a client's rules can't be made: {why}"));
        }
        self.last_iteration = self.stop.ask(|rule| rule.last_iteration()).flatten();
    }

    /// Whether a client can have this.
    pub(super) fn check_setting(&self, setting: &LiveSetting) -> Result<(), OrderError> {
        setting.check()?;
        match setting {
            LiveSetting::Stop(Some(rules)) => made_rules(rules).map(|_| ()).map_err(|why| OrderError::Stop { why }),
            LiveSetting::Samples(_) | LiveSetting::TimeLimit(_) | LiveSetting::Stop(None) => Ok(()),
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
        let stop = program.stop != before.stop;
        for setting in self.ledger.run().settings.clone() {
            let again = match setting {
                LiveSetting::Samples(Some(_)) if samples => LiveSetting::Samples(None),
                LiveSetting::TimeLimit(_) if limit => LiveSetting::TimeLimit(self.settings.time_limit),
                LiveSetting::Stop(Some(_)) if stop => LiveSetting::Stop(None),
                LiveSetting::Samples(_) | LiveSetting::TimeLimit(_) | LiveSetting::Stop(_) => continue,
            };
            self.set(again, None, now, out);
        }
    }

    /// What the parts of an earlier session were told. How many samples there are is a setting, and not part of a state; which stop
    /// rules hold is a part of theirs.
    pub(super) fn replay_setting(&mut self, setting: LiveSetting) {
        match setting {
            LiveSetting::Samples(samples) => self.searcher.set_samples(samples),
            LiveSetting::Stop(rules) if !self.replayed.restored.stop => self.set_rules(rules.as_deref()),
            LiveSetting::TimeLimit(_) | LiveSetting::Stop(_) => {}
        }
    }
}
