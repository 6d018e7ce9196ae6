//! permessage-deflate (RFC 7692), with flate2 as the peer.

mod support;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use plugin_api::Kind;
use proptest::prelude::*;
use support::Event::{Alive, Binary, Text};
use support::{ECHO, Event, Frame, MESSAGES, Sent, Server, assert_fails, binary, continuation, ping, text};
use websocket::config::{CompressionConfig, Config};

const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The client's end of the compression.
struct Peer {
    deflate: Compress,
    inflate: Decompress,
}

impl Peer {
    fn new(client_bits: u8, server_bits: u8) -> Self {
        Self {
            deflate: Compress::new_with_window_bits(Compression::default(), false, client_bits.max(9)),
            inflate: Decompress::new_with_window_bits(false, server_bits.max(9)),
        }
    }

    fn deflate(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            // Section 7.2.3.6: there is nothing to flush.
            return vec![0];
        }
        let mut out = Vec::with_capacity(payload.len() * 2 + 100);
        self.deflate.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }

    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 << 20);
        let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
        self.inflate.decompress_vec(&whole, &mut out, FlushDecompress::Sync).unwrap();
        out
    }
}

fn eager() -> CompressionConfig {
    CompressionConfig { threshold_bytes: 1, ..CompressionConfig::default() }
}

fn deflated(events: &[Event]) -> &[u8] {
    match events {
        [Event::Sent(Sent::Deflated(payload))] => payload,
        other => panic!("no single deflated frame: {other:?}"),
    }
}

#[test]
fn the_examples_of_the_rfc_are_understood() {
    let kept = CompressionConfig { client_no_context_takeover: false, ..eager() };
    let mut server = Server::deflating(kept, OFFER);
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(server.receive_all([text(hello).deflated()]), [Text("Hello".into())], "7.2.3.1");
    assert_eq!(
        server.receive_all([text(&hello[..3]).deflated().open(), continuation(&hello[3..])]),
        [Text("Hello".into())],
        "7.2.3.1, in two fragments"
    );
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(server.receive_all([text(again).deflated()]), [Text("Hello".into())], "7.2.3.2, from the context");
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(server.receive_all([text(stored).deflated()]), [Text("Hello".into())], "7.2.3.3, without compression");
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(server.receive_all([text(last).deflated()]), [Text("Hello".into())], "7.2.3.4, a final block");
    let blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(server.receive_all([text(blocks).deflated()]), [Text("Hello".into())], "7.2.3.5, two blocks");
    assert_eq!(server.receive_all([text([0]).deflated()]), [Text(String::new())], "7.2.3.6, an empty message");
    assert_eq!(server.receive_all([text("").deflated()]), [Text(String::new())], "less than the RFC asks of a sender");
}

#[test]
fn messages_may_be_compressed_or_not_as_the_sender_likes() {
    let mut server = Server::deflating(eager(), OFFER);
    let mut peer = Peer::new(15, 15);
    let payload = peer.deflate(b"compressed");
    assert_eq!(server.receive_all([text("plain")]), [Text("plain".into())]);
    assert_eq!(server.receive_all([text(payload).deflated()]), [Text("compressed".into())]);
    assert_eq!(server.receive_all([binary("plain")]), [Binary(b"plain".into())]);
}

#[test]
fn a_control_frame_inside_a_compressed_message_is_not_compressed() {
    let mut server = Server::deflating(eager(), OFFER);
    let payload = Peer::new(15, 15).deflate(b"compressed");
    let events = server.receive_all([text(&payload[..4]).deflated().open(), ping("?"), continuation(&payload[4..])]);
    assert_eq!(events, [Event::Sent(Sent::Pong(b"?".into())), Alive, Text("compressed".into())]);
}

#[test]
fn the_reserved_bit_stands_only_on_the_first_frame_of_a_message() {
    let payload = Peer::new(15, 15).deflate(b"compressed");
    let mut server = Server::deflating(eager(), OFFER);
    let frames = [text(&payload[..4]).deflated().open(), continuation(&payload[4..]).deflated()];
    assert_fails(&server.receive_all(frames), 1002);
    assert_fails(&Server::deflating(eager(), OFFER).receive_all([ping("").deflated()]), 1002);
    assert_fails(&Server::deflating(eager(), "x-other").receive_all([text(&payload).deflated()]), 1002);
}

#[test]
fn damaged_data_close_with_1007() {
    for payload in [&b"\xff\xff\xff"[..], b"\x07", b"\x00\x05\x00\x00\x00hello"] {
        assert_fails(&Server::deflating(eager(), OFFER).receive_all([binary(payload).deflated()]), 1007);
    }
}

#[test]
fn a_compressed_text_is_checked() {
    let payload = Peer::new(15, 15).deflate(b"ok \xff and much more");
    assert_fails(&Server::deflating(eager(), OFFER).receive_all([text(&payload).deflated()]), 1007);
    let payload = Peer::new(15, 15).deflate(b"cut \xe2\x82");
    assert_fails(&Server::deflating(eager(), OFFER).receive_all([text(&payload).deflated()]), 1007);
    let payload = Peer::new(15, 15).deflate(b"\xe2\x82");
    assert_eq!(Server::deflating(eager(), OFFER).receive_all([binary(&payload).deflated()]), [Binary(b"\xe2\x82".into())]);
}

#[test]
fn a_message_that_inflates_over_the_limit_closes_with_1009() {
    let limited = || {
        let config = Config { max_message_bytes: 100_000, compression: Some(eager()), ..Config::default() };
        Server::at(MESSAGES, config, Some(OFFER))
    };
    let whole = Peer::new(15, 15).deflate(&[0; 100_000]);
    assert_eq!(limited().receive_all([binary(&whole).deflated()]), [Binary(vec![0; 100_000])]);
    let more = Peer::new(15, 15).deflate(&[0; 100_001]);
    assert_fails(&limited().receive_all([binary(&more).deflated()]), 1009);
    let bomb = Peer::new(15, 15).deflate(&vec![0; 5_000_000]);
    assert_fails(&limited().receive_all([binary(&bomb).deflated()]), 1009);
}

#[test]
fn a_frame_or_fragments_that_no_message_under_the_limit_needs_close_with_1009() {
    let config = Config { max_message_bytes: 1_000, compression: Some(eager()), ..Config::default() };
    let limited = || Server::at(MESSAGES, config.clone(), Some(OFFER));
    assert_fails(&limited().receive(&binary([0; 2_000]).deflated().bytes()[..100]), 1009);
    assert_fails(&limited().receive_all([binary([0; 700]).deflated().open(), continuation([0; 700])]), 1009);
}

#[test]
fn short_messages_are_sent_as_they_are() {
    let mut server = Server::deflating(CompressionConfig { threshold_bytes: 10, ..eager() }, OFFER);
    assert_eq!(server.send(Kind::Text, "aaaaaaaaa"), [Event::Sent(Sent::Text("aaaaaaaaa".into()))]);
    let events = server.send(Kind::Text, "a".repeat(10));
    assert_eq!(Peer::new(15, 15).inflate(deflated(&events)), b"aaaaaaaaaa");
    let mut server = Server::deflating(CompressionConfig { threshold_bytes: 0, ..eager() }, OFFER);
    assert_eq!(server.send(Kind::Text, ""), [Event::Sent(Sent::Text(String::new()))]);
}

#[test]
fn a_message_that_does_not_shrink_is_sent_as_it_is_where_no_context_depends_on_it() {
    let noise: Vec<u8> = (0..64_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut server = Server::deflating(eager(), OFFER);
    assert_eq!(server.send(Kind::Binary, &noise), [Event::Sent(Sent::Binary(noise.clone()))]);
    let kept = CompressionConfig { server_no_context_takeover: false, ..eager() };
    let events = Server::deflating(kept, OFFER).send(Kind::Binary, &noise);
    assert_eq!(Peer::new(15, 15).inflate(deflated(&events)), noise);
}

#[test]
fn a_kept_context_makes_a_repeated_message_shorter_and_a_reset_one_does_not() {
    let message = "a message that says a number of different things";
    let lengths = |no_takeover| {
        let mut server = Server::deflating(CompressionConfig { server_no_context_takeover: no_takeover, ..eager() }, OFFER);
        [(); 2].map(|()| deflated(&server.send(Kind::Text, message)).len())
    };
    let [first, second] = lengths(false);
    assert!(second < first / 2, "{second} of {first}");
    let [first, second] = lengths(true);
    assert_eq!(first, second);
}

#[test]
fn a_shared_frame_is_what_each_session_of_its_class_would_send() {
    let message = "a broadcast ".repeat(20);
    let mut plain = Server::open();
    let class = plain.class().unwrap();
    assert_eq!(plain.shared(class, Kind::Text, &message), plain.send(Kind::Text, &message));
    for bits in [8, 9, 15] {
        let mut server = Server::deflating(CompressionConfig { server_max_window_bits: bits, ..eager() }, OFFER);
        let own = server.send(Kind::Text, &message);
        assert_eq!(server.shared(server.class().unwrap(), Kind::Text, &message), own);
        assert_eq!(Peer::new(15, bits).inflate(deflated(&own)), message.as_bytes());
    }
}

#[test]
fn frames_are_shared_only_by_sessions_whose_messages_stand_alone() {
    let class = |config, offer| Server::deflating(config, offer).class();
    let kept = || CompressionConfig { server_no_context_takeover: false, ..eager() };
    let narrow = || CompressionConfig { server_max_window_bits: 10, ..eager() };
    assert_eq!(class(kept(), OFFER), None);
    assert!(class(kept(), "permessage-deflate; server_no_context_takeover").is_some());
    assert_ne!(class(eager(), OFFER), class(narrow(), OFFER), "another window");
    assert_ne!(class(eager(), OFFER), Server::open().class(), "without compression");
    assert_eq!(class(kept(), "x-other"), Server::open().class());
}

#[test]
fn an_echo_compresses_as_a_session_does() {
    let config = Config { compression: Some(eager()), ..Config::default() };
    let mut server = Server::at(ECHO, config, Some(OFFER));
    let mut peer = Peer::new(15, 15);
    let message = "echo ".repeat(100);
    let payload = peer.deflate(message.as_bytes());
    let events = server.receive_all([text(payload).deflated()]);
    assert_eq!(peer.inflate(deflated(&events)), message.as_bytes());
}

proptest! {
    /// Messages in both directions, under all parameters.
    #[test]
    fn what_one_end_deflates_the_other_inflates(
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        server_bits in 8_u8..=15,
        client_bits in 8_u8..=15,
        level in 1_u32..=9,
        messages in proptest::collection::vec(("[ab]{0,600}|\\PC{0,60}", 1_usize..40), 1..6),
    ) {
        let config = CompressionConfig {
            threshold_bytes: 1,
            level,
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        };
        let mut server = Server::deflating(config, OFFER);
        let mut peer = Peer::new(client_bits.max(9), server_bits);
        for (message, times) in messages {
            let message = message.repeat(times);
            // A client's window of 8 is not in the codec: such a client sends within 9 bits only what fits in 8.
            if client_no_context_takeover || client_bits == 8 {
                peer.deflate.reset();
            }
            let up = peer.deflate(message.as_bytes());
            prop_assert_eq!(server.receive_all([text(up).deflated()]), [Text(message.clone())]);

            let down = server.send(Kind::Text, &message);
            match &down[..] {
                [Event::Sent(Sent::Deflated(payload))] => {
                    if server_no_context_takeover {
                        peer.inflate.reset(false);
                        peer.inflate = Decompress::new_with_window_bits(false, server_bits.max(9));
                    }
                    prop_assert_eq!(peer.inflate(payload), message.as_bytes());
                }
                [Event::Sent(Sent::Text(plain))] => {
                    prop_assert!(server_no_context_takeover || server_bits == 8 || message.is_empty());
                    prop_assert_eq!(plain, &message);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    /// With the smallest window, nothing refers further back than 256 bytes: a stream whose every block stands alone
    /// after 256 bytes can be cut there.
    #[test]
    fn the_smallest_window_is_never_left(message in "[ab]{1,2000}") {
        let config = CompressionConfig { server_max_window_bits: 8, server_no_context_takeover: false, ..eager() };
        let events = Server::deflating(config, OFFER).send(Kind::Text, &message);
        if let [Event::Sent(Sent::Deflated(payload))] = &events[..] {
            let mut inflated = Vec::new();
            for part in pieces(payload) {
                // A fresh decompressor for each piece knows nothing of those before.
                inflated.extend(Peer::new(15, 15).inflate(part));
            }
            prop_assert_eq!(inflated, message.as_bytes());
        }
    }
}

/// The parts of a payload between its flushes.
fn pieces(payload: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = payload;
    while let Some(at) = rest.windows(4).position(|bytes| bytes == [0, 0, 0xff, 0xff]) {
        pieces.push(&rest[..at]);
        rest = &rest[at + 4..];
    }
    pieces.push(rest);
    pieces
}

#[test]
fn a_frame_of_a_client_without_compression_is_still_only_a_frame() {
    let mut server = Server::deflating(eager(), OFFER);
    assert_eq!(server.receive_all([Frame::new(0x01, "a"), continuation("b")]), [Text("ab".into())]);
}
