//! The life of a session that is carried by HTTP.

mod support;

use std::time::Duration;

use plugin_api::testing::Event;
use plugin_api::{Carrier, DisconnectReason, ExchangeId, Kind};
use sockjs::config::Config;
use sockjs::{FLUSH, LIFE};
use support::{Client, body_of};

const XHR: &str = "POST /primus/0/s/xhr";
const STREAMING: &str = "POST /primus/0/s/xhr_streaming";

const WITHOUT_CARRIER: Event = Event::SetTimer(LIFE, Duration::from_secs(5));
const WITH_CARRIER: Event = Event::SetTimer(LIFE, Duration::from_secs(25));

fn ended(events: &[Event]) -> Option<&DisconnectReason> {
    match events {
        [.., Event::Close(reason)] => Some(reason),
        _ => None,
    }
}

#[test]
fn a_poll_waits_for_messages_and_takes_all_of_a_turn() {
    let mut client = Client::open(XHR);
    assert!(client.session.opening().contains(&WITHOUT_CARRIER));
    let (poll, events) = client.ask(XHR);
    assert_eq!(events, [Event::Alive, WITH_CARRIER]);
    assert_eq!(client.session.send(Kind::Text, "one"), [Event::SetTimer(FLUSH, Duration::ZERO)]);
    assert_eq!(client.session.send(Kind::Text, "two"), []);
    let events = client.session.timeout(FLUSH);
    assert!(matches!(&events[..], [Event::Respond(answered, _), WITHOUT_CARRIER] if *answered == poll), "{events:?}");
    assert_eq!(body_of(&events), "a[\"one\",\"two\"]\n");
}

#[test]
fn messages_wait_for_the_next_poll() {
    let mut client = Client::open(XHR);
    assert_eq!(client.session.send(Kind::Text, "one"), []);
    assert_eq!(client.session.send(Kind::Text, "two"), []);
    assert_eq!(body_of(&client.get(XHR)), "a[\"one\",\"two\"]\n");
    assert_eq!(body_of(&client.get(XHR)), "");
}

#[test]
fn a_stream_takes_frames_until_its_limit_and_the_next_one_goes_on() {
    let mut client = Client::with(Config { response_limit_bytes: 2048 + 40, ..Config::default() }, STREAMING);
    let mut send = |message: &str| {
        client.session.send(Kind::Text, message);
        client.session.timeout(FLUSH)
    };
    assert_eq!(send("one"), [Event::Chunk(ExchangeId(1), b"a[\"one\"]\n".to_vec())]);
    let events = send(&"x".repeat(40));
    assert!(matches!(events[..], [Event::Chunk(..), Event::Finish(ExchangeId(1)), WITHOUT_CARRIER]), "{events:?}");
    assert_eq!(send("between"), []);
    let body = body_of(&client.get(STREAMING));
    assert_eq!(body.trim_start_matches('h'), "\na[\"between\"]\n");
}

#[test]
fn a_second_carrier_is_refused_and_the_first_goes_on() {
    for (first, second, refused) in [
        (XHR, XHR, "c[2010,\"Another connection still open\"]\n".to_owned()),
        (STREAMING, STREAMING, format!("{}\nc[2010,\"Another connection still open\"]\n", "h".repeat(2048))),
        (XHR, "GET /primus/0/s/jsonp?c=f", "/**/f(\"c[2010,\\\"Another connection still open\\\"]\");\r\n".to_owned()),
    ] {
        let mut client = Client::open(first);
        client.get(first);
        let events = client.get(second);
        assert_eq!(body_of(&events), refused);
        assert_eq!(ended(&events), None);
        client.session.send(Kind::Text, "still here");
        assert_eq!(body_of(&client.session.timeout(FLUSH)), "a[\"still here\"]\n");
    }
}

#[test]
fn a_silent_carrier_gets_heartbeats() {
    let mut client = Client::open(XHR);
    client.get(XHR);
    let events = client.session.timeout(LIFE);
    assert_eq!(body_of(&events), "h\n");
    assert_eq!(events.last(), Some(&WITHOUT_CARRIER), "the poll is answered");

    let mut client = Client::open(STREAMING);
    let events = client.session.timeout(LIFE);
    assert_eq!(events, [Event::Chunk(ExchangeId(1), b"h\n".to_vec()), WITH_CARRIER]);
}

#[test]
fn a_session_without_a_carrier_ends_in_time() {
    let mut client = Client::open(XHR);
    assert!(matches!(client.session.timeout(LIFE)[..], [Event::Close(DisconnectReason::Timeout(_))]));
}

#[test]
fn a_cut_response_ends_the_session() {
    for way in [XHR, STREAMING] {
        let mut client = Client::open(way);
        let exchange = if way == XHR { client.ask(XHR).0 } else { ExchangeId(1) };
        assert_eq!(client.session.disconnected(Carrier::Exchange(ExchangeId(7))), [], "it is another one");
        let events = client.session.disconnected(Carrier::Exchange(exchange));
        assert_eq!(events, [Event::Close(DisconnectReason::Lost)]);
    }
}

#[test]
fn a_close_follows_the_last_messages_on_a_stream() {
    let mut client = Client::open(STREAMING);
    client.session.send(Kind::Text, "last");
    let events = client.session.close(None, "");
    assert_eq!(body_of(&events), "a[\"last\"]\nc[1000,\"Normal closure\"]\n");
    assert_eq!(events[events.len() - 2..], [Event::Finish(ExchangeId(1)), Event::Close(DisconnectReason::Server)]);
}

#[test]
fn a_close_with_a_code_and_a_reason_is_told_as_it_is() {
    let mut client = Client::open(STREAMING);
    assert_eq!(body_of(&client.session.close(Some(3000), "Go \"away\"!")), "c[3000,\"Go \\\"away\\\"!\"]\n");
}

#[test]
fn the_last_messages_wait_for_a_carrier_before_the_close() {
    let mut client = Client::open(XHR);
    client.session.send(Kind::Text, "last");
    assert_eq!(client.session.close(None, ""), []);
    assert_eq!(client.session.send(Kind::Text, "late"), []);
    let events = client.get(XHR);
    assert_eq!(body_of(&events), "a[\"last\"]\n");
    assert_eq!(ended(&events), Some(&DisconnectReason::Server));
}

#[test]
fn a_closed_session_whose_client_stays_away_ends_in_time() {
    let mut client = Client::open(XHR);
    client.session.send(Kind::Text, "last");
    client.session.close(None, "");
    assert_eq!(client.session.timeout(LIFE), [Event::Close(DisconnectReason::Server)]);
}

#[test]
fn bytes_are_refused_with_a_clear_line() {
    let mut client = Client::open(STREAMING);
    let events = client.session.send(Kind::Binary, b"\x93\x01");
    assert_eq!(body_of(&events), "c[1003,\"SockJS carries text only: use a parser that makes text, as json or ejson\"]\n");
    assert!(matches!(ended(&events), Some(DisconnectReason::Protocol { code: 1003, .. })));
}

#[test]
fn a_client_that_does_not_fetch_its_messages_is_given_up() {
    let mut client = Client::with(Config { max_pending_bytes: 100, ..Config::default() }, XHR);
    assert_eq!(client.session.send(Kind::Text, "x".repeat(800)), [], "one for whom nothing waits takes any message");
    let events = client.session.send(Kind::Text, "x".repeat(80));
    assert_eq!(ended(&events), Some(&DisconnectReason::Limit("max_pending_bytes".to_owned())));
}

#[test]
fn a_message_over_the_limit_ends_the_session() {
    let mut client = Client::with(Config { max_message_bytes: 3, ..Config::default() }, STREAMING);
    let events = client.post("POST /primus/0/s/xhr_send", b"[\"abc\"]");
    assert!(matches!(&events[..], [Event::Respond(..), Event::Message(Kind::Text, _)]));
    let events = client.post("POST /primus/0/s/xhr_send", b"[\"abcd\"]");
    assert!(body_of(&events).ends_with("c[1009,\"longer than max_message_bytes\"]\n"));
    assert_eq!(ended(&events), Some(&DisconnectReason::Limit("max_message_bytes".to_owned())));
}
