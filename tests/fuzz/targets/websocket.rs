//! Feeds a session with anything that a client may send, in any cut.
//!
//! What must hold:
//! - nothing panics;
//! - however the bytes are cut, the events and the frames to the client are the same;
//! - a session ends at most once, and nothing comes after that;
//! - no message is longer than the limit, and memory is bounded by what has come, whatever lengths are announced;
//! - an echo sends back exactly the messages that a host would get.
#![no_main]

#[path = "../../../plugins/websocket/tests/support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use arbitrary::Arbitrary;
use flate2::{Compress, Compression, FlushCompress};
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use plugin_api::testing::TransportHarness;
use support::{ECHO, Event, Frame, MESSAGES, Sent, Server};
use websocket::config::{CompressionConfig, Config};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// A client's life.
#[derive(Debug, Arbitrary)]
struct Plan {
    compression: Option<Parameters>,
    limit: Limit,
    pieces: Vec<Piece>,
    /// Where the network cuts the bytes.
    cuts: Vec<u16>,
    /// After which byte the host closes.
    closed_at: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Arbitrary)]
enum Limit {
    Nothing = 0,
    Control = 125,
    Middle = 1000,
    Long = 65536,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Arbitrary)]
struct Parameters {
    client_no_context_takeover: bool,
    window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Arbitrary)]
enum Window {
    Smallest = 8,
    Small = 9,
    Middle = 12,
    Largest = 15,
}

thread_local! {
    /// A transport lives as long as its plugin: one for each configuration is enough.
    static TRANSPORTS: RefCell<HashMap<(Option<Parameters>, Limit), Rc<TransportHarness>>> = RefCell::default();
}

#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    Frame {
        first: u8,
        key: [u8; 4],
        payload: Vec<u8>,
    },
    /// A message that is deflated as a client would, in two fragments.
    Deflated {
        text: bool,
        payload: String,
        times: u8,
        cut: u16,
        between: Option<Vec<u8>>,
    },
}

impl Plan {
    fn server(&self, path: &str) -> Server {
        let transport = TRANSPORTS.with_borrow_mut(|transports| {
            let key = (self.compression, self.limit);
            Rc::clone(transports.entry(key).or_insert_with(|| Rc::new(support::transport(self.config()))))
        });
        Server::of(&transport, path, Some("permessage-deflate; client_max_window_bits"))
    }

    fn config(&self) -> Config {
        let compression = self.compression.map(|parameters| CompressionConfig {
            threshold_bytes: 1,
            client_no_context_takeover: parameters.client_no_context_takeover,
            client_max_window_bits: parameters.window as u8,
            ..CompressionConfig::default()
        });
        Config { max_message_bytes: self.limit as usize, compression, ..Config::default() }
    }

    fn bytes(&self) -> Vec<u8> {
        let window = self.compression.map_or(Window::Largest, |parameters| parameters.window);
        let mut deflate = Compress::new_with_window_bits(Compression::fast(), false, (window as u8).max(9));
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(raw) => bytes.extend(raw),
                Piece::Frame { first, key, payload } => {
                    bytes.extend(Frame::new(*first, payload).masked_with(*key).bytes());
                }
                Piece::Deflated { text, payload, times, cut, between } => {
                    let payload = payload.repeat(usize::from(*times)).into_bytes();
                    let mut deflated = Vec::with_capacity(payload.len() + 1000);
                    let _ = deflate.compress_vec(&payload, &mut deflated, FlushCompress::Sync);
                    deflated.truncate(deflated.len().saturating_sub(4));
                    let (start, rest) = deflated.split_at(usize::from(*cut) % (deflated.len() + 1));
                    let first = if *text { 0x41 } else { 0x42 };
                    bytes.extend(Frame::new(first, start).bytes());
                    if let Some(ping) = between {
                        bytes.extend(support::ping(ping).bytes());
                    }
                    bytes.extend(Frame::new(0x80, rest).bytes());
                }
            }
        }
        bytes
    }

    /// Everything that a session makes of the bytes, with these cuts.
    fn run(&self, bytes: &[u8], path: &str, cuts: &[usize]) -> Outcome {
        let mut server = self.server(path);
        let closed_at = self.closed_at.map(|at| usize::from(at) % (bytes.len() + 1));
        let mut cuts: Vec<usize> = cuts.iter().copied().chain(closed_at).chain([bytes.len()]).collect();
        cuts.sort_unstable();
        let mut events = Vec::new();
        let mut from = 0;
        let mut closed = false;
        for cut in cuts {
            events.extend(server.receive(&bytes[from..cut]));
            from = cut;
            if Some(cut) == closed_at && !closed {
                closed = true;
                events.extend(server.close(Some(1001), "bye"));
            }
        }
        let (sent, events) = events.into_iter().partition(|event| matches!(event, Event::Sent(_)));
        Outcome { sent, events }
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    sent: Vec<Event>,
    events: Vec<Event>,
}

impl Outcome {
    fn messages(&self) -> Vec<&[u8]> {
        let message = |event| match event {
            &Event::Text(ref text) => Some(text.as_bytes()),
            Event::Binary(bytes) => Some(&bytes[..]),
            _ => None,
        };
        self.events.iter().filter_map(message).collect()
    }
}

fuzz_target!(|plan: Plan| {
    let bytes = plan.bytes();
    let whole = plan.run(&bytes, MESSAGES, &[]);

    let cuts: Vec<usize> = plan.cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let split = plan.run(&bytes, MESSAGES, &cuts);
    let grown = MEMORY.peak_usage() - before;
    assert_eq!(split, whole);

    // Deflate shrinks 1032-fold at best; a session's contexts and the test's own copies come on top.
    let inflated = if plan.compression.is_some() { 1032 * bytes.len() } else { 0 };
    assert!(grown < 4 * (bytes.len() + inflated) + (4 << 20), "{grown} bytes for {} that came", bytes.len());

    let ends = whole.events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
    assert!(ends == 0 || ends == 1 && matches!(whole.events.last(), Some(Event::Ended(_))));

    let limit = plan.limit as usize;
    assert!(whole.messages().iter().all(|message| message.len() <= limit));

    if plan.compression.is_none() {
        let echo = plan.run(&bytes, ECHO, &cuts);
        let echoed: Vec<&[u8]> = echo
            .sent
            .iter()
            .filter_map(|event| match event {
                Event::Sent(Sent::Text(text)) => Some(text.as_bytes()),
                Event::Sent(Sent::Binary(bytes)) => Some(&bytes[..]),
                _ => None,
            })
            .collect();
        assert_eq!(echoed, whole.messages());
    }
});
