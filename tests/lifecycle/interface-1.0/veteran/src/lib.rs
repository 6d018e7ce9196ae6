//! A plugin that was built with version 1.0.0 of the interface, and uses what that has: a transport, a parser, hooks, a route, a
//! service of its own, one of others, and state that it carries over.
#![forbid(unsafe_code)]

mod line;
mod shout;

use std::sync::atomic::{AtomicU64, Ordering};

use plugin_api::prelude::*;
use plugin_api::services::rooms::{Except, RoomsClient};

struct Veteran {
    served: AtomicU64,
}

export_plugin!(Veteran);

plugin_api::service! {
    /// What the veteran tells.
    trait Memories as MemoriesClient = "veteran" {
        /// How many messages were served, by all generations.
        fn served(&self) -> u64;
    }
}

impl Memories for Veteran {
    fn served(&self) -> Result<u64, String> {
        Ok(self.served.load(Ordering::Relaxed))
    }
}

impl Plugin for Veteran {
    const NAME: &'static str = "veteran";

    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self { served: AtomicU64::new(0) })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.transport(Priority::GUARD, line::Lines);
        registrar.parser(shout::Shout);
        MemoriesClient::offer(registrar, Arc::clone(self));
        registrar.connection(Priority::APPLICATION, |spark| {
            let _ = RoomsClient::new(spark.host().clone()).join(spark.handle(), "veterans");
            Ok(())
        });
        let veteran = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| {
            let Ok(text) = message.decode::<String>() else { return Flow::Next };
            let host = spark.host();
            match text.split_once(' ') {
                Some(("salute", whom)) => {
                    veteran.served.fetch_add(1, Ordering::Relaxed);
                    let _ = spark.write(&format!("I salute {whom}"));
                }
                Some(("count", _)) => {
                    let served = MemoriesClient::new(host.clone()).served();
                    let _ = spark.write(&served.map_or_else(|error| error.to_string(), |served| format!("{served} served")));
                }
                Some(("rally", call)) => {
                    if let Ok(payload) = Payload::of(&format!("to all: {call}")) {
                        let _ = RoomsClient::new(host.clone()).broadcast(vec!["veterans"], Except::default(), payload);
                    }
                }
                _ => return Flow::Next,
            }
            Flow::Stop
        });
        registrar.outgoing(Priority::TRANSFORM, |_, message| match message.decode::<String>() {
            Ok(text) if text.starts_with("secret") => Flow::Stop,
            _ => Flow::Next,
        });
        registrar.route("GET", "/veteran/{name}", |request| {
            let name = request.full_path().rsplit('/').next().unwrap_or_default().to_owned();
            async move { Response::text(200, &format!("at your service, {name}")) }
        });
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some(self.served.load(Ordering::Relaxed).to_be_bytes().to_vec())
    }

    fn restore(&self, state: &[u8]) -> Result<(), StartError> {
        let served = state.try_into().map_err(|_| StartError::new("the state is not 8 bytes"))?;
        self.served.store(u64::from_be_bytes(served), Ordering::Relaxed);
        Ok(())
    }
}
