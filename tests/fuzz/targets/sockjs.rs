//! Sessions of SockJS, by each of its carriers.
#![no_main]

use fuzz::{LIMIT, Life, Vocabulary};
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::TransportHarness;
use sockjs::SockJsTransport;
use sockjs::config::Config;

const WORDS: Vocabulary = Vocabulary {
    opens: &[
        "POST /primus/0/s/xhr",
        "POST /primus/0/s/xhr_streaming",
        "GET /primus/0/s/eventsource",
        "GET /primus/0/s/htmlfile?c=call",
        "GET /primus/0/s/jsonp?c=call",
        "UPGRADE /primus/0/s/websocket",
        "UPGRADE /primus/websocket",
    ],
    asks: &[
        "POST /primus/0/s/xhr",
        "POST /primus/0/s/xhr_streaming",
        "POST /primus/0/s/xhr_send",
        "GET /primus/0/s/eventsource",
        "GET /primus/0/s/htmlfile?c=call",
        "GET /primus/0/s/jsonp?c=call",
        "POST /primus/0/s/jsonp_send?",
        "UPGRADE /primus/0/s/websocket",
        "GET /primus/info",
        "GET /primus/iframe",
        "GET /primus/",
    ],
    bodies: &["[\"a\",\"b\"]", "[\"\\ud800\"]", "\"a\"", "d=%5B%22a%22%5D", "d=[\"a\"]", "[]", "[1]", ""],
    name: None,
};

// A session is known by the name in its path, so each life has a transport of its own.
fuzz_target!(|life: Life| {
    let config = Config { max_message_bytes: LIMIT, response_limit_bytes: 4096, ..Config::default() };
    let transport = SockJsTransport::new(config).expect("the configuration makes sense");
    life.live(&TransportHarness::new(transport), &WORDS);
});
