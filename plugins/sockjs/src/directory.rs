//! Which spark has which of the names that clients choose for their sessions. All shards share it.
//!
//! A session that has been closed stays known for a moment, so that a client that asks again is told of it. Knows nothing of
//! frames.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::Closing;

/// How many closed sessions are remembered at most: the oldest are forgotten first.
const REMEMBERED: usize = 65_536;

/// The directory.
#[derive(Debug, Default)]
pub struct Directory {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    names: HashMap<Box<str>, Entry>,
    /// Closed sessions in the order in which they are forgotten.
    closed: VecDeque<(Instant, Box<str>)>,
}

#[derive(Debug)]
enum Entry {
    /// The spark's public id.
    Open(Box<str>),
    /// Until when, and why.
    Closed(Instant, Closing),
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    No,
    /// The public id of the spark that has it.
    Open(String),
    /// It was closed a moment ago.
    Closed(Closing),
}

impl Directory {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a name.
    pub fn find(&self, name: &str, now: Instant) -> Known {
        let mut entries = self.entries();
        entries.forget(now);
        match entries.names.get(name) {
            None => Known::No,
            Some(Entry::Open(spark)) => Known::Open(spark.to_string()),
            Some(Entry::Closed(_, closing)) => Known::Closed(closing.clone()),
        }
    }

    /// Gives a spark a name. `false`: another one has it.
    pub fn enter(&self, name: &str, spark: &str) -> bool {
        let mut entries = self.entries();
        if entries.names.contains_key(name) {
            return false;
        }
        entries.names.insert(name.into(), Entry::Open(spark.into()));
        true
    }

    /// A session is closed: whoever asks for it is told until `within` has passed.
    pub fn close(&self, name: &str, closing: Closing, now: Instant, within: Duration) {
        let mut entries = self.entries();
        entries.forget(now);
        let until = now + within;
        entries.names.insert(name.into(), Entry::Closed(until, closing));
        entries.closed.push_back((until, name.into()));
    }

    /// A session is gone without a word.
    pub fn leave(&self, name: &str) {
        let mut entries = self.entries();
        if let Some(Entry::Open(_)) = entries.names.get(name) {
            entries.names.remove(name);
        }
    }

    /// The names of open sessions and their sparks' ids, for the next generation.
    pub fn open(&self) -> Vec<(String, String)> {
        let entries = self.entries();
        let open = entries.names.iter().filter_map(|(name, entry)| match entry {
            Entry::Open(spark) => Some((name.to_string(), spark.to_string())),
            Entry::Closed(..) => None,
        });
        open.collect()
    }
}

impl Entries {
    fn forget(&mut self, now: Instant) {
        while self.closed.front().is_some_and(|(until, _)| *until <= now) || self.closed.len() > REMEMBERED {
            let Some((until, name)) = self.closed.pop_front() else { return };
            if matches!(self.names.get(&name), Some(Entry::Closed(known, _)) if *known == until) {
                self.names.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    #[test]
    fn a_name_is_one_sparks_until_it_leaves() {
        let (directory, now) = (Directory::default(), Instant::now());
        assert!(directory.enter("a", "spark"));
        assert!(!directory.enter("a", "other"));
        assert_eq!(directory.find("a", now), Known::Open("spark".to_owned()));
        directory.leave("a");
        assert_eq!(directory.find("a", now), Known::No);
    }

    #[test]
    fn a_closed_session_is_known_for_a_moment() {
        let (directory, now) = (Directory::default(), Instant::now());
        directory.enter("a", "spark");
        directory.close("a", Closing::normal(), now, WITHIN);
        directory.leave("a");
        assert_eq!(directory.find("a", now + WITHIN - Duration::from_nanos(1)), Known::Closed(Closing::normal()));
        assert!(!directory.enter("a", "other"));
        assert_eq!(directory.find("a", now + WITHIN), Known::No);
        assert!(directory.enter("a", "other"));
    }

    #[test]
    fn only_so_many_closed_sessions_are_remembered() {
        let (directory, now) = (Directory::default(), Instant::now());
        for name in 0..=REMEMBERED + 1 {
            directory.close(&name.to_string(), Closing::normal(), now, WITHIN);
        }
        assert_eq!(directory.find("0", now), Known::No);
        assert_eq!(directory.find(&REMEMBERED.to_string(), now), Known::Closed(Closing::normal()));
    }
}
