//! An application that sends every message on to all clients, its sender included.
//!
//! It never looks into a message: the host hands it on as it came to those who speak its parser, and makes it anew for the others.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

/// Has no state.
pub struct Relay;

impl Plugin for Relay {
    const NAME: &'static str = "conformance_relay";
    const DESCRIPTION: &'static str = "Sends every message on to all.";
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.message(|spark, message| match message.payload() {
            Ok(payload) => {
                spark.host().broadcast(&payload, &[]);
            }
            Err(error) => tracing::debug!(%error, "not sent on"),
        });
    }
}

export_plugin!(Relay);
