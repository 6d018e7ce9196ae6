//! Feeds a session with anything that a client may send, in any cut.
//!
//! What must hold: nothing panics; however the bytes are cut, the messages are the same; no message is longer than the limit.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Request, RequestParts};
use tcp::TcpTransport;
use tcp::config::Config;

const LIMIT: usize = 64;

#[derive(Debug, Arbitrary)]
enum Mode {
    Lines,
    Texts,
    Bytes,
}

/// A client's life.
#[derive(Debug, Arbitrary)]
struct Plan {
    mode: Mode,
    bytes: Vec<u8>,
    cuts: Vec<u8>,
}

fn session(transport: &TransportHarness, mode: &Mode) -> SessionHarness {
    let path = match mode {
        Mode::Lines => "/lines",
        Mode::Texts => "/length/text",
        Mode::Bytes => "/length/binary",
    };
    transport.open(Request::from(RequestParts {
        path: path.to_owned(),
        rest: path.to_owned(),
        scheme: "tcp".to_owned(),
        ..RequestParts::default()
    }))
}

/// What a host would get; timers are of calls, not of messages.
fn of_client(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().filter(|event| !matches!(event, Event::SetTimer(..) | Event::ClearTimer(_))).collect()
}

thread_local! {
    static TRANSPORT: TransportHarness = {
        let config = Config { max_message_bytes: LIMIT, ..Config::default() };
        TransportHarness::new(TcpTransport::new(&config.settings().expect("it makes sense")))
    };
}

fuzz_target!(|plan: Plan| {
    TRANSPORT.with(|transport| {
        let whole = of_client(session(transport, &plan.mode).receive(&plan.bytes));
        let cuts = plan.cuts.iter().map(|cut| usize::from(*cut));
        assert_eq!(of_client(session(transport, &plan.mode).receive_split(&plan.bytes, cuts)), whole);
        for event in whole {
            assert!(!matches!(event, Event::Message(_, bytes) if bytes.is_empty() || bytes.len() > LIMIT));
        }
    });
});
