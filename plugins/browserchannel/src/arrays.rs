//! The arrays to a client: numbered, kept until the client has acknowledged them, and sent anew where they may have been lost.
//!
//! Knows their text and its length. Knows no responses.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::carrier::units;

/// What an array costs besides its text.
const OVERHEAD: usize = std::mem::size_of::<Array>();

/// The arrays.
#[derive(Debug, Default)]
pub struct Arrays {
    /// Those that are not acknowledged, in order.
    kept: VecDeque<Array>,
    /// The number of the next one.
    next: u64,
    /// How many of the kept ones were sent.
    sent: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Array {
    /// JSON.
    content: Box<str>,
    units: usize,
}

impl Arrays {
    /// One more array: JSON of whatever it says.
    pub fn push(&mut self, content: String) {
        self.bytes += content.len() + OVERHEAD;
        self.kept.push_back(Array { units: units(&content), content: content.into_boxed_str() });
        self.next += 1;
    }

    /// One more array: a message of the application's.
    pub fn push_message(&mut self, text: &str) {
        let mut content = Vec::with_capacity(text.len() + text.len() / 8 + 8);
        json_text::encode::text(text, &mut content);
        self.push(String::from_utf8(content).expect("JSON of a text is a text"));
    }

    /// Whether messages of the application's are among what is kept. They are texts; what the protocol itself says are arrays.
    pub fn has_messages(&self) -> bool {
        self.kept.iter().any(|array| array.content.starts_with('"'))
    }

    /// The number of the first that is kept.
    fn first(&self) -> u64 {
        self.next - self.kept.len() as u64
    }

    /// The client has this array and all before it. Ones that were never sent can't be acknowledged.
    pub fn acknowledge(&mut self, id: u64) {
        while self.sent > 0 && self.first() <= id {
            let Some(array) = self.kept.pop_front() else { return };
            self.bytes -= array.content.len() + OVERHEAD;
            self.sent -= 1;
        }
    }

    /// What was sent and not acknowledged may be lost: it is to be sent once more.
    pub fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Takes all that are to be sent as one text; `None` where there are none.
    pub fn take(&mut self) -> Option<String> {
        if self.sent == self.kept.len() {
            return None;
        }
        let first = self.first();
        let mut text = String::with_capacity(self.bytes);
        for (place, array) in self.kept.iter().enumerate().skip(self.sent) {
            let opening = if text.is_empty() { "[" } else { "," };
            write!(text, "{opening}[{},{}]", first + place as u64, array.content).expect("writing to a String never fails");
        }
        text.push_str("]\n");
        self.sent = self.kept.len();
        Some(text)
    }

    /// Whether all that there are were sent.
    pub fn are_all_sent(&self) -> bool {
        self.sent == self.kept.len()
    }

    /// The number of the last one that was sent; -1 where none was.
    pub fn last_sent(&self) -> i64 {
        (self.first() + self.sent as u64) as i64 - 1
    }

    /// How long the JSON of all that were sent and are not acknowledged is, in UTF-16 units.
    pub fn outstanding(&self) -> usize {
        let contents: usize = self.kept.iter().take(self.sent).map(|array| array.units + 1).sum();
        if contents == 0 { 0 } else { contents + 1 }
    }

    /// What is kept, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arrays_are_numbered_and_sent_once() {
        let mut arrays = Arrays::default();
        assert_eq!((arrays.take(), arrays.last_sent(), arrays.outstanding()), (None, -1, 0));
        arrays.push_message("a\"\u{2028}é");
        arrays.push("[\"noop\"]".to_owned());
        assert_eq!(arrays.last_sent(), -1);
        assert_eq!(arrays.take().unwrap(), "[[0,\"a\\\"\\u2028é\"],[1,[\"noop\"]]]\n");
        assert_eq!((arrays.take(), arrays.last_sent()), (None, 1));
        arrays.push_message("b");
        assert_eq!(arrays.take().unwrap(), "[[2,\"b\"]]\n");
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_anew() {
        let mut arrays = Arrays::default();
        for text in ["a", "b", "c"] {
            arrays.push_message(text);
        }
        arrays.take();
        assert_eq!(arrays.outstanding(), r#"["a","b","c"]"#.len());
        arrays.acknowledge(0);
        assert_eq!((arrays.last_sent(), arrays.outstanding()), (2, 9));
        arrays.rewind();
        assert_eq!((arrays.last_sent(), arrays.outstanding()), (0, 0));
        assert_eq!(arrays.take().unwrap(), "[[1,\"b\"],[2,\"c\"]]\n");
        arrays.acknowledge(2);
        assert_eq!(arrays.bytes(), 0);
    }

    #[test]
    fn what_was_not_sent_can_not_be_acknowledged() {
        let mut arrays = Arrays::default();
        arrays.push_message("a");
        arrays.acknowledge(7);
        assert_eq!(arrays.take().unwrap(), "[[0,\"a\"]]\n");
    }

    proptest! {
        #[test]
        fn a_client_gets_all_of_them_in_order_whatever_is_lost(
            steps in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(2)], 0..80),
        ) {
            let (mut arrays, mut sent, mut received) = (Arrays::default(), 0_u64, 0_u64);
            for step in steps {
                match step {
                    0 => { arrays.push_message(&sent.to_string()); sent += 1; }
                    // The carrier breaks; the client asks again, and says what it has.
                    1 => {
                        if received > 0 { arrays.acknowledge(received - 1); }
                        arrays.rewind();
                    }
                    _ => if let Some(text) = arrays.take() {
                        let arrays: Vec<(u64, String)> = serde_json::from_str(&text).unwrap();
                        for (id, content) in arrays {
                            prop_assert_eq!(id.to_string(), content);
                            prop_assert_eq!(id, received);
                            received += 1;
                        }
                    },
                }
            }
            arrays.take();
            prop_assert_eq!(arrays.last_sent(), sent as i64 - 1);
        }
    }
}
