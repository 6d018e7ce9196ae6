//! A shard's inbox: how other threads reach its sparks. One wake a batch, not one a message.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

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
        /// Whose.
        id: SparkId,
        /// The request.
        request: Box<Request<'static>>,
        /// Where the answer goes.
        reply: oneshot::Sender<(Reply, Exchange)>,
    },
    /// Another picture is in force.
    Snapshot(Arc<Snapshot>),
    /// All shards stop between two messages until the control thread has changed what they share.
    Switch(Arc<Switch>),
    /// All sparks end; when none is left, or after the deadline, the shard's thread ends.
    Shutdown {
        /// Whether clients may reconnect.
        reconnect: bool,
    },
}

/// A moment in which no shard runs.
pub struct Switch {
    arrived: Barrier,
    leave: Barrier,
}

impl Switch {
    /// For so many shards and the control thread.
    pub fn new(shards: usize) -> Arc<Self> {
        Arc::new(Self { arrived: Barrier::new(shards + 1), leave: Barrier::new(shards + 1) })
    }

    /// The shard's side: waits until the change is made.
    pub fn pass(&self) {
        self.arrived.wait();
        self.leave.wait();
    }

    /// The control thread's side: makes the change while all shards wait.
    pub fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        self.arrived.wait();
        let result = change();
        self.leave.wait();
        result
    }
}

/// The inbox.
pub struct Inbox {
    commands: Mutex<Vec<Command>>,
    notify: Notify,
    woken: AtomicBool,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self { commands: Mutex::default(), notify: Notify::new(), woken: AtomicBool::new(false) }
    }

    /// Puts a command in. [any]
    pub fn post(&self, command: Command) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
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
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}
