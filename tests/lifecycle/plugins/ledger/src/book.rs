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

impl Stream {
    /// As clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Room => "room",
            Self::Event => "event",
        }
    }
}

/// How a number stands to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It is the one after it.
    Next,
    /// There is none in the book: it is the first, or the book was begun anew.
    First,
    /// Another one was to come.
    Fault {
        /// The one before.
        last: u64,
    },
}

/// The last numbers of all sparks.
#[derive(Default, Serialize, Deserialize)]
pub struct Book {
    pages: HashMap<SparkId, [Option<u64>; 3]>,
}

impl Book {
    /// Enters a number.
    pub fn enter(&mut self, spark: SparkId, stream: Stream, number: u64) -> Entry {
        let last = self.pages.entry(spark).or_default()[stream as usize].replace(number);
        match last {
            Some(last) if last + 1 == number => Entry::Next,
            Some(last) => Entry::Fault { last },
            None => Entry::First,
        }
    }

    /// Tears out the page of a spark that has gone.
    pub fn close(&mut self, spark: SparkId) {
        self.pages.remove(&spark);
    }
}
