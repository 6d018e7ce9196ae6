//! An application that sends every message back.
//!
//! It never looks into a message: what came is relayed byte by byte, and neither parsed nor encoded.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

/// Has no state.
pub struct Echo;

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
