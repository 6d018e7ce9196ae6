//! A connection goes on in another process from its saved state.

mod support;

use plugin_api::Kind;
use support::{Event, MESSAGES, Sent, Server, binary, continuation, ping, text};
use websocket::config::{CompressionConfig, Config};

#[test]
fn between_messages_inside_a_frame_and_inside_a_message_it_can_be_moved() {
    let mut server = Server::open();
    assert!(server.moves());
    assert_eq!(server.receive(&text("one").bytes()), [Event::Text("one".to_owned())]);
    let bytes = [text("zw\u{e4}").open().bytes(), ping("p").bytes(), continuation("i").bytes()].concat();
    let mut events = Vec::new();
    for byte in bytes {
        assert!(server.moves());
        events.extend(server.receive(&[byte]));
    }
    let expected = [Event::Sent(Sent::Pong(b"p".to_vec())), Event::Alive, Event::Text("zw\u{e4}i".to_owned())];
    assert_eq!(events, expected);
    assert_eq!(server.send(Kind::Text, "two"), [Event::Sent(Sent::Text("two".to_owned()))]);
}

#[test]
fn a_message_inside_of_which_it_was_moved_is_still_checked() {
    let mut server = Server::open();
    let bytes = text(b"\xe2\x82").open().bytes();
    assert_eq!(server.receive(&bytes), []);
    assert!(server.moves());
    support::assert_fails(&server.receive(&continuation("a").bytes()), 1007);
}

#[test]
fn an_echo_stays_one() {
    let mut server = Server::at(support::ECHO, Config::default(), None);
    assert!(server.moves());
    assert_eq!(server.receive(&binary([7]).bytes()), [Event::Sent(Sent::Binary(vec![7]))]);
}

#[test]
fn a_connection_that_ends_is_not_moved() {
    let mut server = Server::open();
    server.close(None, "");
    assert!(!server.moves());
}

#[test]
fn with_compression_it_can_be_moved_where_messages_stand_alone() {
    let mut server = Server::deflating(CompressionConfig::default(), "permessage-deflate");
    let long = "a".repeat(2000);
    let before = server.written(Kind::Text, &long);
    assert!(server.moves());
    assert_eq!(server.written(Kind::Text, &long), before);
    // The first fragment of a compressed message: "Hello" (RFC 7692, section 7.2.3.1).
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(server.receive(&text(&hello[..3]).open().deflated().bytes()), []);
    assert!(server.moves());
    assert_eq!(server.receive(&continuation(&hello[3..]).bytes()), [Event::Text("Hello".to_owned())]);
    assert!(server.moves());
    assert_eq!(server.receive(&text(hello).deflated().bytes()), [Event::Text("Hello".to_owned())]);
}

#[test]
fn a_state_that_is_none_is_refused() {
    let mut server = Server::at(MESSAGES, Config::default(), None);
    server.receive(&text("abc").bytes()[..7]);
    let state = server.saved().unwrap();
    assert!(server.restores(&state));
    for end in 0..state.len() {
        assert!(!server.restores(&state[..end]));
    }
    assert!(!server.restores(b"\xa0"));
}
