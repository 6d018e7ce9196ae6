//! A plugin that panics where it is told to, or hangs there.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;
use serde::Deserialize;

struct Panicking {
    hangs_at: Option<Call>,
}

/// A call that does not come back.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Call {
    Start,
    Reconfigure,
    Save,
    Stop,
}

export_plugin!(Panicking);

/// Where it panics besides in its hook, and where it hangs.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Whether it panics when it is started.
    at_start: bool,
    /// The call that it does not come back from.
    hangs_at: Option<Call>,
}

impl Plugin for Panicking {
    const NAME: &'static str = "panicking";

    type Config = Config;

    fn start(config: Config, _: Host) -> Result<Self, StartError> {
        assert!(!config.at_start, "the start went over a cliff");
        let panicking = Self { hangs_at: config.hangs_at };
        panicking.hang_at(Call::Start);
        Ok(panicking)
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

    fn reconfigure(&self, _: Config) -> Result<bool, StartError> {
        self.hang_at(Call::Reconfigure);
        Ok(false)
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.hang_at(Call::Save);
        None
    }

    fn stop(&self) {
        self.hang_at(Call::Stop);
    }
}

impl Panicking {
    fn hang_at(&self, call: Call) {
        while self.hangs_at == Some(call) {
            std::thread::park();
        }
    }
}
