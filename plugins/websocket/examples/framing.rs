//! What framing costs: nanoseconds a message, without any socket.
//!
//! `cargo run --release -p switchboard-websocket --example framing [ROUNDS]`. Each round hands over one read's worth of
//! frames, as a shard does; the price of putting the masked bytes back in place for the next round is measured and taken off.

use std::hint::black_box;
use std::time::{Duration, Instant};

use plugin_api::abi::types::EventSink;
use plugin_api::{Events, ExchangeId, Kind, Request, Session, Transport};
use websocket::config::Config;
use websocket::{WebSocket, WebSocketTransport};

/// The path of messages to a host.
const MESSAGES: &str = "/";
/// The path of messages that are sent back.
const ECHO: &str = "/echo";

fn main() {
    let rounds = std::env::args().nth(1).map_or(200_000, |rounds| rounds.parse().expect("a number of rounds"));
    println!("{:>8} {:>6} {:>9} {:>9} {:>9}", "payload", "frames", "receive", "send", "echo");
    for (length, frames) in [(16, 16), (64, 16), (64, 1), (125, 16), (1024, 8), (16 * 1024, 4)] {
        let rounds = rounds / (1 + length / 256);
        let input = read_of(frames, length);
        let receive = per_message(rounds, frames, &input, MESSAGES, |session, input, events| {
            session.receive(input, events);
        });
        let echo = per_message(rounds, frames, &input, ECHO, |session, input, events| {
            session.receive(input, events);
        });
        let payload = vec![b'a'; length];
        let send = per_message(rounds, frames, &[], MESSAGES, |session, _, events| {
            for _ in 0..frames {
                session.send(Kind::Text, black_box(&payload), events);
            }
        });
        println!("{length:>8} {frames:>6} {receive:>6.1} ns {send:>6.1} ns {echo:>6.1} ns");
    }
}

/// The bytes of `frames` masked text frames of `length` bytes.
fn read_of(frames: usize, length: usize) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = Vec::new();
    for _ in 0..frames {
        bytes.push(0x81);
        match length {
            0..126 => bytes.push(0x80 | length as u8),
            126..65536 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => unreachable!("no payload of this benchmark is that long"),
        }
        bytes.extend(key);
        bytes.extend((0..length).map(|at| b'a' ^ key[at % 4]));
    }
    bytes
}

fn per_message(
    rounds: usize,
    frames: usize,
    input: &[u8],
    path: &str,
    call: impl Fn(&mut WebSocket, &mut [u8], &mut Events<'_>),
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

fn open(path: &str) -> WebSocket {
    let config = Config { echo_path: Some(ECHO.to_owned()), ..Config::default() };
    let transport = WebSocketTransport::new(config).expect("the configuration is valid");
    let request = Request::new("GET", path)
        .with_header("upgrade", "websocket")
        .with_header("connection", "upgrade")
        .with_header("sec-websocket-version", "13")
        .with_header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut session = transport.open(&request);
    session.request(ExchangeId(1), &request, &mut Events::new(&mut EventSink::new()));
    session
}
