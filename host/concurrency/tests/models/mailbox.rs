//! Many senders, one owner: no letter is lost, repeated or overtaken by a later one of its sender, and no wake is lost.

use std::pin::pin;
use std::task::{Context, Waker};

use concurrency::mailbox::Mailbox;
use concurrency::sync::{Arc, Mutex};
use loom::thread;

use crate::{Plain, check};

/// Which sender, and its how manieth.
type Letter = (u8, u8);

/// Waits until somebody wakes; if nobody does, the model has come to a deadlock, and fails.
pub fn wait<L>(mailbox: &Mailbox<L>) {
    let waiting = pin!(mailbox.wait());
    assert!(waiting.poll(&mut Context::from_waker(Waker::noop())).is_ready(), "a model's wait blocks");
}

/// As a shard does, until it has so many.
fn read(mailbox: &Mailbox<Letter>, many: usize) -> Vec<Letter> {
    let mut got = Vec::new();
    while got.len() < many {
        wait(mailbox);
        got.extend(mailbox.take());
    }
    got
}

fn assert_in_order(got: &[Letter], each: u8) {
    for sender in [1, 2] {
        let of_sender: Vec<u8> = got.iter().filter(|(by, _)| *by == sender).map(|(_, number)| *number).collect();
        assert_eq!(of_sender, (0..each).collect::<Vec<u8>>(), "of {got:?}");
    }
}

#[test]
fn every_letter_arrives_once_and_in_order_and_none_is_waited_for_in_vain() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Letter>>::default();
        for sender in [1, 2] {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || (0..2).for_each(|number| mailbox.post((sender, number))));
        }
        assert_in_order(&read(&mailbox, 4), 2);
    });
}

#[test]
fn what_a_sender_did_before_is_done_when_its_letter_is_read() {
    check(3, || {
        let shared = Arc::<(Mailbox<usize>, Plain)>::default();
        let of_sender = Arc::clone(&shared);
        thread::spawn(move || {
            of_sender.1.set(7);
            of_sender.0.post(7);
        });
        let mut got = Vec::new();
        while got.is_empty() {
            wait(&shared.0);
            got = shared.0.take();
        }
        assert_eq!(got, [shared.1.get()]);
    });
}

#[test]
fn a_batch_wakes_once() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Letter>>::default();
        let senders = [1, 2].map(|sender| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || (0..2).for_each(|number| mailbox.post((sender, number))))
        });
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(mailbox.rung(), 1);
        assert_in_order(&mailbox.take(), 2);
    });
}

#[test]
fn letters_that_are_put_back_come_before_all_others() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Letter>>::default();
        mailbox.post((1, 0));
        let of_sender = Arc::clone(&mailbox);
        thread::spawn(move || of_sender.post((1, 1)));
        let mut taken = Vec::new();
        while taken.is_empty() {
            wait(&mailbox);
            taken = mailbox.take();
        }
        mailbox.put_back(taken);
        assert_eq!(read(&mailbox, 2), [(1, 0), (1, 1)]);
    });
}

#[test]
fn what_is_diverted_goes_elsewhere_once_and_in_order() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Letter>>::default();
        let elsewhere = Arc::<Mutex<Vec<Letter>>>::default();
        let senders = [1, 2].map(|sender| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || (0..2).for_each(|number| mailbox.post((sender, number))))
        });
        let mut got = mailbox.take();
        let there = Arc::clone(&elsewhere);
        mailbox.divert(move |letter| {
            there.lock().unwrap().push(letter);
            None
        });
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(mailbox.take(), []);
        got.extend(elsewhere.lock().unwrap().drain(..));
        assert_in_order(&got, 2);
    });
}

/// Tells when it is dropped.
struct Token(Arc<Plain>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.add(1);
    }
}

#[test]
fn no_letter_stays_in_a_mailbox_that_is_closed() {
    check(3, || {
        let mailbox = Arc::<Mailbox<Token>>::default();
        let dropped = Arc::<Plain>::default();
        let (of_sender, token) = (Arc::clone(&mailbox), Token(Arc::clone(&dropped)));
        let sender = thread::spawn(move || of_sender.post(token));
        mailbox.close();
        sender.join().unwrap();
        assert_eq!(dropped.get(), 1);
        assert_eq!(mailbox.take().len(), 0);
    });
}
