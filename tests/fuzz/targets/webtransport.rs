//! Feeds a session with anything that a client may send, in any cut.
//!
//! What must hold: nothing panics; however the bytes are cut, the messages are the same; no message is longer than the limit.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::{Event, TransportHarness};
use plugin_api::{FrameClass, Kind, Out, Request, Route, Transport};
use webtransport::{WebTransport, WebTransportSession};

const LIMIT: usize = 64;

/// A client's life.
#[derive(Debug, Arbitrary)]
struct Plan {
    bytes: Vec<u8>,
    cuts: Vec<u8>,
}

/// Sessions that a request opens: in a host, streams that the plugin brings open them.
struct Brought(WebTransport);

impl Transport for Brought {
    type Session = WebTransportSession;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn route(&self, _: &Request<'_>) -> Route {
        Route::Open
    }

    fn open(&self, request: &Request<'_>) -> WebTransportSession {
        self.0.open(request)
    }

    fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut Out<'_>) {
        self.0.frame(class, kind, payload, out);
    }
}

thread_local! {
    /// A transport lives as long as its plugin: one is enough.
    static TRANSPORT: TransportHarness = TransportHarness::new(Brought(WebTransport::new(LIMIT)));
}

fuzz_target!(|plan: Plan| {
    TRANSPORT.with(|transport| {
        let session = || transport.open("/primus");
        let whole = session().receive(&plan.bytes);
        assert_eq!(session().receive_split(&plan.bytes, plan.cuts.iter().map(|cut| usize::from(*cut))), whole);
        for event in whole {
            assert!(!matches!(event, Event::Message(_, bytes) if bytes.is_empty() || bytes.len() > LIMIT));
        }
    });
});
