//! One connection as a session of the host: bytes in, messages out.

use std::net::IpAddr;
use std::sync::Arc;

use plugin_api::{Carrier, Close, DisconnectReason, Events, ExchangeId, Kind, Request, Response, Session, TimerId, value};
use serde::{Deserialize, Serialize};

use seats::{Full, Seat};

use crate::Shared;
use crate::class_of;
use crate::config::Mode;
use crate::framing::TooLong;

/// The time that a message may take.
const MESSAGE: TimerId = TimerId(0);

/// One connection.
pub struct TcpSession {
    shared: Arc<Shared>,
    mode: Mode,
    /// Its place among those of its address, if there was one left.
    seat: Result<Seat, Full>,
    /// The beginning of a message whose end has not come yet.
    tail: Vec<u8>,
    /// Whether the time of that message runs.
    timed: bool,
}

/// What another process needs to go on.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// The path of its mode.
    mode: String,
    address: IpAddr,
    #[serde(with = "serde_bytes")]
    tail: Vec<u8>,
    timed: bool,
}

impl TcpSession {
    pub(crate) fn new(shared: &Arc<Shared>, mode: Mode, seat: Result<Seat, Full>) -> Self {
        Self { shared: Arc::clone(shared), mode, seat, tail: Vec::new(), timed: false }
    }

    /// One that goes on from a saved state; `None` where that makes no sense.
    pub(crate) fn restore(shared: &Arc<Shared>, state: &[u8]) -> Option<Self> {
        let Saved { mode, address, tail, timed } = value::decode(state).ok()?;
        let seat = Ok(shared.seats.take_over(address));
        Some(Self { shared: Arc::clone(shared), mode: Mode::of_path(&mode)?, seat, tail, timed })
    }

    /// The messages in `input`; whether one was finished that an earlier call began.
    fn take(&mut self, input: &[u8], events: &mut Events<'_>) -> Result<bool, End> {
        let Mode { framing, kind } = self.mode;
        let limit = self.shared.limits.message;
        let mut at = 0;
        let mut finished = false;
        while !self.tail.is_empty() && at < input.len() {
            let (taken, whole) = framing.join(&mut self.tail, &input[at..], limit)?;
            at += taken;
            if whole {
                finished = true;
                let mut message = std::mem::take(&mut self.tail);
                let Some(frame) = framing.first(&message, limit)? else { continue };
                message.truncate(frame.payload.end);
                message.drain(..frame.payload.start);
                match checked(kind, &message)? {
                    Said::Something => events.message_owned(kind, message),
                    Said::Nothing => events.alive(),
                }
            }
        }
        while at < input.len() {
            let Some(frame) = framing.first(&input[at..], limit)? else {
                self.tail = input[at..].to_vec();
                break;
            };
            let payload = at + frame.payload.start..at + frame.payload.end;
            match checked(kind, &input[payload.clone()])? {
                Said::Something => events.message(kind, payload),
                Said::Nothing => events.alive(),
            }
            at += frame.whole;
        }
        Ok(finished)
    }

    /// A message that has begun is to end in time, however slowly its bytes drop in.
    fn watch(&mut self, finished: bool, events: &mut Events<'_>) {
        let waits = !self.tail.is_empty();
        if waits && (finished || !self.timed) {
            events.set_timer(MESSAGE, self.shared.limits.message_time);
        } else if !waits && self.timed {
            events.clear_timer(MESSAGE);
        }
        self.timed = waits;
    }
}

impl Session for TcpSession {
    fn request(&mut self, exchange: ExchangeId, _: &Request<'_>, events: &mut Events<'_>) {
        if let Err(full) = self.seat {
            events.respond(exchange, Response::text(503, full.to_string()));
            return events.close(DisconnectReason::Limit("max_sessions_per_address".to_owned()));
        }
        events.upgrade(exchange, &[]);
        events.frame_class(Some(class_of(self.mode.framing)));
    }

    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        match self.take(input, events) {
            Ok(finished) => self.watch(finished, events),
            Err(end) => events.close(end.into()),
        }
    }

    fn send(&mut self, _: Kind, payload: &[u8], events: &mut Events<'_>) {
        self.mode.framing.write(payload, &mut events.out());
    }

    fn timeout(&mut self, _: TimerId, events: &mut Events<'_>) {
        events.close(DisconnectReason::Timeout("the end of a message".to_owned()));
    }

    fn close(&mut self, _: &Close, events: &mut Events<'_>) {
        events.close(DisconnectReason::Server);
    }

    fn disconnected(&mut self, _: Carrier, events: &mut Events<'_>) {
        events.close(DisconnectReason::Client { code: None, reason: String::new() });
    }

    fn save(&self) -> Option<Vec<u8>> {
        let address = self.seat.as_ref().ok()?.address();
        let saved = Saved { mode: self.mode.path().to_owned(), address, tail: self.tail.clone(), timed: self.timed };
        value::to_vec(&saved).ok()
    }
}

/// What stands between two ends.
enum Said {
    Something,
    /// A sign of life.
    Nothing,
}

fn checked(kind: Kind, message: &[u8]) -> Result<Said, End> {
    if message.is_empty() {
        return Ok(Said::Nothing);
    }
    match kind {
        Kind::Text if simdutf8::basic::from_utf8(message).is_err() => Err(End::NotText),
        Kind::Text | Kind::Binary => Ok(Said::Something),
    }
}

/// What a client may not do.
enum End {
    TooLong(TooLong),
    NotText,
}

impl From<TooLong> for End {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<End> for DisconnectReason {
    fn from(end: End) -> Self {
        match end {
            End::TooLong(error) => Self::Limit(error.to_string()),
            End::NotText => Self::Protocol { code: 1007, reason: "a text that is no UTF-8".to_owned() },
        }
    }
}
