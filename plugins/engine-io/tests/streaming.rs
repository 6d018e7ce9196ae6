//! WebSocket, from the beginning and after polling: given bytes, then frames and messages.

mod support;

use plugin_api::testing::{Event, TransportHarness};
use plugin_api::{Carrier, DisconnectReason, Kind};
use proptest::prelude::*;
use support::Told::{Alive, Binary, BinaryFrame, CloseFrame, Ended, Upgraded};
use support::*;

const PING: u32 = 1;
const UPGRADE: u32 = 3;
const RELEASE: u32 = 4;

/// A session that a WebSocket is tried for.
fn probed(version: u8) -> Client {
    let mut client = Client::polling(version);
    let (_, told) = client.upgrade();
    assert_eq!(told, [Upgraded]);
    assert_eq!(client.frame("2probe"), [frame("3probe")]);
    client
}

#[test]
fn a_session_may_begin_with_a_websocket() {
    let client = Client::streaming(4, "");
    let expected =
        r#"0{"sid":"session-0123456789-ab","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":10485760}"#;
    match client.session.opening() {
        [Event::Upgrade { .. }, Event::FrameClass(Some(_)), Event::SetTimer(..), Event::Out(bytes)] => {
            assert_eq!(bytes[..], *[&[0x81, expected.len() as u8], expected.as_bytes()].concat());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_go_both_ways_in_each_dialect() {
    for (version, more, sent) in [
        (4, "", BinaryFrame(vec![1, 2, 3])),
        (4, "&b64=1", frame("bAQID")),
        (3, "", BinaryFrame(vec![4, 1, 2, 3])),
        (3, "&b64=1", frame("b4AQID")),
    ] {
        let mut client = Client::streaming(version, more);
        assert_eq!(client.send(Kind::Text, "é"), [frame("4é")]);
        assert_eq!(client.send(Kind::Binary, [1, 2, 3]), [sent]);
        assert_eq!(client.frame("4hello"), [text("hello")]);
        let (binary, base64): (&[u8], _) = if version == 4 { (&[1, 2, 3], "bAQID") } else { (&[4, 1, 2, 3], "b4AQID") };
        assert_eq!(client.bytes(&masked(0x82, binary)), [Binary(vec![1, 2, 3])]);
        assert_eq!(client.frame(base64), [Binary(vec![1, 2, 3])]);
        let fragments = [masked(0x01, b"4hel"), masked(0x80, b"lo")].concat();
        assert_eq!(client.bytes(&fragments), [text("hello")]);
    }
}

#[test]
fn a_frame_that_is_shared_is_the_one_that_a_session_sends() {
    for (version, more) in [(4, ""), (4, "&b64=1"), (3, ""), (3, "&b64=1")] {
        let transport: TransportHarness = transport(Default::default());
        let mut session = transport.open(upgrade(version, more).with_spark_id(SID));
        let class = session.opening().iter().find_map(|event| match event {
            Event::FrameClass(class) => *class,
            _ => None,
        });
        for kind in [Kind::Text, Kind::Binary] {
            let own = session.send(kind, "shared");
            assert_eq!(own, [Event::Out(transport.frame(class.unwrap(), kind, "shared"))]);
        }
    }
}

#[test]
fn the_heartbeat_of_each_version() {
    let mut client = Client::streaming(4, "");
    assert_eq!(client.timeout(PING), [frame("2")]);
    assert_eq!(client.frame("3"), [Alive]);
    assert_eq!(client.timeout(PING), [frame("2")]);
    let ended = || Ended(DisconnectReason::Timeout("the heartbeat of Engine.IO".into()));
    assert_eq!(client.timeout(PING), [CloseFrame, ended()]);

    let mut client = Client::streaming(3, "");
    assert_eq!(client.frame("2"), [Alive, frame("3")]);
    assert_eq!(client.timeout(PING), [CloseFrame, ended()]);
}

#[test]
fn a_session_moves_to_a_websocket_and_nothing_is_lost() {
    for version in [4, 3] {
        let mut client = Client::polling(version);
        let (poll, _) = client.poll();
        let (_, told) = client.upgrade();
        assert_eq!(told, [Upgraded]);
        let noop = if version == 4 { "6" } else { "1:6" };
        let told = client.frame("2probe");
        assert_eq!(told, [answer(poll, noop), frame("3probe")], "the client can't move before its request is answered");
        assert_eq!(client.send(Kind::Text, "one"), []);
        assert_eq!(client.send(Kind::Binary, "two"), []);
        let told = client.frame("5");
        let binary = if version == 4 { b"two".to_vec() } else { b"\x04two".to_vec() };
        assert_eq!(told, [frame("4one"), BinaryFrame(binary)]);
        assert_eq!(client.send(Kind::Text, "three"), [frame("4three")]);
        assert_eq!(client.frame("4four"), [text("four")]);
        assert_eq!(client.timeout(UPGRADE), []);
    }
}

#[test]
fn polling_goes_on_while_a_websocket_is_tried() {
    let mut client = probed(4);
    client.send(Kind::Text, "one");
    let (poll, told) = client.poll();
    assert_eq!(told, [answer(poll, "4one")]);
    let (poll, told) = client.poll();
    assert_eq!(told, []);
    assert_eq!(client.timeout(RELEASE), [answer(poll, "6")]);
    let (post, told) = client.post("4two");
    assert_eq!(told, [answer(post, "ok"), text("two")]);
    assert_eq!(client.frame("5"), []);
    assert_eq!(client.frame("4three"), [text("three")]);
}

#[test]
fn polling_is_over_once_the_session_has_moved() {
    let mut client = probed(4);
    client.frame("5");
    let (exchange, told) = client.poll();
    assert_eq!(told, [refused(exchange)]);
    let (exchange, told) = client.post("4late");
    assert_eq!(told, [refused(exchange)]);
    let (exchange, told) = client.upgrade();
    assert_eq!(told, [refused(exchange)]);
    assert_eq!(client.send(Kind::Text, "still here"), [frame("4still here")]);
}

#[test]
fn a_websocket_that_fails_its_trial_leaves_the_session_with_polling() {
    for first in ["4too early", "5", "", "nonsense"] {
        let mut client = Client::polling(4);
        client.upgrade();
        assert_eq!(client.frame(first), [CloseFrame], "{first}");
        assert_eq!(client.frame("4ignored"), []);
        client.send(Kind::Text, "one");
        let (poll, told) = client.poll();
        assert_eq!(told, [answer(poll, "4one")]);
    }
    let mut client = probed(4);
    assert_eq!(client.timeout(UPGRADE), [CloseFrame]);
    let mut client = probed(4);
    assert_eq!(client.disconnected(Carrier::Stream), []);
    let (poll, _) = client.poll();
    assert_eq!(client.send(Kind::Text, "one"), [answer(poll, "4one")]);
    assert_eq!(client.upgrade().1, [Upgraded], "another one may be tried");
}

#[test]
fn a_client_may_close_or_go_away() {
    let mut client = Client::streaming(4, "");
    let ended = Ended(DisconnectReason::Client { code: None, reason: String::new() });
    let frames = [masked(0x81, b"4last"), masked(0x81, b"1"), masked(0x81, b"4never")].concat();
    assert_eq!(client.bytes(&frames), [text("last"), CloseFrame, ended.clone()]);

    let mut client = Client::streaming(4, "");
    assert_eq!(client.bytes(&masked(0x88, b"")), [CloseFrame, ended]);

    let mut client = Client::streaming(4, "");
    assert_eq!(client.disconnected(Carrier::Stream), [Ended(DisconnectReason::Lost)]);
}

#[test]
fn a_close_of_the_host_has_no_code() {
    let mut client = Client::streaming(4, "");
    assert_eq!(client.close(), [CloseFrame]);
    assert_eq!(client.bytes(&masked(0x88, b"")), [Ended(DisconnectReason::Server)]);
}

#[test]
fn a_session_that_panicked_is_closed_in_both_protocols_where_a_websocket_carries_it() {
    let transport: TransportHarness = transport(Default::default());
    let closed = b"\x88\x05\x03\xf3sad";
    assert_eq!(transport.last_words(None, 1011, "sad"), closed, "a WebSocket that was only tried");
    let client = Client::streaming(4, "");
    let class = client.session.opening().iter().find_map(|event| match event {
        Event::FrameClass(class) => *class,
        _ => None,
    });
    assert!(class.is_some());
    assert_eq!(transport.last_words(class, 1011, "sad"), [b"\x81\x011", &closed[..]].concat());
}

#[test]
fn a_damaged_packet_ends_the_session() {
    for (version, first, packet) in [
        (4, 0x81, &b"x"[..]),
        (4, 0x81, b""),
        (4, 0x81, b"b*"),
        (4, 0x81, b"2"),
        (3, 0x82, b"\x05a"),
        (3, 0x82, b""),
        (3, 0x81, b"bAQID"),
    ] {
        let told = Client::streaming(version, "").bytes(&masked(first, packet));
        assert!(matches!(&told[..], [CloseFrame, Ended(DisconnectReason::Protocol { .. })]), "{packet:?}: {told:?}");
    }
}

/// What happens to a session that moves.
#[derive(Debug, Clone)]
enum Step {
    Poll,
    Post,
    Send,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![3 => Just(Step::Poll), 3 => Just(Step::Post), 5 => Just(Step::Send), 1 => Just(Step::Release)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whenever a session moves, each message comes once and in its order, in both directions.
    #[test]
    fn a_move_loses_and_doubles_nothing(
        before in proptest::collection::vec(step(), 0..8),
        between in proptest::collection::vec(step(), 0..8),
        after in 0..4usize,
    ) {
        let mut client = Client::polling(4);
        let (mut sent, mut posted, mut got, mut heard, mut polled) = (0, 0, Vec::new(), Vec::new(), false);
        let mut take = |told: Vec<Told>, polled: &mut bool| for told in told {
            match told {
                Told::Text(text) => heard.push(text),
                Told::Answer(_, 200, body) if body == b"ok" => {}
                Told::Answer(_, 200, body) => {
                    *polled = false;
                    got.extend(String::from_utf8(body).unwrap().split('\x1e').filter_map(|packet| packet.strip_prefix('4').map(str::to_owned)));
                }
                Told::Frame(packet) => got.extend(packet.strip_prefix('4').map(str::to_owned)),
                other => assert_eq!(other, Upgraded),
            }
        };
        for (number, steps) in [before, between].into_iter().enumerate() {
            for step in steps {
                let told = match step {
                    Step::Poll if !polled => { polled = true; client.poll().1 }
                    Step::Post => { posted += 1; client.post(format!("4{posted}")).1 }
                    Step::Send => { sent += 1; client.send(Kind::Text, sent.to_string()) }
                    Step::Release if number == 1 => client.timeout(RELEASE),
                    Step::Poll | Step::Release => continue,
                };
                take(told, &mut polled);
            }
            if number == 0 {
                take(client.upgrade().1, &mut polled);
                take(client.frame("2probe"), &mut polled);
            }
        }
        take(client.timeout(RELEASE), &mut polled);
        take(client.frame("5"), &mut polled);
        for _ in 0..after {
            sent += 1;
            take(client.send(Kind::Text, sent.to_string()), &mut polled);
            posted += 1;
            take(client.frame(&format!("4{posted}")), &mut polled);
        }
        let numbers = |last: i32| (1..=last).map(|number| number.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(got, numbers(sent));
        prop_assert_eq!(heard, numbers(posted));
    }

    /// Whatever comes, nothing panics, and at most one end is told, at the end.
    #[test]
    fn any_input_is_survived(
        version in 3..=4u8,
        bodies in proptest::collection::vec((any::<bool>(), proptest::collection::vec(prop_oneof![
            3 => proptest::sample::select(&b"0123456b:\x1e\x00\x01\xff\x044AQID"[..]), 1 => any::<u8>()], 0..20)), 0..8),
        streamed: bool,
    ) {
        let mut client = if streamed { Client::streaming(version, "") } else { Client::polling(version) };
        let mut told = Vec::new();
        for (binary, body) in bodies {
            if streamed {
                told.extend(client.bytes(&masked(if binary { 0x82 } else { 0x81 }, String::from_utf8_lossy(&body).as_bytes())));
            } else {
                told.extend(client.post_as(if binary { "application/octet-stream" } else { "text/plain" }, &body).1);
            }
        }
        let ends = told.iter().filter(|told| matches!(told, Ended(_))).count();
        prop_assert!(ends == 0 || ends == 1 && matches!(told.last(), Some(Ended(_))));
    }

    /// What one side writes, the other reads.
    #[test]
    fn wherever_the_network_cuts_a_stream_it_means_the_same(
        messages in proptest::collection::vec("\\PC{0,30}", 0..6),
        cuts in proptest::collection::vec(1..40usize, 0..12),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| masked(0x81, format!("4{message}").as_bytes())).collect();
        let expected: Vec<Event> = messages.iter().map(|message| Event::Message(Kind::Text, message.clone().into_bytes())).collect();
        let mut client = Client::streaming(4, "");
        prop_assert_eq!(client.session.receive_split(bytes, cuts), expected);
    }
}
