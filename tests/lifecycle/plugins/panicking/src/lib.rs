//! A plugin that panics where it is told to.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;
use serde::Deserialize;

struct Panicking {
    hangs_at_stop: bool,
}

export_plugin!(Panicking);

/// Where it panics besides in its hook.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Whether it panics when it is started.
    at_start: bool,
    /// Whether it does not come back from its stop.
    hangs_at_stop: bool,
}

impl Plugin for Panicking {
    const NAME: &'static str = "panicking";

    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        assert!(!config.at_start, "the start went over a cliff");
        Ok(Self { hangs_at_stop: config.hangs_at_stop })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.incoming(Priority::PROTOCOL, |spark, message| match message.decode::<&str>() {
            Ok("panic") => panic!("the hook went over a cliff"),
            Ok("calm") => {
                let _ = spark.write(&"calm as the sea");
                Flow::Stop
            }
            _ => Flow::Next,
        });
    }

    fn stop(&self) {
        if self.hangs_at_stop {
            loop {
                std::thread::park();
            }
        }
    }
}
