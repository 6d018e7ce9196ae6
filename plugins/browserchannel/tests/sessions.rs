//! The life of a session.

mod support;

use std::time::Duration;

use browserchannel::config::Config;
use browserchannel::{FLUSH, LIFE};
use plugin_api::testing::Event;
use plugin_api::{Carrier, DisconnectReason, ExchangeId, Kind};
use support::{Client, asked, body_of, messages_of, texts_of, transport, with};

const WITHOUT_CARRIER: Event = Event::SetTimer(LIFE, Duration::from_secs(30));
const WITH_CARRIER: Event = Event::SetTimer(LIFE, Duration::from_secs(20));

fn ended(events: &[Event]) -> Option<&DisconnectReason> {
    match events {
        [.., Event::Close(reason)] => Some(reason),
        _ => None,
    }
}

#[test]
fn the_first_answer_tells_the_session() {
    let client = Client::open();
    assert_eq!(client.hello, ",null,8]]]\n");
    assert!(matches!(client.session.opening(), [Event::Respond(..), WITHOUT_CARRIER]));
}

#[test]
fn the_first_request_may_have_messages() {
    let body = "count=2&ofs=0&req0__S=one&req1_JSON=%5B2%5D";
    let session = transport().open(asked("POST /bind?RID=1").with_body(body));
    assert_eq!(messages_of(session.opening()), ["one", "[2]"]);
}

#[test]
fn a_first_request_that_can_not_be_read_opens_nothing() {
    let session = transport().open(asked("POST /bind?RID=1").with_body("count=1"));
    assert_eq!(body_of(session.opening()), "<html><body><h1>Bad data</h1></body></html>");
    assert!(matches!(ended(session.opening()), Some(DisconnectReason::Protocol { code: 400, .. })));
}

#[test]
fn messages_come_once_and_in_their_order() {
    let mut client = Client::open();
    assert_eq!(messages_of(&client.forward("count=1&ofs=1&req0__S=two")), [""; 0]);
    assert_eq!(messages_of(&client.forward("count=1&ofs=0&req0__S=one")), ["one", "two"]);
    assert_eq!(messages_of(&client.forward("count=3&ofs=0&req0__S=one&req1__S=two&req2__S=three")), ["three"]);
}

#[test]
fn the_answer_to_messages_tells_what_became_of_arrays() {
    let mut client = Client::open();
    assert_eq!(body_of(&client.forward("count=0")), "8\n[0,0,49]");
    let (_, events) = client.stream(0);
    assert_eq!(events.last(), Some(&WITH_CARRIER));
    client.session.send(Kind::Text, "é");
    client.session.timeout(FLUSH);
    assert_eq!(body_of(&client.forward("count=0")), "7\n[1,1,5]");
    let query = "RID=200&AID=1";
    assert_eq!(body_of(&client.ask("POST", query, "count=0").1), "7\n[1,1,0]");
}

#[test]
fn a_body_that_can_not_be_read_is_refused_and_the_session_goes_on() {
    let mut client = Client::open();
    let events = client.forward("ofs=1");
    assert!(matches!(&events[..], [Event::Alive, Event::Respond(_, response)] if response.status == 400));
    assert_eq!(messages_of(&client.forward("count=1&ofs=0&req0__S=on")), ["on"]);
}

#[test]
fn a_stream_brings_the_arrays_of_a_turn_in_a_chunk() {
    let mut client = Client::open();
    let (exchange, events) = client.stream(0);
    assert!(matches!(&events[..], [Event::Alive, Event::RespondOpen(_, head), WITH_CARRIER] if head.status == 200));
    assert_eq!(client.session.send(Kind::Text, "one"), [Event::SetTimer(FLUSH, Duration::ZERO)]);
    assert_eq!(client.session.send(Kind::Text, "日\u{2028}\"😀"), []);
    let chunk = "30\n[[1,\"one\"],[2,\"日\\u2028\\\"😀\"]]\n".as_bytes().to_vec();
    assert_eq!(client.session.timeout(FLUSH), [Event::Chunk(exchange, chunk)]);
}

#[test]
fn a_response_that_is_not_to_go_on_ends_with_the_first_chunk() {
    let mut client = Client::open();
    let (exchange, events) = client.poll(0);
    assert_eq!(events, [Event::Alive, WITH_CARRIER]);
    client.session.send(Kind::Text, "one");
    let events = client.session.timeout(FLUSH);
    assert!(matches!(&events[..], [Event::Respond(answered, _), WITHOUT_CARRIER] if *answered == exchange), "{events:?}");
    assert_eq!(body_of(&events), "12\n[[1,\"one\"]]\n");
    client.session.send(Kind::Text, "two");
    assert_eq!(body_of(&client.poll(1).1), "12\n[[2,\"two\"]]\n");
}

#[test]
fn what_a_client_has_not_acknowledged_comes_again_in_the_next_response() {
    let mut client = Client::open();
    let (first, _) = client.stream(0);
    for text in ["one", "two", "three"] {
        client.session.send(Kind::Text, text);
        client.session.timeout(FLUSH);
    }
    assert_eq!(client.session.disconnected(Carrier::Exchange(first)), [WITHOUT_CARRIER]);
    client.session.send(Kind::Text, "four");
    let (_, events) = client.stream(1);
    assert_eq!(texts_of(&body_of(&events)), ["[[2,\"two\"],[3,\"three\"],[4,\"four\"]]\n"]);
}

#[test]
fn a_second_response_takes_the_place_of_the_first() {
    let mut client = Client::open();
    let (first, _) = client.stream(0);
    let (second, events) = client.stream(0);
    assert!(events.contains(&Event::Finish(first)));
    assert_eq!(client.session.disconnected(Carrier::Exchange(first)), [], "it has no part in the session any more");
    client.session.send(Kind::Text, "one");
    assert!(matches!(client.session.timeout(FLUSH)[..], [Event::Chunk(exchange, _)] if exchange == second));
    let (third, events) = client.poll(1);
    assert!(events.contains(&Event::Finish(second)));
    let (_, events) = client.poll(1);
    assert!(events.iter().any(|event| matches!(event, Event::Respond(answered, _) if *answered == third)));
}

#[test]
fn a_stream_ends_after_so_many_bytes_and_the_next_one_goes_on() {
    let mut client = Client::of(&with(Config { response_limit_bytes: 40, ..Config::default() }));
    let (exchange, _) = client.stream(0);
    client.session.send(Kind::Text, "x".repeat(40));
    let events = client.session.timeout(FLUSH);
    assert!(matches!(events[..], [Event::Chunk(..), Event::Finish(finished), WITHOUT_CARRIER] if finished == exchange));
    client.session.send(Kind::Text, "on");
    assert_eq!(texts_of(&body_of(&client.stream(1).1)), ["[[2,\"on\"]]\n"]);
}

#[test]
fn a_silent_response_gets_a_noop() {
    let mut client = Client::open();
    let (exchange, _) = client.stream(0);
    let chunk = b"15\n[[1,[\"noop\"]]]\n".to_vec();
    assert_eq!(client.session.timeout(LIFE), [Event::Chunk(exchange, chunk), WITH_CARRIER]);
    client.poll(1);
    assert!(matches!(client.session.timeout(LIFE)[..], [Event::Respond(..), WITHOUT_CARRIER]));
}

#[test]
fn a_session_without_a_response_for_arrays_ends_in_time() {
    let mut client = Client::open();
    assert!(!client.forward("count=0").contains(&WITHOUT_CARRIER), "messages of the client are no reason to wait longer");
    assert!(matches!(client.session.timeout(LIFE)[..], [Event::Close(DisconnectReason::Timeout(_))]));
}

#[test]
fn a_client_that_leaves_is_gone_when_all_its_messages_have_come() {
    let mut client = Client::open();
    let (exchange, _) = client.stream(0);
    let (_, events) = client.ask("GET", "TYPE=terminate&RID=102", "");
    assert_eq!(ended(&events), None, "request 101 is on its way");
    let events = client.forward("count=1&ofs=0&req0__S=last%20words");
    assert_eq!(messages_of(&events), ["last words"]);
    assert!(events.contains(&Event::Finish(exchange)));
    assert_eq!(ended(&events), Some(&DisconnectReason::Client { code: None, reason: String::new() }));

    let mut client = Client::open();
    let (_, events) = client.ask("GET", "TYPE=terminate&RID=101", "");
    assert!(matches!(ended(&events), Some(DisconnectReason::Client { .. })));
}

#[test]
fn a_close_follows_the_last_messages() {
    let mut client = Client::open();
    client.stream(0);
    client.session.send(Kind::Text, "last");
    let events = client.session.close(None, "");
    assert_eq!(texts_of(&body_of(&events)), ["[[1,\"last\"],[2,[\"stop\"]]]\n"]);
    assert!(matches!(events[..], [.., Event::Finish(_), Event::SetTimer(..) | Event::Close(DisconnectReason::Server)]));
    assert_eq!(ended(&events), Some(&DisconnectReason::Server));
}

#[test]
fn the_last_messages_wait_for_a_response_before_the_close() {
    let mut client = Client::open();
    client.session.send(Kind::Text, "last");
    assert_eq!(client.session.close(None, ""), []);
    assert_eq!(client.session.send(Kind::Text, "late"), []);
    let (_, events) = client.poll(0);
    assert_eq!(texts_of(&body_of(&events)), ["[[1,\"last\"],[2,[\"stop\"]]]\n"]);
    assert_eq!(ended(&events), Some(&DisconnectReason::Server));

    let mut client = Client::open();
    client.session.close(None, "");
    assert_eq!(client.session.timeout(LIFE), [Event::Close(DisconnectReason::Server)], "and not for ever");
}

#[test]
fn a_session_that_its_client_has_replaced_ends_at_once() {
    let transport = transport();
    let mut client = Client::of(&transport);
    client.session.send(Kind::Text, "for nobody");
    let again = asked(&format!("POST /bind?RID=7&OSID={}&OAID=0", client.sid)).with_spark_id("other");
    let _new = transport.open(again.with_body("count=0"));
    assert_eq!(client.session.close(None, ""), [Event::Close(DisconnectReason::Server)]);
}

#[test]
fn bytes_are_refused() {
    let mut client = Client::open();
    client.stream(0);
    let events = client.session.send(Kind::Binary, b"\x93\x01");
    assert_eq!(texts_of(&body_of(&events)), ["[[1,[\"stop\"]]]\n"]);
    assert!(matches!(ended(&events), Some(DisconnectReason::Protocol { code: 1003, .. })));
}

#[test]
fn each_limit_ends_the_session_with_its_name() {
    let limit = |name: &str| Some(DisconnectReason::Limit(name.to_owned()));
    let mut client = Client::of(&with(Config { max_pending_bytes: 400, ..Config::default() }));
    assert_eq!(client.session.send(Kind::Text, "x".repeat(2000)), [], "one for whom no message waits takes any");
    assert_eq!(ended(&client.session.send(Kind::Text, "x".repeat(200))).cloned(), limit("max_pending_bytes"));

    let mut client = Client::of(&with(Config { max_message_bytes: 3, ..Config::default() }));
    assert_eq!(messages_of(&client.forward("count=1&ofs=0&req0__S=abc")), ["abc"]);
    assert_eq!(ended(&client.forward("count=1&ofs=1&req0__S=abcd")).cloned(), limit("max_message_bytes"));

    let mut client = Client::of(&with(Config { max_ahead_bytes: 400, ..Config::default() }));
    assert_eq!(ended(&client.forward("count=1&ofs=1&req0__S=a")), None);
    assert_eq!(ended(&client.forward("count=1&ofs=2&req0__S=a")), None);
    assert_eq!(ended(&client.forward("count=1&ofs=3&req0__S=a")), None);
    assert_eq!(ended(&client.forward("count=1&ofs=4&req0__S=a")).cloned(), limit("max_ahead_bytes"));
}

#[test]
fn an_old_browsers_frame_gets_scripts() {
    let mut client = Client::open();
    let (_, events) = client.ask("GET", "RID=rpc&CI=0&TYPE=html&DOMAIN=a.example&AID=0", "");
    assert_eq!(body_of(&events), "<html><body><script>try{document.domain=\"a.example\";}catch(e){}</script>\n");
    client.session.send(Kind::Text, "</script>é");
    let body = body_of(&client.session.timeout(FLUSH));
    let script = r#"<script>try{parent.m("[[1,\"\u003c/script\u003e\u00e9\"]]\u000a");}catch(e){}</script>"#;
    assert_eq!(body.lines().next(), Some(script));
    let body = body_of(&client.session.close(None, ""));
    assert!(body.ends_with("<script>try{parent.d();}catch(e){}</script>\n"), "{body}");
}

#[test]
fn a_trial_is_a_response_in_two_pieces() {
    for (kind, first, second) in [("xmlhttp", "11111", "2"), ("html", "parent.m(\"11111\")", "parent.m(\"2\")")] {
        let mut trial = transport().open(asked(&format!("GET /test?TYPE={kind}")));
        assert!(body_of(trial.opening()).contains(first), "{kind}");
        assert!(matches!(trial.opening(), [.., Event::SetTimer(_, pause)] if *pause == Duration::from_secs(2)));
        let events = trial.timeout(LIFE);
        assert!(body_of(&events).contains(second), "{kind}");
        assert!(matches!(events[..], [.., Event::Finish(ExchangeId(1)), Event::Close(_)]));
    }
}
