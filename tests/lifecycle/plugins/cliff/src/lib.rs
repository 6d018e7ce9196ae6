//! A plugin that panics at the one of its entry points that its configuration names, each time that it comes by.
//!
//! Until then it works: `"calm"` is answered, a connection to its transport echoes, its parser parses.
#![forbid(unsafe_code)]

mod parser;
mod transport;
mod websocket;

use std::time::Duration;

use plugin_api::prelude::*;
use serde::Deserialize;

use self::parser::Parsing;
use self::transport::Echoing;
use self::websocket::WebSockets;

/// Where it panics.
#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The entry point; nowhere without.
    at: String,
    /// Something that changes without consequence.
    edition: u64,
}

/// The edge that entry points come by.
#[derive(Clone)]
pub struct Edge(Arc<str>);

impl Edge {
    /// Panics at the place that the configuration names.
    pub fn pass(&self, place: &str) {
        assert!(!self.is_at(place), "over the cliff at {place}");
    }

    /// Whether it is the place that the configuration names.
    pub fn is_at(&self, place: &str) -> bool {
        *self.0 == *place
    }
}

struct Cliff {
    edge: Edge,
    host: Host,
}

export_plugin!(Cliff);

plugin_api::service! {
    /// Looks down.
    trait Lookout as LookoutClient = "cliff" {
        /// How deep it is.
        fn depth(&self) -> u64;
    }
}

impl Lookout for Cliff {
    fn depth(&self) -> Result<u64, String> {
        self.edge.pass("service");
        Ok(100)
    }
}

impl Plugin for Cliff {
    const NAME: &'static str = "cliff";

    type Config = Config;

    fn start(config: Config, host: Host) -> Result<Self, StartError> {
        let edge = Edge(config.at.into());
        edge.pass("start");
        Ok(Self { edge, host })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        self.edge.pass("register");
        registrar.transport(Priority::GUARD, Echoing(self.edge.clone()));
        registrar.transport(Priority::GUARD, WebSockets::new(self.edge.clone()));
        registrar.parser(Parsing(self.edge.clone()));
        LookoutClient::offer(registrar, Arc::clone(self));
        let edge = self.edge.clone();
        registrar.middleware(Priority::GUARD, move |request| {
            if request.full_path() == "/cliff/middleware" {
                edge.pass("middleware");
            }
            None
        });
        let edge = self.edge.clone();
        registrar.authorizer(Priority::GUARD, move |_| {
            edge.pass("authorizer");
            std::future::ready(Ok(()))
        });
        let edge = self.edge.clone();
        registrar.connection(Priority::GUARD, move |_| {
            edge.pass("connection");
            Ok(())
        });
        let edge = self.edge.clone();
        registrar.connection_async(Priority::GUARD, move |_, _| {
            let edge = edge.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                edge.pass("connection that waited");
                Ok(())
            }
        });
        let edge = self.edge.clone();
        registrar.disconnection(Priority::GUARD, move |_, _| edge.pass("disconnection"));
        let cliff = Arc::clone(self);
        registrar.incoming(Priority::PROTOCOL, move |spark, message| cliff.incoming(spark, message));
        if *self.edge.0 != *"frame" {
            // Where there is such a hook, no frame is shared.
            let edge = self.edge.clone();
            registrar.outgoing(Priority::PROTOCOL, move |_, message| {
                if message.decode::<&str>().is_ok_and(|text| text == "outgoing") {
                    edge.pass("outgoing");
                }
                Flow::Next
            });
        }
        registrar.route("GET", "/cliff/there", |_| std::future::ready(Response::new(204)));
        let edge = self.edge.clone();
        registrar.route("GET", "/cliff/route", move |_| {
            edge.pass("route");
            std::future::ready(Response::new(204))
        });
        let edge = self.edge.clone();
        registrar.route("GET", "/cliff/waited", move |_| {
            let edge = edge.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                edge.pass("route that waited");
                Response::new(204)
            }
        });
    }

    fn reconfigure(&self, _: Config) -> Result<bool, StartError> {
        self.edge.pass("reconfigure");
        Ok(false)
    }

    fn save(&self) -> Option<Vec<u8>> {
        self.edge.pass("save");
        Some(Vec::new())
    }

    fn restore(&self, _: &[u8]) -> Result<(), StartError> {
        self.edge.pass("restore");
        Ok(())
    }

    fn timer(&self, _: u64) {
        self.edge.pass("timer");
    }

    fn stop(&self) {
        self.edge.pass("stop");
    }
}

impl Cliff {
    fn incoming(&self, spark: Spark<'_>, message: &mut Message<'_>) -> Flow {
        let Ok(text) = message.decode::<&str>() else { return Flow::Next };
        match text {
            "calm" => drop(spark.write("calm as the sea")),
            "incoming" => self.edge.pass("incoming"),
            "service" => match LookoutClient::new(self.host.clone()).depth() {
                Ok(depth) => drop(spark.write(&depth)),
                Err(error) => drop(spark.write(&error.to_string())),
            },
            "mute" => {
                // Several, so that some wait when the session is called with the last of them.
                for text in ["one", "two", "mute"] {
                    drop(spark.write(text));
                }
            }
            "frame" => {
                if let Ok(payload) = Payload::of("calm as the sea") {
                    self.host.send_many(&[spark.handle()], &payload);
                }
            }
            "timer" => self.host.set_timer(1, Duration::from_millis(1)),
            "thread" => {
                let edge = self.edge.clone();
                drop(std::thread::spawn(move || edge.pass("thread")));
            }
            _ => return Flow::Next,
        }
        Flow::Stop
    }
}
