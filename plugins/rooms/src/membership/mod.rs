//! Who is in which room.
//!
//! Knows names and handles of sparks; nothing of messages, of the host or of who may join.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use plugin_api::SparkId;

use crate::config::Config;

/// Rooms and their members. A room is there as long as it has members.
#[derive(Default)]
pub(crate) struct Membership {
    /// Members in the order of their handles, so that the host finds those of one shard together. A broadcast works on the
    /// shared list; whoever changes it meanwhile changes a copy.
    rooms: HashMap<Arc<str>, Arc<Vec<SparkId>>>,
    /// A spark's rooms in the order of joining.
    sparks: HashMap<SparkId, Vec<Arc<str>>>,
    ended: RecentlyEnded,
}

/// Why a spark can't join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// The name is empty.
    #[error("a room needs a name")]
    EmptyName,
    /// The name has a character that names of rooms don't have.
    #[error("the name of a room has neither spaces nor control characters")]
    NameCharacter,
    /// The name is too long.
    #[error("the name of a room has at most {0} bytes")]
    NameLength(usize),
    /// The spark is in as many rooms as it may be.
    #[error("already in {0} rooms, which is the most")]
    TooManyOfSpark(usize),
    /// There are as many rooms as there may be.
    #[error("there are {0} rooms already, which is the most")]
    TooMany(usize),
    /// The spark is no more.
    #[error("the spark is gone")]
    Gone,
}

impl Membership {
    /// Puts a spark into a room; whether it wasn't in it before. `is_open` tells of a spark in no room whether it is still there.
    pub(crate) fn join(
        &mut self,
        spark: SparkId,
        room: &str,
        limits: &Config,
        is_open: impl FnOnce() -> bool,
    ) -> Result<bool, JoinError> {
        check_name(room, limits.max_name_bytes)?;
        let joined = match self.sparks.get(&spark) {
            Some(rooms) if rooms.iter().any(|joined| **joined == *room) => return Ok(false),
            Some(rooms) => rooms.len(),
            None if self.ended.contains(spark) || !is_open() => return Err(JoinError::Gone),
            None => 0,
        };
        if joined >= limits.max_rooms_per_spark {
            return Err(JoinError::TooManyOfSpark(limits.max_rooms_per_spark));
        }
        if self.rooms.len() >= limits.max_rooms && !self.rooms.contains_key(room) {
            return Err(JoinError::TooMany(limits.max_rooms));
        }
        self.insert(spark, room);
        Ok(true)
    }

    fn insert(&mut self, spark: SparkId, room: &str) {
        let name = match self.rooms.get_key_value(room) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(room),
        };
        let members = Arc::make_mut(self.rooms.entry(Arc::clone(&name)).or_default());
        if let Err(place) = members.binary_search(&spark) {
            members.insert(place, spark);
            self.sparks.entry(spark).or_default().push(name);
        }
    }

    /// Takes a spark out of a room; whether it was in it.
    pub(crate) fn leave(&mut self, spark: SparkId, room: &str) -> bool {
        let Some(rooms) = self.sparks.get_mut(&spark) else { return false };
        let Some(place) = rooms.iter().position(|joined| **joined == *room) else { return false };
        rooms.remove(place);
        if rooms.is_empty() {
            self.sparks.remove(&spark);
        }
        self.take_out(spark, room);
        true
    }

    /// Takes a spark out of all its rooms; their names in the order of joining.
    pub(crate) fn leave_all(&mut self, spark: SparkId) -> Vec<Arc<str>> {
        let rooms = self.sparks.remove(&spark).unwrap_or_default();
        for room in &rooms {
            self.take_out(spark, room);
        }
        rooms
    }

    /// A spark has ended: it leaves all its rooms and can't join any more.
    pub(crate) fn end(&mut self, spark: SparkId) {
        self.leave_all(spark);
        self.ended.push(spark);
    }

    fn take_out(&mut self, spark: SparkId, room: &str) {
        let Some(members) = self.rooms.get_mut(room) else { return };
        if members.len() == 1 {
            self.rooms.remove(room);
            return;
        }
        let members = Arc::make_mut(members);
        if let Ok(place) = members.binary_search(&spark) {
            members.remove(place);
        }
    }

    /// A spark's rooms in the order of joining.
    pub(crate) fn rooms_of(&self, spark: SparkId) -> &[Arc<str>] {
        self.sparks.get(&spark).map_or(&[], Vec::as_slice)
    }

    /// The members of a room, in the order of their handles.
    pub(crate) fn members(&self, room: &str) -> &[SparkId] {
        self.rooms.get(room).map_or(&[], |members| members)
    }

    /// The names of all rooms, sorted.
    pub(crate) fn rooms(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rooms.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    /// The members of some rooms, each once, without some sparks and the members of other rooms. One room with nobody left out is
    /// its own list, not a copy.
    pub(crate) fn recipients(&self, rooms: &[&str], without: &[SparkId], without_rooms: &[&str]) -> Arc<Vec<SparkId>> {
        let mut lists = rooms.iter().filter_map(|room| self.rooms.get(*room));
        let Some(first) = lists.next() else { return Arc::default() };
        let mut recipients = Arc::clone(first);
        if let Some(second) = lists.next() {
            let mut all: Vec<SparkId> =
                [first, second].into_iter().chain(lists).flat_map(|list| list.iter().copied()).collect();
            all.sort_unstable();
            all.dedup();
            recipients = Arc::new(all);
        }
        let left_out: Vec<&[SparkId]> =
            without_rooms.iter().map(|room| self.members(room)).filter(|members| !members.is_empty()).collect();
        if without.is_empty() && left_out.is_empty() {
            return recipients;
        }
        let mut without = without.to_vec();
        without.sort_unstable();
        let is_recipient = |spark: &SparkId| {
            without.binary_search(spark).is_err() && left_out.iter().all(|members| members.binary_search(spark).is_err())
        };
        Arc::new(recipients.iter().copied().filter(is_recipient).collect())
    }

    /// All that [`Membership::restore`] needs: each spark with its rooms.
    pub(crate) fn save(&self) -> Vec<(SparkId, Vec<&str>)> {
        self.sparks.iter().map(|(spark, rooms)| (*spark, rooms.iter().map(|room| &**room).collect())).collect()
    }

    /// Puts back what was saved, as far as the sparks are still open. Limits were kept when they joined.
    pub(crate) fn restore(&mut self, saved: &[(SparkId, Vec<String>)], is_open: impl Fn(SparkId) -> bool) {
        for (spark, rooms) in saved.iter().filter(|(spark, _)| is_open(*spark)) {
            for room in rooms {
                self.insert(*spark, room);
            }
        }
    }
}

/// Any UTF-8 without spaces and control characters; a name means itself, there are no wildcards.
fn check_name(room: &str, max_bytes: usize) -> Result<(), JoinError> {
    if room.is_empty() {
        return Err(JoinError::EmptyName);
    }
    if room.len() > max_bytes {
        return Err(JoinError::NameLength(max_bytes));
    }
    if room.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(JoinError::NameCharacter);
    }
    Ok(())
}

/// The sparks that ended last. Another thread may let one join that ends meanwhile, while the host still knows it: that membership would
/// never end.
#[derive(Default)]
struct RecentlyEnded(VecDeque<SparkId>);

impl RecentlyEnded {
    /// More than the host ends in one turn of a shard, after which it doesn't know them any more.
    const CAPACITY: usize = 1024;

    fn push(&mut self, spark: SparkId) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(spark);
    }

    fn contains(&self, spark: SparkId) -> bool {
        self.0.contains(&spark)
    }
}

#[cfg(test)]
mod tests;
