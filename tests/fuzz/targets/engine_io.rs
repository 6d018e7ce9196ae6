//! Sessions of Engine.IO, by polling and WebSocket, in both versions, and those that move.
#![no_main]

use engine_io::EngineIoTransport;
use engine_io::config::Config;
use fuzz::{LIMIT, Life, Vocabulary};
use libfuzzer_sys::fuzz_target;
use plugin_api::testing::TransportHarness;

const WORDS: Vocabulary = Vocabulary {
    opens: &[
        "GET /primus/?EIO=4&transport=polling",
        "GET /primus/?EIO=3&transport=polling",
        "GET /primus/?EIO=3&transport=polling&b64=1",
        "UPGRADE /primus/?EIO=4&transport=websocket",
        "UPGRADE /primus/?EIO=3&transport=websocket",
    ],
    asks: &[
        "GET /primus/?EIO=4&transport=polling&sid=spark",
        "POST /primus/?EIO=4&transport=polling&sid=spark",
        "UPGRADE /primus/?EIO=4&transport=websocket&sid=spark",
        "GET /primus/?EIO=3&transport=polling&sid=spark",
        "POST /primus/?EIO=3&transport=polling&sid=spark",
        "UPGRADE /primus/?EIO=3&transport=websocket&sid=spark",
        "GET /primus/?EIO=4&transport=polling&sid=spark&j=0",
        "GET /primus/?",
    ],
    bodies: &["4a\x1e4b", "2probe", "5", "3", "1", "6:4hello", "2:b4", "d=4a", "bAQID", "10:b4AQIDBAUG"],
    name: None,
};

thread_local! {
    static TRANSPORT: TransportHarness = {
        let config = Config { max_payload_bytes: LIMIT, max_pending_bytes: 500, ..Config::default() };
        TransportHarness::new(EngineIoTransport::new(config).expect("the configuration makes sense"))
    };
}

fuzz_target!(|life: Life| TRANSPORT.with(|transport| life.live(transport, &WORDS)));
