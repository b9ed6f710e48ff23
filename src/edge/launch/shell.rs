//! Text for a shell: quoted words, and the script that starts the workers of one allocation.

use std::ffi::OsStr;
use std::fmt::Write as _;

use crate::logic::launch::Allocation;
use crate::ports::launcher::LaunchJob;

/// One word of a shell's command line, whatever is in it.
pub(super) fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A program with its arguments as a command line.
pub(super) fn command_line<S: AsRef<OsStr>>(words: &[S]) -> String {
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// The variables by which programs are told which GPUs are theirs.
const VISIBLE: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"];

/// What an allocation runs: the one worker takes the shell's place, so that signals reach it; several run beside a shell that waits for
/// them, passes signals on, and gives each its own of the GPUs.
pub(super) fn workers(job: &LaunchJob) -> String {
    let agent = command_line(&job.command);
    if job.workers <= 1 {
        return format!("exec {agent}\n");
    }
    let allocation = Allocation::new(&job.shape, job.workers);
    let mut script = String::from("pids=\n");
    script.push_str("trap 'trap \"\" TERM INT HUP; kill -TERM $pids 2>/dev/null' TERM INT HUP\n");
    for worker in 0..job.workers {
        script.push_str("(\n  trap - TERM INT HUP\n");
        let gpus = allocation.gpus_of(worker);
        if !gpus.is_empty() {
            for name in VISIBLE {
                let cut = format!("cut -d, -f{}-{}", gpus.start + 1, gpus.end);
                let _ = writeln!(
                    script,
                    "  [ -z \"${{{name}:-}}\" ] || export {name}=\"$(printf %s \"${name}\" | {cut})\""
                );
            }
        }
        let _ = writeln!(script, "  exec {agent}\n) &\npids=\"$pids $!\"");
    }
    // A signal ends a wait early.
    script.push_str("for pid in $pids; do\n  while kill -0 \"$pid\" 2>/dev/null; do wait \"$pid\"; done\ndone\n");
    script
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Arc;

    use super::*;
    use crate::logic::pool::{ResourceRequest, Resources};

    fn job(workers: u32, command: &[&str]) -> LaunchJob {
        let shape = Resources::cpus(1).with("gpu", 0.5);
        LaunchJob {
            name: "tryout-00001-1".to_owned(),
            number: 1,
            shape: Arc::new(ResourceRequest::single(shape).expect("it asks for something")),
            workers,
            command: command.iter().map(Into::into).collect(),
            directory: None,
        }
    }

    #[test]
    fn a_word_stays_one_word() {
        let words = ["plain", "", "two words", "it's", "$(rm -rf /)", "a;b", "*", "\"", "\\", "new\nline", "é"];
        let line = format!("printf '[%s]' {}", command_line(&words));
        let out = Command::new("sh").arg("-c").arg(line).output().expect("there is a shell");
        let expected: String = words.iter().map(|word| format!("[{word}]")).collect();
        assert_eq!(String::from_utf8_lossy(&out.stdout), expected);
    }

    #[test]
    fn one_worker_takes_the_shell_s_place() {
        assert_eq!(workers(&job(1, &["agent", "two words"])), "exec agent 'two words'\n");
    }

    #[test]
    fn several_workers_share_the_gpus() {
        let script = workers(&job(3, &["sh", "-c", "echo gpu $CUDA_VISIBLE_DEVICES"]));
        let out = Command::new("sh").arg("-c").arg(script).env("CUDA_VISIBLE_DEVICES", "4,7").output();
        let out = out.expect("there is a shell");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["gpu 4", "gpu 4", "gpu 7"]);
    }

    #[test]
    fn signals_reach_all_workers() {
        use std::io::{BufRead, BufReader, Read};
        let agent = ["sh", "-c", "trap 'echo ended; exit' TERM; echo began; while :; do sleep 1 & wait $!; done"];
        let mut command = Command::new("sh");
        command.arg("-c").arg(workers(&job(2, &agent))).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("there is a shell");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        for _ in 0..2 {
            out.read_line(&mut line).expect("it says so");
        }
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("it has one");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is there");
        out.read_to_string(&mut line).expect("all ends");
        assert_eq!(line, "began\nbegan\nended\nended\n");
        child.wait().expect("it has ended");
    }
}
