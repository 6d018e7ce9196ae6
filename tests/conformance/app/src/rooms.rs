//! Rooms, where the plugin `rooms` is there: the application joins and leaves them as it is told, and guards some.

use plugin_api::services::rooms::{Except, RoomsClient, RoomsGuard};
use plugin_api::{Payload, Spark, SparkId, Value};
use serde::Serialize;

use crate::commands::{Application, write};

#[derive(Serialize)]
struct RoomsOf {
    rooms: Vec<String>,
}

#[derive(Serialize)]
struct Members {
    members: usize,
}

impl RoomsGuard for Application {
    fn join(&self, _: SparkId, room: &str) -> Result<(), String> {
        if room.starts_with("secret") { Err(format!("{room} is not for everyone")) } else { Ok(()) }
    }
}

/// Puts the spark into a room.
pub fn join(spark: Spark<'_>, room: &str) {
    let _ = rooms(spark).join(spark.handle(), room);
    tell(spark);
}

/// Takes the spark out of a room, or of all.
pub fn leave(spark: Spark<'_>, room: Option<&str>) {
    let _ = match room {
        Some(room) => rooms(spark).leave(spark.handle(), room).map(drop),
        None => rooms(spark).leave_all(spark.handle()).map(drop),
    };
    tell(spark);
}

/// Writes how many are in a room.
pub fn members(spark: Spark<'_>, room: &str) {
    let members = rooms(spark).members(room).map_or(0, |members| members.len());
    write(spark, &Members { members });
}

/// Writes to the members of some rooms, and not to the spark itself if it is an exception.
pub fn write_to(spark: Spark<'_>, names: &[String], value: &Value, except_me: bool) {
    let Ok(payload) = Payload::of(value) else { return };
    let sparks = if except_me { vec![spark.handle()] } else { Vec::new() };
    let names = names.iter().map(String::as_str).collect();
    let _ = rooms(spark).broadcast(names, Except { sparks, rooms: Vec::new() }, payload);
}

/// Writes the spark's rooms.
fn tell(spark: Spark<'_>) {
    let mut rooms = rooms(spark).rooms_of(spark.handle()).unwrap_or_default();
    rooms.sort();
    write(spark, &RoomsOf { rooms });
}

fn rooms(spark: Spark<'_>) -> RoomsClient {
    RoomsClient::new(spark.host().clone())
}
