//! A generation is stopped only after its last borrow: by a picture, and by what came by a part of it through the picture.

use concurrency::retirement::{Held, is_last};
use concurrency::sync::{Arc, AtomicUsize, Ordering, fence};
use loom::thread;

use crate::{Plain, check};

/// The count of an `Arc`, with the orders that the standard library has there: loom's own has a count that is always the latest.
struct Count(AtomicUsize);

impl Count {
    fn new(holders: usize) -> Self {
        Self(AtomicUsize::new(holders))
    }

    fn clone_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn drop_one(&self) {
        if self.0.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
        }
    }
}

impl Held for Count {
    fn holders(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One who retires it, and one picture, which has it, too.
struct Generation {
    count: Count,
    transport: Count,
    /// Calls into it.
    calls: Plain,
    is_stopped: Plain,
}

impl Generation {
    fn in_one_picture() -> Arc<Self> {
        let (count, transport) = (Count::new(2), Count::new(1));
        Arc::new(Self { count, transport, calls: Plain::default(), is_stopped: Plain::default() })
    }

    fn call(&self) {
        assert_eq!(self.is_stopped.get(), 0, "it is called after it was stopped");
        self.calls.add(1);
    }

    /// Whether it was.
    fn retire(&self, calls: usize) -> bool {
        let is_last = is_last(&self.count, [&self.transport as &dyn Held]);
        if is_last {
            assert_eq!(self.calls.get(), calls, "what was called before has come to its end");
            self.is_stopped.set(1);
        }
        is_last
    }
}

#[test]
fn a_session_of_the_last_picture_is_waited_for() {
    check(3, || {
        let generation = Generation::in_one_picture();
        let of_shard = Arc::clone(&generation);
        let shard = thread::spawn(move || {
            of_shard.call();
            // A session comes by its transport, then another picture is adopted.
            of_shard.transport.clone_one();
            of_shard.count.drop_one();
            of_shard.call();
            of_shard.transport.drop_one();
        });
        let early = generation.retire(2);
        shard.join().unwrap();
        assert!(early || generation.retire(2), "it is retired in the end");
    });
}

#[test]
fn a_session_that_goes_to_another_shard_is_waited_for() {
    check(3, || {
        let generation = Generation::in_one_picture();
        let shards: Vec<_> = [true, false]
            .map(|has_picture| {
                if !has_picture {
                    generation.transport.clone_one();
                }
                let generation = Arc::clone(&generation);
                thread::spawn(move || {
                    if has_picture {
                        generation.transport.clone_one();
                        generation.count.drop_one();
                    }
                    generation.transport.drop_one();
                })
            })
            .into();
        let early = generation.retire(0);
        shards.into_iter().for_each(|shard| shard.join().unwrap());
        assert!(early || generation.retire(0), "it is retired in the end");
    });
}
