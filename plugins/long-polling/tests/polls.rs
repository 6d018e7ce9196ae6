//! The life of a session of long polling, and any order of what becomes of its requests.

#[path = "../../sse/resumable/tests/support/mod.rs"]
mod client;

use std::time::Duration;

use client::{Client, Dialect, Heard, steps};
use long_polling::config::Config;
use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Carrier, DisconnectReason, ExchangeId, Kind, Request, Route};
use proptest::prelude::*;
use resumable::frames;
use resumable::session::{FLUSH, LIFE};

const POLL: Dialect = Dialect { path: "/primus/poll", read };

const WITHOUT_POLL: Event = Event::SetTimer(LIFE, Duration::from_secs(15));

fn with(config: &Config) -> TransportHarness {
    TransportHarness::new(long_polling::transport(config).unwrap())
}

/// Reads a body. One that broke is none: its length is told by HTTP.
fn read(body: &[u8]) -> Vec<Heard> {
    let Some((number, mut rest)) = body.split_first_chunk::<8>() else { return Vec::new() };
    let mut number = u64::from_be_bytes(*number);
    let mut heard = Vec::new();
    while !rest.is_empty() {
        let Some((head, after)) = rest.split_first_chunk::<5>() else { return Vec::new() };
        let [kind, length @ ..] = *head;
        let Some((payload, after)) = after.split_at_checked(u32::from_be_bytes(length) as usize) else { return Vec::new() };
        let kind = match kind {
            frames::TEXT => Some(Kind::Text),
            frames::BINARY => Some(Kind::Binary),
            frames::OPEN => {
                heard.push(Heard::Open(serde_json::from_slice(payload).unwrap()));
                None
            }
            frames::CLOSE => {
                heard.push(Heard::Close(serde_json::from_slice(payload).unwrap()));
                None
            }
            other => panic!("a frame of the kind {other}"),
        };
        if let Some(kind) = kind {
            heard.push(Heard::Message(number, kind, payload.to_vec()));
            number += 1;
        }
        rest = after;
    }
    heard
}

/// A session and its name.
fn open(config: &Config) -> (SessionHarness, String) {
    let session = with(config).open(Request::new("GET", "/primus/poll?_v=1"));
    let [Heard::Open(opening)] = &answered(session.opening())[..] else { panic!("{:?}", session.opening()) };
    let name = opening["session"].as_str().unwrap().to_owned();
    (session, name)
}

/// What the answer says.
#[track_caller]
fn answered(events: &[Event]) -> Vec<Heard> {
    let body = events.iter().find_map(|event| match event {
        Event::Respond(_, response) => {
            assert_eq!(response.status, 200);
            Some(response.body.clone())
        }
        _ => None,
    });
    read(&body.expect("it is answered"))
}

fn poll(name: &str, ack: u64) -> Request<'static> {
    Request::new("GET", &format!("/primus/poll?_session={name}&_ack={ack}"))
}

fn text(number: u64, text: &str) -> Heard {
    Heard::Message(number, Kind::Text, text.as_bytes().to_vec())
}

proptest! {
    #[test]
    fn nothing_is_lost_or_doubled_by_a_network_that_does_its_worst(steps in steps()) {
        let mut client = Client::open(&with(&Config { max_response_bytes: 50, ..Config::default() }), POLL);
        steps.iter().for_each(|step| client.step(step));
        client.settle();
        client.assert_nothing_is_lost_or_doubled();
    }
}

#[test]
fn a_poll_waits_for_messages_and_takes_all_of_a_turn() {
    let (mut session, name) = open(&Config::default());
    let (exchange, events) = session.request(poll(&name, 0));
    assert_eq!(events, [Event::Alive, Event::SetTimer(LIFE, Duration::from_secs(25))]);
    assert_eq!(session.send(Kind::Text, "one"), [Event::SetTimer(FLUSH, Duration::ZERO)]);
    assert_eq!(session.send(Kind::Binary, b"\0\xff"), []);
    let events = session.timeout(FLUSH);
    assert!(matches!(&events[..], [Event::Respond(of, _), WITHOUT_POLL] if *of == exchange), "{events:?}");
    assert_eq!(answered(&events), [text(1, "one"), Heard::Message(2, Kind::Binary, b"\0\xff".to_vec())]);
}

#[test]
fn messages_wait_for_the_next_poll_and_are_sent_again_until_they_are_acknowledged() {
    let (mut session, name) = open(&Config::default());
    assert_eq!(session.send(Kind::Text, "one"), []);
    assert_eq!(answered(&session.request(poll(&name, 0)).1), [text(1, "one")]);
    assert_eq!(session.send(Kind::Text, "two"), []);
    assert_eq!(answered(&session.request(poll(&name, 0)).1), [text(1, "one"), text(2, "two")]);
    assert_eq!(answered(&session.request(poll(&name, 1)).1), [text(2, "two")]);
}

#[test]
fn a_response_takes_so_much_and_at_least_one_message() {
    let (mut session, name) = open(&Config { max_response_bytes: 6, ..Config::default() });
    for message in ["123", "456", "789", "a long one"] {
        session.send(Kind::Text, message);
    }
    assert_eq!(answered(&session.request(poll(&name, 0)).1), [text(1, "123"), text(2, "456")]);
    assert_eq!(answered(&session.request(poll(&name, 2)).1), [text(3, "789")]);
    assert_eq!(answered(&session.request(poll(&name, 3)).1), [text(4, "a long one")]);
}

#[test]
fn a_poll_is_answered_with_nothing_in_time_and_when_a_newer_one_comes() {
    let (mut session, name) = open(&Config::default());
    session.request(poll(&name, 0));
    assert_eq!(answered(&session.timeout(LIFE)), []);
    let (first, _) = session.request(poll(&name, 0));
    let (second, events) = session.request(poll(&name, 0));
    assert!(matches!(&events[..], [Event::Alive, Event::Respond(of, _), Event::SetTimer(..)] if *of == first), "{events:?}");
    assert_eq!(session.disconnected(Carrier::Exchange(first)), []);
    assert_eq!(session.disconnected(Carrier::Exchange(second)), [WITHOUT_POLL]);
}

#[test]
fn a_session_that_nobody_polls_ends_in_time() {
    let (mut session, _) = open(&Config::default());
    assert!(matches!(session.timeout(LIFE)[..], [Event::Close(DisconnectReason::Timeout(_))]));
}

#[test]
fn the_end_follows_the_last_messages() {
    let (mut session, name) = open(&Config::default());
    session.send(Kind::Text, "last");
    assert_eq!(session.close(None, ""), []);
    let events = session.request(poll(&name, 0)).1;
    let end = Heard::Close(serde_json::json!({ "code": 1000, "reason": "" }));
    assert_eq!(answered(&events), [text(1, "last"), end]);
    assert_eq!(events.last(), Some(&Event::Close(DisconnectReason::Server)));
}

#[test]
fn limits_are_told() {
    let (mut session, _) = open(&Config { max_pending_bytes: 10, ..Config::default() });
    assert_eq!(session.send(Kind::Text, "x".repeat(11)), [], "one for whom nothing waits takes any message");
    let events = session.send(Kind::Text, "x");
    assert_eq!(events.last(), Some(&Event::Close(DisconnectReason::Limit("max_pending_bytes".to_owned()))));

    let (mut session, name) = open(&Config { max_message_bytes: 2, ..Config::default() });
    let post = Request::new("POST", &format!("/primus/poll?_session={name}")).with_body("abc");
    let events = session.request(post).1;
    assert!(matches!(&events[..], [Event::Alive, Event::Respond(ExchangeId(2), response), ..] if response.status == 413));
    assert_eq!(events.last(), Some(&Event::Close(DisconnectReason::Limit("max_message_bytes".to_owned()))));

    let transport = with(&Config { max_sessions_per_address: 1, ..Config::default() });
    let _one = transport.open(Request::new("GET", "/primus/poll"));
    assert!(matches!(transport.route("/primus/poll"), Route::Respond(response) if response.status == 503));

    let zero = long_polling::transport(&Config { poll_ms: 0, ..Config::default() });
    assert_eq!(zero.err().map(|error| error.path).as_deref(), Some("poll_ms"));
}
