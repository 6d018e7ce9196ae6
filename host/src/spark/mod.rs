//! Sparks as the host keeps them: the record of one client, where records live, and what waits to be written to it.
//!
//! Knows ids, bytes and sockets. Knows no protocol, no parser's format and no hook.

pub mod id;
pub mod lingering;
pub mod out;
pub mod slab;

use std::collections::VecDeque;
use std::sync::Arc;

use mio::net::TcpStream;
use plugin_api::abi::host::{Fault, SessionHandle};
use plugin_api::abi::types::EventSink;
use plugin_api::{Carries, FrameClass, Kind, SparkId};

use self::id::Info;
use self::out::OutBuffer;
use crate::generation::Generation;
use crate::parsers::ParserEntry;
use crate::shard::exchange::Owed;
use crate::snapshot::Snapshot;

/// One client. What is rare is boxed: an idle spark costs this record, its session and its handshake.
pub struct Spark {
    /// The protocol's state; taken out while it closes.
    pub session: SessionHandle,
    /// The upgraded connection, once there is one.
    pub stream: Option<TcpStream>,
    /// What waits to be written to it.
    pub out: OutBuffer,
    /// What is known from the handshake on.
    pub info: Arc<Info>,
    /// The parser that it speaks.
    pub parser: Arc<ParserEntry>,
    /// The class of frames that it shares, if any.
    pub class: Option<FrameClass>,
    /// What its session can carry.
    pub carries: Carries,
    /// Whether hooks are run and messages flow.
    pub phase: Phase,
    /// Whether it showed life since the last ping.
    pub alive: bool,
    /// Whether the client pings by itself, as those of Primus 6 do: they take a ping of the server's for data.
    pub pings: bool,
    /// Whether it is in the shard's list of those to flush.
    pub dirty: bool,
    /// Whether the transport opened it without a spark: no hooks, no pings.
    pub bare: bool,
    /// Whether the connection hooks were told of it, and so the disconnection hooks will be.
    pub announced: bool,
    /// What few sparks have.
    pub rare: Option<Box<Rare>>,
}

/// Where a spark stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connection hooks are not done: messages wait.
    Opening,
    /// Messages flow.
    Open,
    /// A hook has deferred a message: later ones wait.
    Deferred,
    /// The session was told to close.
    Closing,
}

/// What few sparks have.
#[derive(Default)]
pub struct Rare {
    /// Messages that wait for the connection hooks or a deferred message.
    pub held: VecDeque<(Kind, Vec<u8>)>,
    /// Their bytes.
    pub held_bytes: usize,
    /// The deferred message: its token, the hook that it continues after, and itself.
    pub deferred: Option<Deferred>,
    /// Why the server ends it.
    pub ending: Option<plugin_api::DisconnectReason>,
    /// Timers that the session has set: their numbers and the sequence that makes them valid.
    pub timers: Vec<(u32, u64)>,
    /// Its HTTP exchanges that are open.
    pub exchanges: Vec<Owed>,
    /// Who goes on with the other end of its connection.
    pub carrier: Option<Arc<Generation>>,
    /// The secret by which another session may take it over.
    pub ticket: Option<Box<str>>,
    /// Whether nothing may be written after what its session wrote: that has said the last of its protocol, or took back, before it
    /// panicked, what waited, so that nobody knows where a frame begins.
    pub mute: bool,
    /// Its client sends nothing more by this connection, so that another session can take it over.
    pub leaving: bool,
    /// What it is opened for, where it is only to take another spark over.
    pub heir: Option<Heir>,
}

impl Rare {
    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        let Self { held, held_bytes, deferred, ending, timers, exchanges, carrier, ticket, heir, mute, leaving } = self;
        let holds = *held_bytes > 0 || !(held.is_empty() && timers.is_empty() && exchanges.is_empty());
        let is_told = deferred.is_some() || ending.is_some() || carrier.is_some() || ticket.is_some() || heir.is_some();
        !(holds || is_told || *mute || *leaving)
    }
}

/// A session that is no spark, and is to take one over.
#[derive(Debug, Clone)]
pub struct Heir {
    /// The spark.
    pub of: SparkId,
    /// By what it may.
    pub ticket: Box<str>,
}

/// A message between two hooks.
pub struct Deferred {
    /// What `resume` names it by.
    pub token: u64,
    /// The index of the hook that deferred it.
    pub hook: usize,
    /// Itself.
    pub payload: plugin_api::Payload<'static>,
    /// The picture whose hooks it has passed, up to that one.
    pub snapshot: Arc<Snapshot>,
}

impl Spark {
    /// Calls its session, which appends to the out-buffer. What a call that panics has written is forgotten: it may end in the midst
    /// of a frame.
    #[inline]
    pub fn call<T>(
        &mut self,
        sink: &mut EventSink,
        call: impl FnOnce(&mut SessionHandle, &mut EventSink) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let whole = self.out.tail.len();
        std::mem::swap(&mut sink.out, &mut self.out.tail);
        let result = call(&mut self.session, sink);
        std::mem::swap(&mut sink.out, &mut self.out.tail);
        if result.is_err() {
            self.rare().mute |= self.out.tail.len() < whole;
            self.out.tail.truncate(whole);
        }
        result
    }

    /// The rare part, made if it is not there.
    pub fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}
