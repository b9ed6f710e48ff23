//! What Slurm's words mean.

use std::time::Duration;

use crate::logic::launch::{LaunchError, LaunchListed, LaunchState};

/// What `sbatch` says of troubles that pass. Everything else it says means that this job can't be had.
const PASSES: [&str; 12] = [
    "unable to contact",
    "timed out",
    "temporarily",
    "try again",
    "connection refused",
    "connection reset",
    "unexpected message",
    "zero bytes",
    "authentication",
    // How many jobs a user may have at a time.
    "submit limit",
    "maxsubmit",
    "controller",
];

/// Whether what `sbatch` refused may be had later.
pub(super) fn refusal(words: String) -> LaunchError {
    let lower = words.to_lowercase();
    if PASSES.iter().any(|passes| lower.contains(passes)) {
        LaunchError::Unavailable(words)
    } else {
        LaunchError::Refused(words)
    }
}

/// One line of `squeue -o "%i|%T|%r|%L|%j"`.
pub(super) fn listed(line: &str) -> Option<LaunchListed> {
    let mut fields = line.splitn(5, '|').map(str::trim);
    let (id, state, reason, left) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let name = fields.next()?.to_owned();
    let of = state_of(state, reason);
    let reason = if reason == "None" { "" } else { reason };
    let says = match of {
        LaunchState::Waiting if reason.is_empty() => state.to_owned(),
        LaunchState::Waiting | LaunchState::Hopeless => reason.to_owned(),
        LaunchState::Running => String::new(),
        LaunchState::Ending | LaunchState::Ended if reason.is_empty() => state.to_owned(),
        LaunchState::Ending | LaunchState::Ended => format!("{state} ({reason})"),
    };
    let ends_in = if of == LaunchState::Running { time_left(left) } else { None };
    Some(LaunchListed { id: id.to_owned(), name, state: of, says, ends_in })
}

/// Reasons why a job waits that don't pass, unless an administrator changes something.
const HOPELESS: [&str; 9] = [
    "AccountNotAllowed",
    "BadConstraints",
    "InvalidAccount",
    "InvalidQOS",
    "PartitionConfig",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "QOSNotAllowed",
    "QOSTimeLimit",
];

/// What a user, account or quality of service may have in one job: `QOSMaxCpuPerJobLimit`.
fn is_hopeless(reason: &str) -> bool {
    HOPELESS.contains(&reason) || (reason.contains("Max") && reason.contains("PerJob"))
}

fn state_of(state: &str, reason: &str) -> LaunchState {
    match state {
        "PENDING" if is_hopeless(reason) => LaunchState::Hopeless,
        // A node that is being switched on runs nothing yet.
        "PENDING" | "CONFIGURING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => {
            LaunchState::Waiting
        }
        "RUNNING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "RESIZING" | "STAGE_OUT" => LaunchState::Running,
        "COMPLETING" => LaunchState::Ending,
        _ => LaunchState::Ended,
    }
}

/// The time that is left of a job, as `squeue -o %L` writes it: `1-02:03:04`, `02:03:04`, `3:04`. None if it isn't limited.
pub fn time_left(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (days.parse::<u64>().ok()?, clock),
        None => (0, text),
    };
    let parts = clock.split(':').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<u64>>>()?;
    let seconds = match parts.as_slice() {
        [hours, minutes, seconds] => {
            hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(*seconds)?
        }
        [minutes, seconds] => minutes.checked_mul(60)?.checked_add(*seconds)?,
        _ => return None,
    };
    days.checked_mul(86_400)?.checked_add(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_squeue_are_read() {
        let one = listed("12|PENDING|Priority|1:00:00|tryout-00001-1").expect("it is a line");
        assert_eq!((one.id.as_str(), one.state, one.says.as_str()), ("12", LaunchState::Waiting, "Priority"));
        let one = listed("12|PENDING|QOSMaxCpuPerJobLimit|1:00:00|x").expect("it is a line");
        assert_eq!(one.state, LaunchState::Hopeless);
        let one = listed("13|RUNNING|None|1-00:00:10|odd|name").expect("it is a line");
        assert_eq!((one.name.as_str(), one.ends_in), ("odd|name", Some(Duration::from_secs(86_410))));
        let one = listed("14|NODE_FAIL|NodeDown|INVALID|x").expect("it is a line");
        assert_eq!((one.state, one.says.as_str()), (LaunchState::Ended, "NODE_FAIL (NodeDown)"));
        assert_eq!(listed("slurm_load_jobs error"), None);
    }

    #[test]
    fn times_are_read() {
        let seconds = |text| time_left(text).map(|left| left.as_secs());
        assert_eq!(["0:59", "59:00", "1:00:00", "2-00:00:01"].map(seconds), [59, 3540, 3600, 172_801].map(Some));
        assert_eq!(["UNLIMITED", "NOT_SET", "INVALID", "", "x-1:2", "99999999999999999-0:00"].map(seconds), [None; 6]);
    }

    #[test]
    fn troubles_that_pass_are_told_from_refusals() {
        let passes = |words: &str| matches!(refusal(words.to_owned()), LaunchError::Unavailable(_));
        assert!(passes("Batch job submission failed: Unable to contact slurm controller (connect failure)"));
        assert!(passes("Batch job submission failed: Socket timed out on send/recv operation"));
        assert!(passes(
            "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
        ));
        assert!(!passes(
            "invalid partition specified: x; Batch job submission failed: Invalid partition name specified"
        ));
        assert!(!passes("Batch job submission failed: Requested node configuration is not available"));
    }
}
