//! The life of a session whose responses are event streams.

mod support;

use std::time::Duration;

use plugin_api::testing::{Event, SessionHarness};
use plugin_api::{Carrier, DisconnectReason, ExchangeId, Kind, Request, Route};
use resumable::frames;
use resumable::session::{FLUSH, LIFE, STREAM};
use sse::config::Config;
use support::client::{Heard, received};
use support::{body_of, read, with};

const WITHOUT_STREAM: Event = Event::SetTimer(LIFE, Duration::from_secs(15));

/// A session of a client that speaks the protocol, and its name.
fn open(config: &Config) -> (SessionHarness, String) {
    let session = with(config).open(Request::new("GET", "/primus/sse?_v=1"));
    let [Heard::Open(opening)] = &read(body_of(session.opening()).as_bytes())[..] else {
        panic!("the stream begins with the opening: {:?}", session.opening())
    };
    let name = opening["session"].as_str().unwrap().to_owned();
    (session, name)
}

fn get(name: &str, ack: u64) -> Request<'static> {
    Request::new("GET", &format!("/primus/sse?_session={name}&_ack={ack}"))
}

fn post(name: &str, first: u64, messages: &[&str]) -> Request<'static> {
    let mut body = Vec::new();
    frames::begin(first, &mut body);
    messages.iter().for_each(|message| frames::write(frames::TEXT, message.as_bytes(), &mut body));
    let request = Request::new("POST", &format!("/primus/sse?_session={name}"));
    request.with_header("content-type", "application/octet-stream").with_body(body)
}

fn send(session: &mut SessionHarness, message: &str) -> String {
    session.send(Kind::Text, message);
    body_of(&session.timeout(FLUSH))
}

/// The answer to the latest request.
#[track_caller]
fn answer(events: &[Event]) -> (u16, String) {
    let answer = events.iter().find_map(|event| match event {
        Event::Respond(_, response) => Some((response.status, String::from_utf8(response.body.clone()).unwrap())),
        _ => None,
    });
    answer.expect("it is answered")
}

fn ended(events: &[Event]) -> Option<&DisconnectReason> {
    match events {
        [.., Event::Close(reason)] => Some(reason),
        _ => None,
    }
}

#[test]
fn a_stream_begins_with_what_fills_small_buffers_and_is_kept_by_nobody() {
    let session = with(&Config { padding_bytes: 64, ..Config::default() }).open(Request::new("GET", "/primus/sse?_v=1"));
    let Some(Event::RespondOpen(ExchangeId(1), head)) = session.opening().get(1) else {
        panic!("the request is answered: {:?}", session.opening())
    };
    let header = |name: &str| head.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(header("x-accel-buffering"), Some("no"));
    let body = body_of(session.opening());
    assert!(body.starts_with(&format!(":{}\nretry: 1000\n\nevent: open\ndata: {{", " ".repeat(63))), "{body}");
}

#[test]
fn messages_of_a_turn_leave_together_each_with_its_number() {
    let (mut session, _) = open(&Config::default());
    assert_eq!(session.send(Kind::Text, "one"), [Event::SetTimer(FLUSH, Duration::ZERO)]);
    assert_eq!(session.send(Kind::Binary, b"\0\xff"), []);
    assert_eq!(session.send(Kind::Text, "two\nlines"), []);
    assert_eq!(session.send(Kind::Text, "a\rb"), []);
    let expected = "id: 1\ndata: one\n\nid: 2\nevent: binary\ndata: AP8=\n\nid: 3\ndata: two\ndata: lines\n\n\
                    id: 4\nevent: text\ndata: YQ1i\n\n";
    assert_eq!(session.timeout(FLUSH), [Event::Chunk(ExchangeId(1), expected.as_bytes().to_vec())]);
}

#[test]
fn a_stream_that_broke_goes_on_after_what_the_client_has() {
    let (mut session, name) = open(&Config::default());
    for message in ["one", "two", "three"] {
        send(&mut session, message);
    }
    assert_eq!(session.disconnected(Carrier::Exchange(ExchangeId(1))), [WITHOUT_STREAM]);
    assert_eq!(send(&mut session, "four"), "");
    let (_, events) = session.request(get(&name, 1));
    assert!(body_of(&events).ends_with("id: 2\ndata: two\n\nid: 3\ndata: three\n\nid: 4\ndata: four\n\n"));
}

#[test]
fn a_newer_stream_ends_the_older_one() {
    let (mut session, name) = open(&Config::default());
    let (second, events) = session.request(get(&name, 0));
    assert!(events.contains(&Event::Finish(ExchangeId(1))));
    assert_eq!(session.disconnected(Carrier::Exchange(ExchangeId(1))), [], "it is not the carrier any more");
    session.send(Kind::Text, "one");
    assert_eq!(session.timeout(FLUSH), [Event::Chunk(second, b"id: 1\ndata: one\n\n".to_vec())]);
}

#[test]
fn a_request_that_comes_twice_is_taken_once() {
    let (mut session, name) = open(&Config::default());
    let events = session.request(post(&name, 1, &["one", "two"])).1;
    assert_eq!(answer(&events), (200, "{\"received\":2}".to_owned()));
    let messages = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Message(..))).count();
    assert_eq!(messages(&events), 2);
    let events = session.request(post(&name, 1, &["one", "two", "three"])).1;
    assert_eq!(events.last(), Some(&Event::Message(Kind::Text, b"three".to_vec())));
    assert_eq!(messages(&events), 1);
    let events = session.request(post(&name, 5, &["five"])).1;
    let (status, body) = answer(&events);
    assert_eq!((status, messages(&events)), (409, 0), "message 4 is missing");
    assert!(body.contains("\"received\":3"), "{body}");
}

#[test]
fn text_without_a_number_is_a_message() {
    let (mut session, name) = open(&Config::default());
    let request = Request::new("POST", &format!("/primus/sse?_session={name}")).with_header("content-type", "text/plain");
    let events = session.request(request.with_body("hi")).1;
    assert_eq!(events.last(), Some(&Event::Message(Kind::Text, b"hi".to_vec())));
}

#[test]
fn what_makes_no_sense_is_refused_and_the_session_goes_on() {
    let (mut session, name) = open(&Config::default());
    let cut = Request::new("POST", &format!("/primus/sse?_session={name}"))
        .with_header("content-type", "application/octet-stream")
        .with_body(b"\0\0\0".to_vec());
    for (request, status) in [
        (cut, 400),
        (get(&name, 7), 400),
        (Request::new("GET", &format!("/primus/sse?_session={name}&_ack=seven")), 400),
        (Request::new("POST", &format!("/primus/sse?_session={name}")).with_body(b"\xff".to_vec()), 400),
        (Request::new("PUT", &format!("/primus/sse?_session={name}")), 405),
    ] {
        let events = session.request(request).1;
        assert_eq!(answer(&events).0, status, "{events:?}");
        assert_eq!(ended(&events), None);
    }
    assert_eq!(send(&mut session, "still here"), "id: 1\ndata: still here\n\n");
}

#[test]
fn nobody_speaks_for_a_session_without_its_secret_or_on_another_path() {
    let (mut session, name) = open(&Config::default());
    let (public, secret) = name.split_once('~').unwrap();
    assert_eq!(public, "spark");
    let guessed = format!("{public}~{}", secret.chars().rev().collect::<String>());
    for request in [
        get(&guessed, 0),
        post(&guessed, 1, &["mine"]),
        get(public, 0),
        Request::new("GET", "/primus/sse"),
        Request::new("GET", &format!("/primus/poll?_session={name}")),
        Request::new("POST", &format!("/primus/sse?_session={guessed}&_close=1")),
    ] {
        let events = session.request(request).1;
        assert_eq!(answer(&events).0, 410);
        assert!(events.iter().all(|event| matches!(event, Event::Respond(..))), "{events:?}");
    }
}

#[test]
fn a_silent_stream_gets_comments_and_an_old_one_ends() {
    let (mut session, _) = open(&Config::default());
    let with_stream = Event::SetTimer(LIFE, Duration::from_secs(25));
    assert_eq!(session.timeout(LIFE), [Event::Chunk(ExchangeId(1), b":\n\n".to_vec()), with_stream]);
    assert_eq!(session.timeout(STREAM), [Event::Finish(ExchangeId(1)), WITHOUT_STREAM]);
    assert_eq!(session.timeout(STREAM), []);
}

#[test]
fn a_session_without_a_stream_ends_in_time() {
    let (mut session, _) = open(&Config::default());
    session.disconnected(Carrier::Exchange(ExchangeId(1)));
    assert!(matches!(session.timeout(LIFE)[..], [Event::Close(DisconnectReason::Timeout(_))]));
}

#[test]
fn the_client_ends_it() {
    let (mut session, name) = open(&Config::default());
    let events = session.request(Request::new("POST", &format!("/primus/sse?_session={name}&_close=1"))).1;
    assert_eq!(answer(&events).0, 204);
    assert!(events.contains(&Event::Finish(ExchangeId(1))));
    assert!(matches!(ended(&events), Some(DisconnectReason::Client { code: None, .. })));
}

#[test]
fn the_end_follows_the_last_messages_now_or_on_the_next_stream() {
    let (mut session, _) = open(&Config::default());
    session.send(Kind::Text, "last");
    let events = session.close(Some(3000), "Go away!");
    let end = "event: close\ndata: {\"code\":3000,\"reason\":\"Go away!\"}\n\n";
    assert_eq!(body_of(&events), format!("id: 1\ndata: last\n\n{end}"));
    assert_eq!(ended(&events), Some(&DisconnectReason::Server));

    let (mut session, name) = open(&Config::default());
    session.disconnected(Carrier::Exchange(ExchangeId(1)));
    session.send(Kind::Text, "last");
    assert_eq!(session.close(None, ""), []);
    assert_eq!(session.send(Kind::Text, "late"), []);
    let events = session.request(get(&name, 0)).1;
    assert!(body_of(&events).ends_with("id: 1\ndata: last\n\nevent: close\ndata: {\"code\":1000,\"reason\":\"\"}\n\n"));
    assert_eq!(ended(&events), Some(&DisconnectReason::Server));
}

#[test]
fn an_event_source_that_only_reads_is_known_by_the_id_of_its_last_event() {
    let transport = with(&Config::default());
    let mut session = transport.open(Request::new("GET", "/primus/sse"));
    let body = body_of(session.opening());
    let name = body.split("id: ").nth(1).and_then(|rest| rest.split(".0\n").next()).expect("the opening has an id").to_owned();
    let events = session.send(Kind::Text, "one");
    assert!(events.contains(&Event::Alive), "it answers no ping");
    assert_eq!(body_of(&session.timeout(FLUSH)), format!("id: {name}.1\ndata: one\n\n"));
    session.disconnected(Carrier::Exchange(ExchangeId(1)));
    assert_eq!(session.send(Kind::Text, "two"), [], "without a stream it shows no life");
    let again = Request::new("GET", "/primus/sse").with_header("last-event-id", &format!("{name}.1"));
    assert_eq!(transport.route(again.clone()), Route::Session("spark".to_owned()));
    let events = session.request(again.clone()).1;
    assert!(body_of(&events).ends_with(&format!("id: {name}.2\ndata: two\n\n")));

    let Route::Respond(gone) = transport.route(again.for_lost_session()) else { panic!("it is answered at once") };
    assert_eq!(gone.status, 200, "any other status would end it for ever");
    assert_eq!(gone.body, b"retry: 0\nid:\nevent: gone\ndata:\n\n");
}

#[test]
fn another_session_gets_what_the_client_lacks() {
    let (mut session, name) = open(&Config::default());
    let secret = session.opening().iter().find_map(|event| match event {
        Event::Ticket(secret) => Some(secret.clone()),
        _ => None,
    });
    assert!(body_of(session.opening()).contains(&format!("\"ticket\":\"spark~{}\"", secret.expect("there is a ticket"))));
    for message in ["one", "two"] {
        send(&mut session, message);
    }
    session.send(Kind::Binary, b"\0");
    for word in ["", "four", "3", "-1"] {
        assert_eq!(session.succeed(word), None, "the client can't have {word:?}");
    }
    assert_eq!(body_of(&session.timeout(FLUSH)), "id: 3\nevent: binary\ndata: AA==\n\n", "it goes on");
    session.request(get(&name, 0));
    let left = [
        Event::Finish(ExchangeId(2)),
        Event::Remains(Kind::Text, b"two".to_vec()),
        Event::Remains(Kind::Binary, b"\0".to_vec()),
    ];
    assert_eq!(session.succeed("1").as_deref(), Some(&left[..]));
}

#[test]
fn responses_end_after_their_first_events_for_who_asks_so() {
    let session = with(&Config::default()).open(Request::new("GET", "/primus/sse?_v=1&_once=1"));
    let [Event::Ticket(_), Event::SetTimer(..), Event::Respond(ExchangeId(1), response), WITHOUT_STREAM] = session.opening()
    else {
        panic!("{:?}", session.opening())
    };
    assert!(matches!(read(&response.body)[..], [Heard::Open(_)]));
}

#[test]
fn requests_go_where_they_belong() {
    let transport = with(&Config::default());
    let status = |route: Route| match route {
        Route::Respond(response) => response.status,
        other => panic!("this is not answered at once: {other:?}"),
    };
    assert_eq!(transport.route("/primus"), Route::Pass);
    assert_eq!(transport.route("/primus/sse/more"), Route::Pass);
    assert_eq!(transport.route("/primus/sse"), Route::Open);
    assert_eq!(status(transport.route("/primus/sse?_v=2")), 400);
    assert_eq!(status(transport.route("/primus/sse?_session=nonsense")), 410);
    assert_eq!(status(transport.route(Request::new("POST", "/primus/sse"))), 410);
    assert_eq!(status(transport.route(Request::new("PUT", "/primus/sse"))), 405);
    let (_, name) = open(&Config::default());
    assert_eq!(transport.route(get(&name, 0)), Route::Session("spark".to_owned()));
    assert_eq!(status(transport.route(get(&name, 0).for_lost_session())), 410);
}

#[test]
fn an_address_has_so_many_sessions() {
    let transport = with(&Config { max_sessions_per_address: 2, ..Config::default() });
    let sessions = [(); 2].map(|()| transport.open(Request::new("GET", "/primus/sse")));
    let Route::Respond(refused) = transport.route("/primus/sse") else { panic!("there is no room") };
    assert_eq!(refused.status, 503);
    assert!(String::from_utf8_lossy(&refused.body).contains("max_sessions_per_address"));
    let late = transport.open_late(Request::new("GET", "/primus/sse"));
    assert!(matches!(late.opening(), [Event::Respond(_, response), Event::Close(_)] if response.status == 503));
    drop((sessions, late));
    assert_eq!(transport.route("/primus/sse"), Route::Open);
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let (mut session, _) = open(&Config { max_pending_bytes: 100, ..Config::default() });
    session.disconnected(Carrier::Exchange(ExchangeId(1)));
    assert_eq!(session.send(Kind::Text, "x".repeat(800)), [], "one for whom nothing waits takes any message");
    let events = session.send(Kind::Text, "x".repeat(80));
    assert_eq!(ended(&events), Some(&DisconnectReason::Limit("max_pending_bytes".to_owned())));
}

#[test]
fn a_message_over_the_limit_ends_the_session() {
    let (mut session, name) = open(&Config { max_message_bytes: 3, ..Config::default() });
    assert_eq!(received(&response(&session.request(post(&name, 1, &["abc"])).1)), 1);
    let events = session.request(post(&name, 2, &["abcd"])).1;
    assert_eq!(answer(&events).0, 413);
    assert!(body_of(&events).contains("event: close\ndata: {\"code\":1009,"));
    assert_eq!(ended(&events), Some(&DisconnectReason::Limit("max_message_bytes".to_owned())));
}

#[test]
fn what_is_never_acknowledged_is_forgotten_and_who_asks_for_it_is_told() {
    let (mut session, name) = open(&Config { max_resend_bytes: 8, ..Config::default() });
    for message in ["1234", "5678", "90ab"] {
        send(&mut session, message);
    }
    let events = session.request(get(&name, 0)).1;
    assert_eq!(answer(&events).0, 410);
    assert!(answer(&events).1.contains("max_resend_bytes"));
    assert_eq!(ended(&events), Some(&DisconnectReason::Limit("max_resend_bytes".to_owned())));
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let path = |config: Config| sse::transport(&config).err().map(|error| error.path);
    assert_eq!(path(Config { disconnect_ms: 0, ..Config::default() }).as_deref(), Some("disconnect_ms"));
    assert_eq!(path(Config { padding_bytes: 2 << 20, ..Config::default() }).as_deref(), Some("padding_bytes"));
    assert_eq!(path(Config::default()), None);
}

fn response(events: &[Event]) -> plugin_api::Response {
    let response = events.iter().find_map(|event| match event {
        Event::Respond(_, response) => Some(response.clone()),
        _ => None,
    });
    response.expect("it is answered")
}
