//! The way of messages through the bench: from a client through the incoming hooks, and through the outgoing ones to it.

use std::sync::Arc;

use super::{Deferred, Job, World};
use crate::abi::host::{HookMessage, ParserFailure, ParserHandle};
use crate::abi::status;
use crate::message::{Flow, Kind, Payload};
use crate::parser::ParseError;
use crate::spark::{EndOptions, SparkError, SparkId};
use crate::testing::client::Fate;
use crate::testing::plugged::{Plugged, by_priority};
use crate::transport::DisconnectReason;

/// The number of the one parser that all sparks use.
const PARSER: u32 = 1;

impl World {
    // ---- messages from clients --------------------------------------------------------------------------------------------

    /// Leads a message of a client through the incoming hooks, or lets it wait behind others.
    pub(in crate::testing) fn receive(&self, id: SparkId, payload: Payload<'static>) -> Fate {
        let payload = {
            let mut state = self.state();
            match state.sparks.get_mut(&id) {
                Some(spark) if spark.deferred.is_some() || !spark.waiting.is_empty() => {
                    spark.waiting.push_back(payload);
                    return Fate::Waiting;
                }
                _ => payload,
            }
        };
        self.lead(id, &payload, 0)
    }

    /// Leads a message through the incoming hooks from one on.
    fn lead(&self, id: SparkId, payload: &Payload<'_>, from: usize) -> Fate {
        let plugins = self.plugins();
        let parser = parser(&plugins);
        let mut message = hook_message(payload, &parser);
        let hooks = by_priority(&plugins, |registrations| &registrations.incoming);
        for (place, (plugged, hook)) in hooks.into_iter().enumerate().skip(from) {
            let flow = plugged.enter(|| message.through(hook, id)).unwrap_or_else(|fault| {
                self.fault(&plugged.name, "an incoming hook", &fault);
                Flow::Next
            });
            if let Some(failure) = message.failure() {
                self.warn(format!("the parser `{}` refuses a message: {failure}", parser.name()));
                if let ParserFailure::Refused(error) = failure {
                    self.refused(&plugins, id, error);
                }
            }
            let flow = match flow {
                Flow::Defer => self.park(id, plugged, place, &message),
                flow => {
                    self.state().deferring.remove(&message.deferred());
                    flow
                }
            };
            match flow {
                Flow::Next => {}
                Flow::Stop => return Fate::Consumed,
                Flow::Defer => return Fate::Waiting,
            }
        }
        Fate::Unclaimed
    }

    /// The parser refuses a message: the error hooks are told. Over a limit, the spark ends.
    fn refused(&self, plugins: &[Arc<Plugged>], id: SparkId, error: ParseError) {
        let limit = error.limit;
        let error = SparkError::Decode(error);
        for (plugged, hook) in by_priority(plugins, |registrations| &registrations.error) {
            if let Err(fault) = plugged.enter(|| hook.call(id, &error)) {
                self.fault(&plugged.name, "an error hook", &fault);
            }
        }
        if let Some(limit) = limit {
            let options = EndOptions { reconnect: true, code: Some(limit.close_code()), ..EndOptions::default() };
            self.end_for(id, options, DisconnectReason::Limit(limit.name().to_owned()));
        }
    }

    /// A hook defers a message: puts it aside, unless the decision has come already.
    fn park(&self, id: SparkId, plugged: &Plugged, place: usize, message: &HookMessage<'_>) -> Flow {
        let token = message.deferred();
        let mut state = self.state();
        match (state.deferring.remove(&token), state.sparks.get_mut(&id)) {
            (Some(Some(decision)), _) => decision,
            (Some(None), Some(spark)) => {
                spark.deferred = Some(Deferred { token, next: place + 1, payload: message.payload().into_owned() });
                Flow::Defer
            }
            _ => {
                drop(state);
                self.broken(format!(
                    "an incoming hook of the plugin `{}` answered Flow::Defer without Message::defer",
                    plugged.name
                ));
                Flow::Next
            }
        }
    }

    pub(in crate::testing) fn defer(&self, _: SparkId) -> u64 {
        let token = self.token();
        self.state().deferring.insert(token, None);
        token
    }

    pub(in crate::testing) fn resume(&self, id: SparkId, token: u64, flow: Flow) {
        self.change(|state| match state.deferring.get_mut(&token) {
            Some(decision) => *decision = Some(flow),
            None => state.inbox.push_back(Job::Resume(id, token, flow)),
        });
    }

    pub(super) fn resume_now(&self, id: SparkId, token: u64, flow: Flow) {
        let taken = {
            let mut state = self.state();
            state.sparks.get_mut(&id).and_then(|spark| spark.deferred.take_if(|deferred| deferred.token == token))
        };
        let Some(deferred) = taken else { return };
        if flow == Flow::Next {
            self.lead(id, &deferred.payload, deferred.next);
        }
        loop {
            let next = {
                let mut state = self.state();
                let Some(spark) = state.sparks.get_mut(&id).filter(|spark| spark.deferred.is_none()) else { return };
                spark.waiting.pop_front()
            };
            match next {
                Some(payload) => drop(self.lead(id, &payload, 0)),
                None => return,
            }
        }
    }

    // ---- messages to clients ----------------------------------------------------------------------------------------------

    /// Sends to a spark: at once on the shard, else at the next turn.
    pub(in crate::testing) fn send(&self, id: SparkId, payload: &Payload<'_>) -> u32 {
        if self.is_shard() {
            return self.send_now(id, payload);
        }
        if !self.is_open(id) {
            return status::MISSING;
        }
        let payload = payload.clone().into_owned();
        self.change(|state| state.inbox.push_back(Job::Send(id, payload)));
        status::OK
    }

    pub(in crate::testing) fn send_many(&self, ids: impl Iterator<Item = SparkId>, payload: &Payload<'_>) -> u64 {
        ids.map(|id| u64::from(self.send(id, payload) == status::OK)).sum()
    }

    pub(super) fn send_now(&self, id: SparkId, payload: &Payload<'_>) -> u32 {
        if !self.is_open(id) {
            return status::MISSING;
        }
        let plugins = self.plugins();
        let parser = parser(&plugins);
        let mut message = hook_message(payload, &parser);
        for (plugged, hook) in by_priority(&plugins, |registrations| &registrations.outgoing) {
            match plugged.enter(|| message.through(hook, id)) {
                Ok(Flow::Stop) => return status::OK,
                Ok(Flow::Next | Flow::Defer) => {}
                Err(fault) => self.fault(&plugged.name, "an outgoing hook", &fault),
            }
        }
        let wire = match message.payload() {
            Payload::Wire { kind, bytes, .. } => Some((kind, bytes.into_owned())),
            Payload::Value(value) => match parser.encode(&value) {
                Ok(wire) => wire,
                Err(failure) => {
                    self.warn(format!("the parser `{}` can't encode a message: {failure}", parser.name()));
                    None
                }
            },
        };
        self.change(|state| {
            if let Some(spark) = state.sparks.get_mut(&id) {
                spark.received.extend(wire);
            }
        });
        status::OK
    }

    /// Takes what a spark was sent: all of it, or the first message.
    pub(in crate::testing) fn take_received(&self, id: SparkId, at_most: usize) -> Vec<(Kind, Vec<u8>)> {
        let mut state = self.state();
        let Some(spark) = state.sparks.get_mut(&id) else { return Vec::new() };
        let count = spark.received.len().min(at_most);
        spark.received.drain(..count).collect()
    }

    /// The parser of all sparks.
    pub(in crate::testing) fn parser(&self) -> Arc<ParserHandle> {
        parser(&self.plugins())
    }

    /// The payload of wire bytes.
    pub(in crate::testing) fn wire(kind: Kind, bytes: &[u8]) -> Payload<'static> {
        Payload::Wire { parser: PARSER, kind, bytes: bytes.to_vec().into() }
    }
}

/// The first parser that a plugin brings; the bench's own is the last plugin's.
pub(super) fn parser(plugins: &[Arc<Plugged>]) -> Arc<ParserHandle> {
    let mut parsers = plugins.iter().flat_map(|plugged| &plugged.registrations.parsers);
    Arc::clone(parsers.next().expect("the bench has a parser of its own"))
}

fn hook_message<'a>(payload: &'a Payload<'_>, parser: &'a ParserHandle) -> HookMessage<'a> {
    match payload {
        Payload::Wire { kind, bytes, .. } => HookMessage::from_wire(*kind, bytes, parser, PARSER),
        Payload::Value(value) => HookMessage::from_value(value.to_vec(), parser, PARSER),
    }
}
