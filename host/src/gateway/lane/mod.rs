//! The lane of a shard's HTTP connections: without a task for each, and without hyper for the plain requests of sessions.
//!
//! A connection begins here. What comes is read in the shard's turn; a plain request ([`head`]) under the pathname is decided by
//! the same steps as any other ([`asking`]), and the answer ([`answer`]) is written at the turn's end. Whatever else comes is
//! given to hyper, with all that was read, before anything of it was answered; and so is what does not come whole in time: there
//! are the deadlines and refusals for it. A session of another shard is asked by a small task ([`relay`]).
//!
//! Knows sockets and HTTP. Knows no session's protocol.

mod answer;
mod asking;
mod connection;
mod head;
mod passing;
mod relay;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _};
use std::net::{Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use self::answer::Clock;
use self::connection::{Connection, Connections, State};
use super::rewound::Rewound;
use super::sessions::unanswered;
use super::{is_own, serve};
use crate::inbox::exchange::{Exchange, Reply};
use crate::shard::Shard;
use crate::shard::visitors::{Ready, Silent, VisitorBody, VisitorId, Visitors};
use crate::spark::lingering::Lingering;
use crate::spark::out::{Flushed, OutBuffer};

/// How long a request may take to come whole. A slower one is hyper's, whose deadlines are then the client's.
const WHOLE_WITHIN: Duration = Duration::from_secs(2);

/// How often connections are looked at that may have taken too long.
const ROUND: Duration = Duration::from_secs(1);

/// The lane of one shard.
pub struct Lane {
    me: Weak<Lane>,
    shard: Rc<Shard>,
    connections: RefCell<Connections>,
    scratch: RefCell<Vec<u8>>,
    /// Those that have something to be written, or to go on with.
    dirty: RefCell<Vec<VisitorId>>,
    next_round: Cell<Instant>,
    clock: RefCell<Clock>,
}

impl Lane {
    /// The lane of this thread's shard.
    pub fn new(shard: Rc<Shard>) -> Rc<Self> {
        let lane = Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            shard,
            connections: RefCell::default(),
            scratch: RefCell::new(vec![0; head::ROOM]),
            dirty: RefCell::default(),
            next_round: Cell::new(Instant::now()),
            clock: RefCell::default(),
        });
        lane.shard.receive_visitors(Rc::clone(&lane) as Rc<dyn Visitors>);
        lane
    }

    /// Takes an accepted connection, until it is closed or upgraded.
    pub fn accept(&self, stream: tokio::net::TcpStream, peer: SocketAddr) {
        if self.shard.house().is_by_hyper_alone() {
            let rewound = Rewound::new(bytes::Bytes::new(), stream);
            tokio::task::spawn_local(serve(Rc::clone(&self.shard), rewound, peer, None));
            return;
        }
        if let Err(error) = stream.into_std().and_then(|stream| self.admit(TcpStream::from_std(stream), peer)) {
            tracing::debug!(%peer, %error, "a connection can't be watched");
        }
    }

    fn admit(&self, mut stream: TcpStream, peer: SocketAddr) -> std::io::Result<()> {
        let mut connections = self.connections.borrow_mut();
        self.shard.watch(&mut stream, connections.next_slot())?;
        if connections.is_empty() {
            // The shard has to learn when it is to look at it.
            self.shard.wake();
        }
        connections.insert(Connection {
            stream,
            peer,
            state: State::Waiting(Instant::now()),
            input: Vec::new(),
            out: OutBuffer::new(),
            extra: Vec::new(),
            client: None,
            is_dirty: false,
            is_unread: false,
            is_ended: false,
            is_closing: false,
            ends_after: false,
            under_way: None,
            arrival: None,
            drained: None,
            visit: self.shard.visit(),
        });
        Ok(())
    }

    /// Calls with a connection, if it is there.
    fn with<R>(&self, id: VisitorId, call: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        self.connections.borrow_mut().get_mut(id).map(call)
    }

    /// Remembers to look at a connection at the end of the turn.
    fn mark_dirty(&self, id: VisitorId) {
        let is_new = self.with(id, |connection| !std::mem::replace(&mut connection.is_dirty, true));
        if is_new == Some(true) {
            let mut dirty = self.dirty.borrow_mut();
            if dirty.is_empty() {
                self.shard.wake();
            }
            dirty.push(id);
        }
    }

    /// Reads what a socket has.
    fn read(&self, id: VisitorId, to_the_end: bool) {
        let mut scratch = self.scratch.take();
        let begins = self.shard.is_serving();
        loop {
            let read = self.with(id, |connection| {
                if connection.is_ended || connection.input.len() >= head::ROOM || !begins && connection.is_silent() {
                    connection.is_unread = true;
                    return None;
                }
                connection.is_unread = false;
                Some(connection.stream.read(&mut scratch))
            });
            match read.flatten() {
                Some(Ok(0)) => {
                    self.peer_is_silent(id);
                    break;
                }
                Some(Ok(count)) => {
                    self.received(id, &scratch[..count]);
                    // A short read has emptied it, but for the end, which comes with no event of its own.
                    if count < scratch.len() && !to_the_end {
                        break;
                    }
                }
                Some(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Some(Err(_)) => {
                    self.leave(id);
                    break;
                }
                None => break,
            }
        }
        self.scratch.replace(scratch);
    }

    /// Takes bytes, and begins with a request if none is under way.
    fn received(&self, id: VisitorId, bytes: &[u8]) {
        let held = self.with(id, |connection| {
            if !connection.is_free() {
                connection.input.extend_from_slice(bytes);
                return None;
            }
            Some(std::mem::take(&mut connection.input))
        });
        match held.flatten() {
            Some(held) if held.is_empty() => self.proceed(id, Cow::Borrowed(bytes)),
            Some(mut held) => {
                held.extend_from_slice(bytes);
                self.proceed(id, Cow::Owned(held));
            }
            None => {}
        }
    }

    /// Goes on with a connection that is free, and all that has come of it.
    fn proceed(&self, id: VisitorId, input: Cow<'_, [u8]>) {
        match head::read(&input) {
            head::Read::Request(request, taken) if self.is_for_transports(&request) => {
                self.with(id, |connection| {
                    connection.input.extend_from_slice(&input[taken..]);
                    connection.state = State::Deciding(None);
                });
                self.ask(id, request);
                let is_unwanted = |connection: &mut Connection| connection.is_ended && !connection.is_waiting();
                if self.with(id, is_unwanted) == Some(true) {
                    self.leave(id);
                }
            }
            head::Read::Partial => {
                self.with(id, |connection| {
                    connection.input = input.into_owned();
                    if let State::Waiting(_) = connection.state {
                        connection.state = State::Begun(Instant::now());
                    }
                });
                // Its rest may be there already, or never come.
                self.mark_dirty(id);
            }
            head::Read::Request(..) | head::Read::Foreign => self.hand_over(id, &input),
        }
    }

    /// Whether a request is under the pathname, and not for the host itself, and not too long.
    fn is_for_transports(&self, request: &head::Head<'_>) -> bool {
        let snapshot = self.shard.snapshot();
        let server = &snapshot.config.server;
        request.body.len() <= server.max_message.as_usize() && server.path.strip(request.path).is_some_and(|rest| !is_own(rest))
    }

    /// Gives a connection to hyper, with all that was read and not used.
    fn hand_over(&self, id: VisitorId, input: &[u8]) {
        let Some(connection) = self.connections.borrow_mut().remove(id) else { return };
        let Connection { mut stream, peer, visit, .. } = *connection;
        let stream = self.shard.unwatch(&mut stream).and_then(|()| tokio::net::TcpStream::from_std(stream.into()));
        match stream {
            Ok(stream) => {
                let (shard, input) = (Rc::clone(&self.shard), input.to_vec());
                let arrival = (!input.is_empty()).then(|| shard.arrival());
                tokio::task::spawn_local(async move {
                    // The runtime has yet to learn that it takes bytes. What is written before waits, and behind an answer that waits
                    // while the rest of its request is thrown away, hyper forgets to go on.
                    let _visit = visit;
                    if stream.writable().await.is_ok() {
                        serve(shard, Rewound::new(input.into(), stream), peer, arrival).await;
                    }
                });
            }
            Err(error) => tracing::debug!(%peer, %error, "a connection can't be given on"),
        }
    }

    /// The peer says nothing more: what it has asked and is not answered yet is not wanted any more.
    fn peer_is_silent(&self, id: VisitorId) {
        let stays = self.with(id, |connection| {
            connection.is_ended = true;
            connection.is_waiting() && !(connection.out.is_empty() && connection.input.is_empty())
        });
        match stays {
            Some(true) => self.mark_dirty(id),
            Some(false) => self.leave(id),
            None => {}
        }
    }

    /// A connection is gone: the session that it asked is told.
    fn leave(&self, id: VisitorId) {
        let Some(connection) = self.connections.borrow_mut().remove(id) else { return };
        let Connection { state, stream, visit, .. } = *connection;
        drop((stream, visit));
        match state {
            State::Waiting(_) | State::Begun(_) | State::Deciding(None) => {}
            State::Deciding(Some(task)) | State::Relayed(task) | State::RelayedOpen(task) => task.abort(),
            State::Asked(exchange, _) | State::Open(exchange) => self.shard.exchange_gone(exchange),
        }
    }

    /// Writes what waits to be written, and goes on.
    fn flush(&self, id: VisitorId) {
        let flushed = self.with(id, |connection| {
            connection.is_dirty = false;
            let flushed = connection.out.flush(&mut connection.stream);
            if let Ok(Flushed::All) = flushed {
                self.shard.give_buffer(std::mem::take(&mut connection.out.tail));
                if let Some(waker) = connection.drained.take() {
                    waker.wake();
                }
            }
            flushed
        });
        match flushed {
            Some(Ok(Flushed::All)) => self.go_on(id),
            Some(Ok(Flushed::Waiting)) | None => {}
            Some(Err(_)) => self.leave(id),
        }
    }

    /// All is written: the connection ends, or its next request is read.
    fn go_on(&self, id: VisitorId) {
        let next = self.with(id, |connection| {
            if connection.is_closing {
                return Some(Then::End);
            }
            if !connection.is_free() {
                return None;
            }
            match connection.state {
                State::Waiting(_) if !connection.input.is_empty() => {
                    return Some(Then::Proceed(std::mem::take(&mut connection.input)));
                }
                State::Waiting(_) => connection.input = Vec::new(),
                _ => {}
            }
            if connection.is_ended {
                return Some(Then::End);
            }
            connection.is_unread.then_some(Then::Read)
        });
        match next.flatten() {
            Some(Then::End) => self.end(id),
            Some(Then::Proceed(input)) => self.proceed(id, Cow::Owned(input)),
            // The end may have come with what was not read.
            Some(Then::Read) => self.read(id, true),
            None => {}
        }
    }

    /// Ends a connection whose answers are all written.
    fn end(&self, id: VisitorId) {
        if let Some(connection) = self.connections.borrow_mut().remove(id) {
            let Connection { stream, out, is_ended, .. } = *connection;
            if is_ended {
                let _ = stream.shutdown(Shutdown::Both);
            } else {
                self.shard.linger(Lingering::new(stream, out, Instant::now()));
            }
        }
    }
}

/// What comes after all is written.
enum Then {
    End,
    Proceed(Vec<u8>),
    Read,
}

impl Visitors for Lane {
    fn ready(&self, slot: u32, ready: Ready) {
        let Some(id) = self.connections.borrow().id_at(slot) else { return };
        if ready.writable && self.with(id, |connection| !connection.out.is_empty()) == Some(true) {
            self.mark_dirty(id);
        }
        if ready.readable {
            self.read(id, ready.read_closed);
        }
    }

    fn answer(&self, visitor: VisitorId, exchange: Exchange, reply: Option<Reply<VisitorBody>>) {
        if self.with(visitor, |connection| connection.is_of(exchange)) != Some(true) {
            return;
        }
        match reply {
            Some(Reply::Whole(response)) => self.answered(visitor, response),
            Some(Reply::Open(head, VisitorBody)) => {
                if !self.opened(visitor, head) {
                    self.shard.exchange_gone(exchange);
                }
            }
            Some(Reply::Upgrade(_)) => self.not_upgraded(visitor, exchange.id),
            None if self.with(visitor, |connection| connection.is_open()) == Some(true) => self.finish(visitor),
            None => self.respond(visitor, unanswered()),
        }
    }

    fn chunk(&self, visitor: VisitorId, exchange: Exchange, chunk: Vec<u8>) -> usize {
        match self.with(visitor, |connection| connection.is_of(exchange) && connection.is_open()) {
            Some(true) => self.more(visitor, chunk),
            Some(false) | None => 0,
        }
    }

    fn settle(&self) -> bool {
        self.clock.borrow_mut().go_on();
        let dirty = self.dirty.take();
        for id in &dirty {
            self.flush(*id);
        }
        !dirty.is_empty()
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.connections.borrow().is_empty()).then(|| self.next_round.get())
    }

    fn overdue(&self, now: Instant) {
        if now < self.next_round.get() {
            return;
        }
        self.next_round.set(now + ROUND);
        let head_timeout = self.shard.snapshot().config.server.head_timeout;
        let idle = |connection: &mut Connection| match connection.state {
            State::Waiting(since) => connection.is_free() && now.duration_since(since) > head_timeout,
            _ => false,
        };
        let slow = |connection: &mut Connection| match connection.state {
            State::Begun(since) => now.duration_since(since) > head_timeout.min(WHOLE_WITHIN),
            _ => false,
        };
        let late = self.connections.borrow_mut().those(idle);
        for id in late {
            self.leave(id);
        }
        let late = self.connections.borrow_mut().those(slow);
        for id in late {
            self.hand_over_held(id);
        }
    }

    fn show_silent(&self, show: &mut dyn FnMut(&[Silent<'_>])) {
        self.show_those_that_go_over(show);
    }

    fn let_go_of_silent(&self) {
        self.forget_those_that_went_over();
    }

    fn go_on(&self) {
        self.read_what_has_come();
    }

    fn going_down(&self) {
        self.end_all();
    }
}

impl Lane {
    /// Gives a connection to hyper, with what it has of a request.
    fn hand_over_held(&self, id: VisitorId) {
        if let Some(input) = self.with(id, |connection| std::mem::take(&mut connection.input)) {
            self.hand_over(id, &input);
        }
    }

    /// A buffer for what begins to be written.
    fn provide(&self, out: &mut OutBuffer) {
        if out.tail.capacity() == 0 {
            out.tail = self.shard.spare_buffer();
        }
    }
}
