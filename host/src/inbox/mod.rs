//! How threads are told: a shard's inbox, by which others reach its sparks, and the control thread's ([`control`]).
//!
//! One wake a batch, not one a message. Knows what is told, not what is done about it; so whoever tells knows no shard.

pub mod adoption;
pub mod control;
pub mod exchange;
pub mod succession;

use std::sync::Arc;

use bytes::Bytes;
use concurrency::mailbox::Mailbox;
use concurrency::switch::Invitation;
use plugin_api::{EndOptions, Flow, Payload, Request, SparkId};
use tokio::sync::oneshot;

use self::exchange::{Exchange, Reply};
use self::succession::Succession;
use crate::upgrade::Moment;

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
    /// All shards stop between two messages until the control thread has put another picture into force.
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
pub type Inbox = Mailbox<Command>;
