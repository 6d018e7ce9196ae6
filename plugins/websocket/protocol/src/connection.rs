//! One WebSocket connection as a state machine (RFC 6455): bytes in, messages out.
//!
//! Knows frames, fragments and the closing handshake. Knows nothing of sockets or sparks, and not what its messages are for: a
//! [`Receiver`] takes them. An idle connection is a few words: whatever is unfinished, and the compression's contexts, are
//! boxed when they are there.

mod saved;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::abi::types::EventSink;
use plugin_api::{Close, DisconnectReason, Events, ExchangeId, FrameClass, Kind, Out, Request, TimerId};

use crate::close;
use crate::deflate::Contexts;
use crate::endpoint::Endpoint;
use crate::error::ProtocolError;
use crate::frame::{self, Coding, Control, End, Header, Opcode, Parsed};
use crate::handshake::{self, Refusal};
use crate::incomplete::{Incomplete, Taken};
use crate::mask::{self, Charset};
use crate::message::{self, Assembly};
use crate::utf8;

/// The only timer of a connection: what it is for is told by the phase. The others of the session are free.
pub const TIMER: TimerId = TimerId(0);

/// What takes the messages of a connection: the protocol above it.
pub trait Receiver {
    /// A message that lies in the input of the call, at `place`: what [`Events::message`] wants to know. It may be worked on in
    /// place.
    fn message(
        &mut self,
        kind: Kind,
        payload: &mut [u8],
        place: Range<usize>,
        replies: &mut Replies<'_>,
        events: &mut Events<'_>,
    );

    /// A message that was assembled.
    fn message_owned(&mut self, kind: Kind, payload: Vec<u8>, replies: &mut Replies<'_>, events: &mut Events<'_>);
}

/// Writes messages while one is received.
pub struct Replies<'c> {
    endpoint: &'c Endpoint,
    contexts: &'c mut Option<Box<Contexts>>,
}

impl Replies<'_> {
    /// Writes one message to the client.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        match self.contexts {
            None => frame::write(Opcode::Start(kind), Coding::Plain, payload, out),
            Some(contexts) => self.endpoint.write_message(contexts, kind, payload, out),
        }
    }
}

/// The connection is over: why. Nothing of it is to be called any more, and its stream is to be closed once everything is
/// written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Over(pub DisconnectReason);

/// One connection.
pub struct Connection<Note = ()> {
    endpoint: Arc<Endpoint>,
    /// There amid a frame or a message, or amid the end.
    unfinished: Option<Box<Unfinished>>,
    /// There when permessage-deflate was negotiated.
    contexts: Option<Box<Contexts>>,
    phase: Phase,
    /// A word of the protocol above; up to seven bytes of it take no memory.
    pub note: Note,
}

const _: () = assert!(size_of::<Connection<u8>>() <= 32);

/// Where the connection stands (RFC 6455, section 4 and 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The handshake is not answered.
    Connecting,
    /// Messages flow.
    Open,
    /// Our close frame is sent, the peer's has not come.
    Closing,
    /// The peer has sent its last: a close frame, or a violation. Nothing is read any more, but what the host answers to the
    /// messages before it still goes out, and only then our close frame.
    Ending,
    /// Nothing is read or written any more.
    Closed,
}

/// What a connection is amid of.
enum Unfinished {
    /// A frame or a message of which more is to come.
    Incoming(Incomplete),
    /// The phase [`Phase::Ending`].
    Ending(Ending),
}

/// How a connection is going to end.
struct Ending {
    /// The payload of our close frame.
    close: Vec<u8>,
    reason: DisconnectReason,
}

impl<Note> Connection<Note> {
    /// Before its handshake.
    pub fn new(endpoint: Arc<Endpoint>, note: Note) -> Self {
        Self { endpoint, unfinished: None, contexts: None, phase: Phase::Connecting, note }
    }

    /// Accepts a handshake: the exchange becomes the stream carrier. Tells how messages are framed, where that doesn't depend
    /// on former ones.
    ///
    /// # Errors
    /// Why the handshake is refused; the exchange is not answered then.
    pub fn accept(
        &mut self,
        exchange: ExchangeId,
        request: &Request<'_>,
        events: &mut Events<'_>,
    ) -> Result<Option<FrameClass>, Refusal> {
        let acceptance = handshake::judge(request, &self.endpoint.settings)?;
        acceptance.with_headers(|headers| events.upgrade(exchange, headers));
        self.contexts = acceptance.deflate.map(|agreed| Box::new(Contexts::new(agreed.parameters)));
        self.phase = Phase::Open;
        Ok(self.endpoint.frame_class(self.contexts.as_deref()))
    }

    /// Whether the handshake is still to come.
    pub fn is_connecting(&self) -> bool {
        self.phase == Phase::Connecting
    }

    /// Whether messages to the client still go out.
    pub fn is_writable(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Ending)
    }

    /// Takes the stream's next bytes, all of them.
    pub fn receive(&mut self, input: &mut [u8], receiver: &mut impl Receiver, events: &mut Events<'_>) -> Option<Over> {
        match self.read(input, receiver, events) {
            Ok(over) => over,
            Err(error) => self.fail(error, events),
        }
    }

    /// Writes one message to the client.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        if self.is_writable() {
            self.replies().send(kind, payload, out);
        }
    }

    /// Writes one message to the client that is made of two pieces.
    #[inline]
    pub fn send_prefixed(&mut self, kind: Kind, prefix: &[u8], rest: &[u8], out: &mut Out<'_>) {
        if self.is_writable() {
            match self.contexts {
                None => frame::write_pieces(Opcode::Start(kind), Coding::Plain, [prefix, rest], out),
                Some(_) => self.replies().send(kind, &[prefix, rest].concat(), out),
            }
        }
    }

    /// Writes one message to the client, by writing its payload, which has about `expected` bytes, where it is to stand.
    #[inline]
    pub fn send_in_place(&mut self, kind: Kind, expected: usize, out: &mut Out<'_>, fill: impl FnOnce(&mut Out<'_>)) {
        if self.is_writable() {
            match self.contexts {
                None => frame::write_in_place(kind, expected, out, fill),
                Some(_) => {
                    let mut apart = EventSink::new();
                    fill(&mut Out::new(&mut apart.out));
                    self.replies().send(kind, &apart.out, out);
                }
            }
        }
    }

    /// [`TIMER`] has come.
    pub fn timeout(&mut self, events: &mut Events<'_>) -> Option<Over> {
        match self.phase {
            Phase::Closing => Some(self.end(DisconnectReason::Timeout("the answer to the close frame".to_owned()))),
            Phase::Ending => {
                let ending = self.take_ending()?;
                write_control(Control::Close, &ending.close, &mut events.out());
                Some(self.end(ending.reason))
            }
            // No timer is set in any other phase.
            Phase::Connecting | Phase::Open | Phase::Closed => None,
        }
    }

    /// Writes a close frame; the connection is over with the peer's answer.
    pub fn close(&mut self, close: &Close, events: &mut Events<'_>) -> Option<Over> {
        match self.phase {
            Phase::Connecting => Some(self.end(DisconnectReason::Server)),
            Phase::Open => {
                self.endpoint.write_close(close, &mut events.out());
                self.phase = Phase::Closing;
                events.set_timer(TIMER, self.endpoint.settings.close_timeout);
                None
            }
            Phase::Closing | Phase::Ending | Phase::Closed => None,
        }
    }

    /// The stream is gone.
    pub fn disconnected(&mut self) -> Option<Over> {
        match self.phase {
            Phase::Connecting | Phase::Open => Some(self.end(DisconnectReason::Lost)),
            Phase::Closing => Some(self.end(DisconnectReason::Server)),
            Phase::Ending => {
                let ending = self.take_ending()?;
                Some(self.end(ending.reason))
            }
            Phase::Closed => None,
        }
    }

    /// Reads frames until the input ends or the connection does.
    fn read(
        &mut self,
        input: &mut [u8],
        receiver: &mut impl Receiver,
        events: &mut Events<'_>,
    ) -> Result<Option<Over>, ProtocolError> {
        let mut at = 0;
        let mut over = None;
        while at < input.len() && matches!(self.phase, Phase::Open | Phase::Closing) {
            if self.unfinished.is_none()
                && let Parsed::Header(header, size) = Header::parse(&input[at..])?
                && header.end == End::Final
                && header.coding == Coding::Plain
                && header.length <= (input.len() - at - size) as u64
            {
                let start = at + size;
                at = start + header.length as usize;
                over = self.read_frame(header, input, start..at, receiver, events)?;
            } else {
                let (used, now_over) = self.collect(&mut input[at..], receiver, events)?;
                at += used;
                over = now_over;
            }
        }
        Ok(over)
    }

    /// A whole frame which stands alone and lies in the input: the most frequent case by far.
    #[inline]
    fn read_frame(
        &mut self,
        header: Header,
        input: &mut [u8],
        place: Range<usize>,
        receiver: &mut impl Receiver,
        events: &mut Events<'_>,
    ) -> Result<Option<Over>, ProtocolError> {
        self.admit(&header, None)?;
        let bytes = &mut input[place.clone()];
        let charset = mask::unmask(bytes, header.key);
        match header.opcode {
            Opcode::Start(kind) => {
                if kind == Kind::Text && charset == Charset::Unknown {
                    utf8::check(bytes)?;
                }
                if self.phase == Phase::Open {
                    receiver.message(kind, bytes, place, &mut self.replies(), events);
                }
                Ok(None)
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
            (Opcode::Start(_), None) if header.coding == Coding::Deflated && self.contexts.is_none() => {
                return Err(ProtocolError::ReservedBit);
            }
            (Opcode::Start(_), None) => message::room(header.coding, limit),
        };
        if header.length > room { Err(ProtocolError::TooLong) } else { Ok(()) }
    }

    /// Takes bytes of a frame that is not complete in the input, or not a message by itself, and tells how many.
    #[inline(never)]
    fn collect(
        &mut self,
        input: &mut [u8],
        receiver: &mut impl Receiver,
        events: &mut Events<'_>,
    ) -> Result<(usize, Option<Over>), ProtocolError> {
        let mut over = None;
        let mut unfinished = self.unfinished.take().unwrap_or_else(|| Box::new(Unfinished::Incoming(Incomplete::default())));
        let Unfinished::Incoming(incomplete) = &mut *unfinished else {
            // Nothing is read in the phase that it is there in.
            return Ok((input.len(), None));
        };
        let used = if incomplete.is_inside_payload() {
            incomplete.take(input)?
        } else {
            let (used, taken) = incomplete.head().take(input)?;
            if let Some(Taken { header, payload }) = taken {
                self.admit(&header, incomplete.message())?;
                match header.opcode {
                    Opcode::Control(control) => over = self.control(control, &payload, events)?,
                    Opcode::Continuation => incomplete.enter(&header),
                    Opcode::Start(kind) => {
                        incomplete.begin(Assembly::new(kind, header.coding));
                        incomplete.enter(&header);
                    }
                }
            }
            used
        };
        if let Some(message) = incomplete.end() {
            self.finish(message, receiver, events)?;
        }
        if !incomplete.is_empty() && matches!(self.phase, Phase::Open | Phase::Closing) {
            self.unfinished = Some(unfinished);
        }
        Ok((used, over))
    }

    fn finish(
        &mut self,
        message: Assembly,
        receiver: &mut impl Receiver,
        events: &mut Events<'_>,
    ) -> Result<(), ProtocolError> {
        let (kind, bytes) = match (message.coding(), &mut self.contexts) {
            (Coding::Deflated, Some(contexts)) => {
                let mut inflater = contexts.inflater(&self.endpoint.codecs);
                let inflated = message.inflate(&mut inflater, self.endpoint.settings.max_message);
                contexts.return_inflater(inflater, &self.endpoint.codecs);
                inflated?
            }
            (Coding::Plain, _) | (_, None) => message.finish()?,
        };
        if self.phase == Phase::Open {
            receiver.message_owned(kind, bytes, &mut self.replies(), events);
        }
        Ok(())
    }

    #[inline(never)]
    fn control(&mut self, control: Control, payload: &[u8], events: &mut Events<'_>) -> Result<Option<Over>, ProtocolError> {
        match control {
            Control::Ping => {
                events.alive();
                if self.phase == Phase::Open {
                    write_control(Control::Pong, payload, &mut events.out());
                }
            }
            Control::Pong => events.alive(),
            Control::Close => {
                let (code, reason) = close::parse(payload)?
                    .map_or((None, String::new()), |(code, reason)| (Some(code.get()), reason.to_owned()));
                // The code goes back, without the reason (section 5.5.1).
                let close = payload.get(..2).unwrap_or_default().to_vec();
                return Ok(self.peer_ended(Ending { close, reason: DisconnectReason::Client { code, reason } }, events));
            }
        }
        Ok(None)
    }

    /// The peer broke the protocol: it is told so, and nothing more is read (section 7.1.7).
    #[cold]
    fn fail(&mut self, error: ProtocolError, events: &mut Events<'_>) -> Option<Over> {
        let code = error.close_code();
        let text = error.to_string();
        let close = close::payload(code, &text);
        let reason = match error {
            ProtocolError::TooLong => DisconnectReason::Limit("max_message_bytes".to_owned()),
            _ => DisconnectReason::Protocol { code: code.get(), reason: text },
        };
        self.peer_ended(Ending { close, reason }, events)
    }

    /// The host is to work off what came before the end first: it does so after this call, and then comes the timer.
    fn peer_ended(&mut self, ending: Ending, events: &mut Events<'_>) -> Option<Over> {
        match self.phase {
            Phase::Open => {
                self.phase = Phase::Ending;
                self.unfinished = Some(Box::new(Unfinished::Ending(ending)));
                events.set_timer(TIMER, Duration::ZERO);
                None
            }
            // It is the answer to our close frame, or in place of one.
            _ => Some(self.end(DisconnectReason::Server)),
        }
    }

    fn end(&mut self, reason: DisconnectReason) -> Over {
        self.phase = Phase::Closed;
        self.unfinished = None;
        self.contexts = None;
        Over(reason)
    }

    fn take_ending(&mut self) -> Option<Ending> {
        match *self.unfinished.take()? {
            Unfinished::Ending(ending) => Some(ending),
            Unfinished::Incoming(_) => None,
        }
    }

    #[inline]
    fn replies(&mut self) -> Replies<'_> {
        Replies { endpoint: &self.endpoint, contexts: &mut self.contexts }
    }
}

fn write_control(control: Control, payload: &[u8], out: &mut Out<'_>) {
    frame::write(Opcode::Control(control), Coding::Plain, payload, out);
}

#[cfg(test)]
mod tests {
    use plugin_api::abi::types::EventSink;

    use super::*;
    use crate::settings::Settings;

    /// Takes messages and forgets them.
    struct Sieve;

    impl Receiver for Sieve {
        fn message(&mut self, _: Kind, _: &mut [u8], _: Range<usize>, _: &mut Replies<'_>, _: &mut Events<'_>) {}

        fn message_owned(&mut self, _: Kind, _: Vec<u8>, _: &mut Replies<'_>, _: &mut Events<'_>) {}
    }

    #[test]
    fn a_connection_between_two_messages_holds_nothing() {
        let mut connection = Connection::new(Arc::new(Endpoint::new(Settings::default())), ());
        connection.phase = Phase::Open;
        let mut receive = |bytes: &[u8]| {
            let over = connection.receive(&mut bytes.to_vec(), &mut Sieve, &mut Events::new(&mut EventSink::new()));
            assert_eq!(over, None);
            connection.unfinished.is_some()
        };
        let [fragment, ping, last] = [&b"\x01\x81\0\0\0\0a"[..], b"\x89\x80\0\0\0\0", b"\x80\x81\0\0\0\0b"];
        assert!(receive(&ping[..3]), "half a header");
        assert!(!receive(&ping[3..]), "its rest");
        assert!(receive(fragment));
        assert!(receive(ping));
        assert!(!receive(last));
    }
}
