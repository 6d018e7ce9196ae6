//! Answers what no other application has consumed: so a message that nobody serves is refused, and not forgotten.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;
use plugin_api::value::Value;

/// Behind the applications.
const LAST: Priority = Priority(500);

struct Clerk;

export_plugin!(Clerk);

impl Plugin for Clerk {
    const NAME: &'static str = "clerk";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.incoming(LAST, |spark, message| {
            if let Ok(value) = message.decode::<Value>() {
                let _ = spark.write(&("unserved", value));
            }
            Flow::Stop
        });
    }
}
