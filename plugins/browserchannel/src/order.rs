//! The order of what a client sends: its requests overtake each other, and come again where an answer was lost.
//!
//! Maps are numbered, and each is taken once and in its turn; requests are numbered too, which tells whether any was there before the
//! last one. Knows no bodies and no answers.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::Batch;

/// What a batch that waits costs besides its messages, and what each of its messages does.
const OVERHEAD: usize = 64;

/// How many requests may be ahead of one that is not there yet. Those beyond are not remembered.
const REQUESTS_AHEAD: usize = 64;

/// Messages in their order.
#[derive(Debug, Default)]
pub struct Messages {
    /// The number of the next map.
    next: u64,
    /// Those that came before their turn, by the number of their first map.
    ahead: BTreeMap<u64, Batch>,
    bytes: usize,
}

impl Messages {
    /// Takes a batch; answers all messages whose turn it is.
    pub fn take(&mut self, batch: Batch) -> Vec<Vec<u8>> {
        let mut due = Vec::new();
        self.keep(batch);
        while let Some(entry) = self.ahead.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let batch = entry.remove();
            self.bytes -= cost(&batch);
            let new = batch.messages.into_iter().filter(|(place, _)| batch.first + place >= self.next);
            due.extend(new.map(|(_, message)| message));
            self.next = self.next.max(batch.first + batch.count);
        }
        due
    }

    /// A batch that came again may have grown at its end.
    fn keep(&mut self, batch: Batch) {
        if batch.first + batch.count <= self.next {
            return;
        }
        if self.ahead.get(&batch.first).is_some_and(|known| known.count >= batch.count) {
            return;
        }
        self.bytes += cost(&batch);
        if let Some(shorter) = self.ahead.insert(batch.first, batch) {
            self.bytes -= cost(&shorter);
        }
    }

    /// What waits for its turn, in bytes.
    pub fn bytes_ahead(&self) -> usize {
        self.bytes
    }
}

fn cost(batch: &Batch) -> usize {
    OVERHEAD + batch.messages.iter().map(|(_, message)| message.len() + OVERHEAD).sum::<usize>()
}

/// Which requests have come.
#[derive(Debug, Default)]
pub struct Requests {
    /// The number of the next one; the first one decides where it begins.
    next: Option<u64>,
    ahead: BTreeSet<u64>,
    /// The number of the one that ends the session.
    last: Option<u64>,
}

impl Requests {
    /// One that has messages. Without a number it is in order.
    pub fn take(&mut self, number: Option<u64>) {
        let Some(number) = number else { return };
        let next = *self.next.get_or_insert(number);
        if number >= next && self.ahead.len() < REQUESTS_AHEAD {
            self.ahead.insert(number);
        }
        self.proceed();
    }

    /// The one that ends the session.
    pub fn take_last(&mut self, number: Option<u64>) {
        self.last = Some(number.unwrap_or_default());
        self.proceed();
    }

    /// Whether the session is at its end: the last request has come, and all before it.
    pub fn are_complete(&self) -> bool {
        self.last.is_some_and(|last| self.next.is_none_or(|next| last <= next))
    }

    fn proceed(&mut self) {
        while let Some(next) = self.next
            && self.ahead.remove(&next)
        {
            self.next = next.checked_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(first: u64, count: u64) -> Batch {
        let message = |place: u64| (place, (first + place).to_string().into_bytes());
        Batch { first, count, messages: (0..count).map(message).collect() }
    }

    fn taken(messages: &mut Messages, batch: Batch) -> Vec<String> {
        messages.take(batch).into_iter().map(|message| String::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn each_message_is_taken_once_and_in_its_turn() {
        let mut messages = Messages::default();
        assert_eq!(taken(&mut messages, batch(0, 2)), ["0", "1"]);
        assert_eq!(taken(&mut messages, batch(0, 2)), [""; 0], "it came again");
        assert_eq!(taken(&mut messages, batch(3, 2)), [""; 0], "it is not its turn");
        assert!(messages.bytes_ahead() > 0);
        assert_eq!(taken(&mut messages, batch(0, 3)), ["2", "3", "4"], "it came again, and grew");
        assert_eq!(messages.bytes_ahead(), 0);
    }

    #[test]
    fn maps_without_messages_count() {
        let mut messages = Messages::default();
        let one_of_many = Batch { first: 0, count: 1 << 40, messages: vec![(7, b"seventh".to_vec())] };
        assert_eq!(taken(&mut messages, one_of_many), ["seventh"]);
        assert_eq!(taken(&mut messages, batch(1 << 40, 1)), [(1_u64 << 40).to_string()]);
    }

    #[test]
    fn a_session_ends_when_all_its_requests_have_come() {
        let mut requests = Requests::default();
        requests.take(Some(10));
        requests.take(Some(12));
        requests.take_last(Some(13));
        assert!(!requests.are_complete());
        requests.take(Some(11));
        assert!(requests.are_complete());
    }

    #[test]
    fn requests_without_numbers_are_in_order() {
        let mut requests = Requests::default();
        requests.take(None);
        assert!(!requests.are_complete());
        requests.take_last(None);
        assert!(requests.are_complete());
    }

    proptest! {
        #[test]
        fn whatever_comes_twice_or_too_early_every_message_comes_once_and_in_order(
            sizes in prop::collection::vec(1_u64..4, 1..12),
            disorder in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let mut batches = Vec::new();
            let mut next = 0;
            for size in sizes {
                batches.push(batch(next, size));
                next += size;
            }
            let mut messages = Messages::default();
            let mut received = Vec::new();
            for index in disorder {
                received.extend(taken(&mut messages, batches[index.index(batches.len())].clone()));
            }
            for batch in batches {
                received.extend(taken(&mut messages, batch));
            }
            let expected: Vec<String> = (0..next).map(|number| number.to_string()).collect();
            prop_assert_eq!(received, expected);
            prop_assert_eq!(messages.bytes_ahead(), 0);
        }
    }
}
