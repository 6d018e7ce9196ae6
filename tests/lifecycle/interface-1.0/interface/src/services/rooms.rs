//! Rooms: named groups of sparks. Offered by the plugin `rooms`.

use serde::{Deserialize, Serialize};

use crate::{Payload, SparkId};

/// Who is left out of a broadcast.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Except {
    /// These sparks.
    pub sparks: Vec<SparkId>,
    /// The members of these rooms.
    pub rooms: Vec<String>,
}

crate::service! {
    /// Named groups of sparks. A room is there as long as it has members; a spark leaves all its rooms when it ends.
    pub trait Rooms as RoomsClient = "rooms" {
        /// Puts a spark into a room. Being in it already is no error.
        fn join(&self, spark: SparkId, room: &str) -> ();
        /// Takes a spark out of a room; whether it was in it.
        fn leave(&self, spark: SparkId, room: &str) -> bool;
        /// Takes a spark out of all its rooms; their names.
        fn leave_all(&self, spark: SparkId) -> Vec<String>;
        /// The rooms of a spark, in the order of joining.
        fn rooms_of(&self, spark: SparkId) -> Vec<String>;
        /// The members of a room.
        fn members(&self, room: &str) -> Vec<SparkId>;
        /// Whether nobody is in a room.
        fn is_empty(&self, room: &str) -> bool;
        /// All rooms, by name.
        fn rooms(&self) -> Vec<String>;
        /// Sends to the members of some rooms, each once; the sender is a member like any other. Answers how many there were.
        fn broadcast(&self, rooms: Vec<&str>, except: Except, payload: Payload<'_>) -> u64;
    }
}

crate::service! {
    /// Decides which rooms clients may join by themselves (`primus.join`). Offered by an application, asked by the plugin `rooms`;
    /// what plugins do by [`Rooms`] is not asked.
    pub trait RoomsGuard as RoomsGuardClient = "rooms.guard" {
        /// Consents, or refuses with a text for the client. `[shard]`
        fn join(&self, spark: SparkId, room: &str) -> ();
    }
}
