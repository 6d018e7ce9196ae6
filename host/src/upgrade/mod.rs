//! Following: a new process takes over the listening sockets, the connections and the plugins' states of the one that serves.
//!
//! The old process starts the new one beside itself and waits until it is complete ([`successor`]). Then all its shards stop
//! between two messages ([`Moment`]), and what they have goes over a Unix socket ([`channel`], [`records`]), connections as
//! descriptors. The new process ([`predecessor`]) makes it its own and says so; the old one says `Commit`, the new one
//! `Serving`, and begins. Until that word the old process still has everything, has changed nothing of it, and goes on if the
//! word does not come. What is sent to sparks by the old process afterwards follows them ([`letters`]).
//!
//! Knows records and order. What a spark is made of is the shard's to say, what a plugin's state is, the control thread's.

pub mod channel;
pub mod letters;
pub mod predecessor;
pub mod records;
pub mod successor;

use std::collections::HashSet;

/// The moment of it; what the successor refuses are sparks.
pub type Moment = concurrency::moment::Moment<channel::Channel, HashSet<u64>>;
