//! Polling, in both versions: given requests, then answers and messages.

mod support;

use engine_io::config::Config;
use plugin_api::{Carrier, DisconnectReason, Kind};
use support::Told::{Alive, Binary, Ended};
use support::*;

const PING: u32 = 1;

#[test]
fn the_first_answer_is_the_open_packet() {
    let open = r#"{"sid":"session-0123456789-ab","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":10485760}"#;
    assert_eq!(Client::polling(4).opening(), format!("0{open}"));
    assert_eq!(Client::polling(3).opening(), format!("{}:0{open}", open.len() + 1));
}

#[test]
fn a_cookie_is_set_only_where_the_configuration_names_one() {
    let cookie = |config| {
        let session = transport(config).open(polling("GET", 4, "").with_spark_id(SID));
        match &session.opening()[0] {
            plugin_api::testing::Event::Respond(_, response) => {
                response.headers.iter().find(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cookie(Config::default()), None);
    let named = Config { cookie: Some("io".into()), ..Config::default() };
    assert_eq!(cookie(named).as_deref(), Some("io=session-0123456789-ab; Path=/; HttpOnly; SameSite=Lax"));
}

#[test]
fn a_post_brings_messages_in_their_order() {
    let (exchange, told) = Client::polling(4).post("4one\x1e4primus::id::\x1ebAQID\x1e4é€");
    assert_eq!(told, [answer(exchange, "ok"), text("one"), text("primus::id::"), Binary(vec![1, 2, 3]), text("é€")]);

    let (exchange, told) = Client::polling(3).post("4:4one6:b4AQID3:4é€3:4😀");
    assert_eq!(told, [answer(exchange, "ok"), text("one"), Binary(vec![1, 2, 3]), text("é€"), text("😀")]);
}

#[test]
fn a_binary_payload_of_version_3_is_read_and_written() {
    let mut client = Client::polling(3);
    let body = [&[0, 4, 255][..], b"4one", &[1, 4, 255, 4, 1, 2, 3], &[0, 1, 2, 255], b"4", "é€😀xx".as_bytes()].concat();
    let (exchange, told) = client.post_as("application/octet-stream", body);
    assert_eq!(told, [answer(exchange, "ok"), text("one"), Binary(vec![1, 2, 3]), text("é€😀xx")]);

    client.send(Kind::Text, "é");
    client.send(Kind::Binary, [7; 11]);
    let (exchange, told) = client.poll();
    let expected = [&[0, 3, 255][..], "4é".as_bytes(), &[1, 1, 2, 255, 4], &[7; 11]].concat();
    assert_eq!(told, [answer(exchange, expected)]);
}

#[test]
fn what_the_host_sends_waits_for_the_next_request() {
    for (version, more, expected) in
        [(4, "", "4one\x1ebAQID\x1e4é😀"), (4, "&b64=1", "4one\x1ebAQID\x1e4é😀"), (3, "&b64=1", "4:4one6:b4AQID4:4é😀")]
    {
        let mut client = Client::of(&transport(Config::default()), version, more);
        assert_eq!(client.send(Kind::Text, "one"), []);
        assert_eq!(client.send(Kind::Binary, [1, 2, 3]), []);
        assert_eq!(client.send(Kind::Text, "é😀"), []);
        let (exchange, told) = client.poll();
        assert_eq!(told, [answer(exchange, expected)]);
        assert_eq!(client.poll().1, [], "and nothing is there twice");
    }
}

#[test]
fn a_request_that_waits_is_answered_by_the_next_message() {
    let mut client = Client::polling(4);
    let (exchange, told) = client.poll();
    assert_eq!(told, []);
    assert_eq!(client.send(Kind::Text, "hello"), [answer(exchange, "4hello")]);
}

#[test]
fn what_is_sent_in_one_go_is_one_answer() {
    let mut client = Client::polling(4);
    let (exchange, _) = client.poll();
    client.session.send(Kind::Text, "one");
    client.session.send(Kind::Text, "two");
    assert_eq!(client.timeout(2), [answer(exchange, "4one\x1e4two")]);
}

#[test]
fn the_server_pings_in_version_4_and_a_client_that_does_not_answer_is_gone() {
    let mut client = Client::polling(4);
    let (exchange, _) = client.poll();
    assert_eq!(client.timeout(PING), [answer(exchange, "2")]);
    let (exchange, told) = client.post("3");
    assert_eq!(told, [Alive, answer(exchange, "ok")]);
    assert_eq!(client.timeout(PING), []);
    let ended = Ended(DisconnectReason::Timeout("the heartbeat of Engine.IO".into()));
    assert_eq!(client.timeout(PING), [ended]);
}

#[test]
fn the_client_pings_in_version_3_and_one_that_does_not_is_gone() {
    let mut client = Client::polling(3);
    let (exchange, told) = client.post("1:2");
    assert_eq!(told, [Alive, answer(exchange, "ok")]);
    let (exchange, told) = client.poll();
    assert_eq!(told, [answer(exchange, "1:3")]);
    assert_eq!(client.timeout(PING), [Ended(DisconnectReason::Timeout("the heartbeat of Engine.IO".into()))]);
}

#[test]
fn two_requests_that_wait_are_one_too_many() {
    let mut client = Client::polling(4);
    let (first, _) = client.poll();
    let (second, told) = client.poll();
    let ended = Ended(DisconnectReason::Protocol { code: 400, reason: "two requests wait for packets".into() });
    assert_eq!(told, [refused(second), answer(first, "6"), ended]);
}

#[test]
fn a_client_that_goes_away_while_its_request_waits_is_lost() {
    let mut client = Client::polling(4);
    let (exchange, _) = client.poll();
    assert_eq!(client.disconnected(Carrier::Exchange(exchange)), [Ended(DisconnectReason::Lost)]);
}

#[test]
fn a_client_may_close() {
    let mut client = Client::polling(4);
    let (poll, _) = client.poll();
    let (post, told) = client.post("4last\x1e1\x1e4never");
    let ended = Ended(DisconnectReason::Client { code: None, reason: String::new() });
    assert_eq!(told, [answer(post, "ok"), text("last"), answer(poll, "6"), ended]);
}

#[test]
fn a_close_of_the_host_goes_out_after_what_waits() {
    let mut client = Client::polling(4);
    client.send(Kind::Text, "last");
    assert_eq!(client.close(), []);
    let (exchange, told) = client.poll();
    assert_eq!(told, [answer(exchange, "4last\x1e1"), Ended(DisconnectReason::Server)]);

    let mut client = Client::polling(4);
    let (exchange, _) = client.poll();
    assert_eq!(client.close(), [answer(exchange, "1"), Ended(DisconnectReason::Server)]);
}

#[test]
fn damaged_payloads_are_refused_and_end_the_session() {
    let cases: [(u8, &str, &[u8]); 19] = [
        (4, "text/plain", b""),
        (4, "text/plain", b"7"),
        (4, "text/plain", b"\x1e"),
        (4, "text/plain", b"b*"),
        (4, "text/plain", b"4\xff"),
        (4, "text/plain", b"2"),
        (4, "application/octet-stream", b"4a"),
        (3, "text/plain", b""),
        (3, "text/plain", b"4a"),
        (3, "text/plain", b"9:4a"),
        (3, "text/plain", b":4a"),
        (3, "text/plain", b"-1:4a"),
        (3, "text/plain", b"99999999999999999999:4a"),
        (3, "text/plain", "2:4😀".as_bytes()),
        (3, "text/plain", b"2:bx"),
        (3, "text/plain", b"1:3"),
        (3, "application/octet-stream", b"\x00\x02\xff4"),
        (3, "application/octet-stream", b"\x02\x01\xff4"),
        (3, "application/octet-stream", b"\x00"),
    ];
    for (version, content_type, body) in cases {
        let (_, told) = Client::polling(version).post_as(content_type, body);
        assert!(matches!(told.last(), Some(Ended(DisconnectReason::Protocol { .. }))), "{body:?}: {told:?}");
    }
}

#[test]
fn what_waits_is_bounded() {
    let config = Config { max_pending_bytes: 1000, ..Config::default() };
    let mut client = Client::of(&transport(config), 4, "");
    assert_eq!(
        client.send(Kind::Text, "x".repeat(5000)),
        [],
        "for whom nothing waits is not slow, however long the message is"
    );
    client.poll();
    assert_eq!(client.send(Kind::Text, "x".repeat(900)), []);
    let ended = Ended(DisconnectReason::Limit("max_pending_bytes".into()));
    assert_eq!(client.send(Kind::Text, "x".repeat(100)), [ended]);
}

#[test]
fn a_body_over_the_limit_is_not_read() {
    let config = Config { max_payload_bytes: 10, ..Config::default() };
    let mut client = Client::of(&transport(config), 4, "");
    let (_, told) = client.post("4 is longer");
    assert!(matches!(told[..], [Told::Answer(_, 413, _)]), "{told:?}");
}
