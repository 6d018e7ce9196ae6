//! What the bytes of a client mean, and what it is sent.

use std::net::SocketAddr;
use std::time::Duration;

use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Carrier, DisconnectReason, Kind, Refusal, Request, RequestParts, Route, TimerId};
use proptest::prelude::*;
use proptest::sample::Index;
use tcp::TcpTransport;
use tcp::config::Config;

const LINES: &str = "/lines";
const TEXTS: &str = "/length/text";
const BYTES: &str = "/length/binary";

fn transport(config: Config) -> TransportHarness {
    TransportHarness::new(TcpTransport::new(&config.settings().unwrap()))
}

fn small() -> Config {
    Config { max_message_bytes: 10, ..Config::default() }
}

/// The request that comes with a connection.
fn connection(path: &str, address: &str) -> Request<'static> {
    let address: SocketAddr = address.parse().unwrap();
    Request::from(RequestParts {
        method: "CONNECT".to_owned(),
        path: path.to_owned(),
        rest: path.to_owned(),
        scheme: "tcp".to_owned(),
        address: address.to_string(),
        ..RequestParts::default()
    })
}

fn session(path: &str) -> SessionHarness {
    transport(small()).open(connection(path, "10.0.0.1:1"))
}

fn text(message: &str) -> Event {
    Event::Message(Kind::Text, message.into())
}

fn too_long() -> Event {
    Event::Close(DisconnectReason::Limit("a message is longer than 10 bytes".to_owned()))
}

#[test]
fn each_line_is_a_message() {
    assert_eq!(session(LINES).receive("one\ntwo\r\n\nthree\n"), [text("one"), text("two"), Event::Alive, text("three")]);
}

#[test]
fn what_stands_behind_its_length_is_a_message_whatever_is_in_it() {
    assert_eq!(session(TEXTS).receive(b"\0\0\0\x03a\nb\0\0\0\0\0\0\0\x01c"), [text("a\nb"), Event::Alive, text("c")]);
    assert_eq!(session(BYTES).receive(b"\0\0\0\x02\xff\n"), [Event::Message(Kind::Binary, b"\xff\n".to_vec())]);
}

#[test]
fn a_message_that_is_too_long_ends_the_session_before_all_of_it_has_come() {
    assert_eq!(session(LINES).receive("0123456789\r\n"), [text("0123456789")]);
    assert_eq!(session(LINES).receive("ok\n0123456789a\n"), [text("ok"), too_long()]);
    assert_eq!(session(LINES).receive("0123456789ab"), [too_long()]);
    assert_eq!(session(TEXTS).receive(b"\0\0\0\x0b"), [too_long()]);
    assert_eq!(session(BYTES).receive(b"\xff\xff\xff\xff"), [too_long()]);
}

#[test]
fn a_line_that_never_ends_is_kept_up_to_the_limit_only() {
    let mut session = session(LINES);
    let ends = (0..100).find(|_| session.receive("x").contains(&too_long()));
    assert_eq!(ends, Some(11), "ten bytes and a carriage return fit");
}

#[test]
fn a_text_that_is_no_utf_8_ends_the_session() {
    let reason = DisconnectReason::Protocol { code: 1007, reason: "a text that is no UTF-8".to_owned() };
    assert_eq!(session(LINES).receive(b"\xff\n"), [Event::Close(reason)]);
}

#[test]
fn a_message_has_a_time_to_end_in_which_drops_of_it_do_not_prolong() {
    let timer = Event::SetTimer(TimerId(0), Duration::from_secs(30));
    let mut session = session(LINES);
    assert_eq!(session.receive("a"), std::slice::from_ref(&timer));
    assert_eq!(session.receive("b"), []);
    assert_eq!(session.receive("c\n"), [text("abc"), Event::ClearTimer(TimerId(0))]);
    assert_eq!(session.receive("d"), std::slice::from_ref(&timer));
    assert_eq!(session.receive("\ne"), [text("d"), timer], "the next message has its own time");
    let late = DisconnectReason::Timeout("the end of a message".to_owned());
    assert_eq!(session.timeout(TimerId(0)), [Event::Close(late)]);
}

#[test]
fn messages_to_the_client_are_framed_alike_alone_and_for_many() {
    let cases = [
        (LINES, Kind::Text, "{\"a\":\n1}", &b"{\"a\": 1}\n"[..]),
        (TEXTS, Kind::Text, "a\nb", b"\0\0\0\x03a\nb"),
        (BYTES, Kind::Binary, "ab", b"\0\0\0\x02ab"),
    ];
    let transport = transport(small());
    for (path, kind, message, framed) in cases {
        let mut session = transport.open(connection(path, "10.0.0.1:1"));
        let Some(Event::FrameClass(Some(class))) = session.opening().get(1).cloned() else {
            panic!("no frames are shared: {:?}", session.opening());
        };
        assert_eq!(session.send(kind, message), [Event::Out(framed.to_vec())]);
        assert_eq!(transport.frame(class, kind, message), framed);
    }
}

#[test]
fn http_is_not_for_this_transport() {
    let transport = transport(small());
    assert_eq!(transport.route("/primus"), Route::Pass);
    assert_eq!(transport.route(Request::new("CONNECT", "/lines")), Route::Pass);
    assert_eq!(transport.route(connection("/lines", "10.0.0.1:1")), Route::Open);
}

#[test]
fn who_is_refused_is_told_why_in_the_framing_of_the_address() {
    let transport = transport(small());
    for (path, told) in [(LINES, &b"{\"error\":\"no\"}\n"[..]), (TEXTS, b"\0\0\0\x0e{\"error\":\"no\"}")] {
        let refused = connection(path, "10.0.0.1:1").refused(Refusal::new("no"));
        let Route::Respond(response) = transport.route(refused) else { panic!("nothing is told") };
        assert_eq!(response.body, told);
    }
}

#[test]
fn an_address_has_so_many_sessions_and_no_more() {
    let transport = transport(Config { max_sessions_per_address: 1, ..Config::default() });
    let first = transport.open(connection(LINES, "10.0.0.1:1"));
    let is_refused = |session: &SessionHarness| matches!(session.opening(), [Event::Respond(_, response), Event::Close(_)] if response.status == 503);
    assert!(is_refused(&transport.open(connection(LINES, "10.0.0.1:2"))));
    assert!(!is_refused(&transport.open(connection(LINES, "10.0.0.2:1"))));
    drop(first);
    assert!(!is_refused(&transport.open(connection(LINES, "10.0.0.1:3"))));
}

#[test]
fn a_connection_that_is_gone_is_the_clients_end() {
    let end = DisconnectReason::Client { code: None, reason: String::new() };
    assert_eq!(session(LINES).disconnected(Carrier::Stream), [Event::Close(end)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn wherever_the_bytes_are_cut_they_are_the_same_messages(
        path in prop_oneof![Just(LINES), Just(TEXTS), Just(BYTES)],
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..8),
        noise in proptest::collection::vec(any::<u8>(), 0..8),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for message in &messages {
            if path != LINES {
                bytes.extend((message.len() as u32).to_be_bytes());
            }
            bytes.extend(message);
            if path == LINES {
                bytes.push(b'\n');
            }
        }
        bytes.extend(noise);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort();
        let sizes: Vec<usize> = std::iter::once(0).chain(places.iter().copied()).zip(places.iter().copied()).map(|(from, to)| to - from).collect();
        // Timers are of calls, not of messages.
        let of_client = |events: Vec<Event>| -> Vec<Event> {
            events.into_iter().filter(|event| !matches!(event, Event::SetTimer(..) | Event::ClearTimer(_))).collect()
        };
        let whole = of_client(session(path).receive(&bytes));
        prop_assert_eq!(of_client(session(path).receive_split(&bytes, sizes)), whole);
    }
}

#[test]
fn a_connection_goes_on_in_another_process_amid_a_message() {
    for (path, begun, rest, kind) in [
        (LINES, &b"on"[..], &b"e\n"[..], Kind::Text),
        (TEXTS, b"\0\0", b"\0\x03one", Kind::Text),
        (BYTES, b"\0\0\0\x03o", b"ne", Kind::Binary),
    ] {
        let (former, next) = (transport(small()), transport(small()));
        let mut session = former.open(connection(path, "10.0.0.1:1"));
        session.receive(begun);
        let state = session.save().unwrap();
        let mut session = next.restore(&state).unwrap();
        assert_eq!(session.receive(rest), [Event::Message(kind, b"one".to_vec()), Event::ClearTimer(TimerId(0))]);
        for end in 0..state.len() {
            assert!(next.restore(&state[..end]).is_none());
        }
    }
}

#[test]
fn a_session_of_another_process_counts_among_those_of_its_address() {
    let config = || Config { max_sessions_per_address: 1, ..small() };
    let (former, next) = (transport(config()), transport(config()));
    let state = former.open(connection(LINES, "10.0.0.1:1")).save().unwrap();
    let restored = next.restore(&state).unwrap();
    assert!(next.open(connection(LINES, "10.0.0.1:2")).save().is_none(), "it was refused");
    drop(restored);
    assert!(next.open(connection(LINES, "10.0.0.1:2")).save().is_some());
}
