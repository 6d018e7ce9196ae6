//! A shard's inbox: how other threads reach its sparks. One wake a batch, not one a message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use plugin_api::{EndOptions, Flow, Payload, Request, SparkId};
use tokio::sync::{Notify, oneshot};

use super::exchange::{Exchange, Reply};
use crate::snapshot::Snapshot;

/// What a shard is told.
pub enum Command {
    /// To one spark.
    Send {
        /// Which.
        id: SparkId,
        /// What.
        payload: Payload<'static>,
    },
    /// To many sparks of this shard.
    SendMany {
        /// Which.
        ids: Vec<SparkId>,
        /// What.
        payload: Payload<'static>,
    },
    /// A spark ends.
    End {
        /// Which.
        id: SparkId,
        /// How.
        options: EndOptions,
    },
    /// A deferred message goes on.
    Resume {
        /// Whose.
        id: SparkId,
        /// Which.
        token: u64,
        /// How.
        flow: Flow,
    },
    /// An HTTP exchange of a session of this shard, which came to another one.
    Exchange {
        /// Which.
        exchange: Exchange,
        /// The request.
        request: Box<Request<'static>>,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// The client of an exchange has left before it was answered.
    ExchangeGone(Exchange),
    /// The connection that an exchange of a session was upgraded to.
    Upgraded {
        /// Whose.
        id: SparkId,
        /// It, and what was read of it before; `None`: it never came.
        carrier: Option<(std::net::TcpStream, Bytes)>,
    },
    /// Another picture is in force.
    Snapshot(Arc<Snapshot>),
    /// All shards stop between two messages until the control thread has changed what they share.
    Switch(Invitation),
    /// All sparks end; when none is left, or after the deadline, the shard's thread ends.
    Shutdown {
        /// Whether clients may reconnect.
        reconnect: bool,
    },
}

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

/// The inbox.
pub struct Inbox {
    letters: Mutex<Letters>,
    notify: Notify,
    woken: AtomicBool,
}

#[derive(Default)]
struct Letters {
    commands: Vec<Command>,
    /// Nobody reads them any more.
    closed: bool,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self { letters: Mutex::default(), notify: Notify::new(), woken: AtomicBool::new(false) }
    }

    /// Puts a command in; after [`Inbox::close`] it is dropped. [any]
    pub fn post(&self, command: Command) {
        {
            let mut letters = self.letters();
            if letters.closed {
                return;
            }
            letters.commands.push(command);
        }
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Brings about a turn without a command. [shard]
    pub fn wake_own(&self) {
        self.notify.notify_one();
    }

    /// Waits for something. Cancel safe: a wake is kept for the next call.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all commands out. [shard]
    pub fn take(&self) -> Vec<Command> {
        if !self.woken.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut self.letters().commands)
    }

    /// The shard has ended: nobody is to wait for it. [shard]
    pub fn close(&self) {
        let unread = {
            let mut letters = self.letters();
            letters.closed = true;
            std::mem::take(&mut letters.commands)
        };
        drop(unread);
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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
