//! A moment in which no shard runs: the control thread changes what all of them share between two messages.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A moment in which no shard runs.
#[derive(Default)]
pub struct Switch {
    moment: Mutex<Moment>,
    changed: Condvar,
}

#[derive(Default)]
struct Moment {
    /// Shards that still run.
    running: usize,
    /// Whether the change is made.
    over: bool,
}

impl Switch {
    /// One more shard to wait for.
    pub fn invite(self: &Arc<Self>) -> Invitation {
        self.moment().running += 1;
        Invitation(Arc::clone(self))
    }

    /// The control thread's side: makes the change while all invited shards wait.
    pub fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        let all_wait = self.changed.wait_while(self.moment(), |moment| moment.running > 0);
        drop(all_wait.unwrap_or_else(PoisonError::into_inner));
        let _over = Over(self);
        change()
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.moment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the shards go on, also where the change panics.
struct Over<'a>(&'a Switch);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.moment().over = true;
        self.0.changed.notify_all();
    }
}

/// What a shard is told of a [`Switch`]. Dropped unread, by an inbox that nobody reads any more, it is not waited for.
pub struct Invitation(Arc<Switch>);

impl Invitation {
    /// The shard's side: waits until the change is made.
    pub fn pass(self) {
        let switch = Arc::clone(&self.0);
        drop(self);
        drop(switch.changed.wait_while(switch.moment(), |moment| !moment.over).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Invitation {
    fn drop(&mut self) {
        self.0.moment().running -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::{Command, Inbox};
    use super::*;

    fn invitation(inbox: &Inbox) -> Option<Invitation> {
        inbox.take().into_iter().find_map(|command| match command {
            Command::Switch(invitation) => Some(invitation),
            _ => None,
        })
    }

    #[test]
    fn no_shard_runs_while_a_change_is_made() {
        let switch = Arc::<Switch>::default();
        let (tell, told) = mpsc::channel();
        let shards: Vec<_> = (0..3)
            .map(|_| {
                let (invitation, tell) = (switch.invite(), tell.clone());
                std::thread::spawn(move || {
                    tell.send("a shard stops").unwrap();
                    invitation.pass();
                    tell.send("a shard goes on").unwrap();
                })
            })
            .collect();
        switch.change(|| tell.send("the change").unwrap());
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        let order: Vec<_> = told.try_iter().collect();
        assert_eq!(order[3], "the change");
        assert_eq!(order[4..], ["a shard goes on"; 3]);
    }

    #[test]
    fn a_change_does_not_wait_for_a_shard_that_has_ended() {
        let ended = [Inbox::new(), Inbox::new()];
        let switch = Arc::<Switch>::default();
        ended[0].close();
        for inbox in &ended {
            inbox.post(Command::Switch(switch.invite()));
        }
        ended[1].close();
        assert!(invitation(&ended[1]).is_none());
        assert_eq!(switch.change(|| "made"), "made");
    }

    #[test]
    fn shards_go_on_after_a_change_that_panics() {
        let switch = Arc::<Switch>::default();
        let invitation = switch.invite();
        let shard = std::thread::spawn(move || invitation.pass());
        let change = std::panic::AssertUnwindSafe(|| switch.change(|| std::panic::resume_unwind(Box::new(()))));
        assert!(std::panic::catch_unwind(change).is_err());
        shard.join().unwrap();
    }
}
