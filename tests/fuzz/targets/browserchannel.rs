//! Feeds a transport and a session with anything that a client may ask for.
//!
//! What must hold:
//! - nothing panics, whatever is asked of the transport or the session;
//! - an exchange is answered once, and what follows goes to bodies that are open;
//! - a session ends at most once, and nothing comes after that;
//! - messages of a client that follows the protocol arrive once and in order.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use browserchannel::BrowserChannelTransport;
use browserchannel::config::Config;
use browserchannel::{FLUSH, LIFE};
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::{Event, TransportHarness};
use plugin_api::{Carrier, ExchangeId, Kind, Request, Route};

/// What happens to a session.
#[derive(Debug, Arbitrary)]
enum Step {
    /// A request with any query and body.
    Any {
        is_post: bool,
        query: String,
        body: Vec<u8>,
        is_json: bool,
    },
    /// Numbered messages, from one on.
    Forward {
        first: u8,
        count: u8,
    },
    /// A response for arrays.
    Back {
        is_html: bool,
        streams: bool,
        acknowledged: i8,
    },
    Send(String),
    Bytes(Vec<u8>),
    Flush,
    Life,
    Cut(u8),
    Close,
}

fuzz_target!(|steps: Vec<Step>| {
    let config = Config { response_limit_bytes: 200, max_ahead_bytes: 10_000, ..Config::default() };
    let transport = TransportHarness::new(BrowserChannelTransport::new(&config).expect("the configuration makes sense"));
    let mut session = transport.open(Request::new("POST", "/primus/bind?VER=8&RID=1").with_body("count=0"));
    let (mut answered, mut open) = (BTreeSet::new(), BTreeSet::new());
    let mut received = Vec::new();
    let mut is_orderly = true;
    let mut ends = 0;
    for step in steps {
        if session.is_over() {
            break;
        }
        let ask = |method: &str, query: &str| Request::new(method, &format!("/primus/bind?VER=8&SID=any&{query}"));
        let events = match step {
            Step::Any { is_post, query, body, is_json } => {
                is_orderly = false;
                let content_type = if is_json { "application/json" } else { "text/plain" };
                let request = ask(if is_post { "POST" } else { "GET" }, &query).with_header("content-type", content_type);
                let request = request.with_body(body);
                assert!(!matches!(transport.route(request.clone()), Route::Session(_)), "nobody knows its id");
                session.request(request).1
            }
            Step::Forward { first, count } => {
                let maps: String =
                    (0..count).map(|place| format!("&req{place}__S={}", u16::from(first) + u16::from(place))).collect();
                session.request(ask("POST", "RID=2").with_body(format!("count={count}&ofs={first}{maps}"))).1
            }
            Step::Back { is_html, streams, acknowledged } => {
                let (kind, whole) = (if is_html { "html" } else { "xmlhttp" }, u8::from(!streams));
                session.request(ask("GET", &format!("RID=rpc&TYPE={kind}&CI={whole}&AID={acknowledged}"))).1
            }
            Step::Send(text) => session.send(Kind::Text, text),
            Step::Bytes(bytes) => session.send(Kind::Binary, bytes),
            Step::Flush => session.timeout(FLUSH),
            Step::Life => session.timeout(LIFE),
            Step::Cut(number) => {
                open.remove(&u64::from(number));
                session.disconnected(Carrier::Exchange(ExchangeId(number.into())))
            }
            Step::Close => session.close(None, ""),
        };
        for event in events {
            match event {
                Event::Respond(ExchangeId(number), _) => assert!(answered.insert(number), "{number} is answered twice"),
                Event::RespondOpen(ExchangeId(number), _) => {
                    assert!(answered.insert(number), "{number} is answered twice");
                    open.insert(number);
                }
                Event::Chunk(ExchangeId(number), _) => assert!(open.contains(&number), "{number} is not open"),
                Event::Finish(ExchangeId(number)) => assert!(open.remove(&number), "{number} is not open"),
                Event::Message(_, bytes) => received.push(bytes),
                Event::Close(_) => ends += 1,
                _ => {}
            }
        }
        assert!(ends <= 1 && open.len() <= 1);
    }
    if is_orderly {
        assert!(received.iter().zip(0..).all(|(bytes, number): (_, u32)| *bytes == number.to_string().into_bytes()));
    }
});
