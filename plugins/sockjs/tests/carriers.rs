//! What each way of HTTP puts on the wire.

mod support;

use plugin_api::testing::Event;
use plugin_api::{Kind, Request};
use sockjs::FLUSH;
use support::{Client, body_of, header_of, transport};

#[test]
fn each_way_opens_a_session_in_its_own_form() {
    let open = |target: &str| {
        let client = Client::open(target);
        (client.status, client.opening)
    };
    assert_eq!(open("POST /primus/0/s/xhr"), (200, "o\n".to_owned()));
    assert_eq!(open("POST /primus/0/s/xhr_streaming"), (200, format!("{}\no\n", "h".repeat(2048))));
    assert_eq!(open("GET /primus/0/s/eventsource"), (200, "\r\ndata: o\r\n\r\n".to_owned()));
    assert_eq!(open("GET /primus/0/s/jsonp?c=call"), (200, "/**/call(\"o\");\r\n".to_owned()));
    assert_eq!(open("GET /primus/0/s/jsonp?callback=a.b-c_1"), (200, "/**/a.b-c_1(\"o\");\r\n".to_owned()));
    let (status, page) = open("GET /primus/0/s/htmlfile?c=call");
    let (head, script) = page.split_at(page.find("\r\n\r\n").unwrap());
    assert!(status == 200 && head.len() >= 1024, "browsers want to see much before they run a script");
    assert!(head.contains("var c = parent.call;"));
    assert_eq!(script, "\r\n\r\n<script>\np(\"o\");\n</script>\r\n");
}

#[test]
fn no_answer_is_kept_by_a_cache_and_each_tells_its_type() {
    for (target, content_type) in [
        ("POST /primus/0/s/xhr", "application/javascript; charset=UTF-8"),
        ("POST /primus/0/s/xhr_streaming", "application/javascript; charset=UTF-8"),
        ("GET /primus/0/s/eventsource", "text/event-stream"),
        ("GET /primus/0/s/htmlfile?c=call", "text/html; charset=UTF-8"),
        ("GET /primus/0/s/jsonp?c=call", "application/javascript; charset=UTF-8"),
    ] {
        let client = Client::open(target);
        assert_eq!(header_of(&client.head, "content-type"), Some(content_type), "{target}");
        let cached = header_of(&client.head, "cache-control");
        assert_eq!(cached, Some("no-store, no-cache, no-transform, must-revalidate, max-age=0"), "{target}");
    }
}

#[test]
fn messages_stand_in_the_form_of_their_way() {
    let message = "</script>\"\\ 5%\u{2028}";
    let quoted = r#"</script>\"\\ 5%\u2028"#;
    for (target, expected) in [
        ("POST /primus/0/s/xhr_streaming", format!("a[\"{quoted}\"]\n")),
        ("GET /primus/0/s/eventsource", format!("data: a[\"{}\"]\r\n\r\n", quoted.replace('%', "%25"))),
        (
            "GET /primus/0/s/htmlfile?c=call",
            "<script>\np(\"a[\\\"\\u003c/script>\\\\\\\"\\\\\\\\ 5%\\\\u2028\\\"]\");\n</script>\r\n".to_owned(),
        ),
    ] {
        let mut client = Client::open(target);
        client.session.send(Kind::Text, message);
        let events = client.session.timeout(FLUSH);
        assert_eq!(body_of(&events), expected, "{target}");
    }
    let mut client = Client::open("GET /primus/0/s/jsonp?c=call");
    client.session.send(Kind::Text, message);
    let events = client.get("GET /primus/0/s/jsonp?c=call");
    assert_eq!(body_of(&events), "/**/call(\"a[\\\"\\u003c/script>\\\\\\\"\\\\\\\\ 5%\\\\u2028\\\"]\");\r\n");
}

#[test]
fn a_function_has_to_be_named_and_no_more_than_named() {
    for way in ["htmlfile", "jsonp"] {
        for (query, reason) in [
            ("", "\"callback\" parameter required\n"),
            ("?c=", "\"callback\" parameter required\n"),
            ("?c=%20", "invalid \"callback\" parameter\n"),
            ("?c=alert()", "invalid \"callback\" parameter\n"),
            ("?callback=a%0a", "invalid \"callback\" parameter\n"),
            ("?c=abcdefghijklmnopqrstuvwxyzabcdefg", "invalid \"callback\" parameter\n"),
        ] {
            let response = support::response(transport().route(&*format!("/primus/0/s/{way}{query}")));
            assert_eq!((response.status, String::from_utf8(response.body).unwrap()), (500, reason.to_owned()), "{query}");
        }
    }
}

#[test]
fn messages_come_in_a_body_or_in_the_field_of_a_form() {
    let form = "application/x-www-form-urlencoded";
    for (target, content_type, body, status, answer) in [
        ("/primus/0/s/xhr_send", "text/plain", r#"["a","\u00e9"]"#, 204, ""),
        ("/primus/0/s/xhr_send", "application/json;charset=utf-8", r#"["a","é"]"#, 204, ""),
        ("/primus/0/s/jsonp_send", form, "d=%5B%22a%22%2c+%22%C3%a9%22%5D", 200, "ok"),
        ("/primus/0/s/jsonp_send", "text/plain", r#"["a","é"]"#, 200, "ok"),
    ] {
        let mut client = Client::open("POST /primus/0/s/xhr");
        let request = Request::new("POST", target).with_header("content-type", content_type).with_body(body);
        let (exchange, events) = client.session.request(request);
        let [Event::Respond(answered, response), Event::Message(Kind::Text, first), Event::Message(Kind::Text, second)] =
            &events[..]
        else {
            panic!("{target}: {events:?}");
        };
        assert_eq!(*answered, exchange);
        assert_eq!((response.status, &response.body[..]), (status, answer.as_bytes()), "{target}");
        assert_eq!(header_of(response, "content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!((&first[..], &second[..]), (&b"a"[..], "é".as_bytes()));
    }
}

#[test]
fn a_body_without_messages_is_refused_and_the_session_goes_on() {
    for (target, body, reason) in [
        ("POST /primus/0/s/xhr_send", &b""[..], "Payload expected.\n"),
        ("POST /primus/0/s/xhr_send", b"{}", "Payload expected.\n"),
        ("POST /primus/0/s/xhr_send", b"[1]", "Payload expected.\n"),
        ("POST /primus/0/s/xhr_send", b"[\"a", "Broken JSON encoding.\n"),
        ("POST /primus/0/s/xhr_send", b"[\"\xff\"]", "Broken JSON encoding.\n"),
        ("POST /primus/0/s/jsonp_send", b"", "Payload expected.\n"),
        ("POST /primus/0/s/jsonp_send", b"[\"a", "Broken JSON encoding.\n"),
    ] {
        let mut client = Client::open("POST /primus/0/s/xhr");
        let events = client.post(target, body);
        let [Event::Respond(_, response)] = &events[..] else { panic!("{target}: {events:?}") };
        assert_eq!((response.status, std::str::from_utf8(&response.body).unwrap()), (500, reason), "{body:?}");
        let events = client.post(target, b"[\"a\"]");
        assert!(matches!(&events[..], [Event::Respond(_, _), Event::Message(Kind::Text, message)] if message == b"a"));
    }
}
