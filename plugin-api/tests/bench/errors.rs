//! What is wrong at sparks that go on, or end for it.

use std::sync::Mutex;

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, json};

/// Notes what is wrong.
#[derive(Default)]
struct Listener {
    errors: Mutex<Vec<String>>,
}

impl Plugin for Listener {
    const NAME: &'static str = "listener";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self::default())
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let plugin = Arc::clone(self);
        registrar.error(Priority::GUARD, move |_, error| plugin.errors.lock().unwrap().push(error.to_string()));
        let plugin = Arc::clone(self);
        registrar.message(move |spark, message| {
            if message.decode::<Value>().is_ok() {
                spark.write(&std::mem::take(&mut *plugin.errors.lock().unwrap())).unwrap();
            }
        });
    }
}

export_plugin!(Listener);

#[test]
fn a_message_that_can_not_be_decoded_is_told_to_error_hooks() {
    let bench = Bench::start::<Listener>(json!({})).unwrap();
    let client = bench.connect("/primus").unwrap();
    client.send_wire(Kind::Text, "{");
    client.send("what is wrong?");
    let [told] = &client.next::<Vec<String>>()[..] else { panic!("one error is told") };
    assert!(told.starts_with("the client's message can't be decoded: "), "{told}");
}
