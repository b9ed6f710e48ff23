//! Slurm: `sbatch` for a job, `squeue` for the list, `scancel` for the end.

mod words;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

pub use words::time_left;

use super::call::{Called, call};
use super::shell;
use crate::logic::launch::{Allocation, LaunchError, LaunchListed};
use crate::logic::pool::ResourceRequest;
use crate::ports::launcher::{LaunchJob, Launcher};

/// `scancel` is told of so many jobs at a time.
const MOST_IDS: usize = 500;
const MIB: u64 = 1 << 20;

/// What the engine's own job, if it is one, must not pass on to those it submits.
const OWN: [&str; 12] = [
    "SLURM_CPUS_PER_TASK",
    "SLURM_CPU_BIND",
    "SLURM_EXPORT_ENV",
    "SLURM_GRES",
    "SLURM_JOB_ID",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_MEM_PER_NODE",
    "SLURM_NTASKS",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_TIMELIMIT",
    "SLURM_TRES_PER_TASK",
];

/// Workers as jobs of Slurm. It needs `sbatch`, `squeue` and `scancel` in `PATH`, and no accounting database.
///
/// ```no_run
/// use std::time::Duration;
/// use tryout::launch::Slurm;
///
/// let slurm = Slurm::new().partition("gpu").account("lab").gpu_type("a100").time(Duration::from_secs(4 * 3600));
/// ```
///
/// | in a shape | in Slurm |
/// |---|---|
/// | `cpu` | `--cpus-per-task`, rounded up |
/// | `gpu` | `--gres=gpu:n`, with the type that was set; shares of one GPU go to several workers of one job |
/// | `accelerator_type:a100` | the type of the GPUs, for this shape alone |
/// | `memory`, in bytes | `--mem` |
/// | any other name | what [`resource`](Slurm::resource) says; without it the shape can't be served |
#[derive(Clone, Debug)]
pub struct Slurm {
    options: Vec<OsString>,
    gpu_type: Option<String>,
    gres: String,
    resources: Vec<(String, String)>,
    prologue: String,
    patience: Duration,
}

impl Default for Slurm {
    fn default() -> Self {
        Self::new()
    }
}

impl Slurm {
    /// Jobs as the cluster's defaults have them.
    pub fn new() -> Self {
        Self {
            options: Vec::new(),
            gpu_type: None,
            gres: "gpu".to_owned(),
            resources: Vec::new(),
            prologue: String::new(),
            patience: Duration::from_secs(60),
        }
    }

    /// The type of GPU that is asked for, as in `--gres=gpu:a100:1`. Default: any.
    #[must_use]
    pub fn gpu_type(mut self, name: impl Into<String>) -> Self {
        self.gpu_type = Some(name.into());
        self
    }

    /// What GPUs are called among the generic resources. Default: `gpu`.
    #[must_use]
    pub fn gres(mut self, name: impl Into<String>) -> Self {
        self.gres = name.into();
        self
    }

    /// Lines of shell before the agent starts, such as `module load cuda`. They are taken as they are.
    #[must_use]
    pub fn prologue(mut self, lines: impl Into<String>) -> Self {
        self.prologue = lines.into();
        self
    }

    /// How long a command of Slurm may take. Default: one minute.
    #[must_use]
    pub fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    /// The partition, or several with commas between them.
    #[must_use]
    pub fn partition(self, name: &str) -> Self {
        self.arg(format!("--partition={name}"))
    }

    /// The account that pays.
    #[must_use]
    pub fn account(self, name: &str) -> Self {
        self.arg(format!("--account={name}"))
    }

    /// The quality of service.
    #[must_use]
    pub fn qos(self, name: &str) -> Self {
        self.arg(format!("--qos={name}"))
    }

    /// The features that a node must have.
    #[must_use]
    pub fn constraint(self, features: &str) -> Self {
        self.arg(format!("--constraint={features}"))
    }

    /// The most time that a job may take, rounded up to minutes. When it is over, its workers' trials move.
    #[must_use]
    pub fn time(self, most: Duration) -> Self {
        self.arg(format!("--time={}", most.as_secs().div_ceil(60).max(1)))
    }

    /// One more argument of `sbatch`, as it is. The last one wins.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.options.push(argument.into());
        self
    }

    /// More arguments of `sbatch`, as they are.
    #[must_use]
    pub fn args(self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        arguments.into_iter().fold(self, Slurm::arg)
    }

    /// What a name in a shape means: an argument of `sbatch`, in which `{n}` stands for the amount in whole units.
    ///
    /// ```
    /// # use tryout::launch::Slurm;
    /// let slurm = Slurm::new().resource("matlab", "--licenses=matlab:{n}");
    /// ```
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>, argument: impl Into<String>) -> Self {
        self.resources.push((name.into(), argument.into()));
        self
    }

    /// The arguments of `sbatch`.
    fn arguments(&self, job: &LaunchJob) -> Vec<OsString> {
        let Allocation { cpus, gpus, memory, gpu_type, others, .. } = Allocation::new(&job.shape, job.workers);
        let mut all: Vec<OsString> = ["--parsable", "--no-requeue", "--nodes=1", "--ntasks=1"].map(Into::into).into();
        all.push(format!("--job-name={}", job.name).into());
        all.push(format!("--cpus-per-task={cpus}").into());
        if memory > 0 {
            all.push(format!("--mem={}M", memory.div_ceil(MIB)).into());
        }
        if gpus > 0 {
            let of = gpu_type.or_else(|| self.gpu_type.clone()).map_or(String::new(), |of| format!("{of}:"));
            all.push(format!("--gres={}:{of}{gpus}", self.gres).into());
        }
        for (name, n) in others {
            let argument = self.resources.iter().find(|(known, _)| *known == name);
            all.extend(argument.map(|(_, argument)| argument.replace("{n}", &n.to_string()).into()));
        }
        let mut output = OsString::from("--output=");
        match &job.directory {
            // A percent sign in a path isn't one of Slurm's.
            Some(directory) => {
                output.push(directory.join(format!("{}.out", job.name)).to_string_lossy().replace('%', "%%"));
            }
            None => output.push("/dev/null"),
        }
        all.push(output);
        all.extend(self.options.iter().cloned());
        all
    }

    fn script(&self, job: &LaunchJob) -> String {
        let mut script = String::from("#!/bin/sh\n");
        let _ = writeln!(script, "export TRYOUT_JOB={}", job.number);
        // The end of the allocation as a duration: clocks may differ.
        script.push_str(
            "TRYOUT_TIME_LEFT=$(squeue -h -j \"$SLURM_JOB_ID\" -o %L 2>/dev/null) && export TRYOUT_TIME_LEFT\n",
        );
        if !self.prologue.is_empty() {
            script.push_str(self.prologue.trim_end());
            script.push('\n');
        }
        script.push_str(&shell::workers(job));
        script
    }

    fn call(&self, program: &str, arguments: Vec<OsString>, input: &str) -> Result<Called, LaunchError> {
        let mut command = Command::new(program);
        command.args(arguments);
        OWN.iter().for_each(|name| {
            command.env_remove(name);
        });
        call(&mut command, input, self.patience).map_err(|error| LaunchError::Unavailable(error.to_string()))
    }
}

impl Launcher for Slurm {
    fn name(&self) -> &str {
        "Slurm"
    }

    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError> {
        let called = self.call("sbatch", self.arguments(job), &self.script(job))?;
        if !called.succeeded {
            return Err(words::refusal(called.words("sbatch")));
        }
        // `123`, or `123;cluster`. A site's plugin may say something before it.
        let mut ids = called.out.lines().rev().map(|line| line.split(';').next().unwrap_or(line).trim());
        let id = ids.find(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
        id.map(str::to_owned).ok_or_else(|| LaunchError::Unavailable(called.words("sbatch")))
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError> {
        let arguments = ["--me", "-h", "-t", "all", "-o", "%i|%T|%r|%L|%j"].map(Into::into).into();
        let called = self.call("squeue", arguments, "")?;
        if !called.succeeded {
            return Err(LaunchError::Unavailable(called.words("squeue")));
        }
        Ok(called.out.lines().filter_map(words::listed).filter(|one| one.name.starts_with(prefix)).collect())
    }

    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError> {
        for some in ids.chunks(MOST_IDS) {
            let called = self.call("scancel", some.iter().map(Into::into).collect(), "")?;
            if !called.succeeded && !called.err.contains("Invalid job id") {
                return Err(LaunchError::Unavailable(called.words("scancel")));
            }
        }
        Ok(())
    }

    fn dry_run(&self, job: &LaunchJob) -> String {
        format!("sbatch {} <<'TRYOUT'\n{}TRYOUT\n", shell::command_line(&self.arguments(job)), self.script(job))
    }

    fn check(&mut self) -> Result<(), String> {
        for program in ["sbatch", "squeue", "scancel"] {
            let version = self.call(program, vec!["--version".into()], "").map_err(LaunchError::into_words)?;
            if !version.succeeded {
                return Err(version.words(program));
            }
        }
        Ok(())
    }

    fn may_serve(&self, request: &ResourceRequest) -> Result<(), String> {
        if request.as_bundles().len() > 1 {
            return Err("Slurm is asked for workers in one place: a trial of several bundles can't have one".to_owned());
        }
        let unknown = Allocation::new(request, 1).others.into_iter().map(|(name, _)| name);
        let unknown = unknown.filter(|name| !self.resources.iter().any(|(known, _)| known == name));
        match unknown.collect::<Vec<_>>().as_slice() {
            [] => Ok(()),
            names => Err(format!("Slurm isn't told what `{}` means: name it with `resource`", names.join("`, `"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::logic::pool::Resources;

    fn job(shape: Resources, workers: u32) -> LaunchJob {
        LaunchJob {
            name: "tryout-3fa01-4".to_owned(),
            number: 4,
            shape: Arc::new(ResourceRequest::single(shape).expect("it asks for something")),
            workers,
            command: ["tryout", "worker", "--join", "/a b/join"].map(Into::into).into(),
            directory: Some("/runs/100%".into()),
        }
    }

    #[test]
    fn what_would_be_submitted_is_said() {
        let slurm = Slurm::new()
            .partition("gpu")
            .time(Duration::from_secs(90))
            .arg("--mail-type=END")
            .prologue("module load x");
        let shape = Resources::cpus(2).with("gpu", 1.0).with("memory", 2.5e9);
        let expected = "sbatch --parsable --no-requeue --nodes=1 --ntasks=1 --job-name=tryout-3fa01-4 --cpus-per-task=2 \
            --mem=2385M --gres=gpu:1 --output=/runs/100%%/tryout-3fa01-4.out --partition=gpu --time=2 --mail-type=END <<'TRYOUT'\n\
            #!/bin/sh\nexport TRYOUT_JOB=4\n\
            TRYOUT_TIME_LEFT=$(squeue -h -j \"$SLURM_JOB_ID\" -o %L 2>/dev/null) && export TRYOUT_TIME_LEFT\n\
            module load x\nexec tryout worker --join '/a b/join'\nTRYOUT\n";
        assert_eq!(slurm.dry_run(&job(shape, 1)), expected);
    }

    #[test]
    fn gpus_have_types_and_shares() {
        let arguments = |slurm: Slurm, shape, workers| {
            let all = slurm.arguments(&job(shape, workers));
            all.iter()
                .map(|one| one.to_string_lossy().into_owned())
                .find(|one| one.starts_with("--gres"))
                .unwrap_or_default()
        };
        assert_eq!(arguments(Slurm::new().gpu_type("t4"), Resources::new().with("gpu", 0.5), 4), "--gres=gpu:t4:2");
        let named = Resources::new().with("gpu", 2.0).with("accelerator_type:a100", 0.001);
        assert_eq!(arguments(Slurm::new().gpu_type("t4"), named, 1), "--gres=gpu:a100:2");
        assert_eq!(arguments(Slurm::new(), Resources::cpus(1), 1), "");
    }

    #[test]
    fn a_name_that_isn_t_known_can_t_be_served() {
        let request = ResourceRequest::single(Resources::cpus(1).with("matlab", 1.0)).expect("it asks for something");
        assert!(Slurm::new().may_serve(&request).is_err_and(|why| why.contains("`matlab`")));
        let slurm = Slurm::new().resource("matlab", "--licenses=matlab:{n}");
        assert_eq!(slurm.may_serve(&request), Ok(()));
        let shape = Resources::cpus(1).with("matlab", 1.0);
        assert!(slurm.arguments(&job(shape, 2)).contains(&"--licenses=matlab:2".into()));
    }
}
