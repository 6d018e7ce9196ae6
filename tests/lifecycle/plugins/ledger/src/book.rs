//! The book: which number came last from whom, in each stream.
//!
//! Knows numbers and handles; nothing of messages.

use std::collections::HashMap;

use plugin_api::SparkId;
use serde::{Deserialize, Serialize};

/// What numbers are counted in: each has a counter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Answered to the sender.
    Echo,
    /// Sent to the members of a room.
    Room,
    /// Named events.
    Event,
}

/// A number that is not the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The last one.
    pub last: u64,
}

/// The last numbers of all sparks.
#[derive(Default, Serialize, Deserialize)]
pub struct Book {
    pages: HashMap<SparkId, [Option<u64>; 3]>,
}

impl Book {
    /// Enters a number. The first of a stream may be any: a book that was begun anew does not know what was before.
    pub fn enter(&mut self, spark: SparkId, stream: Stream, number: u64) -> Result<(), Fault> {
        let last = self.pages.entry(spark).or_default()[stream as usize].replace(number);
        match last {
            Some(last) if last + 1 != number => Err(Fault { last }),
            _ => Ok(()),
        }
    }

    /// Tears out the page of a spark that has gone.
    pub fn close(&mut self, spark: SparkId) {
        self.pages.remove(&spark);
    }
}
