//! A lane whose shard hands over to another process, or goes down.
//!
//! A connection with nothing under way goes over as it is, be it before its first request or between two; it is not read from
//! meanwhile. Any other one is answered here, and then closed.

use std::os::fd::AsFd;

use super::Lane;
use super::connection::Connection;
use crate::shard::visitors::Silent;

impl Lane {
    /// Shows the connections that can go over.
    pub(super) fn show_those_that_go_over(&self, show: &mut dyn FnMut(&[Silent<'_>])) {
        let connections = self.connections.borrow();
        let silent = connections.iter().filter(|connection| connection.is_silent());
        let silent: Vec<_> =
            silent.map(|connection| Silent { stream: connection.stream.as_fd(), peer: connection.peer }).collect();
        show(&silent);
    }

    /// The same connections are another process's now.
    pub(super) fn forget_those_that_went_over(&self) {
        let silent = self.connections.borrow_mut().those(|connection| connection.is_silent());
        for id in silent {
            let Some(connection) = self.connections.borrow_mut().remove(id) else { continue };
            let Connection { mut stream, peer, .. } = *connection;
            if let Err(error) = self.shard.unwatch(&mut stream) {
                // The poller would go on telling of a socket that the other process keeps open.
                tracing::error!(%peer, %error, "a connection that went over is still watched");
            }
        }
    }

    /// Nothing goes over: what was not read is read.
    pub(super) fn read_what_has_come(&self) {
        let unread = self.connections.borrow_mut().those(|connection| connection.is_unread);
        for id in unread {
            self.mark_dirty(id);
        }
    }

    /// The shard goes down: what is under way is answered yet.
    pub(super) fn end_all(&self) {
        let waiting = self.connections.borrow_mut().those(|connection| connection.is_waiting());
        for id in waiting {
            let has_begun = self.with(id, |connection| {
                connection.is_closing = !connection.out.is_empty();
                (!connection.is_closing).then_some(!connection.input.is_empty())
            });
            match has_begun.flatten() {
                Some(true) => self.hand_over_held(id),
                Some(false) => self.leave(id),
                // It ends when its last answer is written.
                None => {}
            }
        }
    }
}
