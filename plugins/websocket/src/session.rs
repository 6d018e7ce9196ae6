//! One WebSocket connection as a state machine (RFC 6455): bytes in, events out.
//!
//! Knows frames, fragments and the closing handshake. Knows nothing of sockets, sparks or parsers. An idle session is a few
//! words: whatever is incomplete, and the compression's contexts, are boxed when they are there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Carrier, Close, DisconnectReason, Events, ExchangeId, Kind, Out, Request, Response, Session, TimerId};

use crate::close::{self, CloseCode};
use crate::deflate::Contexts;
use crate::endpoint::Endpoint;
use crate::error::ProtocolError;
use crate::frame::{self, Coding, Control, End, Header, Opcode, Parsed};
use crate::handshake;
use crate::incomplete::{Incomplete, Taken};
use crate::mask::{self, Charset};
use crate::message::Assembly;
use crate::utf8;

/// The only timer: what it is for is told by the phase.
const TIMER: TimerId = TimerId(0);

/// One connection.
pub struct WebSocket {
    endpoint: Arc<Endpoint>,
    /// A frame or a message of which more is to come.
    incomplete: Option<Box<Incomplete>>,
    /// There when permessage-deflate was negotiated.
    contexts: Option<Box<Contexts>>,
    phase: Phase,
}

const _: () = assert!(size_of::<WebSocket>() <= 40);

/// Where the connection stands (RFC 6455, section 4 and 7).
enum Phase {
    /// The handshake is not answered.
    Connecting(Purpose),
    /// Messages flow.
    Open(Purpose),
    /// Our close frame is sent, the peer's has not come.
    Closing,
    /// The peer has sent its last: a close frame, or a violation. Nothing is read any more, but what the host answers to the
    /// messages before it still goes out, and only then our close frame.
    Ending(Box<Ending>),
    /// Nothing is read or written any more.
    Closed,
}

/// How a connection is going to end.
struct Ending {
    /// The payload of our close frame.
    close: Vec<u8>,
    reason: DisconnectReason,
}

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They go to the host.
    Messages,
    /// They go back as they came.
    Echo,
}

impl WebSocket {
    /// Before its handshake.
    pub fn new(endpoint: Arc<Endpoint>, purpose: Purpose) -> Self {
        Self { endpoint, incomplete: None, contexts: None, phase: Phase::Connecting(purpose) }
    }

    /// Reads frames until the input ends or the connection does.
    fn read(&mut self, input: &mut [u8], events: &mut Events<'_>) -> Result<(), ProtocolError> {
        let mut at = 0;
        while at < input.len() && matches!(self.phase, Phase::Open(_) | Phase::Closing) {
            if self.incomplete.is_none()
                && let Parsed::Header(header, size) = Header::parse(&input[at..])?
                && header.end == End::Final
                && header.coding == Coding::Plain
                && header.length <= (input.len() - at - size) as u64
            {
                let start = at + size;
                at = start + header.length as usize;
                self.read_frame(header, input, start..at, events)?;
            } else {
                at += self.collect(&mut input[at..], events)?;
            }
        }
        Ok(())
    }

    /// A whole frame which stands alone and lies in the input: the most frequent case by far.
    #[inline]
    fn read_frame(
        &mut self,
        header: Header,
        input: &mut [u8],
        payload: Range<usize>,
        events: &mut Events<'_>,
    ) -> Result<(), ProtocolError> {
        self.admit(&header, None)?;
        let bytes = &mut input[payload.clone()];
        let charset = mask::unmask(bytes, header.key);
        match header.opcode {
            Opcode::Start(kind) => {
                if kind == Kind::Text && charset == Charset::Unknown {
                    utf8::check(bytes)?;
                }
                match self.phase {
                    Phase::Open(Purpose::Messages) => events.message(kind, payload),
                    Phase::Open(Purpose::Echo) => self.write_message(kind, bytes, &mut events.out()),
                    _ => {}
                }
                Ok(())
            }
            Opcode::Control(control) => self.control(control, bytes, events),
            Opcode::Continuation => Err(ProtocolError::NothingToContinue),
        }
    }

    /// Whether a frame may come now, and may be as long as it is.
    #[inline]
    fn admit(&self, header: &Header, message: Option<&Assembly>) -> Result<(), ProtocolError> {
        let limit = self.endpoint.settings.max_message;
        let room = match (header.opcode, message) {
            (Opcode::Control(_), _) => return Ok(()),
            (Opcode::Continuation, Some(message)) => message.room(limit),
            (Opcode::Continuation, None) => return Err(ProtocolError::NothingToContinue),
            (Opcode::Start(_), Some(_)) => return Err(ProtocolError::MessageInsideMessage),
            (Opcode::Start(_), None) => match header.coding {
                Coding::Plain => limit as u64,
                // Only inflating tells how long it is.
                Coding::Deflated if self.contexts.is_some() => u64::MAX,
                Coding::Deflated => return Err(ProtocolError::ReservedBit),
            },
        };
        if header.length > room { Err(ProtocolError::TooLong) } else { Ok(()) }
    }

    /// Takes bytes of a frame that is not complete in the input, or not a message by itself, and tells how many.
    #[inline(never)]
    fn collect(&mut self, input: &mut [u8], events: &mut Events<'_>) -> Result<usize, ProtocolError> {
        let mut incomplete = self.incomplete.take().unwrap_or_default();
        let used = if incomplete.is_inside_payload() {
            incomplete.take(input, self.endpoint.settings.max_message)?
        } else {
            let (used, taken) = incomplete.head().take(input)?;
            if let Some(Taken { header, payload }) = taken {
                self.admit(&header, incomplete.message())?;
                match header.opcode {
                    Opcode::Control(control) => self.control(control, &payload, events)?,
                    Opcode::Continuation => incomplete.enter(&header),
                    Opcode::Start(kind) => {
                        incomplete.begin(self.assembly(kind, header.coding));
                        incomplete.enter(&header);
                    }
                }
            }
            used
        };
        if let Some(message) = incomplete.end() {
            self.finish(message, events)?;
        }
        if !incomplete.is_empty() {
            self.incomplete = Some(incomplete);
        }
        Ok(used)
    }

    fn assembly(&mut self, kind: Kind, coding: Coding) -> Assembly {
        match (coding, &mut self.contexts) {
            (Coding::Deflated, Some(contexts)) => Assembly::deflated(kind, contexts.inflater(&self.endpoint.codecs)),
            _ => Assembly::plain(kind),
        }
    }

    fn finish(&mut self, message: Assembly, events: &mut Events<'_>) -> Result<(), ProtocolError> {
        let (kind, bytes, inflater) = message.finish(self.endpoint.settings.max_message)?;
        if let (Some(inflater), Some(contexts)) = (inflater, &mut self.contexts) {
            contexts.return_inflater(inflater, &self.endpoint.codecs);
        }
        match self.phase {
            Phase::Open(Purpose::Messages) => events.message_owned(kind, bytes),
            Phase::Open(Purpose::Echo) => self.write_message(kind, &bytes, &mut events.out()),
            _ => {}
        }
        Ok(())
    }

    #[inline(never)]
    fn control(&mut self, control: Control, payload: &[u8], events: &mut Events<'_>) -> Result<(), ProtocolError> {
        match control {
            Control::Ping => {
                events.alive();
                if let Phase::Open(_) = self.phase {
                    write_control(Control::Pong, payload, &mut events.out());
                }
            }
            Control::Pong => events.alive(),
            Control::Close => {
                let (code, reason) = close::parse(payload)?
                    .map_or((None, String::new()), |(code, reason)| (Some(code.get()), reason.to_owned()));
                // The code goes back, without the reason (section 5.5.1).
                let close = payload.get(..2).unwrap_or_default().to_vec();
                self.peer_ended(Ending { close, reason: DisconnectReason::Client { code, reason } }, events);
            }
        }
        Ok(())
    }

    /// The peer broke the protocol: it is told so, and nothing more is read (section 7.1.7).
    #[cold]
    fn fail(&mut self, error: ProtocolError, events: &mut Events<'_>) {
        let code = error.close_code();
        let text = error.to_string();
        let close = close::payload(code, &text);
        let reason = match error {
            ProtocolError::TooLong => DisconnectReason::Limit("max_message_bytes".to_owned()),
            _ => DisconnectReason::Protocol { code: code.get(), reason: text },
        };
        self.peer_ended(Ending { close, reason }, events);
    }

    /// The host is to work off what came before the end first: it does so after this call, and then comes the timer.
    fn peer_ended(&mut self, ending: Ending, events: &mut Events<'_>) {
        match self.phase {
            Phase::Open(_) => {
                self.phase = Phase::Ending(Box::new(ending));
                events.set_timer(TIMER, Duration::ZERO);
            }
            // It is the answer to our close frame, or in place of one.
            _ => self.end(DisconnectReason::Server, events),
        }
    }

    fn end(&mut self, reason: DisconnectReason, events: &mut Events<'_>) {
        self.phase = Phase::Closed;
        self.incomplete = None;
        self.contexts = None;
        events.close(reason);
    }

    #[inline]
    fn write_message(&mut self, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        match &mut self.contexts {
            None => frame::write(Opcode::Start(kind), Coding::Plain, payload, out),
            Some(contexts) => self.endpoint.write_message(contexts, kind, payload, out),
        }
    }
}

fn write_control(control: Control, payload: &[u8], out: &mut Out<'_>) {
    frame::write(Opcode::Control(control), Coding::Plain, payload, out);
}

impl Session for WebSocket {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        let Phase::Connecting(purpose) = self.phase else {
            return events.respond(exchange, Response::text(400, "a WebSocket has a single request"));
        };
        match handshake::judge(request, &self.endpoint.settings) {
            Ok(acceptance) => {
                acceptance.with_headers(|headers| events.upgrade(exchange, headers));
                self.contexts = acceptance.deflate.map(|agreed| Box::new(Contexts::new(agreed.parameters)));
                events.frame_class(self.endpoint.frame_class(self.contexts.as_deref()));
                self.phase = Phase::Open(purpose);
            }
            Err(refusal) => {
                let response = refusal.response();
                let reason = DisconnectReason::Protocol { code: response.status, reason: refusal.to_string() };
                events.respond(exchange, response);
                self.end(reason, events);
            }
        }
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        if let Err(error) = self.read(input, events) {
            self.fail(error, events);
        }
    }

    fn send(&mut self, kind: Kind, payload: &[u8], events: &mut Events<'_>) {
        if let Phase::Open(_) | Phase::Ending(_) = self.phase {
            self.write_message(kind, payload, &mut events.out());
        }
    }

    fn timeout(&mut self, _: TimerId, events: &mut Events<'_>) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Closing => self.end(DisconnectReason::Timeout("the answer to the close frame".to_owned()), events),
            Phase::Ending(ending) => {
                write_control(Control::Close, &ending.close, &mut events.out());
                self.end(ending.reason, events);
            }
            // No timer is set in any other phase.
            other => self.phase = other,
        }
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        match self.phase {
            Phase::Connecting(_) => self.end(DisconnectReason::Server, events),
            Phase::Open(_) => {
                let code = close.code.and_then(CloseCode::new).or(self.endpoint.settings.close_code);
                let payload = code.map(|code| close::payload(code, &close.reason)).unwrap_or_default();
                write_control(Control::Close, &payload, &mut events.out());
                self.phase = Phase::Closing;
                events.set_timer(TIMER, self.endpoint.settings.close_timeout);
            }
            Phase::Closing | Phase::Ending(_) | Phase::Closed => {}
        }
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Connecting(_) | Phase::Open(_) => self.end(DisconnectReason::Lost, events),
            Phase::Closing => self.end(DisconnectReason::Server, events),
            Phase::Ending(ending) => self.end(ending.reason, events),
            Phase::Closed => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use plugin_api::abi::types::EventSink;

    use super::*;
    use crate::config::{Config, Settings};

    #[test]
    fn a_session_between_two_messages_holds_nothing() {
        let endpoint = Arc::new(Endpoint::new(Settings::new(Config::default()).unwrap()));
        let mut session = WebSocket { phase: Phase::Open(Purpose::Messages), ..WebSocket::new(endpoint, Purpose::Messages) };
        let mut receive = |bytes: &[u8]| {
            session.receive(&mut bytes.to_vec(), &mut Events::new(&mut EventSink::new()));
            session.incomplete.is_some()
        };
        let [fragment, ping, last] = [&b"\x01\x81\0\0\0\0a"[..], b"\x89\x80\0\0\0\0", b"\x80\x81\0\0\0\0b"];
        assert!(receive(&ping[..3]), "half a header");
        assert!(!receive(&ping[3..]), "its rest");
        assert!(receive(fragment));
        assert!(receive(ping));
        assert!(!receive(last));
    }
}
