//! The application that the benchmark measures: echo, and fan-out through the plugin `rooms`.
//!
//! `?room=bench` receives what `?publish=bench` sends, and whoever has neither gets its messages back. Nothing is parsed:
//! messages are relayed as they came. There is one publisher at a time, so that telling it from the others costs the echo
//! nothing.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use plugin_api::prelude::*;
use plugin_api::services::rooms::{Except, RoomsClient};

/// The room of all receivers.
const ROOM: &str = "bench";

/// The application.
pub struct LoadApp {
    rooms: RoomsClient,
    /// The raw handle of the spark that publishes; 0, which no spark has, while there is none.
    publisher: AtomicU64,
}

impl Plugin for LoadApp {
    const NAME: &'static str = "load-app";
    const DESCRIPTION: &'static str = "The benchmark's echo and fan-out.";
    const REQUIRES: &'static [&'static str] = &["rooms"];
    type Config = NoConfig;

    fn start(_config: NoConfig, host: Host) -> Result<Self, StartError> {
        Ok(Self { rooms: RoomsClient::new(host), publisher: AtomicU64::new(0) })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let app = Arc::clone(self);
        registrar.connection(Priority::APPLICATION, move |spark| app.connected(spark));
        let app = Arc::clone(self);
        registrar.message(move |spark, message| app.message(spark, message));
    }
}

impl LoadApp {
    fn connected(&self, spark: Spark<'_>) -> Result<(), Refusal> {
        let Some(info) = spark.info() else {
            return Ok(());
        };
        if info.query_value("room").is_some() {
            self.rooms.join(spark.handle(), ROOM).map_err(|error| Refusal::new(error.to_string()))?;
        }
        if info.query_value("publish").is_some() {
            self.publisher.store(spark.handle().raw(), Ordering::Relaxed);
        }
        Ok(())
    }

    fn message(&self, spark: Spark<'_>, message: &mut Message<'_>) {
        if self.publisher.load(Ordering::Relaxed) != spark.handle().raw() {
            if let Err(error) = spark.relay(message) {
                tracing::warn!(%error, "no echo");
            }
            return;
        }
        match message.payload() {
            Ok(payload) => {
                if let Err(error) = self.rooms.broadcast(vec![ROOM], Except::default(), payload) {
                    tracing::warn!(%error, "no fan-out");
                }
            }
            Err(error) => tracing::warn!(%error, "not published"),
        }
    }
}

export_plugin!(LoadApp);
