//! Sessions over a WebSocket, in the frames of SockJS and without them.

mod support;

use std::time::Duration;

use plugin_api::testing::{Event, SessionHarness};
use plugin_api::{Carrier, DisconnectReason, FrameClass, Kind, Request, Route, TimerId};
use proptest::prelude::*;
use sockjs::HEARTBEAT;
use sockjs::config::Config;
use support::{transport, with};

const FRAMED: &str = "/primus/000/name/websocket";
const RAW: &str = "/primus/websocket";

fn handshake(path: &str) -> Request<'static> {
    Request::new("GET", path)
        .with_header("host", "localhost")
        .with_header("upgrade", "websocket")
        .with_header("connection", "Upgrade")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with_header("sec-websocket-version", "13")
}

fn open(path: &str) -> SessionHarness {
    transport().open(handshake(path))
}

/// A client's frame: its key is zero, so that its payload stands as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65536 => bytes.extend([&[0xfe][..], &(length as u16).to_be_bytes()].concat()),
        length => bytes.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// The server's frames: first byte and payload as text.
fn written(events: &[Event]) -> Vec<(u8, String)> {
    let mut frames = Vec::new();
    for event in events {
        let Event::Out(bytes) = event else { continue };
        let mut rest = &bytes[..];
        while let [first, second, tail @ ..] = rest {
            let (length, tail) = match second {
                126 => (usize::from(u16::from_be_bytes([tail[0], tail[1]])), &tail[2..]),
                length => (usize::from(*length), tail),
            };
            let payload = if *first == 0x88 { tail[2.min(length)..length].to_vec() } else { tail[..length].to_vec() };
            frames.push((*first, String::from_utf8(payload).unwrap()));
            rest = &tail[length..];
        }
    }
    frames
}

fn message(text: &str) -> Event {
    Event::Message(Kind::Text, text.as_bytes().to_vec())
}

#[test]
fn a_session_opens_with_its_frame_and_each_is_one_of_its_own() {
    let transport = transport();
    for _ in 0..2 {
        let session = transport.open(handshake(FRAMED));
        assert!(matches!(session.opening()[0], Event::Upgrade { .. }));
        assert!(session.opening().contains(&Event::SetTimer(HEARTBEAT, Duration::from_secs(25))));
        assert_eq!(written(session.opening()), [(0x81, "o".to_owned())]);
    }
}

#[test]
fn messages_are_unpacked_in_place_and_packed_alone() {
    let mut session = open(FRAMED);
    assert_eq!(session.receive(text(r#"["{\"a\":\"\u00e9\"}","b"]"#)), [message("{\"a\":\"é\"}"), message("b")]);
    assert_eq!(session.receive(text(r#""single""#)), [message("single")]);
    assert_eq!(session.receive([text(""), text("[]")].concat()), []);
    assert_eq!(written(&session.send(Kind::Text, "{\"a\":1}")), [(0x81, r#"a["{\"a\":1}"]"#.to_owned())]);
}

#[test]
fn a_broken_frame_closes_after_what_came_before_it() {
    for broken in [text("[\"a"), text("{}"), frame(0x82, b"[\"a\"]")] {
        let mut session = open(FRAMED);
        let events = session.receive([text("[\"before\"]"), broken, text("[\"after\"]")].concat());
        let [Event::Message(Kind::Text, before), Event::SetTimer(fault, Duration::ZERO)] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(before, b"before");
        assert_eq!(written(&session.send(Kind::Text, "answer")), [(0x81, "a[\"answer\"]".to_owned())]);
        let events = session.timeout(*fault);
        let expected = [(0x81, "c[3000,\"Broken framing.\"]".to_owned()), (0x88, "Broken framing.".to_owned())];
        assert_eq!(written(&events), expected);
        assert!(matches!(events.last(), Some(Event::Close(DisconnectReason::Protocol { code: 3000, .. }))));
    }
}

#[test]
fn a_close_is_told_in_both_protocols() {
    let mut session = open(FRAMED);
    let expected = [(0x81, "c[1000,\"Normal closure\"]".to_owned()), (0x88, "Normal closure".to_owned())];
    assert_eq!(written(&session.close(None, "")), expected);
    let events = session.receive(frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(events, [Event::Close(DisconnectReason::Server)]);

    let mut session = open(FRAMED);
    assert_eq!(written(&session.close(Some(3000), "Go away!"))[0], (0x81, "c[3000,\"Go away!\"]".to_owned()));
    let mut session = open(RAW);
    assert_eq!(written(&session.close(None, "")), [(0x88, "Normal closure".to_owned())]);
}

#[test]
fn a_session_that_panicked_is_closed_in_its_framing() {
    let class = |path| {
        open(path).opening().iter().find_map(|event| match event {
            Event::FrameClass(class) => *class,
            _ => None,
        })
    };
    let closed = b"\x88\x05\x03\xf3sad";
    assert_eq!(transport().last_words(class(RAW), 1011, "sad"), closed);
    assert_eq!(transport().last_words(class(FRAMED), 1011, "sad"), [b"\x81\x0dc[1011,\"sad\"]", &closed[..]].concat());
}

#[test]
fn a_silent_session_gets_heartbeats() {
    let mut session = open(FRAMED);
    let events = session.timeout(HEARTBEAT);
    assert_eq!(written(&events), [(0x81, "h".to_owned())]);
    assert!(events.contains(&Event::SetTimer(HEARTBEAT, Duration::from_secs(25))));
}

#[test]
fn bytes_are_refused_in_frames_and_pass_without_them() {
    let mut session = open(FRAMED);
    let events = session.send(Kind::Binary, b"\x01");
    let line = "SockJS carries text only: use a parser that makes text, as json or ejson";
    assert_eq!(written(&events), [(0x81, format!("c[1003,\"{line}\"]")), (0x88, line.to_owned())]);
    assert!(matches!(events.last(), Some(Event::Close(DisconnectReason::Protocol { code: 1003, .. }))));

    let mut session = open(RAW);
    assert_eq!(written(session.opening()), []);
    assert_eq!(session.receive(frame(0x82, b"\xff")), [Event::Message(Kind::Binary, vec![0xff])]);
    assert_eq!(session.receive(text("[\"as it is\"]")), [message("[\"as it is\"]")]);
    assert_eq!(written(&session.send(Kind::Binary, b"\x01")), [(0x82, "\u{1}".to_owned())]);
    assert_eq!(session.disconnected(Carrier::Stream), [Event::Close(DisconnectReason::Lost)]);
}

#[test]
fn all_sessions_of_a_framing_share_the_frame_of_a_broadcast() {
    let transport = transport();
    for (path, expected) in [(FRAMED, "a[\"\\\"all\\\"\"]"), (RAW, "\"all\"")] {
        let mut session = transport.open(handshake(path));
        let class = session.opening().iter().find_map(|event| match event {
            Event::FrameClass(class) => *class,
            _ => None,
        });
        let shared = transport.frame(class.unwrap(), Kind::Text, "\"all\"");
        assert_eq!(written(&[Event::Out(shared.clone())]), [(0x81, expected.to_owned())]);
        assert_eq!(session.send(Kind::Text, "\"all\""), [Event::Out(shared)]);
    }
    let framed = FrameClass(std::num::NonZeroU32::MIN);
    assert_eq!(transport.frame(framed, Kind::Binary, b"\x01"), b"", "there is no frame for bytes");
}

#[test]
fn a_frames_length_is_right_however_much_of_its_message_is_escaped() {
    // About the lengths at which the header grows, with and without what is escaped.
    let lengths = [18..22, 52..64, 108..128, 10_918..10_924, 32_760..32_768, 65_524..65_536].into_iter().flatten();
    for length in lengths {
        for letter in ["a", "\"", "\u{1}"] {
            let mut session = open("/primus/0/s/websocket");
            let message = letter.repeat(length);
            let expected = format!("a[{}]", serde_json::to_string(&message).unwrap());
            let events = session.send(Kind::Text, &message);
            let [Event::Out(bytes)] = &events[..] else { panic!("one message is written: {events:?}") };
            let header = match expected.len() {
                short @ 0..126 => vec![0x81, short as u8],
                middle @ 126..65_536 => [&[0x81, 126][..], &(middle as u16).to_be_bytes()].concat(),
                long => [&[0x81, 127][..], &(long as u64).to_be_bytes()].concat(),
            };
            let (head, payload) = bytes.split_at(header.len());
            assert!(head == header && payload == expected.as_bytes(), "{length} times {letter:?}");
        }
    }
}

#[test]
fn a_message_over_the_limit_closes_with_1009() {
    let transport = with(Config { max_message_bytes: 3, ..Config::default() });
    let mut session = transport.open(handshake(FRAMED));
    let events = session.receive(text("[\"abc\",\"abcd\",\"a\"]"));
    let [Event::Message(..), Event::SetTimer(TimerId(fault), _)] = events[..] else { panic!("{events:?}") };
    let events = session.timeout(TimerId(fault));
    assert_eq!(written(&events)[0].1, "c[1009,\"longer than max_message_bytes\"]");
    assert_eq!(events.last(), Some(&Event::Close(DisconnectReason::Limit("max_message_bytes".to_owned()))));
}

#[test]
fn only_a_handshake_opens_a_websocket() {
    for path in [FRAMED, RAW] {
        let answer = |request: Request<'static>| match transport().route(request) {
            Route::Respond(response) => (response.status, String::from_utf8(response.body).unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!(answer(Request::new("GET", path)), (400, "Can \"Upgrade\" only to \"WebSocket\".\n".to_owned()));
        let request = Request::new("GET", path).with_header("upgrade", "websocket").with_header("connection", "close");
        assert_eq!(answer(request), (400, "\"Connection\" must be \"Upgrade\".\n".to_owned()));
        assert_eq!(answer(Request::new("POST", path)), (405, String::new()));
    }
}

proptest! {
    #[test]
    fn messages_come_out_of_their_frames_in_any_cut(
        frames in prop::collection::vec(any::<Vec<String>>(), 0..4),
        sizes in prop::collection::vec(1_usize..40, 0..40),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| text(&serde_json::to_string(frame).unwrap())).collect();
        let expected: Vec<Event> = frames.iter().flatten().map(|text| message(text)).collect();
        prop_assert_eq!(open(FRAMED).receive_split(&bytes, sizes), expected);
    }

    #[test]
    fn anything_that_a_client_may_send_is_taken(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        frames in prop::collection::vec("[\\[\\]\",a\\\\u0-9 {}]{0,20}", 0..4),
    ) {
        let mut session = open(FRAMED);
        session.receive([frames.iter().flat_map(|frame| text(frame)).collect(), bytes].concat());
    }
}

#[test]
fn a_session_goes_on_in_another_process_amid_a_message() {
    for (path, expected) in [(FRAMED, "one"), (RAW, "[\"one\"]")] {
        let (former, next) = (transport(), transport());
        let mut session = former.open(handshake(path));
        let whole = text("[\"one\"]");
        session.receive(&whole[..9]);
        let state = session.save().unwrap();
        let mut session = next.restore(&state).unwrap();
        assert!(session.receive(&whole[9..]).contains(&message(expected)));
        let answer = if path == FRAMED { "a[\"two\"]" } else { "two" };
        assert_eq!(written(&session.send(Kind::Text, "two")), [(0x81, answer.to_owned())]);
        for end in 0..state.len() {
            assert!(next.restore(&state[..end]).is_none());
        }
    }
}

#[test]
fn a_session_that_is_at_its_end_stays_in_its_process() {
    let mut closing = open(FRAMED);
    closing.close(None, "");
    assert!(closing.save().is_none());
    let mut faulty = open(FRAMED);
    faulty.receive(text("{}"));
    assert!(faulty.save().is_none());
    assert!(transport().open(Request::new("POST", "/primus/000/name/xhr")).save().is_none());
}
