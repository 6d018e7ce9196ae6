//! What the host offers to one generation of a plugin: the table behind its `Host` handle.
//!
//! On a spark's own thread a call is carried out at once, elsewhere it goes through the inbox of the spark's shard.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};

use plugin_api::abi::functions::HostFunctions;
use plugin_api::abi::host::Adopter;
use plugin_api::abi::host::Fault;
use plugin_api::abi::status;
use plugin_api::{EndOptions, Flow, Payload, Request, SparkId, value};

use crate::generation::Generation;
use crate::house::House;
use crate::inbox::Command;
use crate::inbox::adoption::Adoption;
use crate::inbox::control;
use crate::shard;

/// The host as one generation sees it.
pub struct Functions {
    house: Arc<House>,
    plugin: String,
    number: u64,
    generation: OnceLock<Weak<Generation>>,
}

impl Functions {
    /// For one generation of a plugin.
    pub fn new(house: Arc<House>, plugin: String, number: u64) -> Arc<Self> {
        Arc::new(Self { house, plugin, number, generation: OnceLock::new() })
    }

    /// Says whose functions these are.
    pub fn belongs_to(&self, generation: &Arc<Generation>) {
        // Set once, right after the registration.
        let _ = self.generation.set(Arc::downgrade(generation));
    }
}

impl HostFunctions for Functions {
    fn log(&self, level: u8, target: &str, message: &str, fields: &[(&str, &str)]) {
        let plugin = self.plugin.as_str();
        let mut text = message.to_owned();
        for (name, value) in fields {
            text.push_str(&format!(" {name}={value}"));
        }
        match level {
            1 => tracing::error!(plugin, module = target, "{text}"),
            2 => tracing::warn!(plugin, module = target, "{text}"),
            3 => tracing::info!(plugin, module = target, "{text}"),
            4 => tracing::debug!(plugin, module = target, "{text}"),
            _ => tracing::trace!(plugin, module = target, "{text}"),
        }
    }

    fn log_level(&self) -> u8 {
        use tracing::level_filters::LevelFilter;
        match LevelFilter::current() {
            LevelFilter::OFF => 0,
            LevelFilter::ERROR => 1,
            LevelFilter::WARN => 2,
            LevelFilter::INFO => 3,
            LevelFilter::DEBUG => 4,
            LevelFilter::TRACE => 5,
        }
    }

    #[inline]
    fn send(&self, spark: SparkId, payload: &Payload<'_>) -> u32 {
        if let Some(status) = shard::current(|shard| shard.deliver(spark, payload)).flatten() {
            return status;
        }
        let house = &self.house;
        if house.info(spark).is_none() {
            return status::MISSING;
        }
        house.post(spark, Command::Send { id: spark, payload: payload.clone().into_owned() });
        status::OK
    }

    fn send_many(&self, sparks: &[u64], payload: &Payload<'_>) -> u64 {
        let house = &self.house;
        let here = shard::current(|shard| shard.can_deliver().then(|| shard.index())).flatten();
        if here.is_none() || house.inboxes.len() > 1 {
            // First, so that the other shards work while this one does.
            house.post_many(sparks, payload, here);
        }
        let gone = here.and_then(|_| shard::current(|shard| shard.deliver_many(sparks, payload)));
        (sparks.len() - gone.unwrap_or(0)) as u64
    }

    fn broadcast(&self, except: &[u64], payload: &Payload<'_>) -> u64 {
        let house = &self.house;
        let sparks: Vec<u64> = house.sparks().into_iter().map(SparkId::raw).filter(|spark| !except.contains(spark)).collect();
        self.send_many(&sparks, payload)
    }

    fn end(&self, spark: SparkId, options: &[u8]) -> u32 {
        let options: EndOptions = value::decode(options).unwrap_or_default();
        let house = &self.house;
        if house.info(spark).is_none() {
            return status::MISSING;
        }
        // Through the inbox also on its own thread: what the hook still sends to the spark comes before its end.
        house.post(spark, Command::End { id: spark, options });
        status::OK
    }

    fn spark_info(&self, spark: SparkId) -> Option<Vec<u8>> {
        Some(self.house.info(spark)?.encoded.to_vec())
    }

    fn find_spark(&self, id: &str) -> Option<SparkId> {
        self.house.find(id)
    }

    fn sparks(&self) -> Vec<SparkId> {
        self.house.sparks()
    }

    fn call_service(&self, service: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
        self.house.call_service(service, method, arguments)
    }

    fn complete(&self, token: u64, status: u32, reply: &[u8]) {
        self.house.complete(token, status, reply);
    }

    fn defer(&self, _spark: SparkId) -> u64 {
        self.house.token()
    }

    fn resume(&self, spark: SparkId, token: u64, flow: u32) {
        let flow = if flow == Flow::Next as u32 { Flow::Next } else { Flow::Stop };
        self.house.post(spark, Command::Resume { id: spark, token, flow });
    }

    fn set_timer(&self, timer: u64, after_ms: u64) {
        let plugin = self.plugin.clone();
        self.house.control.send(control::Request::SetTimer { plugin, generation: self.number, timer, after_ms });
    }

    fn clear_timer(&self, timer: u64) {
        let plugin = self.plugin.clone();
        self.house.control.send(control::Request::ClearTimer { plugin, generation: self.number, timer });
    }

    fn panicked(&self, report: &str) -> bool {
        let generation = self.generation.get().and_then(Weak::upgrade);
        if let Some(generation) = &generation {
            generation.panicked("a thread of its own", &Fault { report: report.to_owned() });
        }
        generation.is_some()
    }

    fn follows(&self) -> bool {
        self.house.follows()
    }

    fn count(&self, counter: u32, by: u64) {
        if let Some(generation) = self.generation.get().and_then(Weak::upgrade)
            && let Some(counter) = generation.counters.get(counter as usize)
        {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    fn adopt(&self, stream: OwnedFd, transport: &str, request: Request<'static>, adopter: Adopter) {
        // While it starts, a plugin is nobody's yet; dropped, the adopter is told that nothing is taken.
        if let Some(generation) = self.generation.get().and_then(Weak::upgrade) {
            self.house.adopt(Adoption { stream, transport: transport.to_owned(), request, generation, adopter });
        }
    }
}
