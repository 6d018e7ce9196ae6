//! A client of the bench: the other end of a spark.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::world::World;
use crate::message::Kind;
use crate::spark::{EndOptions, SparkId, SparkInfo};
use crate::transport::DisconnectReason;
use crate::value;

/// One client of a [`Bench`](super::Bench).
pub struct Client {
    world: Arc<World>,
    id: SparkId,
}

/// What became of a message from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A hook consumed it.
    Consumed,
    /// It went through all hooks.
    Unclaimed,
    /// A hook has deferred it, or it waits behind one that is deferred.
    Waiting,
}

impl Client {
    pub(super) fn new(world: Arc<World>, id: SparkId) -> Self {
        Self { world, id }
    }

    /// The handle of its spark.
    pub fn handle(&self) -> SparkId {
        self.id
    }

    /// What is known of its spark; `None` once it is gone.
    pub fn info(&self) -> Option<SparkInfo> {
        self.world.info(self.id)
    }

    /// Sends a value, encoded by the sparks' parser.
    ///
    /// # Panics
    ///
    /// The spark is gone, the value can't be encoded, or a plugin failed.
    #[track_caller]
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Fate {
        let encoded = value::to_vec(value).unwrap_or_else(|error| panic!("the value can't be encoded: {error}"));
        match self.world.parser().encode(&encoded) {
            Ok(Some((kind, wire))) => self.send_wire(kind, &wire),
            Ok(None) => panic!("the parser does not send such a value"),
            Err(failure) => panic!("the parser can't encode the value: {failure}"),
        }
    }

    /// Sends a message as it is.
    ///
    /// # Panics
    ///
    /// The spark is gone, or a plugin failed.
    #[track_caller]
    pub fn send_wire(&self, kind: Kind, wire: impl AsRef<[u8]>) -> Fate {
        self.world.turn(|| {
            assert!(self.world.is_open(self.id), "a client can't send: its spark has ended");
            self.world.receive(self.id, World::wire(kind, wire.as_ref()))
        })
    }

    /// Takes all that it was sent since the last time.
    ///
    /// # Panics
    ///
    /// A message is not of that type, or a plugin failed.
    #[track_caller]
    pub fn received<T: DeserializeOwned>(&self) -> Vec<T> {
        self.received_wire().into_iter().map(|(kind, wire)| self.decoded(kind, &wire)).collect()
    }

    /// Takes all that it was sent since the last time, as it is on the wire.
    ///
    /// # Panics
    ///
    /// A plugin failed.
    #[track_caller]
    pub fn received_wire(&self) -> Vec<(Kind, Vec<u8>)> {
        self.world.turn(|| ());
        self.world.take_received(self.id, usize::MAX)
    }

    /// Takes the next message that it is sent, and waits for it: for what a plugin sends from threads and futures of its own.
    ///
    /// # Panics
    ///
    /// No message comes, it is not of that type, or a plugin failed.
    #[track_caller]
    pub fn next<T: DeserializeOwned>(&self) -> T {
        let (kind, wire) = self.world.wait("a client was sent nothing", |world| world.take_received(self.id, 1).pop());
        self.decoded(kind, &wire)
    }

    #[track_caller]
    fn decoded<T: DeserializeOwned>(&self, kind: Kind, wire: &[u8]) -> T {
        let encoded = match self.world.parser().decode(kind, wire) {
            Ok(encoded) => encoded,
            Err(failure) => panic!("the parser refuses what was sent: {failure}\n{}", wire.escape_ascii()),
        };
        match value::decode(&encoded) {
            Ok(value) => value,
            Err(error) => panic!("what was sent is no {}: {error}\n{}", std::any::type_name::<T>(), wire.escape_ascii()),
        }
    }

    /// Closes the connection, as a client does or as it befalls one.
    ///
    /// # Panics
    ///
    /// A plugin failed.
    #[track_caller]
    pub fn close(&self, reason: DisconnectReason) {
        self.world.turn(|| self.world.close(self.id, reason));
    }

    /// Whether its spark is neither ended nor closed.
    pub fn is_open(&self) -> bool {
        self.world.turn(|| self.world.is_open(self.id))
    }

    /// How a plugin ended its spark, if one did.
    pub fn ended(&self) -> Option<EndOptions> {
        self.world.turn(|| self.world.ended(self.id))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("handle", &self.id).finish_non_exhaustive()
    }
}
