//! A plugin of the bench with what it has registered, and the host that it sees.

use std::sync::Arc;
use std::time::Duration;

use tracing::Dispatch;

use super::log::{Log, level};
use super::world::World;
use crate::abi::functions::HostFunctions;
use crate::abi::host::Registrations;
use crate::host::Host;
use crate::log::Forwarder;
use crate::message::{Flow, Payload};
use crate::spark::SparkId;

/// A plugin's registrations.
pub(super) struct Plugged {
    pub(super) name: String,
    /// Which of the bench's generations it is.
    pub(super) generation: u64,
    pub(super) registrations: Registrations,
    logging: Logging,
}

impl Plugged {
    pub(super) fn new(name: &str, generation: u64, registrations: Registrations, logging: &Logging) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), generation, registrations, logging: logging.clone() })
    }

    /// Calls into the plugin.
    pub(super) fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        self.logging.enter(call)
    }
}

/// What makes `tracing` in a plugin reach the bench.
#[derive(Clone)]
pub(super) struct Logging(Dispatch);

impl Logging {
    pub(super) fn to(host: Host) -> Self {
        Self(Dispatch::new(Forwarder::new(host)))
    }

    pub(super) fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.0, call)
    }
}

/// All of one kind in the order of their priorities.
pub(super) fn by_priority<T>(plugins: &[Arc<Plugged>], kind: impl Fn(&Registrations) -> &[(i32, T)]) -> Vec<(&Plugged, &T)> {
    let mut all: Vec<_> = plugins
        .iter()
        .flat_map(|plugged| kind(&plugged.registrations).iter().map(|(priority, hook)| (*priority, plugged.as_ref(), hook)))
        .collect();
    all.sort_by_key(|(priority, ..)| *priority);
    all.into_iter().map(|(_, plugged, hook)| (plugged, hook)).collect()
}

/// The host as one plugin sees it.
pub(super) struct PluginHost {
    world: Arc<World>,
    plugin: String,
    generation: u64,
}

impl PluginHost {
    pub(super) fn new(world: &Arc<World>, plugin: &str, generation: u64) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), plugin: plugin.to_owned(), generation })
    }
}

impl HostFunctions for PluginHost {
    fn log(&self, number: u8, target: &str, message: &str, fields: &[(&str, &str)]) {
        self.world.log(Log {
            plugin: self.plugin.clone(),
            level: level(number),
            target: target.to_owned(),
            message: message.to_owned(),
            fields: fields.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect(),
        });
    }

    fn log_level(&self) -> u8 {
        5
    }

    fn send(&self, spark: SparkId, payload: &Payload<'_>) -> u32 {
        self.world.send(spark, payload)
    }

    fn send_many(&self, sparks: &[u64], payload: &Payload<'_>) -> u64 {
        self.world.send_many(sparks.iter().filter_map(|raw| SparkId::from_raw(*raw)), payload)
    }

    fn broadcast(&self, except: &[u64], payload: &Payload<'_>) -> u64 {
        let recipients = self.world.sparks().into_iter().filter(|spark| !except.contains(&spark.raw()));
        self.world.send_many(recipients, payload)
    }

    fn end(&self, spark: SparkId, options: &[u8]) -> u32 {
        self.world.end(&self.plugin, spark, options)
    }

    fn spark_info(&self, spark: SparkId) -> Option<Vec<u8>> {
        self.world.spark_info(spark)
    }

    fn find_spark(&self, id: &str) -> Option<SparkId> {
        self.world.find_spark(id)
    }

    fn sparks(&self) -> Vec<SparkId> {
        self.world.sparks()
    }

    fn call_service(&self, service: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
        self.world.call_service(service, method, arguments)
    }

    fn complete(&self, token: u64, status: u32, reply: &[u8]) {
        self.world.complete(token, status, reply);
    }

    fn defer(&self, spark: SparkId) -> u64 {
        self.world.defer(spark)
    }

    fn resume(&self, spark: SparkId, token: u64, flow: u32) {
        let flow = if flow == Flow::Next as u32 { Flow::Next } else { Flow::Stop };
        self.world.resume(spark, token, flow);
    }

    fn set_timer(&self, timer: u64, after_ms: u64) {
        self.world.set_timer(self.generation, timer, Duration::from_millis(after_ms));
    }

    fn clear_timer(&self, timer: u64) {
        self.world.clear_timer(self.generation, timer);
    }

    fn count(&self, counter: u32, by: u64) {
        self.world.count(self.generation, counter, by);
    }
}
