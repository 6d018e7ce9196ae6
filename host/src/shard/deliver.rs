//! A message's way out: outgoing hooks, the recipient's parser, its session, its out-buffer.
//!
//! To many sparks a message is encoded once for each parser, and framed once for each transport and class of frames.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use abi_stable::std_types::RVec;
use bytes::Bytes;
use plugin_api::abi::host::{Fault, HookMessage, ParserFailure, TransportHandle};
use plugin_api::abi::status;
use plugin_api::abi::types::EventSink;
use plugin_api::{Carries, DisconnectReason, EndOptions, Flow, FrameClass, Kind, Payload, SparkId};

use super::Shard;
use super::close::MAX_BUFFERED;
use crate::config::Overflow;
use crate::parsers::ParserEntry;
use crate::snapshot::Snapshot;
use crate::spark::{Phase, Spark};

/// A message as a parser writes it.
type Encoded<'a> = (Kind, Cow<'a, [u8]>);

/// A parser or a transport panicked at a message, and has told of it: whom the message was for can't have it.
#[derive(Debug, Clone, Copy)]
struct Panicked;

/// What makes a message's form: the number of a parser, and what the session can carry.
type Writing = (u32, Carries);

/// Why a message did not get to a spark that is there.
enum Failed {
    /// Its session panicked.
    Session(Fault),
    /// Its parser did.
    Parser,
}

/// One message in all the forms that were needed so far. `None` is one that is not sent.
struct Forms<'a> {
    payload: &'a Payload<'a>,
    encoded: Vec<(Writing, Result<Option<Encoded<'a>>, Panicked>)>,
    frames: Vec<(*const TransportHandle, FrameClass, Writing, Result<Bytes, Panicked>)>,
}

impl<'a> Forms<'a> {
    fn new(payload: &'a Payload<'a>) -> Self {
        Self { payload, encoded: Vec::new(), frames: Vec::new() }
    }

    /// The message as a spark's parser writes it for what its session carries.
    fn encoded(&mut self, spark: &Spark, snapshot: &Snapshot) -> Result<Option<(Kind, &[u8])>, Panicked> {
        let writing = (spark.parser.number, spark.carries);
        let at = match self.encoded.iter().position(|(known, _)| *known == writing) {
            Some(at) => at,
            None => {
                let encoded = encode(self.payload, &spark.parser, spark.carries, snapshot);
                self.encoded.push((writing, encoded));
                self.encoded.len() - 1
            }
        };
        let encoded = self.encoded[at].1.as_ref().map_err(|panicked| *panicked)?;
        Ok(encoded.as_ref().map(|(kind, bytes)| (*kind, bytes.as_ref())))
    }

    /// The frame that a spark shares with others of its class. Lent, since counting references costs more than the frame.
    fn frame(&mut self, spark: &Spark, class: FrameClass, snapshot: &Snapshot) -> Result<Option<&Bytes>, Panicked> {
        let transport: *const TransportHandle = Arc::as_ptr(spark.session.transport());
        let writing = (spark.parser.number, spark.carries);
        let known = self.frames.iter().position(|(known, of, how, _)| *known == transport && *of == class && *how == writing);
        let at = match known {
            Some(at) => at,
            None => {
                let Some((kind, bytes)) = self.encoded(spark, snapshot)? else { return Ok(None) };
                let mut out = RVec::with_capacity(bytes.len() + 16);
                let framed = spark.session.transport().frame(class, kind, bytes, &mut out);
                let frame = framed.map(|()| Bytes::from(out.into_vec())).map_err(|fault| {
                    snapshot.transport_failed(spark.session.transport(), "a transport's frame", &fault);
                    Panicked
                });
                self.frames.push((transport, class, writing, frame));
                self.frames.len() - 1
            }
        };
        self.frames[at].3.as_ref().map(Some).map_err(|panicked| *panicked)
    }
}

/// What a client has sent, where it can go on as it is: written by this parser, and of a kind that is carried. Bytes on a carrier of
/// text would be taken for text, and say what nobody has written.
#[inline]
fn as_it_is<'a>(payload: &'a Payload<'_>, parser: &ParserEntry, carries: Carries) -> Option<(Kind, &'a [u8])> {
    match payload {
        Payload::Wire { parser: number, kind, bytes }
            if *number == parser.number && (*kind == Kind::Text || carries == Carries::Everything) =>
        {
            Some((*kind, bytes.as_ref()))
        }
        Payload::Wire { .. } | Payload::Value(_) => None,
    }
}

/// A payload as a parser writes it; `None` where it is not sent.
fn encode<'a>(
    payload: &'a Payload<'_>,
    parser: &ParserEntry,
    carries: Carries,
    snapshot: &Snapshot,
) -> Result<Option<Encoded<'a>>, Panicked> {
    if let Some((kind, bytes)) = as_it_is(payload, parser, carries) {
        return Ok(Some((kind, Cow::Borrowed(bytes))));
    }
    let value = match payload {
        Payload::Wire { parser: number, kind, bytes } => {
            let Some(source) = snapshot.parser_numbered(*number) else { return Ok(None) };
            match source.handle.decode(*kind, bytes) {
                Ok(value) => Cow::Owned(value),
                Err(failure) => return unsent(&source, "decode", &failure),
            }
        }
        Payload::Value(value) => Cow::Borrowed(value.as_ref()),
    };
    match parser.handle.encode(&value) {
        Ok(Some((Kind::Binary, _))) if carries == Carries::Text => {
            tracing::debug!(parser = parser.handle.name(), "bytes are not sent to who is carried text only");
            Ok(None)
        }
        Ok(encoded) => Ok(encoded.map(|(kind, bytes)| (kind, Cow::Owned(bytes)))),
        Err(failure) => unsent(parser, "encode", &failure),
    }
}

/// A parser did not do its work: what it refuses is not sent.
fn unsent<T>(parser: &ParserEntry, entry: &str, failure: &ParserFailure) -> Result<Option<T>, Panicked> {
    parser.failed(entry, failure);
    match failure {
        ParserFailure::Refused(_) => Ok(None),
        ParserFailure::Fault(_) => Err(Panicked),
    }
}

impl Shard {
    /// Sends to one spark of this shard; `None` where it has to go through the inbox: another shard's, or a session's call
    /// is under way.
    #[inline]
    pub fn deliver(&self, id: SparkId, payload: &Payload<'_>) -> Option<u32> {
        if id.shard() != self.index || !self.can_deliver() {
            return None;
        }
        let snapshot = self.snapshot.borrow();
        if snapshot.outgoing.is_empty() {
            return Some(self.write(id, payload, &snapshot));
        }
        let snapshot = Arc::clone(&snapshot);
        Some(self.through_outgoing(id, payload, &snapshot))
    }

    /// Whether sparks of this shard can be sent to at once; elsewhere, in a session's call, and where they are in another process,
    /// all goes through the inbox.
    #[inline]
    pub fn can_deliver(&self) -> bool {
        self.slab.try_borrow_mut().is_ok() && !self.has_handed_over.get()
    }

    /// Sends to those of many sparks that are this shard's; how many of them are gone.
    pub fn deliver_many(&self, sparks: &[u64], payload: &Payload<'_>) -> usize {
        let own = sparks.iter().filter_map(|raw| SparkId::from_raw(*raw)).filter(|id| id.shard() == self.index);
        self.write_many(own, payload)
    }

    /// Sends to many sparks of this shard; how many of them are gone.
    pub(super) fn write_many(&self, ids: impl Iterator<Item = SparkId>, payload: &Payload<'_>) -> usize {
        let snapshot = self.snapshot();
        if !snapshot.outgoing.is_empty() {
            return ids.filter(|id| self.through_outgoing(*id, payload, &snapshot) == status::MISSING).count();
        }
        let mut gone = 0;
        let mut forms = Forms::new(payload);
        let limit = snapshot.config.server.max_buffered.as_usize();
        let mut alone = Vec::new();
        let mut full = Vec::new();
        let mut failed = Vec::new();
        {
            let mut slab = self.slab.borrow_mut();
            let mut dirty = self.dirty.borrow_mut();
            let idle = dirty.is_empty() && !self.in_turn.get();
            for id in ids {
                let open = slab.get_mut(id).filter(|spark| spark.phase != Phase::Closing && !spark.bare);
                let Some(spark) = open else {
                    gone += 1;
                    continue;
                };
                let Some(class) = spark.class else {
                    alone.push(id);
                    continue;
                };
                let frame = match forms.frame(spark, class, &snapshot) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => continue,
                    Err(Panicked) => {
                        failed.push(id);
                        continue;
                    }
                };
                if is_too_much(spark, frame.len(), limit) {
                    full.push(id);
                    continue;
                }
                if spark.out.tail.capacity() == 0 {
                    spark.out.tail = self.spare_buffer();
                }
                spark.out.push_shared(frame);
                if !spark.dirty {
                    spark.dirty = true;
                    dirty.push(id);
                }
            }
            if idle && !dirty.is_empty() {
                self.house.inboxes[usize::from(self.index)].wake_own();
            }
        }
        for id in alone {
            self.write(id, payload, &snapshot);
        }
        for id in full {
            self.overflowed(id);
        }
        for id in failed {
            self.plugin_failed(id, "a parser or a transport");
        }
        gone
    }

    /// Leads a message to a spark through the outgoing hooks, then writes what is left of it.
    fn through_outgoing(&self, id: SparkId, payload: &Payload<'_>, snapshot: &Snapshot) -> u32 {
        let mut parser = None;
        self.with_spark(id, |spark| parser = Some(Arc::clone(&spark.parser)));
        let Some(parser) = parser else { return status::MISSING };
        let source = match payload {
            Payload::Wire { parser: number, .. } if *number != parser.number => match snapshot.parser_numbered(*number) {
                Some(source) => source,
                // Its plugin is gone, and the last spark that spoke it: nobody can tell what it says.
                None => return status::OK,
            },
            Payload::Wire { .. } | Payload::Value(_) => parser,
        };
        let mut message = match payload {
            Payload::Wire { kind, bytes, .. } => HookMessage::from_wire(*kind, bytes, &source.handle, source.number),
            Payload::Value(value) => HookMessage::from_value(value.to_vec(), &source.handle, source.number),
        };
        for hook in &snapshot.outgoing {
            if hook.generation.is_quarantined() {
                if self.is_lost_without(snapshot, id, hook) {
                    return status::MISSING;
                }
                continue;
            }
            match hook.settle("an outgoing hook", message.through(hook.get(), id)) {
                Some(Flow::Stop) => return status::OK,
                Some(_) => {}
                None => {
                    self.plugin_failed(id, "an outgoing hook");
                    return status::MISSING;
                }
            }
        }
        self.write(id, &message.payload(), snapshot)
    }

    /// Sends a message once more, by another session than the first time.
    pub(super) fn write_again(&self, id: SparkId, payload: &Payload<'_>, snapshot: &Snapshot) {
        self.write(id, payload, snapshot);
    }

    /// Encodes, frames and queues a message for one spark.
    #[inline]
    fn write(&self, id: SparkId, payload: &Payload<'_>, snapshot: &Snapshot) -> u32 {
        let mut sink = self.take_sink();
        let outcome = self.write_to_session(id, payload, snapshot, &mut sink);
        match outcome {
            Ok(status) => {
                self.carry_out(id, &mut sink, &[]);
                self.give_sink(sink);
                if status == status::FAILED {
                    self.overflowed(id);
                }
                status
            }
            Err(failed) => {
                self.give_sink(sink);
                match failed {
                    Failed::Session(fault) => self.session_failed(id, "a session's send", &fault),
                    Failed::Parser => self.plugin_failed(id, "a parser"),
                }
                status::MISSING
            }
        }
    }

    #[inline]
    fn write_to_session(
        &self,
        id: SparkId,
        payload: &Payload<'_>,
        snapshot: &Snapshot,
        sink: &mut EventSink,
    ) -> Result<u32, Failed> {
        let mut slab = self.slab.borrow_mut();
        let Some(spark) = slab.get_mut(id) else { return Ok(status::MISSING) };
        if spark.phase == Phase::Closing || spark.bare {
            return Ok(status::MISSING);
        }
        let encoded;
        let (kind, bytes) = match as_it_is(payload, &spark.parser, spark.carries) {
            Some(written) => written,
            None => match encode(payload, &spark.parser, spark.carries, snapshot).map_err(|Panicked| Failed::Parser)? {
                Some((kind, bytes)) => {
                    encoded = bytes;
                    (kind, encoded.as_ref())
                }
                None => return Ok(status::OK),
            },
        };
        if is_too_much(spark, bytes.len(), snapshot.config.server.max_buffered.as_usize()) {
            return Ok(status::FAILED);
        }
        if spark.out.tail.capacity() == 0 {
            spark.out.tail = self.spare_buffer();
        }
        let result = spark.call(sink, |session, sink| session.send(kind, bytes, sink));
        if !spark.dirty {
            spark.dirty = true;
            self.mark_dirty(id);
        }
        result.map(|()| status::OK).map_err(Failed::Session)
    }

    /// Sends a control message: past the hooks, through the parser.
    pub(super) fn control_to(&self, id: SparkId, text: &str) {
        let mut parser = None;
        self.with_spark(id, |spark| parser = Some(Arc::clone(&spark.parser)));
        let Some(parser) = parser else { return };
        let Some((kind, bytes)) = parser.control(text) else { return };
        let payload = Payload::Wire { parser: parser.number, kind, bytes: Cow::Owned(bytes) };
        let snapshot = self.snapshot();
        self.write(id, &payload, &snapshot);
    }

    /// The same to many.
    pub(super) fn control_to_many(&self, ids: &[SparkId], text: &str) {
        for id in ids {
            self.control_to(*id, text);
        }
    }

    /// A spark has more waiting than it may: the policy of the configuration.
    pub(super) fn overflowed(&self, id: SparkId) {
        match self.snapshot().config.server.overflow {
            Overflow::Drop => {
                self.house.metrics.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Overflow::Close => self.reads_too_slowly(id),
        }
    }

    /// Closes a spark that has more waiting than it may. It may come again.
    pub(super) fn reads_too_slowly(&self, id: SparkId) {
        let options =
            EndOptions { reconnect: true, code: Some(1013), reason: "reads too slowly".to_owned(), ..EndOptions::default() };
        self.end_as(id, options, DisconnectReason::Limit(MAX_BUFFERED.to_owned()));
    }
}

/// Whether a spark has too much waiting for one more message. One for which nothing waits does not read slowly, however long the
/// message is that a parser has made.
fn is_too_much(spark: &Spark, length: usize, limit: usize) -> bool {
    !spark.out.is_empty() && spark.out.len() + length > limit
}
