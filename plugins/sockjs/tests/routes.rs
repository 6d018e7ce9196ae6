//! What a request is, by its path, its method and the sessions that there are.

mod support;

use plugin_api::testing::Event;
use plugin_api::{Carrier, ExchangeId, Request, Response, Route};
use sockjs::config::Config;
use support::{asked, header_of, response, transport, with};

fn status_and_body(route: Route) -> (u16, String) {
    let Response { status, body, .. } = response(route);
    (status, String::from_utf8(body).unwrap())
}

#[test]
fn a_plain_request_under_the_pathname_is_greeted() {
    for path in ["/primus", "/primus/"] {
        assert_eq!(status_and_body(transport().route(path)), (200, "Welcome to SockJS!\n".to_owned()));
    }
    assert_eq!(transport().route("/primus?EIO=4&transport=polling"), Route::Pass);
    assert_eq!(transport().route(asked("POST /primus")), Route::Pass);
    let upgrade = Request::new("GET", "/primus").with_header("upgrade", "websocket");
    assert_eq!(transport().route(upgrade), Route::Pass, "the plain WebSocket is another transport's");
}

#[test]
fn info_tells_what_there_is_and_is_never_the_same() {
    let info = || status_and_body(transport().route("/primus/info")).1;
    let first = info();
    let (known, entropy) = first.rsplit_once(':').unwrap();
    assert_eq!(known, r#"{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy""#);
    assert!(entropy.trim_end_matches('}').parse::<u32>().is_ok());
    assert_ne!(first, info());
    let head = response(transport().route("/primus/info"));
    assert_eq!(header_of(&head, "content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(header_of(&head, "cache-control"), Some("no-store, no-cache, no-transform, must-revalidate, max-age=0"));
}

#[test]
fn the_iframe_page_is_kept_by_caches() {
    let transport = transport();
    let page = response(transport.route("/primus/iframe.html"));
    let tag = header_of(&page, "etag").unwrap();
    assert_eq!(page.status, 200);
    assert_eq!(header_of(&page, "cache-control"), Some("public, max-age=31536000"));
    let body = String::from_utf8(page.body.clone()).unwrap();
    assert!(body.contains("<script src=\"https://cdn.jsdelivr.net/npm/sockjs-client@1.6.1/dist/sockjs.min.js\"></script>"));
    assert!(body.contains("SockJS.bootstrap_iframe();"));
    let known = response(transport.route(asked("GET /primus/iframe-1.6.1.html").with_header("if-none-match", tag)));
    assert_eq!((known.status, known.body.len(), header_of(&known, "content-type")), (304, 0, None));
    let changed = with(Config { client_url: "/sockjs.js".to_owned(), ..Config::default() });
    assert_ne!(header_of(&response(changed.route("/primus/iframe.html")), "etag"), Some(tag));
}

#[test]
fn each_path_has_its_method() {
    for (path, method, other) in [
        ("/primus/info", "GET", "POST"),
        ("/primus/0/s/xhr", "POST", "GET"),
        ("/primus/0/s/xhr_streaming", "POST", "PUT"),
        ("/primus/0/s/xhr_send", "POST", "GET"),
        ("/primus/0/s/jsonp_send", "POST", "GET"),
        ("/primus/0/s/eventsource", "GET", "POST"),
        ("/primus/0/s/jsonp", "GET", "POST"),
    ] {
        let refused = response(transport().route(asked(&format!("{other} {path}"))));
        let methods = format!("OPTIONS, {method}");
        assert_eq!((refused.status, header_of(&refused, "allow")), (405, Some(&*methods)), "{path}");
        let options = response(transport().route(asked(&format!("OPTIONS {path}"))));
        assert_eq!((options.status, header_of(&options, "allow")), (204, Some(&*methods)), "{path}");
    }
}

#[test]
fn messages_to_a_session_that_is_not_there_are_not_found() {
    for way in ["xhr_send", "jsonp_send"] {
        let route = transport().route(asked(&format!("POST /primus/0/s/{way}")));
        assert_eq!(status_and_body(route), (404, "404 Error: Page not found\n".to_owned()));
    }
}

#[test]
fn a_session_is_found_by_the_clients_name_for_it_whatever_the_server_is_called() {
    let transport = transport();
    assert_eq!(transport.route(asked("POST /primus/0/s/xhr")), Route::Open);
    let session = transport.open(asked("POST /primus/0/s/xhr").with_spark_id("spark-1"));
    for way in ["xhr", "xhr_send", "xhr_streaming", "jsonp_send"] {
        let route = transport.route(asked(&format!("POST /primus/999/s/{way}")));
        assert_eq!(route, Route::Session("spark-1".to_owned()), "{way}");
    }
    assert_eq!(transport.route(asked("POST /primus/0/other/xhr")), Route::Open);
    drop(session);
    assert_eq!(transport.route(asked("POST /primus/0/s/xhr")), Route::Open);
}

#[test]
fn who_asks_for_a_closed_session_is_told_why_it_was_closed() {
    let transport = transport();
    let mut session = transport.open(asked("POST /primus/0/s/xhr_streaming"));
    session.close(Some(3000), "Go away!");
    drop(session);
    let told = "c[3000,\"Go away!\"]\n";
    for _ in 0..2 {
        assert_eq!(status_and_body(transport.route(asked("POST /primus/0/s/xhr"))), (200, told.to_owned()));
    }
    let late = response(transport.route(asked("POST /primus/0/s/xhr_send")));
    assert_eq!(late.status, 204, "no client takes a message that came too late for a fault");

    let mut session = transport.open(asked("GET /primus/0/t/eventsource"));
    session.disconnected(Carrier::Exchange(ExchangeId(1)));
    drop(session);
    let told = "c[1002,\"Connection interrupted\"]\n";
    assert_eq!(status_and_body(transport.route(asked("POST /primus/0/t/xhr"))), (200, told.to_owned()));
}

#[test]
fn a_session_that_ended_for_want_of_a_carrier_is_forgotten() {
    let transport = transport();
    let mut session = transport.open(asked("POST /primus/0/s/xhr"));
    session.timeout(sockjs::LIFE);
    assert_eq!(transport.route(asked("POST /primus/0/s/xhr")), Route::Open);
}

#[test]
fn an_address_has_so_many_sessions_and_no_more() {
    let transport = with(Config { max_sessions_per_address: 1, ..Config::default() });
    let session = transport.open(asked("POST /primus/0/a/xhr"));
    assert_eq!(response(transport.route(asked("POST /primus/0/b/xhr"))).status, 503);
    assert_eq!(transport.route(asked("POST /primus/0/a/xhr")), Route::Session("spark".to_owned()));
    for late in ["POST /primus/0/b/xhr", "GET /primus/websocket"] {
        let late = transport.open_late(asked(late));
        assert!(matches!(late.opening(), [Event::Respond(_, response), Event::Close(_)] if response.status == 503));
    }
    drop(session);
    assert_eq!(transport.route(asked("POST /primus/0/b/xhr")), Route::Open);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let refused = |config| sockjs::SockJsTransport::new(config).err().map(|error| error.path);
    assert_eq!(refused(Config { disconnect_ms: 0, ..Config::default() }).as_deref(), Some("disconnect_ms"));
    assert_eq!(refused(Config { response_limit_bytes: 0, ..Config::default() }).as_deref(), Some("response_limit_bytes"));
    for url in ["", "sockjs.js", "javascript:alert(1)", "https://a\"><script>"] {
        assert_eq!(refused(Config { client_url: url.to_owned(), ..Config::default() }).as_deref(), Some("client_url"));
    }
}

#[test]
fn paths_of_others_are_left_to_them() {
    for path in ["/primus/a", "/primus/a/b", "/primus/0/s/other", "/primus/spec", "/primus/0/s.t/xhr"] {
        assert_eq!(transport().route(path), Route::Pass, "{path}");
    }
}

#[test]
fn a_session_that_only_the_directory_knows_is_told_to_be_interrupted() {
    let transport = transport();
    let _session = transport.open(asked("POST /primus/0/s/xhr"));
    let lost = transport.route(asked("POST /primus/0/s/xhr").for_lost_session());
    assert_eq!(status_and_body(lost), (200, "c[1002,\"Connection interrupted\"]\n".to_owned()));
    assert_eq!(response(transport.route(asked("POST /primus/0/s/xhr"))).status, 200, "and so it stays for a while");
}
