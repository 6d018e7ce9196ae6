//! The closing handshake (RFC 6455, sections 5.5.1 and 7).

mod support;

use std::time::Duration;

use plugin_api::{DisconnectReason, Kind};
use support::Event::{Alive, Ended, Timer};
use support::{Event, Sent, Server, assert_fails, bare_close, close, ping, text};
use websocket::config::Config;

fn sent_close(code: Option<u16>) -> Event {
    Event::Sent(Sent::Close(code))
}

fn client(code: Option<u16>, reason: &str) -> Event {
    Ended(DisconnectReason::Client { code, reason: reason.to_owned() })
}

#[test]
fn a_clients_close_is_answered_with_its_own_code_and_ends_the_session() {
    assert_eq!(Server::open().receive_all([bare_close()]), [sent_close(None), client(None, "")]);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        assert_eq!(Server::open().receive_all([close(code, "bye")]), [sent_close(Some(code)), client(Some(code), "bye")]);
    }
}

#[test]
fn a_close_with_a_code_that_may_not_be_sent_fails_with_1002() {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        assert_fails(&Server::open().receive_all([close(code, "")]), 1002);
    }
    assert_fails(&Server::open().receive_all([support::Frame::new(0x88, [3])]), 1002);
}

#[test]
fn a_close_with_a_reason_that_is_not_utf8_fails_with_1007() {
    assert_fails(&Server::open().receive_all([close(1000, b"\xff")]), 1007);
    assert_fails(&Server::open().receive_all([close(1000, b"cut \xe2\x82")]), 1007);
}

#[test]
fn nothing_counts_after_a_clients_close() {
    let mut server = Server::open();
    let events = server.receive(&[bare_close().bytes(), text("late").bytes()].concat());
    assert_eq!(events, [sent_close(None), client(None, "")]);
    assert_eq!(server.receive(&text("later").bytes()), []);
    assert_eq!(server.send(Kind::Text, "later"), []);
    assert_eq!(server.close(Some(1000), ""), []);
    assert_eq!(server.disconnected(), []);
}

#[test]
fn answers_to_what_came_before_the_end_go_out_before_the_close() {
    for last in [close(1000, ""), text("").unmasked()] {
        let mut server = Server::open();
        let events = server.receive_and_wait(&[text("question").bytes(), last.bytes()].concat());
        assert_eq!(events, [Event::Text("question".into()), Timer(Duration::ZERO)]);
        assert_eq!(server.receive_and_wait(&text("late").bytes()), []);
        assert_eq!(server.send(Kind::Text, "answer"), [Event::Sent(Sent::Text("answer".into()))]);
        assert_eq!(server.close(None, ""), [], "it is ending already");
        assert!(matches!(server.timeout()[..], [Event::Sent(Sent::Close(Some(1000 | 1002))), Ended(_)]));
    }
}

#[test]
fn a_carrier_that_breaks_before_the_answer_to_a_close_ends_as_the_client_wanted() {
    let mut server = Server::open();
    server.receive_and_wait(&close(4000, "bye").bytes());
    assert_eq!(server.disconnected(), [client(Some(4000), "bye")]);
}

#[test]
fn a_close_in_the_middle_of_a_message_drops_it() {
    let mut server = Server::open();
    assert_eq!(server.receive_all([text("half").open(), bare_close()]), [sent_close(None), client(None, "")]);
}

#[test]
fn the_servers_close_waits_for_the_clients_answer() {
    let mut server = Server::open();
    assert_eq!(server.close(None, ""), [sent_close(None), Timer(Duration::from_secs(10))]);
    assert_eq!(server.send(Kind::Text, "late"), [], "nothing may follow a close frame");
    assert_eq!(server.receive(&text("crossed the close").bytes()), [], "the application has ended the spark");
    assert_eq!(server.receive(&ping("?").bytes()), [Alive]);
    assert_eq!(server.close(None, ""), [], "once is enough");
    assert_eq!(server.receive_all([bare_close()]), [Ended(DisconnectReason::Server)]);
    assert_eq!(server.timeout(), []);
}

#[test]
fn a_fragmented_message_that_crosses_the_close_is_dropped() {
    let mut server = Server::open();
    server.receive_all([text("ha").open()]);
    server.close(None, "");
    assert_eq!(server.receive_all([support::continuation("lf")]), []);
    assert_eq!(server.receive_all([close(1000, "")]), [Ended(DisconnectReason::Server)]);
}

#[test]
fn a_client_that_does_not_answer_is_left_when_the_timer_comes() {
    let mut server = Server::with(Config { close_timeout_ms: 50, ..Config::default() });
    assert_eq!(server.timeout(), [], "no timer was set");
    assert_eq!(server.close(None, ""), [sent_close(None), Timer(Duration::from_millis(50))]);
    assert!(matches!(server.timeout()[..], [Ended(DisconnectReason::Timeout(_))]));
}

#[test]
fn a_carrier_that_breaks_after_the_servers_close_ends_the_session() {
    let mut server = Server::open();
    server.close(None, "");
    assert_eq!(server.disconnected(), [Ended(DisconnectReason::Server)]);
}

#[test]
fn a_violation_after_the_servers_close_writes_no_second_close() {
    let mut server = Server::open();
    server.close(None, "");
    let events = server.receive(&text("").unmasked().bytes());
    assert_eq!(events, [Ended(DisconnectReason::Server)]);
}

#[test]
fn the_code_of_a_close_is_the_hosts_or_the_configured_one_or_none() {
    let with = |close_code| Server::with(Config { close_code, ..Config::default() });
    let code = |mut server: Server, code| server.close(code, "why").swap_remove(0);
    assert_eq!(code(with(None), None), sent_close(None));
    assert_eq!(code(with(Some(1000)), None), sent_close(Some(1000)));
    assert_eq!(code(with(Some(1000)), Some(1013)), sent_close(Some(1013)));
    assert_eq!(code(with(None), Some(1005)), sent_close(None), "1005 may not be sent");
}
