//! Which session is which spark. All shards share it.
//!
//! A session's id is its client's secret: whoever knows it may speak for the client. So it is not the spark's id, which is public.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The directory.
#[derive(Debug, Default)]
pub struct Directory {
    /// The public ids of sparks by the ids of their sessions.
    sparks: Mutex<HashMap<Box<str>, Box<str>>>,
}

/// An id that nobody can guess: 128 bits of the system's chance, in hexadecimal.
pub fn fresh_sid() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system's random generator works");
    format!("{:032x}", u128::from_ne_bytes(bytes))
}

impl Directory {
    fn sparks(&self) -> MutexGuard<'_, HashMap<Box<str>, Box<str>>> {
        self.sparks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session is open.
    pub fn enter(&self, sid: &str, spark: &str) {
        self.sparks().insert(sid.into(), spark.into());
    }

    /// The spark of a session.
    pub fn find(&self, sid: &str) -> Option<String> {
        self.sparks().get(sid).map(|spark| spark.to_string())
    }

    /// A session is over; its spark.
    pub fn leave(&self, sid: &str) -> Option<String> {
        self.sparks().remove(sid).map(String::from)
    }

    /// All sessions with their sparks, for the next generation.
    pub fn open(&self) -> Vec<(String, String)> {
        self.sparks().iter().map(|(sid, spark)| (sid.to_string(), spark.to_string())).collect()
    }
}
