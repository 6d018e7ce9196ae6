//! A spark's end: what the server says last, the session's farewell, and the connection's.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plugin_api::{DisconnectReason, EndOptions, Payload, SparkId};

use super::Shard;
use super::timers::CLOSE_DEADLINE;
use super::turn::LINGERING;
use crate::primus;
use crate::spark::lingering::Lingering;
use crate::spark::{Phase, Spark};

/// The limit that a spark passes by not reading.
pub(super) const MAX_BUFFERED: &str = "max_buffered";

/// The same limit as transports have it, for what waits until a client asks.
const MAX_PENDING: &str = "max_pending_bytes";

/// How long a session may take to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// A spark that is gone.
pub struct Departed {
    id: SparkId,
    /// What the hooks are told, if they were told of the spark.
    reason: Option<DisconnectReason>,
    bare: bool,
}

impl Departed {
    /// A spark of another process, whose end is told here.
    pub(super) fn of(id: SparkId, reason: Option<DisconnectReason>, bare: bool) -> Self {
        Self { id, reason, bare }
    }
}

impl Shard {
    /// Ends a spark: the last message, `primus::server::close` unless it may reconnect, then the transport's close.
    pub(super) fn end(&self, id: SparkId, options: EndOptions) {
        self.end_as(id, options, DisconnectReason::Server);
    }

    /// The same, with the reason that hooks are told.
    pub(super) fn end_as(&self, id: SparkId, options: EndOptions, reason: DisconnectReason) {
        if self.is_closing(id) {
            return;
        }
        if let Some(last) = options.last {
            self.deliver(id, &Payload::Value(last.into()));
        }
        if !options.reconnect {
            self.control_to(id, &primus::server_close());
        }
        if self.is_closing(id) {
            // What was said last has ended it: too much waited, or a hook panicked.
            return;
        }
        let reads_too_slowly = matches!(&reason, DisconnectReason::Limit(limit) if limit == MAX_BUFFERED);
        self.with_spark(id, |spark| {
            spark.phase = Phase::Closing;
            spark.rare().ending = Some(reason.clone());
        });
        if reads_too_slowly {
            // A close handshake would wait for what it has not taken.
            self.with_session(id, "a session's close", |session, sink| session.close(options.code, &options.reason, sink));
            self.finish(id, &reason);
            return;
        }
        self.set_timer(id, CLOSE_DEADLINE, CLOSE_WITHIN);
        self.with_session(id, "a session's close", |session, sink| session.close(options.code, &options.reason, sink));
        self.with_spark(id, |spark| spark.rare().mute = true);
    }

    /// Whether a spark was told to close, or is gone.
    fn is_closing(&self, id: SparkId) -> bool {
        self.slab.borrow_mut().get_mut(id).is_none_or(|spark| spark.phase == Phase::Closing)
    }

    /// A session is over: the spark is gone, and its connection is written to the end. Hooks are told at the end of the turn: a
    /// plugin that sends may bring the end about, and must not be called in the midst of that.
    pub(super) fn finish(&self, id: SparkId, reason: &DisconnectReason) {
        self.drop_exchanges(id);
        let Some(spark) = self.slab.borrow_mut().remove(id) else { return };
        let Spark { stream, out, session, announced, bare, rare, .. } = *spark;
        drop(session);
        self.forget_timers(rare.as_ref().map_or(0, |rare| rare.timers.len()));
        let ending = rare.and_then(|rare| rare.ending);
        if let Some(stream) = stream {
            self.linger(Lingering::new(stream, out, Instant::now()));
        }
        let reason = ending.unwrap_or_else(|| reason.clone());
        tracing::debug!(spark = %id, ?reason, "a session has ended");
        if let DisconnectReason::Limit(limit) = &reason
            && [MAX_BUFFERED, MAX_PENDING].contains(&limit.as_str())
        {
            self.house.metrics.overflowed.fetch_add(1, Ordering::Relaxed);
            tracing::info!(spark = %id, "closed: more than {limit} waits for it");
        }
        self.departed.borrow_mut().push_back(Departed { id, reason: announced.then_some(reason), bare });
        self.wake();
    }

    /// Tells the hooks of those that are gone.
    pub(super) fn bid_farewell(&self) {
        loop {
            let Some(Departed { id, reason, bare }) = self.departed.borrow_mut().pop_front() else { return };
            if let Some(reason) = reason {
                self.snapshot().disconnected(id, &reason);
            }
            if !bare {
                // Only now: the hooks may still ask who it was.
                self.house.leave(id);
            }
            self.slab.borrow_mut().release(id);
        }
    }

    /// Lets a connection end.
    pub(crate) fn linger(&self, mut lingering: Lingering) {
        let number = self.next_lingering.get();
        self.next_lingering.set(number.wrapping_add(1) % LINGERING);
        if lingering.proceed(&mut [0; 4096]) {
            return;
        }
        let token = mio::Token(LINGERING + number);
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        if self.registry.reregister(lingering.stream(), token, interest).is_ok() {
            self.lingering.borrow_mut().insert(number, lingering);
        }
    }

    /// Goes on with a connection that ends.
    pub(super) fn proceed_lingering(&self, number: usize) {
        let mut all = self.lingering.borrow_mut();
        if let Some(lingering) = all.get_mut(&number)
            && lingering.proceed(&mut self.scratch.borrow_mut())
        {
            all.remove(&number);
        }
    }

    /// Cuts those that take too long.
    pub(super) fn cut_lingering(&self, now: Instant) {
        self.lingering.borrow_mut().retain(|_, lingering| lingering.until() > now);
    }

    /// Ends all sparks.
    pub(super) fn end_all(&self, reconnect: bool) {
        let ids = self.slab.borrow().ids();
        for id in ids {
            self.end(id, EndOptions { reconnect, ..EndOptions::default() });
        }
    }
}
