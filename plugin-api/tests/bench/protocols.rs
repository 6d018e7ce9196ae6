//! Transports and parsers that plugins bring.

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, Event, SessionHarness, TransportHarness, json};
use plugin_api::{
    Carrier, Close, Events, ExchangeId, FrameClass, Out, ParseError, Parser, Route, Session, TimerId, Transport, value,
};
use std::num::NonZeroU32;
use std::time::Duration;

/// A line is a message.
struct Lines;

struct Line {
    begun: Vec<u8>,
}

const CLASS: FrameClass = FrameClass(NonZeroU32::MIN);
const IDLE: TimerId = TimerId(7);

impl Transport for Lines {
    type Session = Line;

    fn name(&self) -> &str {
        "lines"
    }

    fn route(&self, request: &Request<'_>) -> Route {
        match request.path() {
            "/lines" => Route::Open,
            "/lines/old" => Route::Session("abc".to_owned()),
            "/lines/info" => Route::Respond(Response::text(200, "lines")),
            _ => Route::Pass,
        }
    }

    fn open(&self, _: &Request<'_>) -> Line {
        Line { begun: Vec::new() }
    }

    fn frame(&self, _: FrameClass, _: Kind, payload: &[u8], out: &mut Out<'_>) {
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\n");
    }

    fn restore(&self, state: &[u8]) -> Option<Line> {
        (state != b"?").then(|| Line { begun: state.to_vec() })
    }
}

impl Session for Line {
    fn request(&mut self, exchange: ExchangeId, request: &Request<'_>, events: &mut Events<'_>) {
        match request.method() {
            "GET" => {
                events.upgrade(exchange, &[("upgrade", "lines")]);
                events.frame_class(Some(CLASS));
                events.set_timer(IDLE, Duration::from_secs(3));
            }
            _ => {
                events.respond_open(exchange, Response::new(200));
                events.chunk(exchange, request.body().to_vec());
                events.finish(exchange);
            }
        }
    }

    /// A line within the input is not copied; one that began earlier is assembled. `!` is a sign of life, `.` the end.
    fn receive(&mut self, input: &mut [u8], events: &mut Events<'_>) {
        let mut start = 0;
        for at in 0..input.len() {
            match input[at] {
                b'\n' if self.begun.is_empty() => events.message(Kind::Text, start..at),
                b'\n' => {
                    self.begun.extend_from_slice(&input[start..at]);
                    events.message_owned(Kind::Text, std::mem::take(&mut self.begun));
                }
                b'!' => events.alive(),
                b'.' => {
                    events.out().extend_from_slice(b"bye\n");
                    return events.close(DisconnectReason::Client { code: None, reason: "done".to_owned() });
                }
                _ => continue,
            }
            start = at + 1;
        }
        self.begun.extend_from_slice(&input[start..]);
    }

    fn send(&mut self, _: Kind, payload: &[u8], events: &mut Events<'_>) {
        events.clear_timer(IDLE);
        events.out().extend_from_slice(&[payload, b"\n"].concat());
    }

    fn timeout(&mut self, timer: TimerId, events: &mut Events<'_>) {
        events.close(DisconnectReason::Timeout(format!("timer {}", timer.0)));
    }

    fn close(&mut self, close: &Close, events: &mut Events<'_>) {
        events.close(DisconnectReason::Protocol { code: close.code.unwrap_or(0), reason: close.reason.clone() });
    }

    fn disconnected(&mut self, carrier: Carrier, events: &mut Events<'_>) {
        if carrier == Carrier::Stream {
            events.close(DisconnectReason::Lost);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.begun.clone())
    }
}

/// Text in capitals.
struct Upper;

impl Parser for Upper {
    fn name(&self) -> &str {
        "upper"
    }

    fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
        let text = std::str::from_utf8(wire).map_err(|error| ParseError::new(error.to_string()))?;
        value::encode(text, value).map_err(|error| ParseError::new(error.to_string()))
    }

    fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
        let text: &str = value::decode(value).map_err(|error| ParseError::new(error.to_string()))?;
        wire.extend(text.to_uppercase().bytes());
        Ok((!text.is_empty()).then_some(Kind::Binary))
    }

    fn decode_string(&self, _: Kind, wire: &[u8], prefix: &str) -> Option<String> {
        String::from_utf8(wire.to_vec()).ok().filter(|text| text.starts_with(prefix))
    }
}

/// Brings both.
struct Protocols;

impl Plugin for Protocols {
    const NAME: &'static str = "protocols";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::PROTOCOL, Lines);
        registrar.parser(Upper);
        registrar.message(|spark, message| {
            let text: String = message.decode().unwrap();
            spark.write(&text).unwrap();
        });
    }
}

export_plugin!(Protocols);

fn line() -> SessionHarness {
    SessionHarness::open(Lines, "/primus/lines")
}

fn text(message: &str) -> Event {
    Event::Message(Kind::Text, message.as_bytes().to_vec())
}

#[test]
fn a_transport_decides_by_the_request() {
    let lines = Bench::start::<Protocols>(json!({})).unwrap().transport("lines");
    assert_eq!(lines.route("/primus/lines"), Route::Open);
    assert_eq!(lines.route("/primus/lines/old"), Route::Session("abc".to_owned()));
    assert_eq!(lines.route("/primus/lines/info"), Route::Respond(Response::text(200, "lines")));
    assert_eq!(lines.route("/primus"), Route::Pass);
    assert_eq!(lines.frame(CLASS, Kind::Text, "a"), b"a\n");
}

#[test]
fn the_opening_request_becomes_the_stream() {
    let upgrade = Event::Upgrade { exchange: ExchangeId(1), headers: vec![("upgrade".to_owned(), "lines".to_owned())] };
    let timer = Event::SetTimer(IDLE, Duration::from_secs(3));
    assert_eq!(line().opening(), [upgrade, Event::FrameClass(Some(CLASS)), timer]);
}

#[test]
fn a_later_exchange_is_answered_in_pieces() {
    let (exchange, events) = line().request(Request::new("POST", "/primus/lines/old").with_body("x"));
    assert_eq!(exchange, ExchangeId(2));
    let head = Event::RespondOpen(exchange, Response::new(200));
    assert_eq!(events, [head, Event::Chunk(exchange, b"x".to_vec()), Event::Finish(exchange)]);
}

#[test]
fn any_split_of_the_input_gives_the_same_events() {
    let input = "one\ntwo\n!three\n.late";
    let expected = [
        text("one"),
        text("two"),
        Event::Alive,
        text("three"),
        Event::Out(b"bye\n".to_vec()),
        Event::Close(DisconnectReason::Client { code: None, reason: "done".to_owned() }),
    ];
    assert_eq!(line().receive(input), expected);
    for size in 0..input.len() {
        assert_eq!(line().receive_split(input, std::iter::repeat(size)), expected, "in pieces of {size}");
    }
}

#[test]
fn what_is_sent_is_shown() {
    assert_eq!(line().send(Kind::Text, "a"), [Event::ClearTimer(IDLE), Event::Out(b"a\n".to_vec())]);
}

#[test]
fn a_session_ends_once() {
    let mut session = line();
    assert_eq!(session.timeout(IDLE), [Event::Close(DisconnectReason::Timeout("timer 7".to_owned()))]);
    assert!(session.is_over());
    assert_eq!(session.receive("late\n"), []);
    let told = DisconnectReason::Protocol { code: 1001, reason: "away".to_owned() };
    assert_eq!(line().close(Some(1001), "away"), [Event::Close(told)]);
    let mut session = line();
    assert_eq!(session.disconnected(Carrier::Exchange(ExchangeId(2))), []);
    assert_eq!(session.disconnected(Carrier::Stream), [Event::Close(DisconnectReason::Lost)]);
}

#[test]
fn a_saved_session_goes_on() {
    let lines = TransportHarness::new(Lines);
    let mut session = lines.open("/primus/lines");
    session.receive("hal");
    let mut restored = lines.restore(&session.save().unwrap()).unwrap();
    assert_eq!(restored.receive("f\n"), [text("half")]);
    assert!(lines.restore(b"?").is_none());
}

#[test]
fn a_plugins_parser_is_the_sparks() {
    let bench = Bench::start::<Protocols>(json!({})).unwrap();
    let parser = bench.parser("upper");
    assert_eq!(parser.roundtrip::<String>("a"), "A");
    assert_eq!(parser.encode(""), Ok(None));
    assert!(parser.encode(&1).is_err() && parser.decode::<String>(Kind::Text, b"\xff").is_err());
    assert_eq!(parser.decode_string(Kind::Text, "x", "").as_deref(), Some("x"));
    let ann = bench.connect("/primus").unwrap();
    ann.send_wire(Kind::Text, "hi");
    assert_eq!(ann.received_wire(), [(Kind::Binary, b"HI".to_vec())]);
}
