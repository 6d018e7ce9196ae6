//! A plugin is replaced while messages come: each is seen by one generation, in order, and the state that is carried over has all
//! that the old one saw.

use concurrency::mailbox::Mailbox;
use concurrency::switch::{Invitation, Switch};
use concurrency::sync::{Arc, Mutex};
use loom::thread;

use super::mailbox::wait;
use crate::check;

enum Letter {
    Message(u8),
    Switch(Invitation),
}

/// A plugin, whose hooks are called by all shards: what they have seen.
struct Generation {
    number: u8,
    seen: Mutex<Vec<u8>>,
}

/// As `House`: mailboxes of shards, and the picture in force.
struct House {
    mailboxes: Vec<Mailbox<Letter>>,
    picture: Mutex<Arc<Generation>>,
}

impl House {
    fn new(shards: usize) -> Arc<Self> {
        let mailboxes = (0..shards).map(|_| Mailbox::new()).collect();
        Arc::new(Self { mailboxes, picture: Mutex::new(generation(1, Vec::new())) })
    }

    fn picture(&self) -> Arc<Generation> {
        Arc::clone(&self.picture.lock().unwrap())
    }
}

fn generation(number: u8, seen: Vec<u8>) -> Arc<Generation> {
    Arc::new(Generation { number, seen: Mutex::new(seen) })
}

/// As `shard/turn.rs`, for so many letters: the picture is kept, and another one adopted after a switch.
fn shard(house: &House, index: usize, letters: usize) {
    let mut picture = house.picture();
    let mut read = 0;
    while read < letters {
        wait(&house.mailboxes[index]);
        for letter in house.mailboxes[index].take() {
            read += 1;
            match letter {
                Letter::Message(number) => picture.seen.lock().unwrap().push(number),
                Letter::Switch(invitation) => {
                    invitation.pass();
                    picture = house.picture();
                    assert_eq!(picture.number, 2);
                }
            }
        }
    }
}

/// Replaces the plugin while another thread sends these messages, each to one shard; all that the new generation knows then.
fn replace(shards: usize, messages: &'static [(usize, u8)]) -> Vec<u8> {
    let house = House::new(shards);
    let old = house.picture();
    let threads: Vec<_> = (0..shards)
        .map(|index| {
            let house = Arc::clone(&house);
            let letters = 1 + messages.iter().filter(|(to, _)| *to == index).count();
            thread::spawn(move || shard(&house, index, letters))
        })
        .collect();
    let of_sender = Arc::clone(&house);
    let sender = thread::spawn(move || {
        messages.iter().for_each(|(to, message)| of_sender.mailboxes[*to].post(Letter::Message(*message)));
    });
    // As `control/publish.rs`.
    let switch = Arc::<Switch>::default();
    house.mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Switch(Switch::invite(&switch))));
    let carried = switch.change(|| {
        let state = old.seen.lock().unwrap().clone();
        *house.picture.lock().unwrap() = generation(2, state.clone());
        state
    });
    threads.into_iter().chain([sender]).for_each(|thread| thread.join().unwrap());
    assert_eq!(*old.seen.lock().unwrap(), carried, "the old generation has seen nothing after its state was carried over");
    house.picture().seen.lock().unwrap().clone()
}

#[test]
fn no_message_is_seen_by_both_generations_and_none_by_neither() {
    check(2, || assert_eq!(replace(1, &[(0, 1), (0, 2)]), [1, 2]));
}

#[test]
fn it_is_so_on_all_shards() {
    check(1, || {
        let mut seen = replace(2, &[(0, 1), (1, 2)]);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}
