//! Deadlines on the system's clock.

use std::time::{Duration, Instant};

/// Longer than anybody waits, and short enough for every clock.
const CENTURY: Duration = Duration::from_secs(36_525 * 86_400);

/// The instant `span` after another. A span that no clock can tell, such as [`Duration::MAX`], ends in a century.
pub(super) fn after(from: Instant, span: Duration) -> Instant {
    from + span.min(CENTURY)
}
