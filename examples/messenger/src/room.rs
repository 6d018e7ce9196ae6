//! One room: who is in it, and its last messages.
//!
//! Knows nothing of connections: a person is a name here, with the number of their connections that are in the room.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::name::PersonName;
use crate::refusal::Refusal;

/// How many messages are recognised when they come again. Far more than the history holds: a page that was away for long must
/// not double what it sends.
const REMEMBERED_IDS: usize = 2048;

/// The longest id of a message, in bytes.
const MAX_ID: usize = 64;

/// A message as all members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Made by its writer; a message that comes again has the same.
    pub id: String,
    /// The writer's name.
    pub author: String,
    /// What they wrote.
    pub text: String,
    /// Milliseconds since 1970. Grows from message to message in a room, so that all pages show one order.
    pub at: u64,
}

/// What became of a message that somebody sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Posted {
    /// It is new: all members are to have it.
    New(Message),
    /// It had come before, at that time; its acknowledgement was lost.
    Known { at: u64 },
}

/// One room.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Room {
    /// By folded name: the name and the number of connections.
    members: BTreeMap<String, (PersonName, u32)>,
    history: VecDeque<Message>,
    /// Whether messages have left the history.
    is_truncated: bool,
    /// Ids with the folded name of their writer and their time.
    receipts: HashMap<String, (String, u64)>,
    receipts_by_age: VecDeque<String>,
}

impl Room {
    /// One connection of a person comes in; whether the person is new here.
    pub fn enter(&mut self, person: &PersonName) -> bool {
        let (_, connections) = self.members.entry(person.folded()).or_insert_with(|| (person.clone(), 0));
        *connections += 1;
        *connections == 1
    }

    /// One connection of a person goes; whether the person is gone with it.
    pub fn leave(&mut self, person: &PersonName) -> bool {
        let folded = person.folded();
        let Some((_, connections)) = self.members.get_mut(&folded) else { return false };
        *connections -= 1;
        if *connections > 0 {
            return false;
        }
        self.members.remove(&folded);
        true
    }

    /// The people in the room.
    pub fn members(&self) -> impl Iterator<Item = &PersonName> {
        self.members.values().map(|(person, _)| person)
    }

    /// A person in the room, by folded name.
    pub fn member(&self, folded: &str) -> Option<&PersonName> {
        self.members.get(folded).map(|(person, _)| person)
    }

    /// How many people are in the room.
    pub fn crowd(&self) -> usize {
        self.members.len()
    }

    /// The last messages, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Message> {
        self.history.iter()
    }

    /// Whether the history begins with the room's first message.
    pub fn is_complete(&self) -> bool {
        !self.is_truncated
    }

    /// Takes a message, once.
    ///
    /// # Errors
    ///
    /// [`Refusal::IdInvalid`]: the id is empty, too long, or that of another person's message.
    pub fn post(&mut self, author: &PersonName, id: &str, text: &str, now_ms: u64, history: usize) -> Result<Posted, Refusal> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Refusal::IdInvalid);
        }
        let folded = author.folded();
        match self.receipts.get(id) {
            Some((writer, at)) if *writer == folded => return Ok(Posted::Known { at: *at }),
            Some(_) => return Err(Refusal::IdInvalid),
            None => {}
        }
        let after_last = self.history.back().map_or(0, |last| last.at + 1);
        let at = now_ms.max(after_last);
        let message = Message { id: id.to_owned(), author: author.as_str().to_owned(), text: text.to_owned(), at };
        self.history.push_back(message.clone());
        while self.history.len() > history {
            self.history.pop_front();
            self.is_truncated = true;
        }
        self.receipts.insert(id.to_owned(), (folded, at));
        self.receipts_by_age.push_back(id.to_owned());
        if self.receipts_by_age.len() > REMEMBERED_IDS
            && let Some(oldest) = self.receipts_by_age.pop_front()
        {
            self.receipts.remove(&oldest);
        }
        Ok(Posted::New(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> PersonName {
        PersonName::parse(name).unwrap()
    }

    #[test]
    fn a_person_with_two_connections_is_there_until_the_last_one_goes() {
        let mut room = Room::default();
        assert!(room.enter(&person("Ada")));
        assert!(!room.enter(&person("Ada")));
        assert!(!room.leave(&person("Ada")));
        assert_eq!(room.crowd(), 1);
        assert!(room.leave(&person("Ada")));
        assert_eq!(room.crowd(), 0);
        assert!(!room.leave(&person("Ada")), "who is not there can't leave");
    }

    #[test]
    fn a_message_that_comes_again_is_recognised_even_when_the_history_has_forgotten_it() {
        let mut room = Room::default();
        let ada = person("Ada");
        assert!(matches!(room.post(&ada, "1", "hello", 1000, 2), Ok(Posted::New(_))));
        for id in 2..6 {
            room.post(&ada, &id.to_string(), "more", 1000, 2).unwrap();
        }
        assert_eq!(room.post(&ada, "1", "hello", 2000, 2), Ok(Posted::Known { at: 1000 }));
        assert_eq!(room.history().map(|message| message.id.as_str()).collect::<Vec<_>>(), ["4", "5"]);
        assert!(!room.is_complete());
    }

    #[test]
    fn nobody_can_take_the_id_of_another_ones_message() {
        let mut room = Room::default();
        room.post(&person("Ada"), "1", "hello", 0, 10).unwrap();
        assert_eq!(room.post(&person("Bob"), "1", "hello", 0, 10), Err(Refusal::IdInvalid));
        assert_eq!(room.post(&person("Bob"), "", "hello", 0, 10), Err(Refusal::IdInvalid));
        assert_eq!(room.post(&person("Bob"), &"x".repeat(MAX_ID + 1), "hello", 0, 10), Err(Refusal::IdInvalid));
    }

    #[test]
    fn times_grow_from_message_to_message_even_when_the_clock_goes_back() {
        let mut room = Room::default();
        for (id, now_ms) in [("1", 1000), ("2", 1000), ("3", 500), ("4", 2000)] {
            room.post(&person("Ada"), id, "tick", now_ms, 10).unwrap();
        }
        assert_eq!(room.history().map(|message| message.at).collect::<Vec<_>>(), [1000, 1001, 1002, 2000]);
    }

    #[test]
    fn the_number_of_remembered_ids_is_bounded() {
        let mut room = Room::default();
        for id in 0..REMEMBERED_IDS + 10 {
            room.post(&person("Ada"), &id.to_string(), "x", 0, 1).unwrap();
        }
        assert_eq!((room.receipts.len(), room.receipts_by_age.len()), (REMEMBERED_IDS, REMEMBERED_IDS));
    }
}
