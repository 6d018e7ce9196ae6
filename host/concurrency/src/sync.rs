//! What threads synchronise by: the standard library's and tokio's, or loom's in a model.

use std::sync::PoisonError;
use std::time::Duration;

#[cfg(not(loom))]
pub use self::real::*;

#[cfg(loom)]
pub use self::modelled::*;

#[cfg(not(loom))]
mod real {
    pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    pub use std::sync::{Arc, Condvar, Mutex, MutexGuard};

    pub use tokio::sync::Notify;
}

/// Waits at a condition variable as long as this holds.
pub fn wait_while<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>, waits: impl Fn(&T) -> bool) -> MutexGuard<'a, T> {
    let mut guard = guard;
    while waits(&guard) {
        guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    guard
}

/// The same, and at most so long; whether it was too long. In a model no time passes.
pub fn wait_at_most<T>(changed: &Condvar, guard: MutexGuard<'_, T>, within: Duration, waits: impl Fn(&T) -> bool) -> bool {
    #[cfg(loom)]
    {
        let _ = within;
        drop(wait_while(changed, guard, waits));
        false
    }
    #[cfg(not(loom))]
    {
        let waited = changed.wait_timeout_while(guard, within, |state| waits(state));
        let (_guard, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        waited.timed_out()
    }
}

#[cfg(loom)]
mod modelled {
    pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};

    /// tokio's `Notify`, as far as one task waits for it: a wake is kept for whoever waits next.
    #[derive(Default)]
    pub struct Notify {
        bell: loom::sync::Notify,
        /// Not of the model: an access to it is no step that others could come between.
        rung: std::sync::atomic::AtomicUsize,
    }

    impl Notify {
        /// Nobody was woken yet.
        pub fn new() -> Self {
            Self::default()
        }

        /// Wakes.
        pub fn notify_one(&self) {
            self.rung.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.bell.notify();
        }

        /// Waits; the thread, not only the task.
        pub async fn notified(&self) {
            self.bell.wait();
        }

        /// How many times it was woken.
        pub fn rung(&self) -> usize {
            self.rung.load(std::sync::atomic::Ordering::Relaxed)
        }
    }
}
