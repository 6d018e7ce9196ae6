//! Polling's way to the client: packets wait for the request that waits for them.

use std::time::Duration;

use plugin_api::{Events, ExchangeId, TimerId};

use crate::jsonp::{self, Jsonp};
use crate::packet::{Dialect, Outgoing};
use crate::payload;

/// Comes at once: what was sent meanwhile goes in one response.
pub const FLUSH: TimerId = TimerId(2);

/// A request that waits, and how it wants its answer.
#[derive(Debug, Clone, Copy)]
struct Poll {
    exchange: ExchangeId,
    jsonp: Option<Jsonp>,
}

/// What waits, on either side.
#[derive(Default)]
pub struct Polling {
    poll: Option<Poll>,
    packets: Vec<Outgoing>,
    weight: usize,
    /// Whether [`FLUSH`] is going to come.
    is_flushing: bool,
}

impl Polling {
    /// Whether a request waits.
    pub fn is_polled(&self) -> bool {
        self.poll.is_some()
    }

    /// Whether it is this request.
    pub fn is_polled_by(&self, exchange: ExchangeId) -> bool {
        self.poll.is_some_and(|poll| poll.exchange == exchange)
    }

    /// The number of bytes that wait.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether messages wait, besides what the protocol itself says.
    pub fn has_messages(&self) -> bool {
        self.packets.iter().any(|packet| matches!(packet, Outgoing::Message(..)))
    }

    /// A request that waits from now on. What waits for it goes at once.
    pub fn poll(&mut self, exchange: ExchangeId, jsonp: Option<Jsonp>, dialect: Dialect, events: &mut Events<'_>) {
        self.poll = Some(Poll { exchange, jsonp });
        if !self.packets.is_empty() {
            self.answer(dialect, events);
        }
    }

    /// A packet for the client; it goes soon if a request waits.
    pub fn push(&mut self, packet: Outgoing, events: &mut Events<'_>) {
        self.weight += packet.weight();
        self.packets.push(packet);
        if self.is_polled() && !self.is_flushing {
            self.is_flushing = true;
            events.set_timer(FLUSH, Duration::ZERO);
        }
    }

    /// [`FLUSH`] has come.
    pub fn flush(&mut self, dialect: Dialect, events: &mut Events<'_>) {
        self.is_flushing = false;
        if !self.packets.is_empty() {
            self.answer(dialect, events);
        }
    }

    /// Answers the request that waits, if there is one: with all packets, or with one that says nothing.
    pub fn answer(&mut self, dialect: Dialect, events: &mut Events<'_>) {
        if let Some(poll) = self.poll.take() {
            let packets = if self.packets.is_empty() { vec![Outgoing::NOOP] } else { self.take() };
            events.respond(poll.exchange, jsonp::answer(poll.jsonp, payload::response(dialect, &packets)));
        }
    }

    /// Answers the request that waits, if there is one, and keeps what waits for another carrier.
    pub fn release(&mut self, dialect: Dialect, events: &mut Events<'_>) {
        if let Some(poll) = self.poll.take() {
            events.respond(poll.exchange, jsonp::answer(poll.jsonp, payload::response(dialect, &[Outgoing::NOOP])));
        }
    }

    /// The request that waits is gone.
    pub fn forget(&mut self) {
        self.poll = None;
    }

    /// Takes what waits.
    pub fn take(&mut self) -> Vec<Outgoing> {
        self.weight = 0;
        std::mem::take(&mut self.packets)
    }
}
