//! Workers that join over the port, with TLS: agents on threads of this process, each with a connection of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tryout::prelude::*;
use tryout::remote::{Agent, RemoteSettings, Welcome};

use super::Trivial;

/// A run whose workers join, and how many.
pub(crate) struct Far {
    agents: u32,
    join_file: PathBuf,
}

impl Far {
    pub(crate) fn new(agents: u32) -> Self {
        Self {
            agents,
            join_file: std::env::temp_dir().join(format!("tryout-control-plane-{}.json", std::process::id())),
        }
    }

    pub(crate) fn place(&self, experiment: Experiment) -> Experiment {
        let mut settings = RemoteSettings::default();
        settings.bind = ([127, 0, 0, 1], 0).into();
        settings.join_file = Some(self.join_file.clone());
        experiment.joinable(settings)
    }

    /// Runs it. Answers when all agents had been started, too.
    pub(crate) fn run(&self, experiment: Experiment) -> Result<(Results, Instant), Box<dyn std::error::Error>> {
        let run = experiment.start()?;
        for _ in 0..self.agents {
            let agent = Agent::new(&self.join_file).connect_for(Duration::from_secs(30));
            // It ends with the run.
            std::thread::spawn(move || agent.run(|_: &Welcome| Ok(Box::new(stepwise::<Trivial>()) as _)));
        }
        let began = Instant::now();
        Ok((run.wait_blocking()?, began))
    }
}
