//! Polling by scripts and forms.

mod support;

use engine_io::config::Config;
use plugin_api::testing::Event;
use plugin_api::{Kind, Response, Route};

use support::{Client, answer, polling, refused, text, transport};

const FORM: &str = "application/x-www-form-urlencoded";

fn refusal(route: Route) -> Response {
    match route {
        Route::Respond(response) => response,
        other => panic!("it is not refused: {other:?}"),
    }
}

#[test]
fn each_answer_is_a_script_for_the_function_of_its_request() {
    let mut client = Client::of(&transport(Config::default()), 3, "&j=0");
    let opening = client.opening();
    assert!(
        opening.starts_with(r#"___eio[0]("#) && opening.contains(r#":0{\"sid\":\""#) && opening.ends_with(r#"");"#),
        "{opening}"
    );
    let headers = client.session.opening().iter().find_map(|event| match event {
        Event::Respond(_, response) => Some(response.headers.clone()),
        _ => None,
    });
    let headers = headers.expect("it is answered");
    assert!(headers.contains(&("content-type".to_owned(), "text/javascript; charset=UTF-8".to_owned())));
    assert!(headers.contains(&("x-content-type-options".to_owned(), "nosniff".to_owned())));

    client.send(Kind::Text, "\"a\u{2028}\"");
    client.send(Kind::Binary, [1, 2, 255]);
    let (poll, told) = client.poll();
    assert_eq!(told, [answer(poll, r#"___eio[0]("5:4\"a\u2028\"6:b4AQL/");"#)]);
}

#[test]
fn a_form_brings_packets() {
    let mut client = Client::of(&transport(Config::default()), 3, "&j=1");
    let (post, told) = client.post_as(FORM, r"d=4%3A4%22a%22");
    assert_eq!(told, [answer(post, "ok"), text("\"a\"")]);
    let mut client = Client::of(&transport(Config::default()), 4, "&j=1");
    let (post, told) = client.post_as(FORM, r"d=4%22%5Cn%5C%5Cn%22");
    assert_eq!(told, [answer(post, "ok"), text("\"\n\\n\"")]);
    let (post, told) = client.post_as(FORM, "e=4");
    assert_eq!(told[0], refused(post));
}

#[test]
fn what_is_no_number_and_who_is_of_another_site_is_refused() {
    let transport = transport(Config::default());
    let bad = refusal(transport.route(polling("GET", 4, "&j=0](alert(1))")));
    assert_eq!(bad.status, 400);
    let strange = polling("GET", 4, "&j=0").with_header("sec-fetch-site", "cross-site");
    assert_eq!(refusal(transport.route(strange)).status, 403);
    assert_eq!(transport.route(polling("GET", 4, "&j=0").with_header("sec-fetch-site", "same-origin")), Route::Open);
    let off = support::transport(Config { jsonp: false, ..Config::default() });
    assert_eq!(refusal(off.route(polling("GET", 4, "&j=0"))).status, 403);
    assert_eq!(off.route(polling("GET", 4, "")), Route::Open);
}
