//! What the bytes of a stream mean, and what is written to it.

use plugin_api::testing::{Event, SessionHarness, TransportHarness};
use plugin_api::{Carrier, DisconnectReason, ExchangeId, Kind, Request, Route};
use proptest::prelude::*;
use proptest::sample::Index;
use webtransport::frame::Head;
use webtransport::{WebTransport, WebTransportSession};

/// A transport whose sessions can be opened by a request: in a host, streams that the plugin brings open them.
struct Brought(WebTransport);

impl plugin_api::Transport for Brought {
    type Session = WebTransportSession;

    fn name(&self) -> &str {
        self.0.name()
    }

    fn route(&self, _: &Request<'_>) -> Route {
        Route::Open
    }

    fn open(&self, request: &Request<'_>) -> WebTransportSession {
        self.0.open(request)
    }

    fn frame(&self, class: plugin_api::FrameClass, kind: Kind, payload: &[u8], out: &mut plugin_api::Out<'_>) {
        self.0.frame(class, kind, payload, out);
    }
}

fn transport(limit: usize) -> TransportHarness {
    TransportHarness::new(Brought(WebTransport::new(limit)))
}

fn session() -> SessionHarness {
    transport(100).open("/primus")
}

fn text(message: &str) -> Event {
    Event::Message(Kind::Text, message.into())
}

fn bytes(message: &[u8]) -> Event {
    Event::Message(Kind::Binary, message.to_vec())
}

#[test]
fn a_message_is_text_or_bytes_by_the_lowest_bit_of_its_length() {
    assert_eq!(session().receive(b"\x04hi\x05\xff\n\0\x02!"), [text("hi"), bytes(b"\xff\n"), Event::Alive, text("!")]);
}

#[test]
fn a_length_may_be_written_longer_than_it_has_to_be() {
    let long = [b"\x40\x04hi".as_slice(), b"\x80\0\0\x04hi", b"\xc0\0\0\0\0\0\0\x04hi"].concat();
    assert_eq!(session().receive(long), [text("hi"), text("hi"), text("hi")]);
}

#[test]
fn lengths_of_each_size_are_written_as_they_are_read() {
    for length in [0, 1, 31, 32, 8191, 8192, 70_000] {
        for kind in [Kind::Text, Kind::Binary] {
            let transport = transport(100_000);
            let payload = vec![b'x'; length];
            let mut session = transport.open("/primus");
            let [Event::Out(out)] = &session.send(kind, &payload)[..] else { panic!("one frame") };
            let head = Head::of(out).unwrap();
            assert_eq!((head.kind, head.length, head.size + length), (kind, length as u64, out.len()));
            let Event::FrameClass(Some(class)) = session.opening()[1] else { panic!("frames are shared") };
            assert_eq!(&transport.frame(class, kind, &payload), out);
            if length > 0 {
                assert_eq!(session.receive(out), [Event::Message(kind, payload)]);
            }
        }
    }
}

#[test]
fn a_message_that_is_too_long_ends_the_session_at_its_head() {
    let end = Event::Close(DisconnectReason::Limit("a message is longer than 100 bytes".to_owned()));
    assert_eq!(session().receive(b"\x40\xca"), std::slice::from_ref(&end));
    assert_eq!(session().receive(b"\xff\xff\xff\xff\xff\xff\xff\xff"), std::slice::from_ref(&end));
    assert_eq!(session().receive_split(b"\xff\xff\xff\xff\xff\xff\xff\xff", [1, 1, 1]), [end]);
}

#[test]
fn a_text_that_is_no_utf_8_ends_the_session() {
    let reason = DisconnectReason::Protocol { code: 1007, reason: "a text that is no UTF-8".to_owned() };
    assert_eq!(session().receive(b"\x02\xff"), [Event::Close(reason)]);
}

#[test]
fn a_stream_that_is_gone_is_the_clients_end_and_a_close_is_the_servers() {
    let gone = DisconnectReason::Client { code: None, reason: String::new() };
    assert_eq!(session().disconnected(Carrier::Stream), [Event::Close(gone)]);
    assert_eq!(session().close(None, ""), [Event::Close(DisconnectReason::Server)]);
}

#[test]
fn another_path_than_the_servers_has_no_sessions() {
    let opened = transport(100).open("/primus/elsewhere");
    let [Event::Respond(exchange, response), Event::Close(_)] = opened.opening() else { panic!("{:?}", opened.opening()) };
    assert_eq!((*exchange, response.status), (ExchangeId(1), 404));
}

#[test]
fn without_a_carrier_nothing_is_offered_and_other_requests_are_others() {
    let transport = TransportHarness::new(WebTransport::new(100));
    let Route::Respond(response) = transport.route("/primus/webtransport") else { panic!("it is asked for") };
    assert_eq!(response.status, 404);
    assert_eq!(transport.route("/primus"), Route::Pass);
    assert_eq!(transport.route(Request::new("POST", "/primus/webtransport")), Route::Pass);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn wherever_the_bytes_are_cut_they_are_the_same_messages(
        messages in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..90)), 0..6),
        noise in proptest::collection::vec(any::<u8>(), 0..12),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut stream = Vec::new();
        for (binary, message) in &messages {
            stream.extend((((message.len() as u16) << 1 | u16::from(*binary)) | 0x4000).to_be_bytes());
            stream.extend(message);
        }
        stream.extend(noise);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.sort();
        let sizes: Vec<usize> =
            std::iter::once(0).chain(places.iter().copied()).zip(places.iter().copied()).map(|(from, to)| to - from).collect();
        let whole = session().receive(&stream);
        prop_assert_eq!(session().receive_split(&stream, sizes), whole);
    }
}
