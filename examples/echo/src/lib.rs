//! An application that sends every message back, as it came.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

/// The plugin.
struct Echo;

impl Plugin for Echo {
    const NAME: &'static str = "echo";
    const DESCRIPTION: &'static str = "Sends every message back.";
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.message(|spark, message| {
            if let Err(error) = spark.relay(message) {
                tracing::debug!(%error, "not sent back");
            }
        });
    }
}

export_plugin!(Echo);
