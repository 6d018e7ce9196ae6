//! One connection in a lane: where it stands, what has come and is not used yet, what waits to be written.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use mio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::inbox::exchange::Exchange;
use crate::shard::standing::{Arrival, Visit};
use crate::shard::visitors::VisitorId;
use crate::spark::id::UnderWay;
use crate::spark::out::OutBuffer;

/// One connection.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) state: State,
    /// What has come and is not used yet.
    pub(super) input: Vec<u8>,
    pub(super) out: OutBuffer,
    /// Fields that the next answer gets, as they are written.
    pub(super) extra: Vec<u8>,
    /// Who asked last, as plugins are told: the same one, but behind a proxy.
    pub(super) client: Option<(SocketAddr, Rc<str>)>,
    /// Whether it is in the lane's list of those to look at.
    pub(super) is_dirty: bool,
    /// Whether the socket may have more than was read.
    pub(super) is_unread: bool,
    /// Whether the peer says nothing more.
    pub(super) is_ended: bool,
    /// Whether it ends once all is written.
    pub(super) is_closing: bool,
    /// Whether it ends after the body that is open.
    pub(super) ends_after: bool,
    /// The request that is under way, as its session counts it; a task that brings the answer has it instead.
    pub(super) under_way: Option<UnderWay>,
    /// The request that is under way, if it may bring a spark: a request of a session that is there holds up nobody.
    pub(super) arrival: Option<Arrival>,
    /// A task that waits until all is written.
    pub(super) drained: Option<Waker>,
    /// For as long as it is there, its shard is.
    pub(super) visit: Visit,
}

/// Where a connection stands.
pub(super) enum State {
    /// It waits for a request, since then.
    Waiting(Instant),
    /// A part of a request has come, the first of it then.
    Begun(Instant),
    /// A request is being decided; by a task, where an authorizer takes time.
    Deciding(Option<AbortHandle>),
    /// A session of this shard has the request, and whether it has brought a spark of which no hook is told yet.
    Asked(Exchange, bool),
    /// A session of this shard goes on with the answer.
    Open(Exchange),
    /// A task brings the answer of a session of another shard.
    Relayed(AbortHandle),
    /// The same, and the answer goes on.
    RelayedOpen(AbortHandle),
}

impl Connection {
    /// The request that was under way is answered.
    pub(super) fn wait(&mut self) {
        self.state = State::Waiting(Instant::now());
        self.under_way = None;
        self.arrival = None;
    }

    /// The address of who asks, as plugins are told.
    pub(super) fn address_as_text(&mut self, client: SocketAddr) -> Rc<str> {
        match &self.client {
            Some((known, text)) if *known == client => Rc::clone(text),
            _ => {
                let text = Rc::<str>::from(client.to_string());
                self.client = Some((client, Rc::clone(&text)));
                text
            }
        }
    }

    /// Whether no request is under way.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_) | State::Begun(_))
    }

    /// Whether the next request may be read: the answer before it is written.
    pub(super) fn is_free(&self) -> bool {
        self.is_waiting() && self.out.is_empty() && !self.is_closing
    }

    /// Whether nothing of it is under way: whoever has it next need not know what was before.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.state, State::Waiting(_)) && self.is_free() && self.input.is_empty() && !self.is_ended
    }

    /// Whether it waits for the answer to this exchange, or gets it.
    pub(super) fn is_of(&self, exchange: Exchange) -> bool {
        matches!(self.state, State::Asked(own, _) | State::Open(own) if own == exchange)
    }

    /// The head of an answer is written: its body follows, or it has none.
    pub(super) fn open(&mut self, has_body: bool) {
        self.is_closing = !has_body && self.ends_after;
        self.arrival = None;
        let now = State::Waiting(Instant::now());
        self.state = match std::mem::replace(&mut self.state, now) {
            State::Asked(exchange, _) if has_body => State::Open(exchange),
            State::Relayed(task) if has_body => State::RelayedOpen(task),
            _ => return self.under_way = None,
        };
    }

    /// Whether the body of an answer is open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_) | State::RelayedOpen(_))
    }
}

/// The connections of a lane: slots with generations, so that an old id names nobody.
#[derive(Default)]
pub(super) struct Connections {
    slots: Vec<(u32, Option<Box<Connection>>)>,
    free: Vec<u32>,
    len: usize,
}

impl Connections {
    /// The slot that the next one gets.
    pub(super) fn next_slot(&mut self) -> u32 {
        if let Some(slot) = self.free.last() {
            return *slot;
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 connections fit into memory");
        self.slots.push((0, None));
        self.free.push(slot);
        slot
    }

    /// Puts one where [`Self::next_slot`] said.
    pub(super) fn insert(&mut self, connection: Connection) {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize].1 = Some(Box::new(connection));
            self.len += 1;
        }
    }

    /// The one of an id.
    pub(super) fn get_mut(&mut self, id: VisitorId) -> Option<&mut Connection> {
        let (generation, connection) = self.slots.get_mut(id.slot as usize)?;
        if *generation != id.generation {
            return None;
        }
        connection.as_deref_mut()
    }

    /// Who is in a slot.
    pub(super) fn id_at(&self, slot: u32) -> Option<VisitorId> {
        let (generation, connection) = self.slots.get(slot as usize)?;
        connection.as_ref()?;
        Some(VisitorId { slot, generation: *generation })
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, id: VisitorId) -> Option<Box<Connection>> {
        self.get_mut(id)?;
        let (generation, connection) = &mut self.slots[id.slot as usize];
        *generation = generation.wrapping_add(1);
        self.free.push(id.slot);
        self.len -= 1;
        connection.take()
    }

    /// All that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().filter_map(|(_, connection)| connection.as_deref())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ids of those that something is true of.
    pub(super) fn those(&mut self, mut is_so: impl FnMut(&mut Connection) -> bool) -> Vec<VisitorId> {
        let slots = self.slots.iter_mut().zip(0..);
        let found = slots.filter_map(|((generation, connection), slot)| {
            is_so(connection.as_deref_mut()?).then_some(VisitorId { slot, generation: *generation })
        });
        found.collect()
    }
}
