//! A session on its way to the spark that it takes over, perhaps on another shard.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::abi::host::SessionHandle;
use plugin_api::{Carries, FrameClass};

use crate::generation::Generation;
use crate::spark::Heir;
use crate::spark::out::OutBuffer;

/// The session with all that is its own.
pub struct Succession {
    /// The spark, and by what it may be taken over.
    pub heir: Heir,
    /// What the client says to the spark's present session.
    pub word: String,
    /// The parser that the session's client speaks.
    pub parser: u32,
    /// The session.
    pub session: SessionHandle,
    /// The connection that carries it.
    pub stream: TcpStream,
    /// What waits to be written to that.
    pub out: OutBuffer,
    /// The class of frames that it shares, if any.
    pub class: Option<FrameClass>,
    /// What it can carry.
    pub carries: Carries,
    /// Its timers, and when they come.
    pub timers: Vec<(u32, Duration)>,
    /// Who goes on with the other end of the connection.
    pub carrier: Option<Arc<Generation>>,
}
