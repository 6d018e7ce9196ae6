//! Connections that speak HTTP and have no task of their own, as their shard sees them: it tells of their sockets and of
//! sessions' answers, and lets them write at the end of a turn.
//!
//! Who they are is the gateway's. Knows ids and answers; knows no request.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Instant;

use mio::net::TcpStream;

use super::Shard;
use crate::inbox::exchange::{Exchange, Reply};

/// Tokens from here on are visitors.
pub const VISITORS: usize = 1 << 34;

/// One visitor. An old id names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitorId {
    /// Where it is kept, which its socket is watched by.
    pub slot: u32,
    /// Who it is of those that were kept there.
    pub generation: u32,
}

/// What is read or written, and what is told, of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// There are bytes, or the end.
    pub readable: bool,
    /// It takes bytes again.
    pub writable: bool,
    /// The peer says nothing more.
    pub read_closed: bool,
}

/// A visitor that has nothing under way.
pub struct Silent<'v> {
    /// Its connection.
    pub stream: BorrowedFd<'v>,
    /// Who is at its other end.
    pub peer: SocketAddr,
}

/// The visitors of a shard. None of it is called while another call is under way, except what answers.
pub trait Visitors {
    /// Something happened to a socket.
    fn ready(&self, slot: u32, ready: Ready);

    /// A session has answered; or it has ended without an answer, or its open body. Called by sessions of the same shard, also in the midst of a request.
    fn answer(&self, visitor: VisitorId, exchange: Exchange, reply: Option<Reply<VisitorBody>>);

    /// More of an open body; how many bytes wait to be written.
    fn chunk(&self, visitor: VisitorId, exchange: Exchange, chunk: Vec<u8>) -> usize;

    /// Writes what waits, and goes on with what has come meanwhile. Whether anything was done.
    fn settle(&self) -> bool;

    /// When they are to be looked at.
    fn deadline(&self) -> Option<Instant>;

    /// It may be time: those that have taken too long are dealt with.
    fn overdue(&self, now: Instant);

    /// Shows those that have nothing under way, and are not read from unless the shard serves: they can go over to another process.
    fn show_silent(&self, show: &mut dyn FnMut(&[Silent<'_>]));

    /// They have gone over, and are another process's.
    fn let_go_of_silent(&self);

    /// The shard serves again: what has come meanwhile is read.
    fn go_on(&self);

    /// The shard goes down.
    fn going_down(&self);
}

/// Of a visitor's open body, nothing is handed on: its pieces are told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisitorBody;

impl Shard {
    /// Makes somebody the host of all visitors.
    pub fn receive_visitors(&self, visitors: Rc<dyn Visitors>) {
        self.visitors.replace(Some(visitors));
    }

    pub(super) fn visitors(&self) -> Option<Rc<dyn Visitors>> {
        self.visitors.borrow().clone()
    }

    /// Watches a visitor's socket.
    ///
    /// # Errors
    ///
    /// The system has no room for it.
    pub fn watch(&self, stream: &mut TcpStream, slot: u32) -> std::io::Result<()> {
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        self.registry.register(stream, mio::Token(VISITORS + slot as usize), interest)
    }

    /// Does not watch it any more.
    ///
    /// # Errors
    ///
    /// It was not watched.
    pub fn unwatch(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        self.registry.deregister(stream)
    }

    pub(super) fn answer_visitor(&self, visitor: VisitorId, exchange: Exchange, reply: Option<Reply<VisitorBody>>) {
        if let Some(visitors) = self.visitors() {
            visitors.answer(visitor, exchange, reply);
        }
    }
}
