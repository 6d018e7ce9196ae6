//! Whose a request is, and the protocol's answers to those that make no sense.

mod support;

use engine_io::config::Config;
use plugin_api::testing::Event;
use plugin_api::{Request, Route};
use support::*;

fn route(request: Request<'static>) -> Route {
    transport(Config::default()).route(request)
}

#[track_caller]
fn assert_refused(request: Request<'static>, body: &str) {
    match route(request) {
        Route::Respond(response) => {
            assert_eq!((response.status, String::from_utf8(response.body).unwrap().as_str()), (400, body));
            assert_eq!(response.headers, [("content-type".to_owned(), "application/json".to_owned())]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_name_a_version_are_ours_and_no_others() {
    for version in [4, 3] {
        assert_eq!(route(polling("GET", version, "")), Route::Open);
        assert_eq!(route(upgrade(version, "")), Route::Open);
    }
    assert_eq!(route(Request::new("GET", "/primus?EIO=4&transport=polling")), Route::Open);
    let plain = upgrade(4, "").headers().fold(Request::new("GET", "/primus?_primuscb=Q8D7of-"), |request, (name, value)| {
        request.with_header(name, std::str::from_utf8(value).unwrap())
    });
    assert_eq!(route(plain), Route::Pass);
    assert_eq!(route(Request::new("GET", "/primus/other?EIO=4&transport=polling")), Route::Pass);
}

#[test]
fn a_session_is_named_by_its_id() {
    assert_eq!(route(polling("GET", 4, "&sid=abc")), Route::Session("abc".into()));
    assert_eq!(route(polling("POST", 3, "&sid=abc")), Route::Session("abc".into()));
    assert_eq!(route(upgrade(4, "&sid=abc")), Route::Session("abc".into()));
}

#[test]
fn the_errors_of_the_protocol_are_answered_with_their_codes() {
    assert_refused(Request::new("GET", "/primus/?EIO=4"), r#"{"code":0,"message":"Transport unknown"}"#);
    assert_refused(Request::new("GET", "/primus/?EIO=4&transport=tube"), r#"{"code":0,"message":"Transport unknown"}"#);
    assert_refused(polling("GET", 4, "&sid=abc").for_lost_session(), r#"{"code":1,"message":"Session ID unknown"}"#);
    assert_refused(polling("POST", 4, ""), r#"{"code":2,"message":"Bad handshake method"}"#);
    assert_refused(Request::new("GET", "/primus/?EIO=4&transport=websocket"), r#"{"code":3,"message":"Bad request"}"#);
    assert_refused(polling("GET", 2, ""), r#"{"code":5,"message":"Unsupported protocol version"}"#);
    let only_4 = Config { versions: vec![4], ..Config::default() };
    assert!(matches!(transport(only_4).route(polling("GET", 3, "")), Route::Respond(_)));
}

#[test]
fn an_address_has_so_many_sessions_at_a_time() {
    let transport = transport(Config { max_sessions_per_address: 1, ..Config::default() });
    let session = transport.open(polling("GET", 4, ""));
    let Route::Respond(response) = transport.route(polling("GET", 4, "")) else { panic!("there is no place") };
    assert_eq!((response.status, response.body.as_slice()), (503, br#"{"code":4,"message":"Forbidden"}"#.as_slice()));
    let late = transport.open_late(polling("GET", 4, ""));
    assert!(matches!(late.opening(), [Event::Respond(_, response), Event::Close(_)] if response.status == 503));
    drop((session, late));
    assert_eq!(transport.route(polling("GET", 4, "")), Route::Open);
}
