//! A plugin that greets: the one that tests drop in.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;
use serde::Deserialize;

struct Greeter {
    greeting: String,
}

export_plugin!(Greeter);

/// How it greets.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The answer to `"greet"`.
    greeting: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { greeting: "greetings from one".to_owned() }
    }
}

impl Plugin for Greeter {
    const NAME: &'static str = "greeter";

    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        if config.greeting.is_empty() {
            return Err(StartError::at("greeting", "an empty greeting is impolite: say something"));
        }
        Ok(Self { greeting: config.greeting })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let greeter = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| {
            if message.decode::<&str>().is_ok_and(|text| text == "greet") {
                let _ = spark.write(&greeter.greeting);
                return Flow::Stop;
            }
            Flow::Next
        });
        let greeter = Arc::clone(self);
        registrar.connection(Priority::PROTOCOL, move |spark| {
            if spark.info().is_some_and(|info| info.query_value("greeted").is_some()) {
                let _ = spark.write(&greeter.greeting);
            }
            Ok(())
        });
        registrar.client_part(ClientPart::Extension, "greeter", include_str!("../client.js"));
    }
}
