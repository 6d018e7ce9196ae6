//! Whatever comes in whatever order: exchanges are answered once, and messages arrive once and in their order, both ways.

mod support;

use std::collections::BTreeSet;

use browserchannel::config::Config;
use browserchannel::{FLUSH, LIFE};
use plugin_api::testing::Event;
use plugin_api::{Carrier, ExchangeId, Kind};
use proptest::prelude::*;
use support::{Client, texts_of, with};

#[derive(Debug, Clone)]
enum Step {
    /// A response for arrays; whether it goes on.
    Back(bool),
    /// Messages from this one on, so many.
    Forward(u64, u64),
    Broken,
    Send,
    Flush,
    Life,
    Cut(u64),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<bool>().prop_map(Step::Back),
        3 => (0_u64..8, 1_u64..3).prop_map(|(first, count)| Step::Forward(first, count)),
        1 => Just(Step::Broken),
        6 => Just(Step::Send),
        4 => Just(Step::Flush),
        1 => Just(Step::Life),
        1 => (1_u64..9).prop_map(Step::Cut),
        1 => Just(Step::Close),
    ];
    prop::collection::vec(step, 0..60)
}

/// A client that follows the protocol, on a way that may break.
#[derive(Default)]
struct Far {
    answered: BTreeSet<u64>,
    open: BTreeSet<u64>,
    /// The number of the last array, and the texts of all that were messages.
    last: i64,
    received: Vec<String>,
    /// What came of the client's own messages.
    taken: Vec<String>,
}

impl Far {
    fn take(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Respond(ExchangeId(number), response) => {
                    assert!(self.answered.insert(*number), "exchange {number} is answered twice");
                    let body = std::str::from_utf8(&response.body).unwrap();
                    if response.status == 200 && body.contains("[[") {
                        self.read(body);
                    }
                }
                Event::RespondOpen(ExchangeId(number), _) => {
                    assert!(self.answered.insert(*number), "exchange {number} is answered twice");
                    self.open.insert(*number);
                }
                Event::Chunk(ExchangeId(number), bytes) => {
                    assert!(self.open.contains(number), "exchange {number} is not open");
                    self.read(std::str::from_utf8(bytes).unwrap());
                }
                Event::Finish(ExchangeId(number)) => {
                    assert!(self.open.remove(number), "exchange {number} is not open");
                }
                Event::Message(_, bytes) => self.taken.push(String::from_utf8(bytes.clone()).unwrap()),
                _ => {}
            }
        }
    }

    fn read(&mut self, body: &str) {
        for text in texts_of(body) {
            for (id, content) in serde_json::from_str::<Vec<(i64, serde_json::Value)>>(&text).unwrap() {
                // One that came already is not looked at.
                if id > self.last {
                    assert_eq!(id, self.last + 1, "an array is missing");
                    self.last = id;
                    self.received.extend(content.as_str().map(str::to_owned));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn exchanges_are_answered_once_and_messages_keep_their_order(steps in steps()) {
        let mut client = Client::of(&with(Config { response_limit_bytes: 60, ..Config::default() }));
        let (mut far, mut sent) = (Far::default(), Vec::new());
        for step in steps {
            if client.session.is_over() {
                break;
            }
            let events = match step {
                Step::Back(true) => client.stream(far.last).1,
                Step::Back(false) => client.poll(far.last).1,
                Step::Forward(first, count) => {
                    let maps = (0..count).map(|place| format!("&req{place}__S={}", first + place));
                    client.forward(&format!("count={count}&ofs={first}{}", maps.collect::<String>()))
                }
                Step::Broken => client.forward("count=1"),
                Step::Send => {
                    sent.push(sent.len().to_string());
                    client.session.send(Kind::Text, sent.last().unwrap())
                }
                Step::Flush => client.session.timeout(FLUSH),
                Step::Life => client.session.timeout(LIFE),
                Step::Cut(number) => {
                    far.open.remove(&number);
                    client.session.disconnected(Carrier::Exchange(ExchangeId(number)))
                }
                Step::Close => client.session.close(None, ""),
            };
            far.take(&events);
            prop_assert!(far.open.len() <= 1);
        }
        prop_assert!(sent.starts_with(&far.received), "{sent:?} became {:?}", far.received);
        let numbers: Vec<String> = (0..far.taken.len()).map(|number| number.to_string()).collect();
        prop_assert_eq!(far.taken, numbers);
    }
}
