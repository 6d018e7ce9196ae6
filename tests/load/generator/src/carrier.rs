//! What carries a client's messages: one connection, or HTTP exchanges on two.
//!
//! The workloads know this alone. Knows nothing of what messages say.

use anyhow::Result;
use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::connection::{Connection, Target};
use crate::dialect::Role;
use crate::over_http::OverHttp;
use crate::socket::Scratch;

/// One client.
#[derive(Debug)]
pub enum Carrier {
    /// A connection, which messages go to and fro on.
    Stream(Connection),
    /// Exchanges.
    Http(Box<OverHttp>),
}

impl Carrier {
    /// Connects and goes through the dialect's opening.
    pub fn open(target: &Target, role: Role) -> Result<Self> {
        if target.dialect.is_over_http() {
            return Ok(Self::Http(Box::new(OverHttp::open(target, role)?)));
        }
        Connection::open(target, role).map(Self::Stream)
    }

    /// Sends wrapped messages; what can't leave now leaves later, by [`Self::flush`] or [`Self::receive`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stream(connection) => connection.send(bytes),
            Self::Http(client) => client.send(bytes),
        }
    }

    /// Writes what sockets didn't take.
    pub fn flush(&mut self) -> Result<()> {
        match self {
            Self::Stream(connection) => connection.flush(),
            Self::Http(client) => client.flush(),
        }
    }

    /// Reads what is there and hands every message to `message`; heartbeats are answered. Says how many messages came.
    ///
    /// # Errors
    /// The server closed or sent what the dialect doesn't know, or `message` refused a message.
    pub fn receive(&mut self, scratch: &mut Scratch, message: impl FnMut(&[u8]) -> Result<()>) -> Result<usize> {
        match self {
            Self::Stream(connection) => connection.receive(scratch, message),
            Self::Http(client) => client.receive(scratch, message),
        }
    }

    /// Whether the server has yet to say that it has what was sent.
    pub fn is_sending(&self) -> bool {
        match self {
            Self::Stream(_) => false,
            Self::Http(client) => client.is_posting(),
        }
    }

    /// Keeps only what a client at rest has.
    pub fn rest(&mut self) -> Result<()> {
        match self {
            Self::Stream(_) => Ok(()),
            Self::Http(client) => client.rest(),
        }
    }
}

impl Source for Carrier {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        match self {
            Self::Stream(connection) => connection.register(to, token, interest),
            Self::Http(client) => client.register(to, token, interest),
        }
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> std::io::Result<()> {
        match self {
            Self::Stream(connection) => connection.reregister(to, token, interest),
            Self::Http(client) => client.reregister(to, token, interest),
        }
    }

    fn deregister(&mut self, from: &Registry) -> std::io::Result<()> {
        match self {
            Self::Stream(connection) => connection.deregister(from),
            Self::Http(client) => client.deregister(from),
        }
    }
}
