//! The benchmark's application in memory, with a room that only counts.

use std::sync::{Arc, Mutex};

use load_app::LoadApp;
use plugin_api::services::rooms::{Except, Rooms, RoomsClient};
use plugin_api::testing::{Bench, json};
use plugin_api::{Kind, Payload, SparkId};

/// Notes who joined and what was sent to the room.
#[derive(Default)]
struct Noted {
    members: Mutex<Vec<SparkId>>,
    sent: Mutex<Vec<Vec<u8>>>,
}

impl Rooms for Noted {
    fn join(&self, spark: SparkId, _room: &str) -> Result<(), String> {
        self.members.lock().unwrap().push(spark);
        Ok(())
    }
    fn leave(&self, _spark: SparkId, _room: &str) -> Result<bool, String> {
        Ok(false)
    }
    fn leave_all(&self, _spark: SparkId) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
    fn rooms_of(&self, _spark: SparkId) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
    fn members(&self, _room: &str) -> Result<Vec<SparkId>, String> {
        Ok(self.members.lock().unwrap().clone())
    }
    fn is_empty(&self, _room: &str) -> Result<bool, String> {
        Ok(self.members.lock().unwrap().is_empty())
    }
    fn rooms(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
    fn broadcast(&self, _rooms: Vec<&str>, _except: Except, payload: Payload<'_>) -> Result<u64, String> {
        let Payload::Wire { bytes, .. } = payload else {
            return Err("relayed messages keep their wire bytes".to_owned());
        };
        self.sent.lock().unwrap().push(bytes.into_owned());
        Ok(self.members.lock().unwrap().len() as u64)
    }
}

#[test]
fn receivers_join_a_publisher_reaches_the_room_and_others_get_an_echo() {
    let noted = Arc::new(Noted::default());
    let offered = Arc::clone(&noted);
    let bench = Bench::standing_in("rooms", move |registrar| RoomsClient::offer(registrar, Arc::clone(&offered)))
        .and::<LoadApp>(json!({}))
        .start()
        .unwrap();
    let receiver = bench.connect("/primus?room=bench").unwrap();
    let publisher = bench.connect("/primus?publish=bench").unwrap();
    let other = bench.connect("/primus").unwrap();
    assert_eq!(*noted.members.lock().unwrap(), [receiver.handle()]);

    publisher.send_wire(Kind::Text, b"\"news\"");
    assert_eq!(*noted.sent.lock().unwrap(), [b"\"news\""]);
    assert_eq!(publisher.received::<String>(), Vec::<String>::new());

    other.send(&"hello");
    assert_eq!(other.received::<String>(), ["hello"]);
    assert_eq!(noted.sent.lock().unwrap().len(), 1);
}
