//! The smallest plugin there can be: it answers whoever says "hi".
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

/// Knows nothing but its answer.
pub struct Hello;

export_plugin!(Hello);

impl Plugin for Hello {
    const NAME: &'static str = "hello";
    const DESCRIPTION: &'static str = "answers whoever says \"hi\"";
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.incoming(Priority::APPLICATION, |spark, message| match message.decode::<String>() {
            Ok(text) if text == "hi" => {
                if let Err(error) = spark.write("Hi there!") {
                    tracing::debug!(%error, "not answered");
                }
                Flow::Stop
            }
            // Not for this plugin: the next one may want it.
            Ok(_) | Err(_) => Flow::Next,
        });
    }
}
