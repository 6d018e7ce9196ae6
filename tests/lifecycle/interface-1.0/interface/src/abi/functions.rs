//! What the host offers to plugins: their handle to its table of functions.

use std::sync::Arc;

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RVec};

use super::module::{HostTable, HostTableRef, RawHost};
use super::status;
use super::types::{Opaque, RawHeader, RawPayload};
use crate::message::{Kind, Payload};
use crate::spark::SparkId;

fn raw_payload<'a>(payload: &'a Payload<'_>) -> RawPayload<'a> {
    match payload {
        Payload::Value(bytes) => RawPayload { bytes: RSlice::from_slice(bytes), parser: 0, kind: 0 },
        Payload::Wire { parser, kind, bytes } => {
            RawPayload { bytes: RSlice::from_slice(bytes), parser: *parser, kind: *kind as u8 }
        }
    }
}

/// A plugin's handle to the host; it holds one reference.
pub struct HostHandle {
    raw: RawHost,
}

// SAFETY: `HostFunctions` is Send + Sync, and the table's functions may be called by any thread.
unsafe impl Send for HostHandle {}
// SAFETY: as above.
unsafe impl Sync for HostHandle {}

impl Clone for HostHandle {
    fn clone(&self) -> Self {
        (self.raw.table.retain())(self.raw.object);
        Self { raw: RawHost { object: self.raw.object, table: self.raw.table } }
    }
}

impl Drop for HostHandle {
    fn drop(&mut self) {
        (self.raw.table.release())(self.raw.object);
    }
}

impl HostHandle {
    /// Takes over the reference of `raw`.
    pub fn new(raw: RawHost) -> Self {
        Self { raw }
    }

    /// The host's function that tells whether the calling thread is in a call into a plugin.
    pub(crate) fn calling(&self) -> extern "C" fn() -> u8 {
        self.raw.table.calling()
    }

    pub(crate) fn log(&self, level: u8, target: &str, message: &str, fields: &[(&'static str, String)]) {
        let fields: Vec<RawHeader<'_>> = fields
            .iter()
            .map(|(name, value)| RawHeader { name: RStr::from_str(name), value: RSlice::from_slice(value.as_bytes()) })
            .collect();
        (self.raw.table.log())(
            self.raw.object,
            level,
            RStr::from_str(target),
            RStr::from_str(message),
            RSlice::from_slice(&fields),
        );
    }

    pub(crate) fn log_level(&self) -> u8 {
        (self.raw.table.log_level())(self.raw.object)
    }

    #[inline]
    pub(crate) fn send(&self, spark: SparkId, payload: &Payload<'_>) -> u32 {
        (self.raw.table.send())(self.raw.object, spark.raw(), &raw_payload(payload))
    }

    pub(crate) fn send_many(&self, sparks: &[SparkId], payload: &Payload<'_>) -> u64 {
        (self.raw.table.send_many())(self.raw.object, raw_ids(sparks), &raw_payload(payload))
    }

    pub(crate) fn broadcast(&self, except: &[SparkId], payload: &Payload<'_>) -> u64 {
        (self.raw.table.broadcast())(self.raw.object, raw_ids(except), &raw_payload(payload))
    }

    pub(crate) fn end(&self, spark: SparkId, options: &[u8]) -> u32 {
        (self.raw.table.end())(self.raw.object, spark.raw(), RSlice::from_slice(options))
    }

    pub(crate) fn spark_info(&self, spark: SparkId) -> Option<Vec<u8>> {
        let mut info = RVec::new();
        let status = (self.raw.table.spark_info())(self.raw.object, spark.raw(), &mut info);
        (status == status::OK).then(|| info.into_vec())
    }

    pub(crate) fn find_spark(&self, id: &str) -> Option<SparkId> {
        SparkId::from_raw((self.raw.table.find_spark())(self.raw.object, RStr::from_str(id)))
    }

    pub(crate) fn sparks(&self) -> Vec<SparkId> {
        let mut sparks = RVec::new();
        (self.raw.table.sparks())(self.raw.object, &mut sparks);
        sparks.iter().filter_map(|raw| SparkId::from_raw(*raw)).collect()
    }

    pub(crate) fn call_service(&self, service: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
        let mut reply = RVec::new();
        let status = (self.raw.table.call_service())(
            self.raw.object,
            RStr::from_str(service),
            RStr::from_str(method),
            RSlice::from_slice(arguments),
            &mut reply,
        );
        (status, reply.into_vec())
    }

    pub(crate) fn complete(&self, token: u64, status: u32, reply: &[u8]) {
        (self.raw.table.complete())(self.raw.object, token, status, RSlice::from_slice(reply));
    }

    pub(crate) fn defer(&self, spark: SparkId) -> u64 {
        (self.raw.table.defer())(self.raw.object, spark.raw())
    }

    pub(crate) fn resume(&self, spark: SparkId, token: u64, flow: u32) {
        (self.raw.table.resume())(self.raw.object, spark.raw(), token, flow);
    }

    pub(crate) fn set_timer(&self, timer: u64, after_ms: u64) {
        (self.raw.table.set_timer())(self.raw.object, timer, after_ms);
    }

    pub(crate) fn clear_timer(&self, timer: u64) {
        (self.raw.table.clear_timer())(self.raw.object, timer);
    }

    pub(crate) fn count(&self, counter: u32, by: u64) {
        (self.raw.table.count())(self.raw.object, counter, by);
    }
}

fn raw_ids(sparks: &[SparkId]) -> RSlice<'_, u64> {
    // SAFETY: `SparkId` is a transparent newtype of `NonZeroU64`, whose layout is that of `u64`.
    let raw = unsafe { std::slice::from_raw_parts(sparks.as_ptr().cast::<u64>(), sparks.len()) };
    RSlice::from_slice(raw)
}
