//! Workers and what there is to run on: settings of the pool, and what of it can be changed while the run goes on.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Experiment;
use super::handle::Control;
use crate::actors::{Host, Shared};
use crate::edge::host_budget::{self, HostBudget};
use crate::error::{ControlError, SettingsError};
use crate::logic::engine::ClientOrder;
use crate::logic::ids::TrialId;
use crate::logic::pool::{PoolError, ResourceRequest, Resources};
use crate::logic::settings::Settings;

/// With which other runs a run shares the host.
#[derive(Clone, Debug, Default)]
pub(super) enum Sharing {
    /// With those of its process, if its totals are detected.
    #[default]
    IfDetected,
    /// With those that have the same budget.
    Budget(HostBudget),
    /// With those of all processes of this user that ask for it.
    #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
    User,
    /// With none.
    None,
}

/// What a run has to run on.
pub(super) struct Machine {
    /// All of it.
    pub(super) total: Resources,
    /// What of it the backend is told: GPUs that nobody spoke of are hidden from no trial.
    pub(super) told: Resources,
    budget: Option<(HostBudget, Shared)>,
}

impl Machine {
    pub(super) fn of(settings: &Settings, sharing: &Sharing, joinable: bool) -> Self {
        let detected = || match sharing {
            Sharing::Budget(budget) => budget.resources().clone(),
            _ => host_budget::detected(),
        };
        // Where workers join, there is nothing here unless it is said.
        let total = settings.resources.clone().unwrap_or_else(|| if joinable { Resources::new() } else { detected() });
        let budget = match sharing {
            _ if joinable && settings.resources.is_none() => None,
            Sharing::Budget(budget) => Some((budget.clone(), Shared::Always)),
            Sharing::IfDetected if settings.resources.is_none() => {
                Some((HostBudget::of_process(), Shared::WhileDetected))
            }
            #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
            // Whether its locks can be used is seen when the run begins.
            Sharing::User => Some((HostBudget::unlocked(), Shared::Always)),
            Sharing::IfDetected | Sharing::None => None,
        };
        let spoken_of = matches!(sharing, Sharing::Budget(_)) || settings.resources.is_some();
        let asked_for = settings.per_trial.as_ref().is_some_and(|request| request.total().get("gpu").parts() > 0);
        let told = if spoken_of || asked_for { total.clone() } else { total.clone().with("gpu", 0.0) };
        Self { total, told, budget }
    }

    /// Whether a total can be shared.
    pub(super) fn checks(&self) -> impl Fn(&Resources) -> Result<(), PoolError> + Send + Sync + use<> {
        let budget = self.budget.clone();
        move |total| match &budget {
            Some((budget, Shared::Always)) => budget.check(total),
            Some((_, Shared::WhileDetected)) | None => Ok(()),
        }
    }

    pub(super) fn host(self, sharing: &Sharing) -> Result<Option<Host>, SettingsError> {
        let budget = match sharing {
            #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
            Sharing::User if self.budget.is_none() => {
                let why = "all trials run on workers that join, so nothing of it is used; say with `resources`, in a file `machine`, what \
                           of it is, or share nothing";
                return Err(SettingsError::SharedHost(std::io::Error::other(why)));
            }
            #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
            Sharing::User => Some((HostBudget::of_user().map_err(SettingsError::SharedHost)?, Shared::Always)),
            _ => self.budget,
        };
        Ok(budget.map(|(budget, shared)| Host { host: Arc::new(budget), shared }))
    }
}

impl Experiment {
    /// Shares what this budget has with all other runs that have it: what each may hold is fair between them, and what one
    /// doesn't use is for the others. If nothing is said with [`resources`](Self::resources), all of it is there to run on.
    ///
    /// Default: a run that isn't told what there is to run on shares [`HostBudget::of_process`]; one that is told has that for
    /// itself. However much others hold, a run can always run one trial that needs nothing but cores.
    #[must_use]
    pub fn host_budget(mut self, budget: &HostBudget) -> Self {
        self.given.sharing = Sharing::Budget(budget.clone());
        self
    }

    /// Shares the cores and GPUs of this host with the runs of all processes of this user that ask for the same, as
    /// [`host_budget`](Self::host_budget) does within a process. There is a lock for each core and each GPU in a directory that only this
    /// user can enter; the system releases those of a process that dies, however it dies.
    ///
    /// What holds between processes: no GPU is had by two, and one of which a part is used is had as a whole; what a process doesn't use
    /// it releases at once; while another process waits, none keeps more than its part of the host, at least one core and one GPU, once
    /// trials have ended. Which of several that wait gets what is released isn't said; and where there are fewer GPUs than processes, one
    /// without a GPU waits until another one wants none.
    #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
    #[must_use]
    pub fn shared_host(mut self) -> Self {
        self.given.sharing = Sharing::User;
        self
    }

    /// Shares nothing: what there is to run on is for this run alone, whatever other runs of the process use.
    #[must_use]
    pub fn own_host(mut self) -> Self {
        self.given.sharing = Sharing::None;
        self
    }

    /// How often a request that waits for resources may be overtaken by later ones that ask for less; with 0 the line is strict.
    /// Default: 16.
    #[must_use]
    pub fn overtaking(mut self, most: u32) -> Self {
        self.settings.overtaking = most;
        self
    }

    /// How long a worker that nobody uses is kept. Default: as long as there may be trials for it, and nobody needs its resources.
    #[must_use]
    pub fn idle_ttl(mut self, longest: Duration) -> Self {
        self.settings.idle_ttl = Some(longest);
        self
    }
}

impl Control {
    /// Changes what there is to run on. What trials hold they keep, also beyond that, until they leave their workers.
    ///
    /// # Errors
    /// If the run is over or can't have these resources, or a trial that hasn't ended could never run then.
    pub async fn set_resources(&self, total: Resources) -> Result<(), ControlError> {
        self.order(ClientOrder::Resources(total)).await.map(|_| ())
    }

    /// Changes how many trials are made ahead of workers, see [`Experiment::staged`]. Those that wait already still do.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn set_staged(&self, most: NonZeroU32) -> Result<(), ControlError> {
        self.order(ClientOrder::Staged(most)).await.map(|_| ())
    }

    /// Changes what a trial needs. One that has a worker pauses at its next report, with a checkpoint if it can save, and goes
    /// on with a worker of its new size when there is room.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it has ended, or there can't be as much.
    pub async fn set_request(&self, trial: TrialId, request: ResourceRequest) -> Result<(), ControlError> {
        self.order(ClientOrder::Request(trial, Arc::new(request))).await.map(|_| ())
    }
}
