//! What a request is, by its path, its query and the sessions that there are.

mod support;

use browserchannel::config::Config;
use plugin_api::testing::Event;
use plugin_api::{Request, Route};
use support::{Client, asked, response, status_and_body, transport, with};

#[test]
fn a_client_is_told_which_hosts_there_are() {
    let hosts = response(transport().route(asked("GET /test?MODE=init")));
    assert_eq!(status_and_body(&hosts), (200, "[null,null]"));
    let header = |name| hosts.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(header("content-type"), Some("text/plain"));
    assert_eq!(header("cache-control"), Some("no-cache, no-store, max-age=0, must-revalidate"));
    assert_eq!(header("x-accept"), Some("application/json; application/x-www-form-urlencoded"));
    let prefixed = with(Config { host_prefixes: vec!["a".to_owned()], ..Config::default() });
    assert_eq!(status_and_body(&response(prefixed.route(asked("GET /test?MODE=init")))), (200, "[\"a\",null]"));
    assert_eq!(Client::of(&prefixed).hello, ",\"a\",8]]]\n");
}

#[test]
fn requests_of_others_are_left_to_them() {
    for target in ["/primus", "/primus/", "/primus/test", "/primus/bind?RID=1", "/primus/info?VER=8", "/primus/?EIO=4&VER=8"] {
        assert_eq!(transport().route(target), Route::Pass, "{target}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_told() {
    let told = |request| {
        let response = response(transport().route(request));
        (response.status, String::from_utf8(response.body).unwrap())
    };
    let page = |words: &str| format!("<html><body><h1>{words}</h1></body></html>");
    assert_eq!(told(Request::new("GET", "/primus/test?VER=7&MODE=init")), (400, page("Version 8 required")));
    assert_eq!(told(asked("POST /bind?SID=nobody&RID=1")), (400, page("Unknown SID")));
    assert_eq!(told(asked("GET /bind?SID=nobody&RID=rpc&TYPE=html")), (400, page("Unknown SID")));
    assert_eq!(told(asked("GET /bind?SID=nobody&RID=1&TYPE=xmlhttp")), (400, page("Expected RPC")));
    assert_eq!(told(asked("PUT /bind?SID=nobody&RID=1")), (405, page("Method not allowed")));
    assert_eq!(told(asked("GET /bind?SID=nobody&RID=1&TYPE=terminate")), (200, String::new()));
}

#[test]
fn a_session_is_found_by_its_secret_and_not_by_its_sparks_id() {
    let transport = transport();
    let client = Client::of(&transport);
    assert_eq!(client.sid.len(), 32);
    assert_ne!(client.sid, Client::of(&transport).sid);
    let asked_of = |sid: &str| transport.route(asked(&format!("POST /bind?RID=2&SID={sid}")));
    assert_eq!(asked_of(&client.sid), Route::Session("spark".to_owned()));
    assert_eq!(response(asked_of("spark")).status, 400);
    let sid = client.sid.clone();
    drop(client);
    assert_eq!(response(asked_of(&sid)).status, 400);
}

#[test]
fn a_session_that_only_the_directory_knows_is_unknown() {
    let transport = transport();
    let client = Client::of(&transport);
    let asked = || asked(&format!("POST /bind?RID=2&SID={}", client.sid));
    let lost = response(transport.route(asked().for_lost_session()));
    assert_eq!(status_and_body(&lost), (400, "<html><body><h1>Unknown SID</h1></body></html>"));
    assert_eq!(response(transport.route(asked())).status, 400, "and so it stays");
}

#[test]
fn an_address_has_so_many_sessions_and_no_more() {
    let transport = with(Config { max_sessions_per_address: 1, ..Config::default() });
    let client = Client::of(&transport);
    assert_eq!(response(transport.route(asked("POST /bind?RID=1"))).status, 503);
    assert_eq!(response(transport.route(asked("GET /test?TYPE=xmlhttp"))).status, 503);
    for late in ["POST /bind?RID=1", "GET /test?TYPE=xmlhttp"] {
        let late = transport.open_late(asked(late));
        assert!(matches!(late.opening(), [Event::Respond(_, response), Event::Close(_)] if response.status == 503));
    }
    drop(client);
    assert_eq!(transport.route(asked("POST /bind?RID=1")), Route::Open);
    assert_eq!(transport.route(asked("GET /test?TYPE=xmlhttp")), Route::OpenBare);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let refused = |config| browserchannel::BrowserChannelTransport::new(&config).err().map(|error| error.path);
    let timeout = Config { session_timeout_ms: 0, ..Config::default() };
    assert_eq!(refused(timeout).as_deref(), Some("session_timeout_ms"));
    for prefix in ["", "a/b", "a\"", "é"] {
        let config = Config { host_prefixes: vec!["a".to_owned(), prefix.to_owned()], ..Config::default() };
        assert_eq!(refused(config).as_deref(), Some("host_prefixes[1]"), "{prefix:?}");
    }
}
