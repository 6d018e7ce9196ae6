//! One stream of messages as a session of the host.

use std::num::NonZeroU32;

use plugin_api::{Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Request, Response, Session, TimerId};

use crate::frame::{self, Head};

/// One session.
pub struct WebTransportSession {
    /// The most bytes of a message.
    limit: usize,
    /// The beginning of a message whose end has not come yet, with its head.
    tail: Vec<u8>,
}

/// What a client may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("a message is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("a text that is no UTF-8")]
    NotText,
}

impl WebTransportSession {
    /// With messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, tail: Vec::new() }
    }

    fn take(&mut self, input: &[u8], events: &mut Events<'_>) -> Result<(), Fault> {
        let mut at = 0;
        while !self.tail.is_empty() && at < input.len() {
            let wanted = match self.head(&self.tail)? {
                Some((head, length)) => head.size + length,
                // One byte after the other: few are missing.
                None => self.tail.len() + 1,
            };
            let taken = (wanted - self.tail.len()).min(input.len() - at);
            self.tail.extend_from_slice(&input[at..at + taken]);
            at += taken;
            if let Some((head, length)) = self.head(&self.tail)?
                && self.tail.len() == head.size + length
            {
                let mut message = std::mem::take(&mut self.tail);
                message.drain(..head.size);
                match says_something(head.kind, &message)? {
                    true => events.message_owned(head.kind, message),
                    false => events.alive(),
                }
            }
        }
        while at < input.len() {
            let rest = &input[at..];
            let whole = self.head(rest)?.filter(|(head, length)| rest.len() >= head.size + length);
            let Some((head, length)) = whole else {
                self.tail = rest.to_vec();
                break;
            };
            let payload = at + head.size..at + head.size + length;
            match says_something(head.kind, &input[payload.clone()])? {
                true => events.message(head.kind, payload.clone()),
                false => events.alive(),
            }
            at = payload.end;
        }
        Ok(())
    }

    /// The head and the bytes of the message behind it.
    fn head(&self, bytes: &[u8]) -> Result<Option<(Head, usize)>, Fault> {
        let Some(head) = Head::of(bytes) else { return Ok(None) };
        match usize::try_from(head.length) {
            Ok(length) if length <= self.limit => Ok(Some((head, length))),
            _ => Err(Fault::TooLong { limit: self.limit }),
        }
    }
}

/// An empty message is a sign of life.
fn says_something(kind: Kind, message: &[u8]) -> Result<bool, Fault> {
    match kind {
        Kind::Text if simdutf8::basic::from_utf8(message).is_err() => Err(Fault::NotText),
        Kind::Text | Kind::Binary => Ok(!message.is_empty()),
    }
}

impl Session for WebTransportSession {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        if !matches!(request.path(), "" | "/") {
            events.respond(exchange, Response::text(404, "there are no sessions at this path"));
            return events.close(DisconnectReason::Lost);
        }
        events.upgrade(exchange, &[]);
        events.frame_class(Some(FrameClass(NonZeroU32::MIN)));
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        if let Err(fault) = self.take(input, events) {
            events.close(match fault {
                Fault::TooLong { .. } => DisconnectReason::Limit(fault.to_string()),
                Fault::NotText => DisconnectReason::Protocol { code: 1007, reason: fault.to_string() },
            });
        }
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        frame::write(kind, payload, &mut events.out());
    }

    fn timeout(&mut self, _: TimerId, _: &mut Events<'_>) {}

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        events.close(DisconnectReason::Server);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        events.close(DisconnectReason::Client { code: None, reason: String::new() });
    }
}
