//! Between the session and the application: control messages, incoming hooks, and messages that have to wait.

use std::sync::Arc;

use plugin_api::abi::host::{Answer, ConnectionHook, HookMessage, MessageHook, ParserFailure};
use plugin_api::abi::status;
use plugin_api::{DisconnectReason, EndOptions, Flow, Kind, ParseError, Payload, SparkError, SparkId};

use super::Shard;
use crate::parsers::ParserEntry;
use crate::primus::{self, Control};
use crate::snapshot::{Ref, Snapshot};
use crate::spark::{Deferred, Phase};

impl Shard {
    /// Leads one message to where it belongs.
    #[inline]
    pub(super) fn message(&self, snapshot: &Arc<Snapshot>, id: SparkId, parser: &ParserEntry, kind: Kind, wire: &[u8]) {
        let may_be_control =
            wire.len() <= primus::LONGEST && wire.first().is_some_and(|first| parser.handle.may_be_string(*first));
        if may_be_control && self.control(id, parser, kind, wire) {
            return;
        }
        if wire.len() > snapshot.config.server.max_message.as_usize() {
            self.too_long(id);
            return;
        }
        {
            let mut slab = self.slab.borrow_mut();
            let Some(spark) = slab.get_mut(id) else { return };
            match spark.phase {
                Phase::Open => {}
                Phase::Closing => return,
                // No hook is ever told of it.
                Phase::Opening if spark.bare => return,
                Phase::Opening | Phase::Deferred => {
                    let limit = snapshot.config.server.max_buffered.as_usize();
                    let rare = spark.rare();
                    if rare.held_bytes + wire.len() > limit {
                        drop(slab);
                        self.overflowed(id);
                        return;
                    }
                    rare.held_bytes += wire.len();
                    rare.held.push_back((kind, wire.to_vec()));
                    return;
                }
            }
        }
        let message = HookMessage::from_wire(kind, wire, &parser.handle, parser.number);
        self.through_hooks(snapshot, id, parser, message, |_, _| false);
    }

    /// Leads a message through the hooks, but for those that it has passed.
    #[inline]
    fn through_hooks(
        &self,
        snapshot: &Arc<Snapshot>,
        id: SparkId,
        parser: &ParserEntry,
        mut message: HookMessage<'_>,
        has_passed: impl Fn(usize, &Ref<MessageHook>) -> bool,
    ) {
        for (index, hook) in snapshot.incoming.iter().enumerate() {
            if has_passed(index, hook) {
                continue;
            }
            if hook.generation.is_quarantined() {
                if self.is_lost_without(snapshot, id, hook) {
                    return;
                }
                continue;
            }
            match message.through(hook.get(), id) {
                Ok(Flow::Next) => {}
                Ok(Flow::Stop) => break,
                Ok(Flow::Defer) if message.deferred() == 0 => {
                    tracing::error!(
                        plugin = hook.generation.name(),
                        "a hook answered Flow::Defer without Message::defer: nobody could go on with the message, so it goes on now"
                    );
                }
                Ok(Flow::Defer) => {
                    let deferred = Deferred {
                        token: message.deferred(),
                        hook: index,
                        payload: message.payload().into_owned(),
                        snapshot: Arc::clone(snapshot),
                    };
                    self.with_spark(id, |spark| {
                        if spark.phase == Phase::Open {
                            spark.phase = Phase::Deferred;
                            spark.rare().deferred = Some(deferred);
                        }
                    });
                    return;
                }
                Err(fault) => {
                    hook.generation.panicked("an incoming hook", &fault);
                    self.plugin_failed(id, "an incoming hook");
                    return;
                }
            }
        }
        if let Some(failure) = message.failure() {
            parser.failed("decode", &failure);
            self.house.metrics.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            match failure {
                ParserFailure::Refused(error) => self.refused(snapshot, id, error),
                ParserFailure::Fault(_) => self.plugin_failed(id, "a parser"),
            }
        }
    }

    /// Whether a spark ends since a hook of a required plugin is in quarantine. It may come again, and is refused until that serves.
    pub(super) fn is_lost_without<T>(&self, snapshot: &Snapshot, id: SparkId, hook: &Ref<T>) -> bool {
        let is_required = !snapshot.does_without(&hook.generation);
        if is_required {
            self.plugin_failed(id, "a required plugin");
        }
        is_required
    }

    /// A client's message can't be decoded: the error hooks are told. Over a limit, the spark ends; it may come again.
    fn refused(&self, snapshot: &Snapshot, id: SparkId, error: ParseError) {
        let (limit, reason) = (error.limit, error.reason.clone());
        snapshot.went_wrong(id, &SparkError::Decode(error));
        if let Some(limit) = limit {
            let options = EndOptions { reconnect: true, code: Some(limit.close_code()), reason, ..EndOptions::default() };
            self.end_as(id, options, DisconnectReason::Limit(limit.name().to_owned()));
        }
    }

    /// Whether it was a control message; if so, it is dealt with.
    fn control(&self, id: SparkId, parser: &ParserEntry, kind: Kind, wire: &[u8]) -> bool {
        let text = match parser.handle.decode_string(kind, wire, primus::PREFIX) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(fault) => {
                parser.failed("decode", &fault.into());
                self.plugin_failed(id, "a parser");
                return true;
            }
        };
        let Some(control) = Control::parse(&text) else { return false };
        match control {
            Control::Pong => self.with_spark(id, |spark| spark.alive = true),
            Control::Ping(value) => {
                self.with_spark(id, |spark| {
                    spark.alive = true;
                    spark.pings = true;
                });
                self.control_to(id, &primus::pong(value));
            }
            Control::Id => {
                if let Some(info) = self.house.info(id) {
                    self.control_to(id, &primus::id(&crate::spark::id::public(info.id, info.secret)));
                }
            }
            Control::Move(word) => self.move_asked(id, word),
            Control::Ticket => self.ticket_asked(id),
            Control::Leave => self.leave_asked(id),
            Control::Unknown(name) => tracing::debug!(spark = %id, "the control message primus::{name} is unknown and ignored"),
        }
        true
    }

    /// Runs the connection hooks of a new spark, then lets its messages flow. Where one waits, those of another picture may follow:
    /// whoever was told is not told again, and a generation that has taken over from another knows what that one was told.
    pub async fn announce(&self, id: SparkId) {
        self.with_spark(id, |spark| spark.announced = true);
        let mut told = Vec::new();
        let mut snapshot = self.snapshot();
        let mut next = 0;
        while let Some(hook) = snapshot.connection.get(next) {
            next += 1;
            // Its end was told to all already, where it came with the beginning or while a hook waited.
            if !self.is_opening(id) {
                return;
            }
            if told.iter().any(|place| hook.is_at(place)) {
                continue;
            }
            if hook.generation.is_quarantined() {
                if self.is_lost_without(&snapshot, id, hook) {
                    return;
                }
                continue;
            }
            match self.asked(hook, id).await {
                Some(Answer::Refused(refusal)) => {
                    tracing::debug!(spark = %id, plugin = hook.generation.name(), "refused: {refusal}");
                    self.end(id, EndOptions { reason: refusal.message, ..EndOptions::default() });
                    return;
                }
                Some(_) => {}
                None => {
                    self.plugin_failed(id, "a connection hook");
                    return;
                }
            }
            let present = self.snapshot();
            if present.number != snapshot.number {
                let served = snapshot.connection[..next].iter().filter(|hook| !hook.generation.is_quarantined());
                told.extend(served.map(Ref::place));
                (snapshot, next) = (present, 0);
            }
        }
        self.with_spark(id, |spark| {
            if spark.phase == Phase::Opening {
                spark.phase = Phase::Open;
            }
        });
        self.release_held(id);
        if self.is_handing_over() {
            // This may be what it waits for.
            self.wake();
        }
    }

    /// Asks one connection hook, and waits for its answer; `None`: it panicked.
    async fn asked(&self, hook: &Ref<ConnectionHook>, id: SparkId) -> Option<Answer> {
        const ENTRY: &str = "a connection hook";
        let (token, answer) = self.house.wait();
        match hook.settle(ENTRY, hook.get().call(id, token)) {
            Some(Answer::Pending) => match answer.await {
                // The plugin was stopped before it answered.
                Ok((status::MISSING, _)) | Err(_) => Some(Answer::of(status::OK, &[])),
                Ok((status::PANICKED, report)) => {
                    hook.panicked(ENTRY, &report);
                    None
                }
                Ok((status, reply)) => Some(Answer::of(status, &reply)),
            },
            ready => {
                self.house.forget(token);
                ready
            }
        }
    }

    fn is_opening(&self, id: SparkId) -> bool {
        self.slab.borrow_mut().get_mut(id).is_some_and(|spark| spark.phase == Phase::Opening)
    }

    /// A deferred message goes on, and what waited behind it.
    pub(super) fn resume(&self, id: SparkId, token: u64, flow: Flow) {
        let mut resumed = None;
        self.with_spark(id, |spark| {
            let Some(rare) = spark.rare.as_mut() else { return };
            if rare.deferred.as_ref().is_some_and(|deferred| deferred.token == token) {
                resumed = rare.deferred.take().map(|deferred| (deferred, Arc::clone(&spark.parser)));
                if spark.phase == Phase::Deferred {
                    spark.phase = Phase::Open;
                }
            }
        });
        let Some((deferred, parser)) = resumed else { return };
        if flow == Flow::Next {
            let message = match &deferred.payload {
                Payload::Wire { kind, bytes, .. } => HookMessage::from_wire(*kind, bytes, &parser.handle, parser.number),
                Payload::Value(value) => HookMessage::from_value(value.to_vec(), &parser.handle, parser.number),
            };
            let Deferred { snapshot: former, hook: last, .. } = &deferred;
            let snapshot = self.snapshot();
            if Arc::ptr_eq(&snapshot, former) {
                self.through_hooks(&snapshot, id, &parser, message, |index, _| index <= *last);
            } else {
                // The generations that it has not seen may have handed their state over to others.
                let passed: Vec<_> = former.incoming[..=*last].iter().map(Ref::place).collect();
                self.through_hooks(&snapshot, id, &parser, message, |_, hook| passed.iter().any(|place| hook.is_at(place)));
            }
        }
        self.release_held(id);
    }

    /// Lets messages flow that had to wait, until one has to wait again.
    fn release_held(&self, id: SparkId) {
        let snapshot = self.snapshot();
        loop {
            let mut next = None;
            self.with_spark(id, |spark| {
                if spark.phase == Phase::Open
                    && let Some(rare) = spark.rare.as_mut()
                    && let Some((kind, wire)) = rare.held.pop_front()
                {
                    rare.held_bytes -= wire.len();
                    next = Some((kind, wire, Arc::clone(&spark.parser)));
                }
            });
            let Some((kind, wire, parser)) = next else { return };
            self.message(&snapshot, id, &parser, kind, &wire);
        }
    }
}
