//! How threads are told: a shard's inbox, by which others reach its sparks, and the control thread's ([`control`]).
//!
//! One wake a batch, not one a message. Knows what is told, not what is done about it; so whoever tells knows no shard.

pub mod adoption;
pub mod control;
pub mod exchange;
pub mod succession;
pub mod switch;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use plugin_api::{EndOptions, Flow, Payload, Request, SparkId};
use tokio::sync::{Notify, oneshot};

use self::exchange::{Exchange, Reply};
use self::succession::Succession;
use self::switch::Invitation;
use crate::snapshot::Snapshot;
use crate::upgrade::moment::Moment;

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
    /// The client of a session that is to take a spark over says: now.
    Depart {
        /// The session's own handle.
        id: SparkId,
        /// What the client says to the spark's present session.
        word: String,
    },
    /// A session takes a spark over.
    Succeed(Box<Succession>),
    /// Another picture is in force.
    Snapshot(Arc<Snapshot>),
    /// All shards stop between two messages until the control thread has changed what they share.
    Switch(Invitation),
    /// Everything stops between two messages and goes to another process, or on.
    HandOver(Arc<Moment>),
    /// All sparks end; when none is left, or after the deadline, the shard's thread ends.
    Shutdown {
        /// Whether clients may reconnect.
        reconnect: bool,
    },
}

/// The inbox.
pub struct Inbox {
    letters: Mutex<Letters>,
    notify: Notify,
    woken: AtomicBool,
    turns: AtomicU64,
}

#[derive(Default)]
struct Letters {
    commands: Vec<Command>,
    /// Nobody reads them any more.
    closed: bool,
    diversion: Option<Diversion>,
}

/// Where commands go instead; it gives back those that are not for there.
type Diversion = Box<dyn Fn(Command) -> Option<Command> + Send>;

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self { letters: Mutex::default(), notify: Notify::new(), woken: AtomicBool::new(false), turns: AtomicU64::new(0) }
    }

    /// Puts commands back that were taken out, before all others. `[shard]`
    pub fn put_back(&self, mut commands: Vec<Command>) {
        {
            let mut letters = self.letters();
            commands.append(&mut letters.commands);
            letters.commands = commands;
        }
        self.woken.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Sends commands elsewhere from now on, and first those that are there, also when the shard has ended. `[any]`
    pub fn divert(&self, diversion: impl Fn(Command) -> Option<Command> + Send + 'static) {
        let mut letters = self.letters();
        letters.commands = std::mem::take(&mut letters.commands).into_iter().filter_map(&diversion).collect();
        letters.diversion = Some(Box::new(diversion));
    }

    /// Whether commands go elsewhere. `[any]`
    pub fn is_diverted(&self) -> bool {
        self.letters().diversion.is_some()
    }

    /// Puts a command in; after [`Inbox::close`] it is dropped. `[any]`
    pub fn post(&self, command: Command) {
        {
            let mut letters = self.letters();
            let command = match &letters.diversion {
                Some(diversion) => diversion(command),
                None => Some(command),
            };
            match command {
                Some(command) if !letters.closed => letters.commands.push(command),
                _ => return,
            }
        }
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.notify.notify_one();
        }
    }

    /// Brings about a turn without a command. `[any]`
    pub fn wake_own(&self) {
        self.notify.notify_one();
    }

    /// Waits for something. Cancel safe: a wake is kept for the next call.
    pub async fn wait(&self) {
        self.notify.notified().await;
    }

    /// Takes all commands out, once a turn. `[shard]`
    pub fn take(&self) -> Vec<Command> {
        // One thread counts, others only look: a store is enough.
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !self.woken.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut self.letters().commands)
    }

    /// How many turns the shard has had. `[any]`
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Whether the shard has ended. `[any]`
    pub fn is_closed(&self) -> bool {
        self.letters().closed
    }

    /// The shard has ended: nobody is to wait for it. `[shard]`
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
