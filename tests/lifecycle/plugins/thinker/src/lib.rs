//! A plugin that thinks about messages that begin with "think", and says so, until a file is there: then they go on.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_api::Deferred;
use plugin_api::prelude::*;
use serde::Deserialize;

/// How often it looks for the file.
const LOOKS: Duration = Duration::from_millis(5);

struct Thinker {
    host: Host,
    until: PathBuf,
    messages: Mutex<Vec<Deferred>>,
}

export_plugin!(Thinker);

/// What it waits for.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The file.
    until: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { until: PathBuf::from("decided") }
    }
}

impl Plugin for Thinker {
    const NAME: &'static str = "thinker";

    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        Ok(Self { host, until: config.until, messages: Mutex::default() })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let thinker = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| {
            if !message.decode::<&str>().is_ok_and(|text| text.starts_with("think")) {
                return Flow::Next;
            }
            let deferred = message.defer(spark);
            thinker.messages().push(deferred);
            let _ = spark.write("thinking");
            thinker.host.set_timer(0, LOOKS);
            Flow::Defer
        });
    }

    fn timer(&self, _: u64) {
        if !self.until.exists() {
            return self.host.set_timer(0, LOOKS);
        }
        let decided = std::mem::take(&mut *self.messages());
        decided.into_iter().for_each(Deferred::next);
    }
}

impl Thinker {
    fn messages(&self) -> MutexGuard<'_, Vec<Deferred>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
