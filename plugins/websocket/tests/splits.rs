//! Wherever the network cuts the bytes, they mean the same.

mod support;

use plugin_api::DisconnectReason;
use proptest::prelude::*;
use proptest::sample::Index;
use support::{Event, Frame, MESSAGES, Server, bare_close, close};
use websocket::config::{CompressionConfig, Config};

/// What a client might send: mostly frames that make sense, and some that don't.
fn frame() -> impl Strategy<Value = Frame> {
    let payload = prop_oneof![
        4 => "\\PC{0,40}".prop_map(String::into_bytes),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (100_usize..400).prop_map(|length| vec![b'x'; length]),
    ];
    let first = prop_oneof![6 => Just(0x81), 3 => Just(0x82), 4 => Just(0x80), 2 => Just(0x89), 1 => Just(0x8a)];
    let frame = (first, payload, any::<[u8; 4]>()).prop_map(|(first, mut payload, key)| {
        if first >= 0x88 {
            payload.truncate(125);
        }
        Frame::new(first, payload).masked_with(key)
    });
    prop_oneof![
        20 => frame.clone(),
        6 => frame.clone().prop_map(Frame::open),
        4 => frame.clone().prop_map(Frame::deflated),
        1 => frame.clone().prop_map(Frame::unmasked),
        1 => (frame, any::<u8>()).prop_map(|(frame, bits)| frame.with_bits(bits & 0x30)),
        1 => (any::<u16>(), "[a-z]{0,20}").prop_map(|(code, reason)| close(code, reason)),
        1 => Just(bare_close()),
    ]
}

fn server(deflating: bool) -> Server {
    let compression = CompressionConfig { client_no_context_takeover: false, ..CompressionConfig::default() };
    let config = Config { max_message_bytes: 500, compression: Some(compression), ..Config::default() };
    Server::at(MESSAGES, config, deflating.then_some("permessage-deflate"))
}

/// Frames to the client and events to the host, each in their order: between the two there is none.
fn sorted(events: Vec<Event>) -> (Vec<Event>, Vec<Event>) {
    events.into_iter().partition(|event| matches!(event, Event::Sent(_)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_split_gives_the_events_of_the_whole(
        frames in proptest::collection::vec(frame(), 0..10),
        cuts in proptest::collection::vec(any::<Index>(), 0..12),
        tail in proptest::collection::vec(any::<u8>(), 0..4),
        deflating: bool,
    ) {
        let mut bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        bytes.extend(tail);
        let whole = server(deflating).receive(&bytes);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut split = server(deflating);
        let parts = cuts.windows(2).flat_map(|cut| split.receive(&bytes[cut[0]..cut[1]])).collect();
        prop_assert_eq!(sorted(parts), sorted(whole.clone()));

        let mut moved = server(deflating);
        let in_processes = cuts.windows(2).flat_map(|cut| {
            moved.moves();
            moved.receive(&bytes[cut[0]..cut[1]])
        });
        prop_assert_eq!(sorted(in_processes.collect()), sorted(whole.clone()));

        let mut split = server(deflating);
        let bytewise = bytes.iter().flat_map(|byte| split.receive(&[*byte])).collect();
        prop_assert_eq!(sorted(bytewise), sorted(whole));
    }

    #[test]
    fn any_bytes_are_survived_and_end_at_most_once(bytes in proptest::collection::vec(any::<u8>(), 0..200), deflating: bool) {
        let mut server = server(deflating);
        let mut events = server.receive(&bytes);
        events.extend(server.receive(&bytes));
        events.extend(server.disconnected());
        let ends: Vec<&DisconnectReason> =
            events.iter().filter_map(|event| if let Event::Ended(reason) = event { Some(reason) } else { None }).collect();
        prop_assert_eq!(ends.len(), 1);
        prop_assert!(matches!(events.last(), Some(Event::Ended(_))));
    }
}
