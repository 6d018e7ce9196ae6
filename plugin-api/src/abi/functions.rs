//! What the host offers to plugins: a safe trait that a host implements, the table made of it, and the plugin's handle to it.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RVec};

use super::host::{Adopter, with_raw};
use super::module::{AdoptedFn, HostTable, HostTableRef, RawClosure, RawHost};
use super::plugin::{adopted, request_of};
use super::status;
use super::types::{Opaque, RawHeader, RawPayload, RawRequest};
use crate::message::{Kind, Payload};
use crate::plugin::Refusal;
use crate::request::Request;
use crate::spark::SparkId;

/// The functions of a host for one plugin. Implemented by the real host and by [`crate::testing`]. All `[any]`, none blocks.
///
/// A panic in one of them aborts the process, since it can't cross the boundary: they must not panic.
pub trait HostFunctions: Send + Sync + 'static {
    /// A log record; `level` 1 (error) to 5 (trace).
    fn log(&self, level: u8, target: &str, message: &str, fields: &[(&str, &str)]);
    /// The most verbose level that is wanted.
    fn log_level(&self) -> u8;
    /// To one spark: a [`status`].
    fn send(&self, spark: SparkId, payload: &Payload<'_>) -> u32;
    /// To many sparks; unknown ones are skipped. `sparks` are raw handles.
    fn send_many(&self, sparks: &[u64], payload: &Payload<'_>) -> u64;
    /// To all sparks but some.
    fn broadcast(&self, except: &[u64], payload: &Payload<'_>) -> u64;
    /// Ends a spark with encoded [`crate::EndOptions`].
    fn end(&self, spark: SparkId, options: &[u8]) -> u32;
    /// An encoded [`crate::SparkInfo`].
    fn spark_info(&self, spark: SparkId) -> Option<Vec<u8>>;
    /// By the public id.
    fn find_spark(&self, id: &str) -> Option<SparkId>;
    /// All sparks.
    fn sparks(&self) -> Vec<SparkId>;
    /// Calls a service: status and encoded reply.
    fn call_service(&self, service: &str, method: &str, arguments: &[u8]) -> (u32, Vec<u8>);
    /// The answer to a pending call.
    fn complete(&self, token: u64, status: u32, reply: &[u8]);
    /// A token to defer a message of this spark with.
    fn defer(&self, spark: SparkId) -> u64;
    /// Goes on with a deferred message.
    fn resume(&self, spark: SparkId, token: u64, flow: u32);
    /// A timer of the plugin.
    fn set_timer(&self, timer: u64, after_ms: u64);
    /// No timer.
    fn clear_timer(&self, timer: u64);
    /// Adds to a counter.
    fn count(&self, counter: u32, by: u64);
    /// Makes a stream a session of the plugin's transport of that name, and tells who brought it. A host that does not say
    /// otherwise takes none.
    fn adopt(&self, stream: OwnedFd, transport: &str, request: Request<'static>, adopter: Adopter) {
        drop((stream, transport, request, adopter));
    }
    /// A thread of the plugin's own has panicked: whether that is logged. If not, the plugin prints it.
    fn panicked(&self, report: &str) -> bool {
        let _ = report;
        false
    }
    /// Whether this process follows another one that still serves.
    fn follows(&self) -> bool {
        false
    }
}

/// The raw host of an implementation: one reference is held by what is returned.
pub fn raw_host<H: HostFunctions>(host: Arc<H>) -> RawHost {
    RawHost { object: Arc::into_raw(host).cast_mut().cast(), table: host_table::<H>() }
}

fn host_table<H: HostFunctions>() -> HostTableRef {
    HostTable {
        retain: retain::<H>,
        release: release::<H>,
        log: log::<H>,
        log_level: log_level::<H>,
        send: send::<H>,
        send_many: send_many::<H>,
        broadcast: broadcast::<H>,
        end: end::<H>,
        spark_info: spark_info::<H>,
        find_spark: find_spark::<H>,
        sparks: sparks::<H>,
        call_service: call_service::<H>,
        complete: complete::<H>,
        defer: defer::<H>,
        resume: resume::<H>,
        set_timer: set_timer::<H>,
        clear_timer: clear_timer::<H>,
        count: count::<H>,
        calling: super::host::calling,
        adopt: adopt::<H>,
        panicked: panicked::<H>,
        follows: follows::<H>,
    }
    .leak_into_prefix()
}

/// The implementation behind an opaque pointer.
///
/// # Safety
///
/// `object` came from [`raw_host`] of the same `H`, and a reference is held for as long as the result is used.
unsafe fn host<'a, H>(object: Opaque) -> &'a H {
    // SAFETY: by the contract of this function it points to a live `H` inside of an `Arc`.
    unsafe { &*object.cast::<H>() }
}

extern "C" fn retain<H: HostFunctions>(object: Opaque) {
    // SAFETY: the caller holds a reference, so the count is at least one.
    unsafe { Arc::increment_strong_count(object.cast_const().cast::<H>()) };
}

extern "C" fn release<H: HostFunctions>(object: Opaque) {
    // SAFETY: the caller gives up a reference that it holds.
    unsafe { Arc::decrement_strong_count(object.cast_const().cast::<H>()) };
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? |$host:ident| $body:expr;)*) => {$(
        extern "C" fn $name<H: HostFunctions>(object: Opaque, $($argument: $type),*) $(-> $result)? {
            // SAFETY: the table is only reached through a handle that holds a reference.
            let $host = unsafe { host::<H>(object) };
            $body
        }
    )*};
}

forward! {
    log_level() -> u8 |host| host.log_level();
    send(spark: u64, payload: &RawPayload<'_>) -> u32 |host| match SparkId::from_raw(spark) {
        Some(spark) => host.send(spark, &payload_of(payload)),
        None => status::MISSING,
    };
    send_many(sparks: RSlice<'_, u64>, payload: &RawPayload<'_>) -> u64 |host|
        host.send_many(sparks.as_slice(), &payload_of(payload));
    broadcast(except: RSlice<'_, u64>, payload: &RawPayload<'_>) -> u64 |host|
        host.broadcast(except.as_slice(), &payload_of(payload));
    end(spark: u64, options: RSlice<'_, u8>) -> u32 |host| match SparkId::from_raw(spark) {
        Some(spark) => host.end(spark, options.as_slice()),
        None => status::MISSING,
    };
    spark_info(spark: u64, info: &mut RVec<u8>) -> u32 |host|
        match SparkId::from_raw(spark).and_then(|spark| host.spark_info(spark)) {
            Some(encoded) => {
                info.extend_from_copy_slice(&encoded);
                status::OK
            }
            None => status::MISSING,
        };
    find_spark(id: RStr<'_>) -> u64 |host| host.find_spark(id.as_str()).map_or(0, SparkId::raw);
    sparks(sparks: &mut RVec<u64>) |host| sparks.extend(host.sparks().into_iter().map(SparkId::raw));
    call_service(service: RStr<'_>, method: RStr<'_>, arguments: RSlice<'_, u8>, reply: &mut RVec<u8>) -> u32 |host| {
        let (status, bytes) = host.call_service(service.as_str(), method.as_str(), arguments.as_slice());
        reply.extend_from_copy_slice(&bytes);
        status
    };
    complete(token: u64, status: u32, reply: RSlice<'_, u8>) |host| host.complete(token, status, reply.as_slice());
    defer(spark: u64) -> u64 |host| SparkId::from_raw(spark).map_or(0, |spark| host.defer(spark));
    resume(spark: u64, token: u64, flow: u32) |host|
        if let Some(spark) = SparkId::from_raw(spark) {
            host.resume(spark, token, flow);
        };
    set_timer(timer: u64, after_ms: u64) |host| host.set_timer(timer, after_ms);
    clear_timer(timer: u64) |host| host.clear_timer(timer);
    count(counter: u32, by: u64) |host| host.count(counter, by);
    follows() -> u8 |host| u8::from(host.follows());
}

extern "C" fn log<H: HostFunctions>(
    object: Opaque,
    level: u8,
    target: RStr<'_>,
    message: RStr<'_>,
    fields: RSlice<'_, RawHeader<'_>>,
) {
    // SAFETY: the table is only reached through a handle that holds a reference.
    let host = unsafe { host::<H>(object) };
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|field| (field.name.as_str(), std::str::from_utf8(field.value.as_slice()).unwrap_or("(not UTF-8)")))
        .collect();
    host.log(level, target.as_str(), message.as_str(), &fields);
}

extern "C" fn panicked<H: HostFunctions>(object: Opaque, report: RStr<'_>) -> u8 {
    // SAFETY: the table is only reached through a handle that holds a reference.
    u8::from(unsafe { host::<H>(object) }.panicked(report.as_str()))
}

extern "C" fn adopt<H: HostFunctions>(
    object: Opaque,
    stream: i32,
    transport: RStr<'_>,
    request: &RawRequest<'_>,
    closure: RawClosure,
    call: AdoptedFn,
) {
    // SAFETY: the table is only reached through a handle that holds a reference.
    let host = unsafe { host::<H>(object) };
    // SAFETY: the caller hands over a descriptor that it owned.
    let stream = unsafe { OwnedFd::from_raw_fd(stream) };
    host.adopt(stream, transport.as_str(), request_of(request).into_owned(), Adopter::new(closure, call));
}

fn payload_of<'a>(raw: &RawPayload<'a>) -> Payload<'a> {
    let bytes = raw.bytes.as_slice().into();
    match raw.parser {
        0 => Payload::Value(bytes),
        parser => Payload::Wire { parser, kind: Kind::from_raw(raw.kind), bytes },
    }
}

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

    /// Reports a panic of a thread of the plugin's own; whether the host has logged it.
    pub(crate) fn panicked(&self, report: &str) -> bool {
        self.raw.table.panicked().is_some_and(|panicked| panicked(self.raw.object, RStr::from_str(report)) != 0)
    }

    pub(crate) fn follows(&self) -> bool {
        self.raw.table.follows().is_some_and(|follows| follows(self.raw.object) != 0)
    }

    pub(crate) fn adopt<F>(&self, stream: OwnedFd, transport: &str, request: &Request<'_>, done: F)
    where
        F: FnOnce(Result<SparkId, Refusal>) + Send + 'static,
    {
        let Some(adopt) = self.raw.table.adopt() else {
            return done(Err(Refusal::new("the host is too old to take a stream").with_status(501)));
        };
        let (closure, call) = adopted(done);
        with_raw(request, |request| {
            adopt(self.raw.object, stream.into_raw_fd(), RStr::from_str(transport), request, closure, call);
        });
    }
}

fn raw_ids(sparks: &[SparkId]) -> RSlice<'_, u64> {
    // SAFETY: `SparkId` is a transparent newtype of `NonZeroU64`, whose layout is that of `u64`.
    let raw = unsafe { std::slice::from_raw_parts(sparks.as_ptr().cast::<u64>(), sparks.len()) };
    RSlice::from_slice(raw)
}
