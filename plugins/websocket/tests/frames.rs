//! Frames and messages (RFC 6455, sections 5 and 8).

mod support;

use plugin_api::{DisconnectReason, Kind};
use support::Event::{Alive, Binary, Ended, Sent, Text};
use support::*;
use websocket::config::Config;

#[test]
fn the_examples_of_the_rfc_are_understood() {
    let mut server = Server::open();
    assert_eq!(server.receive(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), [Text("Hello".into())]);
    assert_eq!(server.receive_all([text("Hel").open(), continuation("lo")]), [Text("Hello".into())], "a fragmented message");
    assert_eq!(
        server.receive(b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
        [Sent(support::Sent::Pong(b"Hello".into())), Alive]
    );
    assert_eq!(server.receive(&binary([7; 256]).bytes()), [Binary(vec![7; 256])]);
    assert_eq!(server.receive(&binary(vec![7; 65536]).bytes()), [Binary(vec![7; 65536])]);
}

#[test]
fn the_examples_of_the_rfc_are_written() {
    let mut server = Server::open();
    assert_eq!(server.written(Kind::Text, b"Hello"), b"\x81\x05Hello");
    assert_eq!(server.written(Kind::Binary, [7; 125])[..2], *b"\x82\x7d");
    assert_eq!(server.written(Kind::Binary, [7; 126])[..4], *b"\x82\x7e\x00\x7e");
    assert_eq!(server.written(Kind::Binary, [7; 256])[..4], *b"\x82\x7e\x01\x00");
    assert_eq!(server.written(Kind::Binary, [7; 65535])[..4], *b"\x82\x7e\xff\xff");
    assert_eq!(server.written(Kind::Binary, [7; 65536])[..10], *b"\x82\x7f\0\0\0\0\0\x01\0\0");
}

#[test]
fn a_session_that_panicked_is_closed_whatever_its_class() {
    let transport = transport(Config::default());
    for class in [None, Server::open().class()] {
        assert_eq!(transport.last_words(class, 1011, "sad"), b"\x88\x05\x03\xf3sad");
    }
}

#[test]
fn many_frames_in_one_read_are_as_many_messages_in_order() {
    let mut server = Server::open();
    let bytes: Vec<u8> = (0..16).flat_map(|number| text(format!("message {number}")).bytes()).collect();
    let expected: Vec<Event> = (0..16).map(|number| Text(format!("message {number}"))).collect();
    assert_eq!(server.receive(&bytes), expected);
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_one_message() {
    let mut server = Server::open();
    for length in [0, 1, 125, 126, 300] {
        let bytes = text("x".repeat(length)).bytes();
        let (last, first) = bytes.split_last().unwrap();
        for byte in first {
            assert_eq!(server.receive(&[*byte]), []);
        }
        assert_eq!(server.receive(&[*last]), [Text("x".repeat(length))]);
    }
}

#[test]
fn every_length_with_its_own_form_of_header_arrives() {
    let mut server = Server::open();
    for length in [0, 1, 7, 8, 31, 125, 126, 127, 65535, 65536, 100_000] {
        let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
        assert_eq!(server.receive(&binary(&payload).bytes()), [Binary(payload)]);
    }
}

#[test]
fn a_ping_between_two_fragments_is_answered_before_the_message_ends() {
    let mut server = Server::open();
    let events = server.receive_all([text("Hel").open(), ping("?"), continuation("lo")]);
    assert_eq!(events, [Sent(support::Sent::Pong(b"?".into())), Alive, Text("Hello".into())]);
}

#[test]
fn empty_fragments_count_for_nothing() {
    let mut server = Server::open();
    let events = server.receive_all([
        text("").open(),
        continuation("").open(),
        continuation("a").open(),
        continuation("").open(),
        continuation(""),
    ]);
    assert_eq!(events, [Text("a".into())]);
    assert_eq!(server.receive_all([binary("").open(), continuation("")]), [Binary(vec![])]);
}

#[test]
fn pings_and_pongs_are_signs_of_life() {
    let mut server = Server::open();
    assert_eq!(server.receive_all([pong("unasked")]), [Alive]);
    assert_eq!(server.receive_all([ping([7; 125])]), [Sent(support::Sent::Pong(vec![7; 125])), Alive]);
}

#[test]
fn a_violation_closes_with_1002() {
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an unmasked frame", text("a").unmasked().bytes()),
        ("an unmasked empty frame", text("").unmasked().bytes()),
        ("the first reserved bit without an extension", text("a").with_bits(0x40).bytes()),
        ("the second reserved bit", text("a").with_bits(0x20).bytes()),
        ("the third reserved bit", binary("a").with_bits(0x10).bytes()),
        ("a reserved bit of a control frame", ping("").with_bits(0x40).bytes()),
        ("a ping of 126 bytes", ping([0; 126]).bytes()),
        ("a fragmented ping", ping("").open().bytes()),
        ("a fragmented close", close(1000, "").open().bytes()),
        ("a continuation of nothing", continuation("a").bytes()),
        ("an open continuation of nothing", continuation("a").open().bytes()),
        ("a message in a message", [text("a").open().bytes(), text("b").bytes()].concat()),
        ("126 bytes in the long form", [&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 126, 1, 2, 3, 4][..], &[0; 126]].concat()),
        ("125 bytes in the middle form", [&[0x82, 0xfe, 0, 125, 1, 2, 3, 4][..], &[0; 125]].concat()),
        ("a length over 63 bits", vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    ];
    for (what, bytes) in cases {
        println!("{what}");
        assert_fails(&Server::open().receive(&bytes), 1002);
        let mut server = Server::open();
        let events: Vec<Event> = bytes.iter().flat_map(|byte| server.receive(&[*byte])).collect();
        assert_fails(&events, 1002);
    }
}

#[test]
fn reserved_opcodes_close_with_1002() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_fails(&Server::open().receive(&Frame::new(0x80 | opcode, "").bytes()), 1002);
    }
}

#[test]
fn what_came_before_a_violation_counts_and_what_comes_after_does_not() {
    let mut server = Server::open();
    let bytes = [text("good").bytes(), text("bad").unmasked().bytes(), text("late").bytes()].concat();
    let events = server.receive(&bytes);
    assert!(events.contains(&Text("good".into())));
    assert!(!events.contains(&Text("late".into())));
    assert_eq!(server.receive(&text("later").bytes()), []);
    assert_eq!(server.send(Kind::Text, "later"), []);
}

#[test]
fn a_text_that_is_not_utf8_closes_with_1007_at_its_first_wrong_byte() {
    let wrong: [(&[u8], usize); 4] =
        [(b"ok \xff more", 3), (b"\xed\xa0\x80 a surrogate", 1), (b"\xf4\x90\x80\x80", 1), (b"\xc3(", 1)];
    for (payload, at) in wrong {
        assert_fails(&Server::open().receive(&text(payload).bytes()), 1007);
        // In one frame whose rest has not come.
        let mut server = Server::open();
        let bytes = text(payload).bytes();
        assert_eq!(server.receive(&bytes[..6 + at]), []);
        assert_fails(&server.receive(&bytes[6 + at..=6 + at]), 1007);
        // In fragments of one byte.
        let mut server = Server::open();
        assert_eq!(server.receive_all([text("").open()]), []);
        for byte in &payload[..at] {
            assert_eq!(server.receive_all([continuation([*byte]).open()]), []);
        }
        assert_fails(&server.receive_all([continuation([payload[at]]).open()]), 1007);
    }
}

#[test]
fn a_text_that_ends_inside_a_character_closes_with_1007() {
    assert_fails(&Server::open().receive(&text(b"\xe2\x82").bytes()), 1007);
    let mut server = Server::open();
    assert_fails(&server.receive_all([text(b"\xe2").open(), continuation(b"\x82")]), 1007);
}

#[test]
fn a_character_may_be_cut_between_fragments_but_binary_may_be_anything() {
    let mut server = Server::open();
    let events = server.receive_all([text(b"\xe2").open(), ping(""), continuation(b"\x82").open(), continuation(b"\xac")]);
    assert_eq!(events.last(), Some(&Text("€".into())));
    assert_eq!(server.receive_all([binary(b"\xe2").open(), continuation(b"\xff")]), [Binary(b"\xe2\xff".into())]);
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let limited = || Server::with(Config { max_message_bytes: 10, ..Config::default() });
    assert_eq!(limited().receive(&text("0123456789").bytes()), [Text("0123456789".into())]);
    assert_fails(&limited().receive(&text("0123456789a").bytes()), 1009);
    let fragments = |last: &str| [text("01234").open(), ping(""), continuation(last)];
    assert_eq!(limited().receive_all(fragments("56789")).last(), Some(&Text("0123456789".into())));
    assert_fails(&limited().receive_all(fragments("56789a")), 1009);
}

#[test]
fn a_length_over_the_limit_is_refused_before_any_payload_comes() {
    let mut server = Server::open();
    let header = [header(0x82, 10_485_761, true), vec![1, 2, 3, 4]].concat();
    assert_fails(&server.receive(&header), 1009);
}

#[test]
fn an_echo_session_sends_messages_back_and_tells_nobody() {
    let mut server = Server::at(ECHO, Config::default(), None);
    let bytes =
        [text("one").bytes(), binary([2]).bytes(), ping("3").bytes(), text("fo").open().bytes(), continuation("ur").bytes()];
    assert_eq!(
        server.receive(&bytes.concat()),
        [
            Sent(support::Sent::Text("one".into())),
            Sent(support::Sent::Binary(vec![2])),
            Sent(support::Sent::Pong(b"3".into())),
            Sent(support::Sent::Text("four".into())),
            Alive,
        ]
    );
}

#[test]
fn a_lost_carrier_ends_the_session_in_the_middle_of_a_message() {
    let mut server = Server::open();
    server.receive_all([text("half").open()]);
    assert_eq!(server.disconnected(), [Ended(DisconnectReason::Lost)]);
}
