//! Sessions of the transport `sse`: responses that go on, and requests with numbered messages.
#![no_main]

use fuzz::{LIMIT, Life, Vocabulary};
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::TransportHarness;
use sse::config::Config;

const WORDS: Vocabulary = Vocabulary {
    opens: &["GET /primus/sse?_v=1", "GET /primus/sse"],
    asks: &[
        "GET /primus/sse?_session={}&_ack=0",
        "GET /primus/sse?_session={}&_ack=1",
        "GET /primus/sse?_session={}&_ack=",
        "POST /primus/sse?_session={}",
        "POST /primus/sse?_session={}&_ack=",
        "POST /primus/sse?_session={}&_close=1",
        "GET /primus/sse?_session=",
        "GET /primus/sse?_v=1",
    ],
    bodies: &["a text", "\0\0\0\0\0\0\0\x01", "\0\0\0\0\0\0\0\x01\x01\0\0\0\x02ab", "{}.1", "{}.2"],
    name: Some(("\"session\":\"", "\"")),
};

thread_local! {
    static TRANSPORT: TransportHarness = {
        let config = Config { max_message_bytes: LIMIT, max_pending_bytes: 500, max_resend_bytes: 300, ..Config::default() };
        TransportHarness::new(sse::transport(&config).expect("the configuration makes sense"))
    };
}

fuzz_target!(|life: Life| TRANSPORT.with(|transport| life.live(transport, &WORDS)));
