//! The plugin's side of the boundary: an author's traits become tables of functions, and panics become answers.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};

use super::functions::HostHandle;
use super::module::{
    ConnectionFn, DisconnectionFn, InstanceTable, MessageFn, MiddlewareFn, ParserTable, PluginModule, PluginModuleRef,
    RawClosure, RawHost, RawInstance, RawRegistrar, RawSession, RequestFn, ServiceFn, SessionTable, SessionTableRef,
    TransportTable,
};
use super::status;
use super::types::{EventSink, Opaque, RawMessage, RawRequest};
use crate::host::Host;
use crate::message::{Flow, Kind, Message, Payload};
use crate::parser::Parser;
use crate::plugin::{Manifest, Plugin, Refusal, Registrar, ServiceReply, StartError};
use crate::request::{Request, Response};
use crate::runtime::{self, Answer, PluginRuntime};
use crate::spark::{Spark, SparkId};
use crate::transport::{
    Carrier, Close, DisconnectReason, Events, ExchangeId, FrameClass, Out, Route, Session, TimerId, Transport,
};
use crate::value::{self, DecodeError};

// ---- panics ---------------------------------------------------------------------------------------------------------------

thread_local! {
    /// The report of the last panic on this thread that was caught, or is going to be.
    static REPORT: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether a future of the plugin is polled: its panics are caught without a call of the host.
    static POLLING: Cell<bool> = const { Cell::new(false) };
}

/// The report of this thread's last panic.
pub(crate) fn panic_report() -> String {
    // A thread may come here when it ends, where there is nothing left to look at.
    let report = REPORT.try_with(|report| report.borrow_mut().take()).ok().flatten();
    report.unwrap_or_else(|| "a panic without a report".to_owned())
}

extern "C" fn take_panic(report: &mut RVec<u8>) {
    report.extend_from_copy_slice(panic_report().as_bytes());
}

/// Keeps panics that are caught for the host to report once, instead of printing them. Others, on the plugin's own threads or in
/// a test, are printed as ever.
fn install_panic_hook(host: &Host) {
    static INSTALLED: Once = Once::new();
    let calling = host.raw.calling();
    INSTALLED.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if calling() == 0 && !POLLING.get() {
                return former(info);
            }
            let report = format!("{info}\n{}", std::backtrace::Backtrace::force_capture());
            let before = REPORT.try_with(|last| last.borrow_mut().replace(report)).ok().flatten();
            if let Some(before) = before {
                // Nobody has taken the report before: likely a panic while one unwinds, which ends the process.
                eprintln!("{before}");
                former(info);
            }
        }));
    });
}

/// Runs `poll` of a future; a panic becomes its report.
pub(crate) fn polled<T>(poll: impl FnOnce() -> T) -> Result<T, String> {
    let outer = POLLING.replace(true);
    let result = caught(poll);
    POLLING.set(outer);
    result.map_err(|Caught| panic_report())
}

/// A panic that was caught.
struct Caught;

#[inline]
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Caught> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // Dropping a payload may panic again.
        std::mem::forget(payload);
        Caught
    })
}

/// Runs `call`; a panic becomes `otherwise`.
#[inline]
fn guard<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    caught(call).unwrap_or(otherwise)
}

#[inline]
fn guarded(call: impl FnOnce() -> u32) -> u32 {
    guard(status::PANICKED, call)
}

/// A message hook's answer when it panicked.
pub(crate) const FLOW_PANICKED: u32 = status::PANICKED + 16;

// ---- objects behind opaque pointers ---------------------------------------------------------------------------------------

fn boxed<T>(value: T) -> Opaque {
    Box::into_raw(Box::new(value)).cast()
}

/// The object behind a pointer made by [`boxed`].
///
/// # Safety
///
/// `object` came from `boxed::<T>` and was not freed; shared for the length of `'a`.
#[inline]
unsafe fn shared<'a, T>(object: Opaque) -> &'a T {
    // SAFETY: by the contract of this function.
    unsafe { &*object.cast::<T>() }
}

/// The same, alone.
///
/// # Safety
///
/// As [`shared`], and nothing else uses the object for the length of `'a`.
#[inline]
unsafe fn exclusive<'a, T>(object: Opaque) -> &'a mut T {
    // SAFETY: by the contract of this function.
    unsafe { &mut *object.cast::<T>() }
}

extern "C" fn free<T>(object: Opaque) -> u32 {
    guarded(|| {
        // SAFETY: the host frees an object once, and it came from `boxed::<T>`.
        drop(unsafe { Box::from_raw(object.cast::<T>()) });
        status::OK
    })
}

fn encode_into(reply: &mut RVec<u8>, value: &impl serde::Serialize) {
    let encoded = value::to_vec(value).unwrap_or_default();
    reply.extend_from_copy_slice(&encoded);
}

fn request_of<'a>(raw: &RawRequest<'a>) -> Request<'a> {
    Request {
        method: raw.method.as_str().into(),
        path: raw.path.as_str().into(),
        rest: raw.rest.as_str().into(),
        query: raw.query.as_str().into(),
        headers: raw
            .headers
            .as_slice()
            .iter()
            .map(|header| (header.name.as_str().into(), header.value.as_slice().into()))
            .collect(),
        body: raw.body.as_slice().into(),
        address: raw.address.as_str().into(),
        scheme: raw.scheme.as_str().into(),
        host: raw.host.as_str().into(),
    }
}

// ---- the module -----------------------------------------------------------------------------------------------------------

/// A started plugin with what it needs to register.
struct Instance<P> {
    plugin: Arc<P>,
    host: Host,
    runtime: PluginRuntime,
}

/// The root module of a plugin.
pub fn module<P: Plugin + ExportedVersion>() -> PluginModuleRef {
    PluginModule { manifest: manifest::<P>, start: start::<P>, take_panic }.leak_into_prefix()
}

pub use abi_stable::library::{LibHeader, RootModuleResult};

/// The header that a library exports, around the function that makes its root module.
pub const fn header(root: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: `root` comes from `export_plugin!` and makes a `PluginModuleRef`.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(root, abi_stable::library::CheckTypeLayout::Yes) }
}

/// What the function in the header answers.
pub fn root_module(make: fn() -> PluginModuleRef) -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(make)
}

/// The version of the crate that a plugin's type stands in. Implemented by [`crate::export_plugin`].
pub trait ExportedVersion {
    /// The crate's version.
    const VERSION: &'static str;
}

extern "C" fn manifest<P: Plugin + ExportedVersion>() -> RString {
    guard(RString::new(), || {
        let manifest = Manifest {
            name: P::NAME.to_owned(),
            version: P::VERSION.to_owned(),
            description: P::DESCRIPTION.to_owned(),
            api: env!("CARGO_PKG_VERSION").to_owned(),
            requires: P::REQUIRES.iter().map(|&name| name.to_owned()).collect(),
            config: schemars::schema_for!(P::Config).to_value(),
            unwinds: cfg!(panic = "unwind"),
        };
        serde_json::to_string(&manifest).unwrap_or_default().into()
    })
}

/// The configuration crosses as JSON text: so an error names the path of the key.
fn config<P: Plugin>(json: &[u8]) -> Result<P::Config, StartError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let message = error.inner().to_string();
        // Positions in the JSON text mean nothing to the author of plugins.toml.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        StartError { path, message }
    })
}

extern "C" fn start<P: Plugin>(
    host: RawHost,
    config_json: RSlice<'_, u8>,
    instance: &mut RawInstance,
    error: &mut RVec<u8>,
) -> u32 {
    let host = Host::new(HostHandle::new(host));
    install_panic_hook(&host);
    guarded(|| {
        crate::log::Forwarder::install(host.clone());
        match config::<P>(config_json.as_slice()).and_then(|config| P::start(config, host.clone())) {
            Ok(plugin) => {
                instance.object = boxed(Instance { plugin: Arc::new(plugin), host, runtime: PluginRuntime::default() });
                instance.table = Some(
                    InstanceTable {
                        register: register::<P>,
                        reconfigure: reconfigure::<P>,
                        save: save::<P>,
                        restore: restore::<P>,
                        timer: timer::<P>,
                        stop: stop::<P>,
                        free: free::<Instance<P>>,
                    }
                    .leak_into_prefix(),
                );
                status::OK
            }
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn register<P: Plugin>(object: Opaque, raw: RawRegistrar<'_>) -> u32 {
    guarded(|| {
        // SAFETY: the host hands back the object of `start` between `start` and `free`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        let mut registrar = Registrar { raw: RegistrarHandle::new(raw, &instance.runtime), host: &instance.host };
        instance.plugin.register(&mut registrar);
        status::OK
    })
}

extern "C" fn reconfigure<P: Plugin>(object: Opaque, config_json: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match config::<P>(config_json.as_slice()).and_then(|config| instance.plugin.reconfigure(config)) {
            Ok(true) => status::OK,
            Ok(false) => status::UNSUPPORTED,
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn save<P: Plugin>(object: Opaque, state: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match instance.plugin.save() {
            Some(saved) => {
                state.extend_from_copy_slice(&saved);
                status::OK
            }
            None => status::UNSUPPORTED,
        }
    })
}

extern "C" fn restore<P: Plugin>(object: Opaque, state: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        match instance.plugin.restore(state.as_slice()) {
            Ok(()) => status::OK,
            Err(refused) => {
                encode_into(error, &refused);
                status::FAILED
            }
        }
    })
}

extern "C" fn timer<P: Plugin>(object: Opaque, timer: u64) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        unsafe { shared::<Instance<P>>(object) }.plugin.timer(timer);
        status::OK
    })
}

extern "C" fn stop<P: Plugin>(object: Opaque) -> u32 {
    guarded(|| {
        // SAFETY: as in `register`.
        let instance = unsafe { shared::<Instance<P>>(object) };
        // Also where the plugin's own part of it panics.
        let stopped = guarded(|| {
            instance.plugin.stop();
            status::OK
        });
        instance.runtime.stop();
        stopped
    })
}

// ---- transports -----------------------------------------------------------------------------------------------------------

/// How a [`Route`] crosses: the status of `route`.
pub(crate) mod routed {
    pub(crate) const PASS: u32 = 32;
    pub(crate) const OPEN: u32 = 33;
    pub(crate) const OPEN_BARE: u32 = 34;
    pub(crate) const SESSION: u32 = 35;
    pub(crate) const RESPOND: u32 = 36;
}

/// A transport with the table that its sessions share.
struct SharedTransport<T> {
    transport: T,
    sessions: SessionTableRef,
}

extern "C" fn route<T: Transport>(object: Opaque, request: &RawRequest<'_>, detail: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: the host hands back the object that was registered with this table.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        match shared.transport.route(&request_of(request)) {
            Route::Pass => routed::PASS,
            Route::Open => routed::OPEN,
            Route::OpenBare => routed::OPEN_BARE,
            Route::Session(id) => {
                detail.extend_from_copy_slice(id.as_bytes());
                routed::SESSION
            }
            Route::Respond(response) => {
                encode_into(detail, &response);
                routed::RESPOND
            }
        }
    })
}

extern "C" fn open<T: Transport>(object: Opaque, request: &RawRequest<'_>, session: &mut RawSession) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        session.object = boxed(shared.transport.open(&request_of(request)));
        session.table = Some(shared.sessions);
        status::OK
    })
}

extern "C" fn frame<T: Transport>(object: Opaque, class: u32, kind: u8, payload: RSlice<'_, u8>, out: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        match std::num::NonZeroU32::new(class) {
            Some(class) => {
                let kind = Kind::from_raw(kind);
                shared.transport.frame(FrameClass(class), kind, payload.as_slice(), &mut Out::new(out));
                status::OK
            }
            None => status::UNSUPPORTED,
        }
    })
}

extern "C" fn restore_session<T: Transport>(object: Opaque, state: RSlice<'_, u8>, session: &mut RawSession) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        match shared.transport.restore(state.as_slice()) {
            Some(restored) => {
                session.object = boxed(restored);
                session.table = Some(shared.sessions);
                status::OK
            }
            None => status::UNSUPPORTED,
        }
    })
}

fn session_table<S: Session>() -> SessionTableRef {
    SessionTable {
        request: session_request::<S>,
        receive: session_receive::<S>,
        send: session_send::<S>,
        timeout: session_timeout::<S>,
        close: session_close::<S>,
        disconnected: session_disconnected::<S>,
        save: session_save::<S>,
        free: free::<S>,
    }
    .leak_into_prefix()
}

extern "C" fn session_request<S: Session>(
    object: Opaque,
    exchange: u64,
    request: &RawRequest<'_>,
    sink: &mut EventSink,
) -> u32 {
    guarded(|| {
        // SAFETY: one thread at a time uses a session, as the table's contract says; it came from `open`.
        let session = unsafe { exclusive::<S>(object) };
        session.request(ExchangeId(exchange), &request_of(request), &mut Events::new(sink));
        status::OK
    })
}

unsafe extern "C" fn session_receive<S: Session>(object: Opaque, input: *mut u8, len: usize, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        // SAFETY: the host lends `len` initialised bytes at `input` for the call, to nobody else.
        let input = unsafe { std::slice::from_raw_parts_mut(input, len) };
        session.receive(input, &mut Events::new(sink));
        status::OK
    })
}

extern "C" fn session_send<S: Session>(object: Opaque, kind: u8, payload: RSlice<'_, u8>, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        session.send(Kind::from_raw(kind), payload.as_slice(), &mut Events::new(sink));
        status::OK
    })
}

extern "C" fn session_timeout<S: Session>(object: Opaque, timer: u32, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        session.timeout(TimerId(timer), &mut Events::new(sink));
        status::OK
    })
}

extern "C" fn session_close<S: Session>(object: Opaque, code: u16, reason: RStr<'_>, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        let close = Close { code: (code != 0).then_some(code), reason: reason.as_str().to_owned() };
        session.close(&close, &mut Events::new(sink));
        status::OK
    })
}

extern "C" fn session_disconnected<S: Session>(object: Opaque, exchange: u64, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        let carrier = match exchange {
            u64::MAX => Carrier::Stream,
            exchange => Carrier::Exchange(ExchangeId(exchange)),
        };
        session.disconnected(carrier, &mut Events::new(sink));
        status::OK
    })
}

extern "C" fn session_save<S: Session>(object: Opaque, state: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { shared::<S>(object) };
        match session.save() {
            Some(saved) => {
                state.extend_from_copy_slice(&saved);
                status::OK
            }
            None => status::UNSUPPORTED,
        }
    })
}

// ---- parsers --------------------------------------------------------------------------------------------------------------

extern "C" fn decode<P: Parser>(object: Opaque, kind: u8, wire: RSlice<'_, u8>, value: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: the host hands back the object that was registered with this table.
        let parser = unsafe { shared::<P>(object) };
        let mut bytes = Vec::new();
        match parser.decode(Kind::from_raw(kind), wire.as_slice(), &mut bytes) {
            Ok(()) => {
                give(value, bytes);
                status::OK
            }
            Err(error) => {
                value.extend_from_copy_slice(error.to_string().as_bytes());
                status::FAILED
            }
        }
    })
}

extern "C" fn encode<P: Parser>(object: Opaque, value: RSlice<'_, u8>, kind: &mut u8, wire: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `decode`.
        let parser = unsafe { shared::<P>(object) };
        let mut bytes = Vec::new();
        match parser.encode(value.as_slice(), &mut bytes) {
            Ok(Some(of)) => {
                *kind = of as u8;
                give(wire, bytes);
                status::OK
            }
            Ok(None) => status::MISSING,
            Err(error) => {
                wire.extend_from_copy_slice(error.to_string().as_bytes());
                status::FAILED
            }
        }
    })
}

/// Moves bytes into an empty buffer of the host, or appends them.
fn give(buffer: &mut RVec<u8>, bytes: Vec<u8>) {
    if buffer.is_empty() {
        *buffer = RVec::from(bytes);
    } else {
        buffer.extend_from_copy_slice(&bytes);
    }
}

extern "C" fn decode_string<P: Parser>(
    object: Opaque,
    kind: u8,
    wire: RSlice<'_, u8>,
    prefix: RStr<'_>,
    text: &mut RVec<u8>,
) -> u32 {
    guarded(|| {
        // SAFETY: as in `decode`.
        let parser = unsafe { shared::<P>(object) };
        match parser.decode_string(Kind::from_raw(kind), wire.as_slice(), prefix.as_str()) {
            Some(string) => {
                text.extend_from_copy_slice(string.as_bytes());
                status::OK
            }
            None => status::MISSING,
        }
    })
}

// ---- messages -------------------------------------------------------------------------------------------------------------

/// The host's message, borrowed for a hook's call.
pub(crate) struct MessageRef<'a> {
    raw: &'a mut RawMessage,
}

impl MessageRef<'_> {
    pub(crate) fn encoded(&mut self) -> Result<&[u8], DecodeError> {
        if self.raw.value.is_null() {
            let decode = self.raw.decode;
            // SAFETY: `decode` is the host's function for this very message, called on the thread that the hook runs on.
            let status = unsafe { decode(self.raw) };
            if status != status::OK {
                return Err(DecodeError::parser("the parser refuses the message"));
            }
        }
        // SAFETY: the host keeps `value_len` bytes there until `replace` or the end of the hook's call; both need `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(self.raw.value, self.raw.value_len) })
    }

    pub(crate) fn wire(&self) -> Option<(Kind, &[u8])> {
        if self.raw.has_wire == 0 {
            return None;
        }
        // SAFETY: with `has_wire` the host lends `wire_len` bytes for the call.
        let bytes = unsafe { std::slice::from_raw_parts(self.raw.wire, self.raw.wire_len) };
        Some((Kind::from_raw(self.raw.kind), bytes))
    }

    pub(crate) fn replace(&mut self, encoded: &[u8]) {
        let replace = self.raw.replace;
        // SAFETY: as `decode`; the host copies the bytes.
        unsafe { replace(self.raw, encoded.as_ptr(), encoded.len()) };
    }

    #[inline]
    pub(crate) fn payload(&mut self) -> Result<Payload<'_>, DecodeError> {
        if self.raw.has_wire == 0 {
            return Ok(Payload::Value(self.encoded()?.into()));
        }
        let parser = self.raw.parser;
        let (kind, bytes) = self.wire().expect("has_wire was just checked");
        Ok(Payload::Wire { parser, kind, bytes: bytes.into() })
    }

    pub(crate) fn set_deferred(&mut self, token: u64) {
        self.raw.deferred = token;
    }
}

/// A closure with the host that its sparks refer to.
struct Hooked<F> {
    host: Host,
    hook: F,
}

extern "C" fn message_hook<F>(object: Opaque, spark: u64, message: &mut RawMessage) -> u32
where
    F: Fn(Spark<'_>, &mut Message<'_>) -> Flow + Send + Sync + 'static,
{
    guard(FLOW_PANICKED, || {
        // SAFETY: the host hands back the closure's object until it frees it.
        let hooked = unsafe { shared::<Hooked<F>>(object) };
        let Some(id) = SparkId::from_raw(spark) else { return Flow::Next as u32 };
        (hooked.hook)(Spark::new(id, &hooked.host), &mut Message { raw: MessageRef { raw: message } }) as u32
    })
}

// ---- the registrar --------------------------------------------------------------------------------------------------------

/// The host's registrar, as the safe [`Registrar`] uses it.
pub struct RegistrarHandle<'a> {
    raw: RawRegistrar<'a>,
    runtime: &'a PluginRuntime,
}

fn closure<T: Send + Sync + 'static>(value: T) -> RawClosure {
    RawClosure { object: boxed(value), free: free::<T> }
}

/// A closure whose futures may wait.
struct Waiting<F> {
    host: Host,
    runtime: tokio::runtime::Handle,
    start: F,
}

impl<F> Waiting<F> {
    fn answer<W>(&self, token: u64, future: W, reply: &mut RVec<u8>) -> u32
    where
        W: Future<Output = Answer> + Send + 'static,
    {
        match runtime::answer(&self.runtime, &self.host, token, future) {
            Some((status, bytes)) => {
                reply.extend_from_copy_slice(&bytes);
                status
            }
            None => status::PENDING,
        }
    }
}

fn refusal_answer(result: Result<(), Refusal>) -> Answer {
    match result {
        Ok(()) => (status::OK, Vec::new()),
        Err(refusal) => (status::FAILED, value::to_vec(&refusal).unwrap_or_default()),
    }
}

fn reason_of(encoded: &[u8]) -> DisconnectReason {
    value::decode(encoded).unwrap_or(DisconnectReason::Lost)
}

impl<'a> RegistrarHandle<'a> {
    pub(crate) fn new(raw: RawRegistrar<'a>, runtime: &'a PluginRuntime) -> Self {
        Self { raw, runtime }
    }

    pub(crate) fn transport<T: Transport>(&self, priority: i32, transport: T) {
        let name = transport.name().to_owned();
        let table = TransportTable {
            route: route::<T>,
            open: open::<T>,
            frame: frame::<T>,
            free: free::<SharedTransport<T>>,
            restore: restore_session::<T>,
        }
        .leak_into_prefix();
        let object = boxed(SharedTransport { transport, sessions: session_table::<T::Session>() });
        (self.raw.table.transport())(self.raw.object, name.as_str().into(), priority, object, table);
    }

    pub(crate) fn parser<P: Parser>(&self, parser: P) {
        let name = parser.name().to_owned();
        let lead = parser.string_lead().0;
        let table =
            ParserTable { decode: decode::<P>, encode: encode::<P>, decode_string: decode_string::<P>, free: free::<P> }
                .leak_into_prefix();
        (self.raw.table.parser())(self.raw.object, name.as_str().into(), &lead, boxed(parser), table);
    }

    pub(crate) fn incoming<F>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(Spark<'_>, &mut Message<'_>) -> Flow + Send + Sync + 'static,
    {
        let closure = closure(Hooked { host: host.clone(), hook });
        (self.raw.table.incoming())(self.raw.object, priority, closure, MessageFn { call: message_hook::<F> });
    }

    pub(crate) fn outgoing<F>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(Spark<'_>, &mut Message<'_>) -> Flow + Send + Sync + 'static,
    {
        let closure = closure(Hooked { host: host.clone(), hook });
        (self.raw.table.outgoing())(self.raw.object, priority, closure, MessageFn { call: message_hook::<F> });
    }

    pub(crate) fn connection<F>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(Spark<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    {
        extern "C" fn call<F>(object: Opaque, spark: u64, _token: u64, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(Spark<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
        {
            guarded(|| {
                // SAFETY: the host hands back the closure's object until it frees it.
                let hooked = unsafe { shared::<Hooked<F>>(object) };
                let Some(id) = SparkId::from_raw(spark) else { return status::OK };
                let (status, bytes) = refusal_answer((hooked.hook)(Spark::new(id, &hooked.host)));
                reply.extend_from_copy_slice(&bytes);
                status
            })
        }
        let closure = closure(Hooked { host: host.clone(), hook });
        (self.raw.table.connection())(self.raw.object, priority, closure, ConnectionFn { call: call::<F> });
    }

    pub(crate) fn connection_async<F, W>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(SparkId, Host) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        extern "C" fn call<F, W>(object: Opaque, spark: u64, token: u64, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(SparkId, Host) -> W + Send + Sync + 'static,
            W: Future<Output = Result<(), Refusal>> + Send + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let waiting = unsafe { shared::<Waiting<F>>(object) };
                let Some(id) = SparkId::from_raw(spark) else { return status::OK };
                let future = (waiting.start)(id, waiting.host.clone());
                waiting.answer(token, async { refusal_answer(future.await) }, reply)
            })
        }
        let waiting = Waiting { host: host.clone(), runtime: self.runtime.handle(), start: hook };
        (self.raw.table.connection())(self.raw.object, priority, closure(waiting), ConnectionFn { call: call::<F, W> });
    }

    pub(crate) fn disconnection<F>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(Spark<'_>, &DisconnectReason) + Send + Sync + 'static,
    {
        extern "C" fn call<F>(object: Opaque, spark: u64, reason: RSlice<'_, u8>) -> u32
        where
            F: Fn(Spark<'_>, &DisconnectReason) + Send + Sync + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let hooked = unsafe { shared::<Hooked<F>>(object) };
                if let Some(id) = SparkId::from_raw(spark) {
                    (hooked.hook)(Spark::new(id, &hooked.host), &reason_of(reason.as_slice()));
                }
                status::OK
            })
        }
        let closure = closure(Hooked { host: host.clone(), hook });
        (self.raw.table.disconnection())(self.raw.object, priority, closure, DisconnectionFn { call: call::<F> });
    }

    pub(crate) fn authorizer<F, W>(&self, host: &Host, priority: i32, authorizer: F)
    where
        F: Fn(Request<'static>) -> W + Send + Sync + 'static,
        W: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        extern "C" fn call<F, W>(object: Opaque, request: &RawRequest<'_>, token: u64, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(Request<'static>) -> W + Send + Sync + 'static,
            W: Future<Output = Result<(), Refusal>> + Send + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let waiting = unsafe { shared::<Waiting<F>>(object) };
                let future = (waiting.start)(request_of(request).into_owned());
                waiting.answer(token, async { refusal_answer(future.await) }, reply)
            })
        }
        let waiting = Waiting { host: host.clone(), runtime: self.runtime.handle(), start: authorizer };
        (self.raw.table.authorizer())(self.raw.object, priority, closure(waiting), RequestFn { call: call::<F, W> });
    }

    pub(crate) fn middleware<F>(&self, priority: i32, middleware: F)
    where
        F: Fn(&Request<'_>) -> Option<Response> + Send + Sync + 'static,
    {
        extern "C" fn call<F>(object: Opaque, request: &RawRequest<'_>, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(&Request<'_>) -> Option<Response> + Send + Sync + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let middleware = unsafe { shared::<F>(object) };
                match middleware(&request_of(request)) {
                    Some(response) => {
                        encode_into(reply, &response);
                        status::OK
                    }
                    None => status::MISSING,
                }
            })
        }
        (self.raw.table.middleware())(self.raw.object, priority, closure(middleware), MiddlewareFn { call: call::<F> });
    }

    pub(crate) fn route<F, W>(&self, host: &Host, method: &str, path: &str, handler: F)
    where
        F: Fn(Request<'static>) -> W + Send + Sync + 'static,
        W: Future<Output = Response> + Send + 'static,
    {
        extern "C" fn call<F, W>(object: Opaque, request: &RawRequest<'_>, token: u64, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(Request<'static>) -> W + Send + Sync + 'static,
            W: Future<Output = Response> + Send + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let waiting = unsafe { shared::<Waiting<F>>(object) };
                let future = (waiting.start)(request_of(request).into_owned());
                let answer = async { (status::OK, value::to_vec(&future.await).unwrap_or_default()) };
                waiting.answer(token, answer, reply)
            })
        }
        let waiting = Waiting { host: host.clone(), runtime: self.runtime.handle(), start: handler };
        (self.raw.table.route())(
            self.raw.object,
            method.into(),
            path.into(),
            closure(waiting),
            RequestFn { call: call::<F, W> },
        );
    }

    pub(crate) fn service<F>(&self, name: &str, dispatch: F)
    where
        F: Fn(&str, &[u8]) -> ServiceReply + Send + Sync + 'static,
    {
        extern "C" fn call<F>(object: Opaque, method: RStr<'_>, arguments: RSlice<'_, u8>, reply: &mut RVec<u8>) -> u32
        where
            F: Fn(&str, &[u8]) -> ServiceReply + Send + Sync + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let dispatch = unsafe { shared::<F>(object) };
                match dispatch(method.as_str(), arguments.as_slice()) {
                    ServiceReply::Done(bytes) => {
                        give(reply, bytes);
                        status::OK
                    }
                    ServiceReply::Refused(bytes) => {
                        give(reply, bytes);
                        status::FAILED
                    }
                    ServiceReply::NoSuchMethod => status::MISSING,
                }
            })
        }
        (self.raw.table.service())(self.raw.object, name.into(), closure(dispatch), ServiceFn { call: call::<F> });
    }

    pub(crate) fn client_part(&self, kind: &str, name: &str, text: &str) {
        (self.raw.table.client_part())(self.raw.object, kind.into(), name.into(), text.into());
    }

    pub(crate) fn counter(&self, name: &str, description: &str) -> u32 {
        (self.raw.table.counter())(self.raw.object, name.into(), description.into())
    }
}
