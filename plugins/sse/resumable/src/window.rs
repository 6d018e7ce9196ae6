//! Messages to the client that it has not acknowledged: they wait for a carrier, or for the news that they have arrived.
//!
//! Knows numbers and bytes. Knows no carrier and no form of a frame. Numbers begin at 1.

use std::collections::VecDeque;
use std::ops::Range;

use plugin_api::Kind;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether it is text.
    pub kind: Kind,
    /// What it says.
    pub payload: Box<[u8]>,
}

/// The window. `before <= sent <= highest`.
#[derive(Debug, Default)]
pub struct Window {
    /// From the one after `acknowledged` (or after what was forgotten) on, to the last.
    messages: VecDeque<Message>,
    /// The number before the first in `messages`.
    before: u64,
    /// The last that the client said it has.
    acknowledged: u64,
    /// The last that a carrier was given.
    sent: u64,
    /// The last that any carrier was ever given.
    highest: u64,
    sent_bytes: usize,
    unsent_bytes: usize,
}

/// Why a client's word on what it has can't be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misnumbered {
    /// It has what was never sent.
    #[error("message {number} is acknowledged, and {highest} is the last that was sent")]
    NeverSent {
        /// What it says that it has.
        number: u64,
        /// The last that was sent.
        highest: u64,
    },
    /// It lacks what is forgotten.
    #[error("message {number} is asked for again, and only those after {before} are still there (max_resend_bytes)")]
    Forgotten {
        /// The first that it lacks.
        number: u64,
        /// The last that is not there any more.
        before: u64,
    },
}

impl Window {
    /// One more message, and its number.
    pub fn push(&mut self, kind: Kind, payload: &[u8]) -> u64 {
        self.unsent_bytes += payload.len();
        self.messages.push_back(Message { kind, payload: payload.into() });
        self.before + self.messages.len() as u64
    }

    /// The bytes that no carrier was given yet.
    pub fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// Whether there is something that no carrier was given yet.
    pub fn has_unsent(&self) -> bool {
        self.sent < self.before + self.messages.len() as u64
    }

    /// The client has all up to this number.
    ///
    /// # Errors
    /// It can't.
    pub fn acknowledge(&mut self, number: u64) -> Result<(), Misnumbered> {
        if number > self.highest {
            return Err(Misnumbered::NeverSent { number, highest: self.highest });
        }
        self.acknowledged = self.acknowledged.max(number);
        while self.before < number {
            self.drop_first();
        }
        Ok(())
    }

    /// A carrier goes on after this number, or after what was acknowledged meanwhile: whatever follows is sent again.
    ///
    /// # Errors
    /// It can't be.
    pub fn resume(&mut self, after: u64) -> Result<(), Misnumbered> {
        self.acknowledge(after)?;
        // A request may be overtaken by a later one.
        let after = after.max(self.acknowledged);
        if after < self.before {
            return Err(Misnumbered::Forgotten { number: after + 1, before: self.before });
        }
        self.sent = after;
        self.unsent_bytes += self.sent_bytes;
        self.sent_bytes = 0;
        Ok(())
    }

    /// Gives a carrier what it is to send: at least one message if there is one, and then so many more as fit into `limit` bytes.
    /// Their numbers.
    pub fn take(&mut self, limit: usize) -> Range<u64> {
        let first = self.sent + 1;
        let waiting = usize::try_from(self.sent - self.before).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for message in self.messages.iter().skip(waiting) {
            let length = message.payload.len();
            if self.sent >= first && bytes + length > limit {
                break;
            }
            bytes += length;
            self.sent += 1;
        }
        self.highest = self.highest.max(self.sent);
        self.unsent_bytes -= bytes;
        self.sent_bytes += bytes;
        first..self.sent + 1
    }

    /// Messages by their numbers.
    pub fn messages(&self, numbers: Range<u64>) -> impl Iterator<Item = (u64, &Message)> {
        let skipped = usize::try_from(numbers.start.saturating_sub(self.before + 1)).unwrap_or(usize::MAX);
        numbers.zip(self.messages.iter().skip(skipped))
    }

    /// Forgets the oldest that were sent while they are more than so many bytes. The newest is kept, however long it is.
    pub fn forget(&mut self, limit: usize) {
        while self.sent_bytes > limit && self.before + 1 < self.sent {
            self.drop_first();
        }
    }

    /// Takes out all that the client does not have.
    pub fn drain(&mut self) -> impl Iterator<Item = Message> {
        self.before += self.messages.len() as u64;
        (self.acknowledged, self.sent, self.highest) = (self.before, self.before, self.before);
        (self.sent_bytes, self.unsent_bytes) = (0, 0);
        std::mem::take(&mut self.messages).into_iter()
    }

    fn drop_first(&mut self) {
        let Some(message) = self.messages.pop_front() else { return };
        self.before += 1;
        // Whatever is acknowledged needs no carrier, though it was to be sent again.
        if self.before <= self.sent {
            self.sent_bytes -= message.payload.len();
        } else {
            self.sent = self.before;
            self.unsent_bytes -= message.payload.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(window: &mut Window, limit: usize) -> Vec<u64> {
        let taken = window.take(limit);
        window.messages(taken).map(|(number, _)| number).collect()
    }

    fn window(messages: usize) -> Window {
        let mut window = Window::default();
        for _ in 0..messages {
            window.push(Kind::Text, b"1234");
        }
        window
    }

    #[test]
    fn a_carrier_gets_as_much_as_it_takes_and_at_least_one() {
        let mut window = window(5);
        assert_eq!(numbers(&mut window, 8), [1, 2]);
        assert_eq!(numbers(&mut window, 0), [3]);
        assert_eq!(numbers(&mut window, usize::MAX), [4, 5]);
        assert!(numbers(&mut window, usize::MAX).is_empty());
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again() {
        let mut window = window(4);
        numbers(&mut window, usize::MAX);
        window.resume(2).unwrap();
        assert_eq!(window.unsent_bytes(), 8);
        assert_eq!(numbers(&mut window, usize::MAX), [3, 4]);
        window.acknowledge(4).unwrap();
        assert!(!window.has_unsent());
        assert_eq!(window.resume(3), Ok(()), "a request that was overtaken");
        assert!(!window.has_unsent());
    }

    #[test]
    fn an_acknowledgement_that_comes_late_spares_a_repetition() {
        let mut window = window(4);
        numbers(&mut window, usize::MAX);
        window.resume(0).unwrap();
        window.acknowledge(3).unwrap();
        assert_eq!(numbers(&mut window, usize::MAX), [4]);
    }

    #[test]
    fn nobody_has_what_was_never_sent() {
        let mut window = window(4);
        numbers(&mut window, 8);
        assert_eq!(window.acknowledge(3), Err(Misnumbered::NeverSent { number: 3, highest: 2 }));
        assert_eq!(window.resume(3), Err(Misnumbered::NeverSent { number: 3, highest: 2 }));
    }

    #[test]
    fn the_oldest_are_forgotten_and_a_client_that_lacks_them_is_told() {
        let mut window = window(4);
        numbers(&mut window, 12);
        window.forget(8);
        assert_eq!(window.resume(0), Err(Misnumbered::Forgotten { number: 1, before: 1 }));
        assert_eq!(window.resume(1), Ok(()));
        assert_eq!(numbers(&mut window, usize::MAX), [2, 3, 4]);
        window.forget(0);
        assert_eq!(window.resume(3), Ok(()), "the newest is kept");
    }

    #[test]
    fn what_the_client_lacks_is_taken_out_in_order() {
        let mut window = window(4);
        numbers(&mut window, 8);
        window.acknowledge(1).unwrap();
        assert_eq!(window.drain().count(), 3);
        assert!(!window.has_unsent());
        assert_eq!(window.unsent_bytes(), 0);
        assert_eq!(window.push(Kind::Text, b"5"), 5);
        assert_eq!(numbers(&mut window, usize::MAX), [5]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Take(usize),
        Acknowledge(u64),
        Resume(u64),
    }

    proptest! {
        /// A client that takes whatever is next, and says at times that it has less than it has.
        #[test]
        fn every_message_arrives_once_and_in_order(steps in prop::collection::vec(prop_oneof![
            (0u8..20).prop_map(Step::Push),
            (0usize..60).prop_map(Step::Take),
            (0u64..4).prop_map(Step::Acknowledge),
            (0u64..4).prop_map(Step::Resume),
        ], 0..200)) {
            let (mut window, mut pushed, mut received) = (Window::default(), 0u64, 0u64);
            for step in steps {
                match step {
                    Step::Push(length) => {
                        pushed += 1;
                        prop_assert_eq!(window.push(Kind::Binary, &vec![0; usize::from(length)]), pushed);
                    }
                    Step::Take(limit) => for number in numbers(&mut window, limit) {
                        prop_assert!(number <= received + 1, "{} follows {}", number, received);
                        received = received.max(number);
                    },
                    Step::Acknowledge(less) => window.acknowledge(received.saturating_sub(less)).unwrap(),
                    Step::Resume(less) => { let _ = window.resume(received.saturating_sub(less)); }
                }
                let bytes: usize = window.messages.iter().map(|message| message.payload.len()).sum();
                prop_assert_eq!(bytes, window.sent_bytes + window.unsent_bytes);
                prop_assert!(window.before <= window.sent && window.sent <= window.highest);
            }
            window.resume(received).unwrap();
            let rest = numbers(&mut window, usize::MAX);
            prop_assert_eq!(rest.len() as u64, pushed - received);
        }
    }
}
