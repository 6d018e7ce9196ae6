//! Rooms: named groups of sparks that plugins send to, and that clients may join where the application consents.
//!
//! Other plugins use [`RoomsClient`](plugin_api::services::rooms::RoomsClient). What clients may do by themselves is decided by
//! the configuration and by the application's [`RoomsGuard`](plugin_api::services::rooms::RoomsGuard). A spark leaves its rooms when it ends,
//! after the disconnection hooks of applications, which still see them.
//!
//! A name means itself: there are no wildcards. As with Primus's rooms, the sender of a broadcast is a member like any other.
#![forbid(unsafe_code)]

mod config;
mod control;
mod membership;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use plugin_api::prelude::*;
use plugin_api::services::rooms::{Except, Rooms, RoomsClient, RoomsGuardClient};
use plugin_api::{ServiceError, value};

pub use self::config::{ClientRooms, Config};
use self::control::{Operation, Request};
use self::membership::Membership;

/// After the application's own disconnection hooks.
const LAST: Priority = Priority(900);

/// The plugin.
pub struct RoomsPlugin {
    host: Host,
    config: RwLock<Config>,
    membership: RwLock<Membership>,
}

impl Plugin for RoomsPlugin {
    const NAME: &'static str = "rooms";
    const DESCRIPTION: &'static str = "named groups of sparks";
    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        Ok(Self { host, config: RwLock::new(config), membership: RwLock::default() })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        RoomsClient::offer(registrar, Arc::clone(self));
        let rooms = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| rooms.incoming(spark, message));
        let rooms = Arc::clone(self);
        registrar.disconnection(LAST, move |spark, _reason| rooms.change().end(spark.handle()));
        registrar.client_part(ClientPart::Extension, Self::NAME, include_str!("../client.js"));
    }

    /// Lower limits take nobody out of a room.
    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(true)
    }

    fn save(&self) -> Option<Vec<u8>> {
        value::to_vec(&self.membership().save()).ok()
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let saved: Vec<(SparkId, Vec<String>)> = value::decode(state)
            .map_err(|error| StartError::new(format!("the rooms of the former generation can't be read: {error}")))?;
        let open: std::collections::HashSet<SparkId> = self.host.sparks().into_iter().collect();
        self.change().restore(&saved, |spark| open.contains(&spark));
        Ok(())
    }
}

export_plugin!(RoomsPlugin);

impl Rooms for RoomsPlugin {
    fn join(&self, spark: SparkId, room: &str) -> Result<(), String> {
        let config = self.config();
        let is_open = || self.host.spark_info(spark).is_some();
        self.change().join(spark, room, &config, is_open).map(drop).map_err(|error| error.to_string())
    }

    fn leave(&self, spark: SparkId, room: &str) -> Result<bool, String> {
        Ok(self.change().leave(spark, room))
    }

    fn leave_all(&self, spark: SparkId) -> Result<Vec<String>, String> {
        Ok(owned(&self.change().leave_all(spark)))
    }

    fn rooms_of(&self, spark: SparkId) -> Result<Vec<String>, String> {
        Ok(owned(self.membership().rooms_of(spark)))
    }

    fn members(&self, room: &str) -> Result<Vec<SparkId>, String> {
        Ok(self.membership().members(room).to_vec())
    }

    fn is_empty(&self, room: &str) -> Result<bool, String> {
        Ok(self.membership().members(room).is_empty())
    }

    fn rooms(&self) -> Result<Vec<String>, String> {
        Ok(owned(&self.membership().rooms()))
    }

    fn broadcast(&self, rooms: Vec<&str>, except: Except, payload: Payload<'_>) -> Result<u64, String> {
        let without_rooms: Vec<&str> = except.rooms.iter().map(String::as_str).collect();
        // The lock is given back before the host is called, which may call this plugin again.
        let recipients = self.membership().recipients(&rooms, &except.sparks, &without_rooms);
        Ok(self.host.send_many(&recipients, &payload))
    }
}

impl RoomsPlugin {
    fn config(&self) -> Config {
        *self.config.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn membership(&self) -> RwLockReadGuard<'_, Membership> {
        self.membership.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Membership> {
        self.membership.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a client's requests out of its messages.
    fn incoming(&self, spark: Spark<'_>, message: &mut Message<'_>) -> Flow {
        let request = match control::request(message) {
            None => return Flow::Next,
            Some(Ok(request)) => request,
            Some(Err(error)) => {
                tracing::debug!(spark = %spark.handle(), %error, "a request about rooms can't be understood");
                return Flow::Stop;
            }
        };
        let answer = control::answer(request.id, self.fulfil(spark.handle(), &request));
        if let Err(error) = spark.write(&answer) {
            tracing::debug!(spark = %spark.handle(), %error, "a request about rooms is not answered");
        }
        Flow::Stop
    }

    /// Does what a client asks for; the names of rooms where they were asked for.
    fn fulfil(&self, spark: SparkId, request: &Request<'_>) -> Result<Option<Vec<String>>, String> {
        let client_rooms = self.config().client_rooms;
        if client_rooms == ClientRooms::None {
            return Err("clients have nothing to ask of rooms here".to_owned());
        }
        let room = || request.room.ok_or_else(|| "which room?".to_owned());
        match request.op {
            Operation::Join => {
                let room = room()?;
                if client_rooms == ClientRooms::Guarded {
                    self.ask_guard(spark, room)?;
                }
                self.join(spark, room)?;
            }
            Operation::Leave => drop(self.leave(spark, room()?)?),
            Operation::LeaveAll => drop(self.leave_all(spark)?),
            Operation::Rooms => return self.rooms_of(spark).map(Some),
        }
        Ok(None)
    }

    fn ask_guard(&self, spark: SparkId, room: &str) -> Result<(), String> {
        RoomsGuardClient::new(self.host.clone()).join(spark, room).map_err(|error| match error {
            ServiceError::Refused(reason) => reason,
            ServiceError::Missing { .. } => "no room may be joined by clients here".to_owned(),
            error => {
                tracing::error!(%error, room, "the guard of rooms does not decide");
                "the room can't be joined now".to_owned()
            }
        })
    }
}

fn owned(names: &[impl AsRef<str>]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}
