//! Models of the host's concurrency: loom runs each under every interleaving that it bounds itself to, and fails at the first
//! where an assertion does not hold, memory is accessed without an order, or threads wait for each other for ever.
#![cfg(loom)]
#![forbid(unsafe_code)]

mod mailbox;
mod moment;
mod quarantine;
mod replacement;
mod retirement;
mod switch;

use concurrency::sync::{AtomicUsize, Ordering};
use loom::model::Builder;

/// Tries all interleavings in which threads are interrupted at most so many times; where a thread waits, others go on without
/// that being counted.
fn check(interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(model);
}

/// A number in memory, written and read without any order: what a thread reads of it is the last that was written only if
/// something else brings the two in order, else loom tries all that it may be.
#[derive(Default)]
struct Plain(AtomicUsize);

impl Plain {
    fn set(&self, number: usize) {
        self.0.store(number, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, number: usize) {
        // Not in one step: two at a time lose one.
        self.set(self.get() + number);
    }
}
