//! Stand-ins for the plugins `rooms` and `emitter`, just wide enough for the messenger: a test may not link another plugin's
//! library.
//!
//! A client sends `[event, argument]`. It receives `[event, answer]` for that, and `[event, argument]` for the server's own
//! events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use messenger::Messenger;
use plugin_api::prelude::*;
use plugin_api::services::emitter::{EmitterClient, EmitterService, handler_service};
use plugin_api::services::rooms::{Except, Rooms, RoomsClient};
use plugin_api::testing::{Bench, Client, Fate};
use plugin_api::value::{self, Encoded, Number};
use serde_bytes::ByteBuf;
use serde_json::Value;

/// A bench in which the messenger runs.
pub fn bench(config: Value) -> Bench {
    let rooms = Arc::new(Board::default());
    let emitter = Arc::clone(&rooms);
    Bench::standing_in("rooms", move |registrar| {
        let board = Arc::clone(&rooms);
        registrar.disconnection(Priority::PROTOCOL, move |spark, _| board.forget(spark.handle()));
        RoomsClient::offer(registrar, rooms);
    })
    .and_standing_in("emitter", move |registrar| {
        let host = registrar.host();
        EmitterClient::offer(registrar, Arc::new(Exchange { host, board: emitter }));
        registrar.incoming(Priority::PROTOCOL, |spark, message| {
            let (event, argument): (String, Value) = message.decode().expect("tests send an event and its argument");
            let call = (spark.handle(), Some(Number(1.0)), (argument,));
            let answer: Option<ByteBuf> = spark.host().call(&handler_service(&event), "event", &call).expect("an answer");
            let values = answer.expect("the messenger answers at once");
            let (answer,): (Value,) = value::decode(&values).expect("the messenger answers with one value");
            spark.write(&(event, answer)).expect("the client is there");
            Flow::Stop
        });
    })
    .and::<Messenger>(config)
    .start()
    .expect("the messenger starts")
}

/// Sends an event and takes its answer. Events that came before it stay to be received only if they are asked for first.
#[track_caller]
pub fn ask(client: &Client, event: &str, argument: Value) -> Value {
    assert_eq!(client.send(&(event, argument)), Fate::Consumed);
    let received: Vec<(String, Value)> = client.received();
    let answer = received.into_iter().rev().find(|(name, value)| name == event && !is_news(event, value));
    answer.expect("an answer").1
}

/// Takes what the client was told, except answers.
pub fn heard(client: &Client) -> Vec<(String, Value)> {
    client.received()
}

/// The event `message` has the name of its answer; only the event has an author.
fn is_news(event: &str, value: &Value) -> bool {
    match event {
        "message" => value.get("author").is_some(),
        "typing" => value.get("name").is_some(),
        _ => false,
    }
}

#[derive(Default)]
struct Board {
    rooms: Mutex<BTreeMap<String, Vec<SparkId>>>,
}

impl Board {
    fn forget(&self, spark: SparkId) {
        for members in self.rooms.lock().unwrap().values_mut() {
            members.retain(|member| *member != spark);
        }
    }
}

impl Rooms for Board {
    fn join(&self, spark: SparkId, room: &str) -> Result<(), String> {
        let mut rooms = self.rooms.lock().unwrap();
        let members = rooms.entry(room.to_owned()).or_default();
        if !members.contains(&spark) {
            members.push(spark);
        }
        Ok(())
    }

    fn leave(&self, spark: SparkId, room: &str) -> Result<bool, String> {
        let mut rooms = self.rooms.lock().unwrap();
        let members = rooms.entry(room.to_owned()).or_default();
        let before = members.len();
        members.retain(|member| *member != spark);
        Ok(members.len() < before)
    }

    fn members(&self, room: &str) -> Result<Vec<SparkId>, String> {
        Ok(self.rooms.lock().unwrap().get(room).cloned().unwrap_or_default())
    }

    fn leave_all(&self, _: SparkId) -> Result<Vec<String>, String> {
        unreachable!("the messenger does not ask for it")
    }

    fn rooms_of(&self, _: SparkId) -> Result<Vec<String>, String> {
        unreachable!("the messenger does not ask for it")
    }

    fn is_empty(&self, _: &str) -> Result<bool, String> {
        unreachable!("the messenger does not ask for it")
    }

    fn rooms(&self) -> Result<Vec<String>, String> {
        unreachable!("the messenger does not ask for it")
    }

    fn broadcast(&self, _: Vec<&str>, _: Except, _: Payload<'_>) -> Result<u64, String> {
        unreachable!("the messenger sends events")
    }
}

struct Exchange {
    host: Host,
    board: Arc<Board>,
}

impl EmitterService for Exchange {
    fn emit_to_rooms(&self, rooms: Vec<&str>, except: Except, event: &str, arguments: Encoded<'_>) -> Result<u64, String> {
        let (argument,): (Value,) = arguments.decode().map_err(|error| error.to_string())?;
        let payload = Payload::of(&(event, argument)).map_err(|error| error.to_string())?;
        let mut members = rooms.into_iter().map(|room| self.board.members(room)).collect::<Result<Vec<_>, _>>()?.concat();
        members.retain(|member| !except.sparks.contains(member));
        Ok(self.host.send_many(&members, &payload))
    }

    fn emit(&self, _: Vec<SparkId>, _: &str, _: Encoded<'_>) -> Result<u64, String> {
        unreachable!("the messenger sends to rooms")
    }

    fn broadcast(&self, _: Vec<SparkId>, _: &str, _: Encoded<'_>) -> Result<u64, String> {
        unreachable!("the messenger sends to rooms")
    }

    fn request(&self, _: SparkId, _: &str, _: Encoded<'_>, _: Option<u64>, _: &str, _: u64) -> Result<(), String> {
        unreachable!("the messenger asks clients for nothing")
    }

    fn acknowledge(&self, _: SparkId, _: Number, _: Result<Encoded<'_>, &str>) -> Result<(), String> {
        unreachable!("the messenger answers at once")
    }
}
