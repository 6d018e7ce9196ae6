//! A plugin that needs the greeter.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

struct Dependent;

export_plugin!(Dependent);

impl Plugin for Dependent {
    const NAME: &'static str = "dependent";
    const REQUIRES: &'static [&'static str] = &["greeter"];

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.incoming(Priority::PROTOCOL, |spark, message| {
            if message.decode::<&str>().is_ok_and(|text| text == "depend") {
                let _ = spark.write(&"I can, the greeter is here");
                return Flow::Stop;
            }
            Flow::Next
        });
    }
}
