//! A message's way in: bytes of a socket, a session's events, and what the host does with each.

use std::cell::OnceCell;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use abi_stable::std_types::RVec;
use plugin_api::abi::host::{Fault, TransportHandle, response_of};
use plugin_api::abi::types::{EventSink, event};
use plugin_api::{Carrier, DisconnectReason, EndOptions, FrameClass, Kind, SparkId, value};

use super::Shard;
use crate::inbox::exchange::{Exchange, Reply};
use crate::spark::Spark;

/// What a client is told when a plugin panicked that worked for it: the code is "internal error" (RFC 6455, section 7.4.1, as
/// registered with IANA).
const FAILED: (u16, &str) = (1011, "a plugin failed");

/// What one read has come to.
enum Got {
    /// So many bytes, and the session has seen them.
    Bytes(usize),
    /// The same, and it has written by itself to a client that does not read: the answers to pings, say.
    Unread(usize),
    /// The session failed at them.
    Failed(Fault),
    /// Nothing more for now.
    Dry,
    /// The connection is gone.
    Gone,
}

impl Shard {
    /// Reads what a spark's socket has, up to the scratch buffer's length; the rest in the next turn.
    pub(super) fn readable(&self, id: SparkId) {
        let mut scratch = self.scratch.take();
        let mut sink = self.take_sink();
        match self.read(id, &mut scratch, &mut sink) {
            Got::Bytes(count) => {
                self.carry_out(id, &mut sink, &scratch[..count]);
                if count == scratch.len() {
                    self.eager.borrow_mut().push(id);
                }
            }
            Got::Unread(count) => {
                self.carry_out(id, &mut sink, &scratch[..count]);
                self.reads_too_slowly(id);
            }
            Got::Failed(fault) => self.session_failed(id, "a session's receive", &fault),
            Got::Dry => {}
            Got::Gone => self.carrier_gone(id),
        }
        self.give_sink(sink);
        self.scratch.replace(scratch);
    }

    fn read(&self, id: SparkId, scratch: &mut [u8], sink: &mut EventSink) -> Got {
        let mut slab = self.slab.borrow_mut();
        let Some(spark) = slab.get_mut(id) else { return Got::Dry };
        let Some(stream) = spark.stream.as_mut() else { return Got::Dry };
        let count = loop {
            match stream.read(scratch) {
                Ok(0) => return Got::Gone,
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Got::Dry,
                Err(_) => return Got::Gone,
            }
        };
        if spark.out.tail.capacity() == 0 {
            spark.out.tail = self.spare_buffer();
        }
        let before = spark.out.tail.len();
        let result = spark.call(sink, |session, sink| session.receive(&mut scratch[..count], sink));
        if !spark.dirty {
            spark.dirty = true;
            self.dirty.borrow_mut().push(id);
        }
        match result {
            Ok(()) if spark.out.tail.len() > before && spark.out.len() > self.most_unread() => Got::Unread(count),
            Ok(()) => Got::Bytes(count),
            Err(fault) => Got::Failed(fault),
        }
    }

    /// What may wait for a spark at most while its session writes by itself. Messages are held to `max_buffered` before; their
    /// frames may be longer than they.
    fn most_unread(&self) -> usize {
        self.snapshot.borrow().config.server.max_buffered.as_usize().saturating_mul(2)
    }

    /// Hands a spark bytes that were read before its socket was the shard's.
    pub(super) fn receive_early(&self, id: SparkId, bytes: &[u8]) {
        let mut input = bytes.to_vec();
        let mut sink = self.take_sink();
        let result = {
            let mut slab = self.slab.borrow_mut();
            let Some(spark) = slab.get_mut(id) else { return };
            let result = spark.call(&mut sink, |session, sink| session.receive(&mut input, sink));
            if !spark.dirty {
                spark.dirty = true;
                self.mark_dirty(id);
            }
            result
        };
        match result {
            Ok(()) => self.carry_out(id, &mut sink, &input),
            Err(fault) => self.session_failed(id, "a session's receive", &fault),
        }
        self.give_sink(sink);
    }

    /// Carries out a session's events in their order. `input` is what message ranges refer to.
    pub(super) fn carry_out(&self, id: SparkId, sink: &mut EventSink, input: &[u8]) {
        if sink.events.is_empty() {
            return;
        }
        let by = OnceCell::new();
        let by = || {
            by.get_or_init(|| {
                let parser = self.slab.borrow().get(id).map(|spark| Arc::clone(&spark.parser))?;
                Some((self.snapshot(), parser))
            })
            .as_ref()
        };
        let message = |kind, wire: &[u8]| {
            if let Some((snapshot, parser)) = by() {
                self.message(snapshot, id, parser, kind, wire);
            }
        };
        let events = std::mem::replace(&mut sink.events, RVec::new());
        for happened in &events {
            let (start, len) = (happened.start as usize, happened.len as usize);
            let exchange = Exchange { id, number: happened.start };
            match happened.what {
                event::MESSAGE => match start.checked_add(len).and_then(|end| input.get(start..end)) {
                    Some(wire) => message(Kind::from_raw(happened.detail), wire),
                    None => tracing::error!("a session told of a message outside of its input"),
                },
                event::MESSAGE_OWNED => {
                    if let Some(wire) = sink.owned.get(start) {
                        message(Kind::from_raw(happened.detail), wire);
                    }
                }
                event::UPGRADE => {
                    self.reply(exchange, take(&mut sink.responses, len).map(response_of).map(Reply::Upgrade));
                }
                event::RESPOND => {
                    self.reply(exchange, take(&mut sink.responses, len).map(response_of).map(Reply::Whole));
                }
                event::RESPOND_OPEN => self.reply_open(exchange, take(&mut sink.responses, len).map(response_of)),
                event::CHUNK => self.reply_chunk(exchange, take(&mut sink.owned, len).map(RVec::into_vec)),
                event::FINISH => self.reply_chunk(exchange, None),
                event::SET_TIMER => self.set_timer(id, happened.id, Duration::from_nanos(happened.start)),
                event::CLEAR_TIMER => self.clear_timer(id, happened.id),
                event::ALIVE => self.with_spark(id, |spark| spark.alive = true),
                event::FRAME_CLASS => {
                    let class = std::num::NonZeroU32::new(happened.id).map(FrameClass);
                    self.with_spark(id, |spark| spark.class = class);
                }
                event::TICKET => {
                    let secret = sink.owned.get(start).and_then(|secret| std::str::from_utf8(secret).ok());
                    self.with_spark(id, |spark| spark.rare().ticket = secret.map(Box::from));
                }
                event::CLOSE => {
                    let reason = sink.owned.get(start).and_then(|encoded| value::decode(encoded).ok());
                    self.finish(id, &reason.unwrap_or(DisconnectReason::Lost));
                    break;
                }
                // A later host's event, of a plugin built against it: nothing that this one could do.
                _ => {}
            }
        }
        sink.events = events;
        sink.events.clear();
        sink.owned.clear();
        sink.responses.clear();
    }

    pub(super) fn with_spark(&self, id: SparkId, change: impl FnOnce(&mut crate::spark::Spark)) {
        if let Some(spark) = self.slab.borrow_mut().get_mut(id) {
            change(spark);
        }
    }

    /// The stream carrier is gone: the session says what that means.
    pub(super) fn carrier_gone(&self, id: SparkId) {
        // Nothing more can be written to it; without the socket the rest is not flushed either.
        self.with_spark(id, |spark| {
            spark.stream = None;
            spark.out = Default::default();
        });
        self.with_session(id, "a session's disconnected", |session, sink| session.disconnected(Carrier::Stream, sink));
    }

    pub(super) fn set_timer(&self, id: SparkId, timer: u32, after: Duration) {
        self.clear_timer(id, timer);
        self.with_spark(id, |spark| {
            let sequence = self.timers.borrow_mut().set(after, id, timer);
            spark.rare().timers.push((timer, sequence));
        });
        self.wake();
    }

    pub(super) fn clear_timer(&self, id: SparkId, timer: u32) {
        let mut cleared = 0;
        self.with_spark(id, |spark| {
            if let Some(rare) = &mut spark.rare {
                let before = rare.timers.len();
                rare.timers.retain(|(known, _)| *known != timer);
                cleared = before - rare.timers.len();
            }
        });
        self.forget_timers(cleared);
    }

    /// So many timers that were set are not to come any more.
    pub(super) fn forget_timers(&self, count: usize) {
        if count > 0 {
            let mut timers = self.timers.borrow_mut();
            let mut slab = self.slab.borrow_mut();
            timers.forget(count);
            timers.sweep(|id, sequence| {
                let rare = slab.get_mut(id).and_then(|spark| spark.rare.as_ref());
                rare.is_some_and(|rare| rare.timers.iter().any(|(_, known)| *known == sequence))
            });
        }
    }

    /// Fires the timers that have come, and those that were set to come at once: the turn has brought all that it brings.
    pub(super) fn fire_timers(&self, now: Instant) {
        loop {
            let Some((id, timer, sequence)) = self.timers.borrow_mut().due(now) else { break };
            self.fire(id, timer, sequence);
        }
        let soon = self.timers.borrow_mut().take_soon();
        for (id, timer, sequence) in &soon {
            self.fire(*id, *timer, *sequence);
        }
        self.timers.borrow_mut().give_soon(soon);
    }

    fn fire(&self, id: SparkId, timer: u32, sequence: u64) {
        let mut valid = false;
        self.with_spark(id, |spark| {
            if let Some(rare) = &mut spark.rare
                && let Some(place) = rare.timers.iter().position(|(_, known)| *known == sequence)
            {
                rare.timers.swap_remove(place);
                valid = true;
            }
        });
        if !valid {
            self.timers.borrow_mut().passed();
        } else if timer == super::timers::CLOSE_DEADLINE {
            self.finish(id, &DisconnectReason::Server);
        } else {
            self.with_session(id, "a session's timeout", |session, sink| session.timeout(timer, sink));
        }
    }

    /// A session's plugin panicked while it worked for a spark: the spark is over. Nothing is asked of the session any more; its
    /// transport says to the client what closes the connection.
    pub(super) fn session_failed(&self, id: SparkId, entry: &str, fault: &Fault) {
        let mut transport = None;
        self.with_spark(id, |spark| transport = Some(spark.session.transport().clone()));
        if let Some(transport) = transport {
            self.snapshot().transport_failed(&transport, entry, fault);
            self.with_spark(id, |spark| say_last(spark, &transport));
        }
        self.finish(id, &DisconnectReason::Fault(entry.to_owned()));
    }

    /// A client's message is longer than `max_message`, though its transport let it pass.
    pub(super) fn too_long(&self, id: SparkId) {
        let options = EndOptions {
            reconnect: true,
            code: Some(1009),
            reason: "longer than max_message".to_owned(),
            ..EndOptions::default()
        };
        self.end_as(id, options, DisconnectReason::Limit("max_message".to_owned()));
    }

    /// What worked for a spark panicked, a hook perhaps: the session ends with 1011, the client may come again.
    pub(super) fn plugin_failed(&self, id: SparkId, what: &str) {
        let options =
            EndOptions { reconnect: true, code: Some(FAILED.0), reason: FAILED.1.to_owned(), ..EndOptions::default() };
        self.end_as(id, options, DisconnectReason::Fault(what.to_owned()));
    }
}

/// What a connection is told whose session has panicked.
fn say_last(spark: &mut Spark, transport: &TransportHandle) {
    let is_mute = spark.rare.as_ref().is_some_and(|rare| rare.mute);
    if spark.stream.is_none() || is_mute {
        return;
    }
    let whole = spark.out.tail.len();
    let (code, reason) = FAILED;
    if let Err(fault) = transport.last_words(spark.class, code, reason, &mut spark.out.tail) {
        tracing::debug!(transport = transport.name(), report = fault.report, "panicked at its last words, too");
        spark.out.tail.truncate(whole);
    }
}

fn take<T: Default>(items: &mut RVec<T>, index: usize) -> Option<T> {
    items.get_mut(index).map(std::mem::take)
}
