//! The opening handshake (RFC 6455, section 4.2), through the transport.

mod support;

use plugin_api::testing::Event;
use plugin_api::{DisconnectReason, Request, Response, Route};
use support::{ECHO, handshake, handshake_at, transport};
use websocket::config::{CompressionConfig, Config};

fn route(request: Request<'static>) -> Route {
    transport(Config::default()).route(request)
}

#[track_caller]
fn refusal(route: Route) -> Response {
    match route {
        Route::Respond(response) => response,
        other => panic!("the request is not refused: {other:?}"),
    }
}

/// The header fields of the 101.
fn accepted(config: Config, request: Request<'static>) -> Vec<(String, String)> {
    match transport(config).open(request).opening() {
        [Event::Upgrade { headers, .. }, Event::FrameClass(_)] => headers.clone(),
        other => panic!("this opens no WebSocket: {other:?}"),
    }
}

fn field<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The handshake of the RFC with these values in place of a header field's own.
fn with(name: &str, values: &[&str]) -> Request<'static> {
    let handshake = handshake();
    let others = handshake.headers().filter(|(own, _)| *own != name);
    let request = others.fold(Request::new("GET", "/primus"), |request, (name, value)| {
        request.with_header(name, std::str::from_utf8(value).unwrap())
    });
    values.iter().fold(request, |request, value| request.with_header(name, value))
}

#[test]
fn the_handshake_of_the_rfc_is_accepted() {
    assert_eq!(route(handshake()), Route::Open);
    let headers = accepted(Config::default(), handshake());
    let expected =
        [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_pathname_with_and_without_a_slash_is_ours_and_nothing_else() {
    assert_eq!(route(handshake_at("/primus")), Route::Open);
    assert_eq!(route(handshake_at("/primus/?_primuscb=Q8D7of-")), Route::Open);
    for path in ["/primus/other", "/primus//", "/primus/echo/", "/primus/echoes"] {
        assert_eq!(route(handshake_at(path)), Route::Pass, "{path}");
    }
    assert_eq!(route(Request::new("POST", "/primus")), Route::Pass);
}

#[test]
fn the_echo_is_no_spark() {
    assert_eq!(route(handshake_at(ECHO)), Route::OpenBare);
}

#[test]
fn a_plain_get_is_told_to_upgrade() {
    for request in [Request::new("GET", "/primus"), with("upgrade", &[]), with("upgrade", &["h2c"])] {
        let response = refusal(route(request));
        assert_eq!(response.status, 426);
        assert_eq!(response.body, b"Upgrade Required");
        assert_eq!(field(&response.headers, "upgrade"), Some("websocket"));
        assert!(field(&response.headers, "content-type").unwrap().starts_with("text/plain"));
    }
}

#[test]
fn another_version_is_told_which_one_is_spoken() {
    for version in [&[][..], &["8"], &["13, 8"], &["013"]] {
        let response = refusal(route(with("sec-websocket-version", version)));
        assert_eq!((response.status, field(&response.headers, "sec-websocket-version")), (426, Some("13")), "{version:?}");
    }
}

#[test]
fn header_fields_are_lists_of_tokens_in_any_case() {
    for value in ["WebSocket", "websocket", "h2c, WEBSOCKET", " websocket ,"] {
        assert_eq!(route(with("upgrade", &[value])), Route::Open, "{value}");
    }
    for values in [&["upgrade"][..], &["keep-alive, Upgrade"], &["Upgrade,keep-alive"], &["keep-alive", "Upgrade"]] {
        assert_eq!(route(with("connection", values)), Route::Open, "{values:?}");
    }
    for values in [&[][..], &["keep-alive"], &["upgraded"], &["keep-alive upgrade"]] {
        assert_eq!(refusal(route(with("connection", values))).status, 400, "{values:?}");
    }
}

#[test]
fn a_key_is_sixteen_bytes_in_base64_and_comes_once() {
    let good = "dGhlIHNhbXBsZSBub25jZQ==";
    let wrong: [&[&str]; 6] =
        [&[], &[""], &["dGhlIHNhbXBsZSBub25j"], &["dGhlIHNhbXBsZSBub25jZQ"], &["dGhlIHNhbXBsZSBub25jZSE*"], &[good, good]];
    for values in wrong {
        let response = refusal(route(with("sec-websocket-key", values)));
        assert_eq!(response.status, 400, "{values:?}");
        assert!(String::from_utf8(response.body).unwrap().starts_with(r#"{"error":"Sec-WebSocket-Key"#));
    }
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let from = |origin: &str| handshake().with_header("origin", origin);
    let open =
        |origins: &[&str]| Config { origins: origins.iter().map(|&rule| rule.to_owned()).collect(), ..Config::default() };
    assert_eq!(transport(open(&["self"])).route(from("http://localhost")), Route::Open);
    let response = refusal(transport(open(&["self"])).route(from("http://evil.example")));
    assert_eq!((response.status, response.body.as_slice()), (403, &br#"{"error":"this origin may not connect"}"#[..]));
    assert_eq!(transport(open(&["*"])).route(from("http://evil.example")), Route::Open);
    assert_eq!(transport(open(&["https://app.example"])).route(from("https://app.example")), Route::Open);
    assert_eq!(refusal(transport(open(&["https://app.example"])).route(from("http://localhost"))).status, 403);
    assert_eq!(transport(open(&[])).route(handshake()), Route::Open, "a client that is no page");
}

#[test]
fn the_echo_is_not_open_to_foreign_pages_either() {
    let request = handshake_at(ECHO).with_header("origin", "http://evil.example");
    let config = Config { origins: vec!["self".to_owned()], echo_path: Some(ECHO.to_owned()), ..Config::default() };
    assert_eq!(refusal(transport(config).route(request)).status, 403);
}

#[test]
fn a_subprotocol_is_the_servers_first_choice_or_the_clients() {
    let chosen = |spoken: &[&str], offered: &[&str]| {
        let spoken = spoken.iter().map(|&name| name.to_owned()).collect();
        let headers = accepted(Config { subprotocols: spoken, ..Config::default() }, with("sec-websocket-protocol", offered));
        field(&headers, "sec-websocket-protocol").map(str::to_owned)
    };
    assert_eq!(chosen(&[], &["chat, superchat"]).as_deref(), Some("chat"));
    assert_eq!(chosen(&["superchat", "chat"], &["chat, superchat"]).as_deref(), Some("superchat"));
    assert_eq!(chosen(&["superchat"], &["chat", "superchat"]).as_deref(), Some("superchat"));
    assert_eq!(chosen(&["superchat"], &["chat"]), None);
    assert_eq!(chosen(&["superchat"], &[]), None);
}

#[test]
fn offers_that_break_their_grammar_are_refused() {
    for values in [&["a b"][..], &["a, a"], &["a", "a"], &["a;b"]] {
        assert_eq!(refusal(route(with("sec-websocket-protocol", values))).status, 400, "{values:?}");
    }
    for values in [&["permessage-deflate;"][..], &["a b"], &["a; b=\"", "c"]] {
        assert_eq!(refusal(route(with("sec-websocket-extensions", values))).status, 400, "{values:?}");
    }
}

#[test]
fn compression_is_agreed_upon_only_where_it_is_on() {
    let offer = with("sec-websocket-extensions", &["permessage-deflate; client_max_window_bits"]);
    assert_eq!(field(&accepted(Config::default(), offer.clone()), "sec-websocket-extensions"), None);
    let on = Config { compression: Some(CompressionConfig::default()), ..Config::default() };
    assert_eq!(
        field(&accepted(on.clone(), offer), "sec-websocket-extensions"),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    assert_eq!(field(&accepted(on, handshake()), "sec-websocket-extensions"), None);
}

#[test]
fn a_session_has_a_single_request() {
    let mut session = transport(Config::default()).open(handshake());
    let (exchange, events) = session.request(handshake());
    match &events[..] {
        [Event::Respond(answered, response)] => assert_eq!((*answered, response.status), (exchange, 400)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_has_so_many_connections_at_a_time() {
    let transport = transport(Config { max_sessions_per_address: 1, ..Config::default() });
    let from = |address: &str| handshake().with_address(address.parse().unwrap());
    let first = transport.open(from("[2001:db8::1]:1000"));
    let refused = refusal(transport.route(from("[2001:db8::2]:1000")));
    assert_eq!(refused.status, 503);
    assert!(String::from_utf8_lossy(&refused.body).contains("max_sessions_per_address"));
    match transport.open_late(from("[2001:db8::2]:1000")).opening() {
        [Event::Respond(_, response), Event::Close(DisconnectReason::Limit(_))] => assert_eq!(response.status, 503),
        other => panic!("who was let in, but comes too late, is refused: {other:?}"),
    }
    assert_eq!(transport.route(from("[2001:db8:0:1::1]:1000")), Route::Open);
    let restored = transport.restore(&first.save().unwrap()).unwrap();
    drop(first);
    assert_eq!(refusal(transport.route(from("[2001:db8::3]:1000"))).status, 503, "a saved connection keeps its seat");
    drop(restored);
    assert_eq!(transport.route(from("[2001:db8::3]:1000")), Route::Open);
}
