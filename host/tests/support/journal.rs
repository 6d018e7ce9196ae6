//! What happened, in order, for tests to wait for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::PATIENCE;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();

/// Something happened.
pub fn note(line: impl Into<String>) {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    CHANGED.notify_all();
}

/// Waits until it has happened.
pub fn until(line: &str) {
    find(line, |known| (known == line).then_some(()));
}

/// Waits until something has happened that begins so; the rest of it.
pub fn the_one_with(beginning: &str) -> String {
    find(beginning, |known| known.strip_prefix(beginning).map(str::to_owned))
}

fn find<T>(what: &str, pick: impl Fn(&str) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(found) = lines.iter().find_map(|line| pick(line)) {
            return found;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{what:?} did not happen; what did: {lines:#?}");
        lines = CHANGED.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// How often it has happened.
pub fn count(line: &str) -> usize {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|known| *known == line).count()
}
