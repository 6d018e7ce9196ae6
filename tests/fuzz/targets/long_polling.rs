//! Sessions of the transport `long-polling`: requests that wait, and requests with numbered messages.
#![no_main]

use fuzz::{LIMIT, Life, Vocabulary};
use libfuzzer_sys::fuzz_target;
use long_polling::config::Config;
use plugin_api::testing::TransportHarness;

const WORDS: Vocabulary = Vocabulary {
    opens: &["GET /primus/poll?_v=1", "GET /primus/poll"],
    asks: &[
        "GET /primus/poll?_session={}&_ack=0",
        "GET /primus/poll?_session={}&_ack=1",
        "GET /primus/poll?_session={}&_ack=",
        "POST /primus/poll?_session={}",
        "POST /primus/poll?_session={}&_ack=",
        "POST /primus/poll?_session={}&_close=1",
        "GET /primus/poll?_session=",
        "GET /primus/poll?_v=1",
    ],
    bodies: &["a text", "\0\0\0\0\0\0\0\x01", "\0\0\0\0\0\0\0\x01\x01\0\0\0\x02ab", "{}.1", "{}.2"],
    name: Some(("\"session\":\"", "\"")),
};

thread_local! {
    static TRANSPORT: TransportHarness = {
        let config = Config { max_message_bytes: LIMIT, max_pending_bytes: 500, max_response_bytes: 300, ..Config::default() };
        TransportHarness::new(long_polling::transport(&config).expect("the configuration makes sense"))
    };
}

fuzz_target!(|life: Life| TRANSPORT.with(|transport| life.live(transport, &WORDS)));
