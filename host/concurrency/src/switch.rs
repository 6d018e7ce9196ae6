//! A moment in which no invited thread runs: one changes what all of them share, between two messages.

use std::sync::PoisonError;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard, wait_while};

/// A moment in which no invited thread runs.
#[derive(Default)]
pub struct Switch {
    moment: Mutex<Moment>,
    changed: Condvar,
}

#[derive(Default)]
struct Moment {
    /// Threads that still run.
    running: usize,
    /// Whether the change is made.
    over: bool,
}

impl Switch {
    /// One more thread to wait for.
    pub fn invite(switch: &Arc<Self>) -> Invitation {
        switch.moment().running += 1;
        Invitation(Arc::clone(switch))
    }

    /// The side of the one that makes the change, while all invited threads wait.
    pub fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        drop(wait_while(&self.changed, self.moment(), |moment| moment.running > 0));
        let _over = Over(self);
        change()
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the threads go on, also where the change panics.
struct Over<'a>(&'a Switch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.moment().over = true;
        self.0.changed.notify_all();
    }
}

/// What a thread is told of a [`Switch`]. Dropped unread, by a mailbox that nobody reads any more, it is not waited for.
pub struct Invitation(Arc<Switch>);

impl Invitation {
    /// The thread's side: waits until the change is made.
    pub fn pass(self) {
        let switch = Arc::clone(&self.0);
        drop(self);
        drop(wait_while(&switch.changed, switch.moment(), |moment| !moment.over));
    }
}

impl Drop for Invitation {
    fn drop(&mut self) {
        self.0.moment().running -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn threads_go_on_after_a_change_that_panics() {
        let switch = Arc::<Switch>::default();
        let invitation = Switch::invite(&switch);
        let thread = std::thread::spawn(move || invitation.pass());
        let change = std::panic::AssertUnwindSafe(|| switch.change(|| std::panic::resume_unwind(Box::new(()))));
        assert!(std::panic::catch_unwind(change).is_err());
        thread.join().unwrap();
    }
}
