//! What the process has used, as Linux tells it; zero elsewhere.

/// Seconds of processor time, user and system together.
pub(crate) fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the name, which may hold spaces: user and system time are the 12th and 13th, in hundredths.
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .map(|rest| rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    fields.iter().skip(11).take(2).sum::<f64>() / 100.0
}

/// Resident memory now, in MB.
pub(crate) fn rss_mb() -> f64 {
    status("VmRSS:")
}

/// The most resident memory ever, in MB.
pub(crate) fn peak_rss_mb() -> f64 {
    status("VmHWM:")
}

fn status(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
