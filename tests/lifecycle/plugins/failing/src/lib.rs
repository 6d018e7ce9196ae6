//! A plugin that can't start.
#![forbid(unsafe_code)]

use plugin_api::prelude::*;

struct Failing;

export_plugin!(Failing);

impl Plugin for Failing {
    const NAME: &'static str = "failing";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Err(StartError::new("there is no moon tonight"))
    }

    fn register(self: &Arc<Self>, _: &mut Registrar<'_>) {}
}
