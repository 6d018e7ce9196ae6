//! Calls into plugins that may hang, on threads of their own, so that the control thread goes on without them.
//!
//! A thread can't be stopped from outside: one that is overdue is left to itself, with all that it holds. What it returns at last is
//! dropped. Knows nothing of what is called.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Overdue {
    /// It has not come back.
    #[error("has not come back within {0:?}, and is left to itself")]
    Late(Duration),
    /// The system has no thread for it.
    #[error("there is no thread for it: {0}")]
    NoThread(#[from] std::io::Error),
}

/// Calls, and waits so long. `name` is the thread's; the system shows its first 15 bytes.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    name: String,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Overdue> {
    let (done, result) = sync_channel(1);
    let calls = std::thread::Builder::new().name(name).spawn(move || {
        // Nobody waits any more for what comes too late.
        let _ = done.send(call());
    })?;
    match result.recv_timeout(limit) {
        Ok(result) => Ok(result),
        Err(RecvTimeoutError::Timeout) => Err(Overdue::Late(limit)),
        Err(RecvTimeoutError::Disconnected) => match calls.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a call that returns sends its result"),
        },
    }
}
