//! What SockJS's frames cost over a WebSocket: nanoseconds a message, without any socket.
//!
//! `cargo run --release -p switchboard-sockjs --example quoting [ROUNDS]`. Each round hands over one read's worth of frames, as a
//! shard does; the price of putting the masked bytes back in place for the next round is measured and taken off. The messages are
//! JSON texts; `raw` is the path whose messages stand in no frames of SockJS.

use std::hint::black_box;
use std::time::{Duration, Instant};

use plugin_api::abi::types::EventSink;
use plugin_api::{Events, ExchangeId, Kind, Request, Session, Transport};
use sockjs::config::Config;
use sockjs::{SockJs, SockJsTransport};

const SOCKJS: &str = "/000/session/websocket";
const RAW: &str = "/websocket";

fn main() {
    let rounds = std::env::args().nth(1).map_or(200_000, |rounds| rounds.parse().expect("a number of rounds"));
    println!("{:>8} {:>6} {:>11} {:>11} {:>11} {:>11}", "payload", "frames", "receive", "raw", "send", "raw");
    for (length, frames) in [(16, 16), (64, 16), (64, 1), (1024, 8), (16 * 1024, 2)] {
        let rounds = rounds / (1 + length / 256);
        let message = format!("\"{}\"", "a".repeat(length - 2));
        let [receive, receive_raw] = [SOCKJS, RAW].map(|path| {
            let payload = if path == RAW { message.clone() } else { format!("[\"\\\"{}\\\"\"]", "a".repeat(length - 2)) };
            per_message(rounds, frames, &read_of(frames, payload.as_bytes()), path, |session, input, events| {
                session.receive(input, events);
            })
        });
        let [send, send_raw] = [SOCKJS, RAW].map(|path| {
            per_message(rounds, frames, &[], path, |session, _, events| {
                for _ in 0..frames {
                    session.send(Kind::Text, black_box(message.as_bytes()), events);
                }
            })
        });
        println!("{length:>8} {frames:>6} {receive:>8.1} ns {receive_raw:>8.1} ns {send:>8.1} ns {send_raw:>8.1} ns");
    }
}

/// The bytes of `frames` masked text frames.
fn read_of(frames: usize, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = Vec::new();
    for _ in 0..frames {
        bytes.push(0x81);
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(length).expect("no payload of this benchmark is longer").to_be_bytes());
            }
        }
        bytes.extend(key);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]));
    }
    bytes
}

fn per_message(
    rounds: usize,
    frames: usize,
    input: &[u8],
    path: &str,
    call: impl Fn(&mut SockJs, &mut [u8], &mut Events<'_>),
) -> f64 {
    let mut scratch = input.to_vec();
    let mut session = open(path);
    let mut sink = EventSink::new();
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..rounds {
            work();
        }
        start.elapsed()
    };
    let (mut copies, mut all) = (Duration::MAX, Duration::MAX);
    for _ in 0..10 {
        copies = copies.min(time(&mut || black_box(&mut scratch).copy_from_slice(black_box(input))));
        all = all.min(time(&mut || {
            black_box(&mut scratch).copy_from_slice(black_box(input));
            call(&mut session, &mut scratch, &mut Events::new(&mut sink));
            black_box(&sink);
            sink.events.clear();
            sink.out.clear();
        }));
    }
    all.saturating_sub(copies).as_nanos() as f64 / (rounds * frames) as f64
}

fn open(path: &str) -> SockJs {
    let transport = SockJsTransport::new(Config::default()).expect("the configuration is valid");
    let request = Request::new("GET", path)
        .with_header("upgrade", "websocket")
        .with_header("connection", "upgrade")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut session = transport.open(&request);
    session.request(ExchangeId(1), &request, &mut Events::new(&mut EventSink::new()));
    session
}
