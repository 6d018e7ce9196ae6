//! Whatever comes in whatever order: exchanges are answered once, and messages arrive once and in their order.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use plugin_api::testing::Event;
use plugin_api::{Carrier, ExchangeId, Kind};
use proptest::prelude::*;
use sockjs::config::Config;
use sockjs::{FLUSH, LIFE};
use support::{Client, asked, with};

#[derive(Debug, Clone)]
enum Step {
    Down(&'static str),
    Up(&'static str),
    Send,
    Flush,
    Life,
    Cut(u64),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let downs = ["POST /primus/0/s/xhr", "POST /primus/0/s/xhr_streaming", "GET /primus/0/s/eventsource"];
    let ups = ["[\"a\",\"b\"]", "[]", "[\"a", ""];
    let step = prop_oneof![
        3 => prop::sample::select(downs.to_vec()).prop_map(Step::Down),
        2 => prop::sample::select(ups.to_vec()).prop_map(Step::Up),
        6 => Just(Step::Send),
        4 => Just(Step::Flush),
        1 => Just(Step::Life),
        1 => (1_u64..6).prop_map(Step::Cut),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..60)
}

/// The exchanges, and what their bodies say.
#[derive(Default)]
struct Exchanges {
    answered: BTreeSet<u64>,
    open: BTreeMap<u64, String>,
    received: Vec<String>,
}

impl Exchanges {
    fn take(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Respond(ExchangeId(number), response) => {
                    assert!(self.answered.insert(*number), "exchange {number} is answered twice");
                    self.read(&response.body);
                }
                Event::RespondOpen(ExchangeId(number), _) => {
                    assert!(self.answered.insert(*number), "exchange {number} is answered twice");
                    self.open.insert(*number, String::new());
                }
                Event::Chunk(ExchangeId(number), bytes) => {
                    assert!(self.open.contains_key(number), "exchange {number} is not open");
                    self.read(bytes);
                }
                Event::Finish(ExchangeId(number)) => {
                    assert!(self.open.remove(number).is_some(), "exchange {number} is not open");
                }
                _ => {}
            }
        }
    }

    fn read(&mut self, body: &[u8]) {
        for line in std::str::from_utf8(body).unwrap().lines() {
            let frame = line.strip_prefix("data: ").unwrap_or(line);
            if let Some(messages) = frame.strip_prefix('a') {
                self.received.extend(serde_json::from_str::<Vec<String>>(messages).unwrap());
            }
        }
    }
}

proptest! {
    #[test]
    fn exchanges_are_answered_once_and_messages_keep_their_order(steps in steps()) {
        let transport = with(Config { response_limit_bytes: 2_100, ..Config::default() });
        let Client { mut session, .. } = Client::of(&transport, "POST /primus/0/s/xhr");
        let (mut exchanges, mut sent) = (Exchanges::default(), Vec::new());
        exchanges.take(session.opening());
        for step in steps {
            if session.is_over() {
                break;
            }
            let events = match step {
                Step::Down(what) => session.request(asked(what)).1,
                Step::Up(body) => session.request(asked("POST /primus/0/s/xhr_send").with_body(body)).1,
                Step::Send => {
                    sent.push(sent.len().to_string());
                    session.send(Kind::Text, sent.last().unwrap())
                }
                Step::Flush => session.timeout(FLUSH),
                Step::Life => session.timeout(LIFE),
                Step::Cut(number) => session.disconnected(Carrier::Exchange(ExchangeId(number))),
                Step::Close => session.close(None, ""),
            };
            exchanges.take(&events);
            prop_assert!(exchanges.open.len() <= 1);
        }
        prop_assert!(sent.starts_with(&exchanges.received), "{sent:?} became {:?}", exchanges.received);
    }
}
