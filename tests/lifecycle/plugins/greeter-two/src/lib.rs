//! The next version of the greeter, under the same name.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

struct Greeter;

export_plugin!(Greeter);

impl Plugin for Greeter {
    const NAME: &'static str = "greeter";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.incoming(Priority::PROTOCOL, |spark, message| {
            if message.decode::<&str>().is_ok_and(|text| text == "greet") {
                let _ = spark.write(&"greetings from two");
                return Flow::Stop;
            }
            Flow::Next
        });
        registrar.connection(Priority::PROTOCOL, |spark| {
            if spark.info().is_some_and(|info| info.query_value("greeted").is_some()) {
                let _ = spark.write(&"greetings from two");
            }
            Ok(())
        });
        registrar.client_part(ClientPart::Extension, "greeter", include_str!("../client.js"));
    }
}
