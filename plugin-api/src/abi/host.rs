//! The host's side of the boundary: safe handles to a plugin and to what it registered.
//!
//! Every handle keeps its generation alive, so that no function pointer outlives the library it points into.

use std::any::Any;
use std::cell::Cell;
use std::sync::Arc;

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RVec};

use super::module::{
    ConnectionFn, DisconnectionFn, InstanceTableRef, MessageFn, MiddlewareFn, ParserTableRef, PluginModuleRef, RawClosure,
    RawHost, RawInstance, RawRegistrar, RawSession, RegistrarTable, RegistrarTableRef, RequestFn, ServiceFn, SessionTableRef,
    TransportTableRef,
};
use super::plugin::{FLOW_PANICKED, routed};
use super::status;
use super::types::{EventSink, Opaque, RawHeader, RawMessage, RawRequest, RawResponse};
use crate::message::{Flow, Kind, Payload};
use crate::parser::ByteSet;
use crate::plugin::{Manifest, Refusal, StartError};
use crate::request::{Request, Response};
use crate::spark::SparkId;
use crate::transport::{Carrier, DisconnectReason, FrameClass, Route};
use crate::value;

/// A plugin panicked in a call; caught on its side, the report taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugin panicked: {report}")]
pub struct Fault {
    /// Message, place and backtrace.
    pub report: String,
}

thread_local! {
    /// How many calls into plugins this thread is in.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Calls into a plugin. A call never unwinds: the plugin catches its panics, and what escapes it aborts.
///
/// The count is kept on this side because a thread-local costs next to nothing in an executable, and more than the whole call in
/// a library.
#[inline]
fn enter<T>(call: impl FnOnce() -> T) -> T {
    CALLS.set(CALLS.get() + 1);
    let result = call();
    CALLS.set(CALLS.get() - 1);
    result
}

/// Whether this thread is in a call into a plugin, for `HostTable::calling`.
pub(crate) extern "C" fn calling() -> u8 {
    u8::from(CALLS.get() > 0)
}

/// What keeps a generation's library and bookkeeping alive.
pub type Keep = Arc<dyn Any + Send + Sync>;

/// A generation as handles refer to it.
struct Owner {
    module: PluginModuleRef,
    /// Dropped last.
    _keep: Keep,
}

// SAFETY: the module is a table of functions; those that are `[any]` may be called by any thread.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Owner {
    fn fault(&self) -> Fault {
        let mut report = RVec::new();
        (self.module.take_panic())(&mut report);
        Fault { report: String::from_utf8_lossy(&report).into_owned() }
    }

    /// Calls into the plugin; a panic is taken out of the status.
    #[inline]
    fn call(&self, call: impl FnOnce() -> u32) -> Result<u32, Fault> {
        let status = enter(call);
        if status == status::PANICKED { Err(self.fault()) } else { Ok(status) }
    }

    /// Frees an object of the plugin. Its panic has nobody to go to but the log.
    fn free(&self, free: impl FnOnce() -> u32) {
        if let Err(fault) = self.call(free) {
            tracing::error!(report = fault.report, "a plugin panicked while it freed an object");
        }
    }
}

/// A loaded and checked root module.
pub struct Module {
    owner: Arc<Owner>,
}

impl Module {
    /// Over a root module whose layout was checked. `keep` holds its library.
    pub fn new(module: PluginModuleRef, keep: Keep) -> Self {
        Self { owner: Arc::new(Owner { module, _keep: keep }) }
    }

    /// The manifest.
    ///
    /// # Errors
    ///
    /// The plugin's answer is no manifest, or it panicked.
    pub fn manifest(&self) -> Result<Manifest, serde_json::Error> {
        let manifest = enter(|| (self.owner.module.manifest())());
        if manifest.is_empty() {
            return Err(serde::de::Error::custom(self.owner.fault()));
        }
        serde_json::from_str(&manifest)
    }

    /// What `declare` registers, as a plugin of this module would.
    pub(crate) fn collect(&self, declare: impl FnOnce(RawRegistrar<'_>)) -> Registrations {
        collect(&self.owner, declare).1
    }

    /// Starts an instance. `config` is JSON text. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses, or panicked.
    pub fn start(&self, host: RawHost, config: &str) -> Result<Instance, StartFailure> {
        let mut raw = RawInstance { object: std::ptr::null_mut(), table: None };
        let mut error = RVec::new();
        let config = RSlice::from_slice(config.as_bytes());
        let status = self.owner.call(|| (self.owner.module.start())(host, config, &mut raw, &mut error))?;
        match (status, raw.table) {
            (status::OK, Some(table)) => Ok(Instance { owner: Arc::clone(&self.owner), object: raw.object, table }),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }
}

fn decoded_error(encoded: &[u8]) -> StartError {
    value::decode(encoded).unwrap_or_else(|_| StartError::new("the plugin gave no reason"))
}

/// A plugin does not start, or does not take what it was handed.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// It says why.
    #[error(transparent)]
    Refused(#[from] StartError),
    /// It panicked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A started plugin. Dropped after `stop`: frees the plugin's object.
pub struct Instance {
    owner: Arc<Owner>,
    object: Opaque,
    table: InstanceTableRef,
}

// SAFETY: `Plugin` is Send + Sync; the control thread alone calls the functions, which may move.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// What the plugin brings. `[control]`, once.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn register(&self) -> Result<Registrations, Fault> {
        let (status, registrations) = collect(&self.owner, |raw| self.owner.call(|| (self.table.register())(self.object, raw)));
        status?;
        Ok(registrations)
    }

    /// Hands over a changed configuration (JSON text). `false`: a new generation is wanted. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses it, or panicked.
    pub fn reconfigure(&self, config: &str) -> Result<bool, StartFailure> {
        let mut error = RVec::new();
        let status =
            self.owner.call(|| (self.table.reconfigure())(self.object, RSlice::from_slice(config.as_bytes()), &mut error));
        match status? {
            status::OK => Ok(true),
            status::UNSUPPORTED => Ok(false),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }

    /// The state for the next generation. `[control]`
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn save(&self) -> Result<Option<Vec<u8>>, Fault> {
        let mut state = RVec::new();
        let status = self.owner.call(|| (self.table.save())(self.object, &mut state))?;
        Ok((status == status::OK).then(|| state.into_vec()))
    }

    /// Hands over the former generation's state. `[control]`
    ///
    /// # Errors
    ///
    /// The plugin refuses it, or panicked.
    pub fn restore(&self, state: &[u8]) -> Result<(), StartFailure> {
        let mut error = RVec::new();
        let status = self.owner.call(|| (self.table.restore())(self.object, RSlice::from_slice(state), &mut error))?;
        match status {
            status::OK => Ok(()),
            _ => Err(StartFailure::Refused(decoded_error(&error))),
        }
    }

    /// A timer of the plugin has come. `[control]`
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn timer(&self, timer: u64) -> Result<(), Fault> {
        self.owner.call(|| (self.table.timer())(self.object, timer)).map(drop)
    }

    /// Ends the plugin's work. `[control]`, once, before the drop.
    ///
    /// # Errors
    ///
    /// It panicked.
    pub fn stop(&self) -> Result<(), Fault> {
        self.owner.call(|| (self.table.stop())(self.object)).map(drop)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}

// ---- what a plugin brings -------------------------------------------------------------------------------------------------

/// All that a plugin has declared.
#[derive(Default)]
pub struct Registrations {
    /// Transports by name and priority.
    pub transports: Vec<(i32, Arc<TransportHandle>)>,
    /// Parsers.
    pub parsers: Vec<Arc<ParserHandle>>,
    /// Hooks on messages from clients.
    pub incoming: Vec<(i32, MessageHook)>,
    /// Hooks on messages to clients.
    pub outgoing: Vec<(i32, MessageHook)>,
    /// Hooks on new sparks.
    pub connection: Vec<(i32, ConnectionHook)>,
    /// Hooks on ended sparks.
    pub disconnection: Vec<(i32, DisconnectionHook)>,
    /// Authorizers.
    pub authorizers: Vec<(i32, RequestHook)>,
    /// Middleware.
    pub middleware: Vec<(i32, Middleware)>,
    /// Routes: method, pattern, handler.
    pub routes: Vec<(String, String, RequestHook)>,
    /// Services by name.
    pub services: Vec<(String, Service)>,
    /// Parts of the client: kind, name, text.
    pub client_parts: Vec<(String, String, String)>,
    /// Counters: name and description; the index is the counter's number.
    pub counters: Vec<(String, String)>,
}

/// The state behind a [`RawRegistrar`].
struct Collecting {
    owner: Arc<Owner>,
    registrations: Registrations,
}

/// Lends a registrar to `declare` and gathers what is registered.
fn collect<T>(owner: &Arc<Owner>, declare: impl FnOnce(RawRegistrar<'_>) -> T) -> (T, Registrations) {
    let mut collecting = Collecting { owner: Arc::clone(owner), registrations: Registrations::default() };
    let raw = RawRegistrar { object: (&raw mut collecting).cast(), table: registrar_table(), call: &() };
    let result = declare(raw);
    (result, collecting.registrations)
}

/// The state behind the pointer that a registrar's function was handed.
///
/// # Safety
///
/// `object` is the pointer of [`Instance::register`], during its call.
unsafe fn collecting<'a>(object: Opaque) -> &'a mut Collecting {
    // SAFETY: `register` runs on one thread and its `Collecting` outlives the call.
    unsafe { &mut *object.cast::<Collecting>() }
}

macro_rules! collect {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? |$state:ident| $body:expr;)*) => {$(
        extern "C" fn $name(object: Opaque, $($argument: $type),*) $(-> $result)? {
            // SAFETY: only reached through the registrar that `Instance::register` lends.
            let $state = unsafe { collecting(object) };
            $body
        }
    )*};
}

collect! {
    transport(name: RStr<'_>, priority: i32, object_of: Opaque, table: TransportTableRef) |state| {
        let handle = TransportHandle { owner: Arc::clone(&state.owner), name: name.as_str().to_owned(), object: object_of, table };
        state.registrations.transports.push((priority, Arc::new(handle)));
    };
    parser(name: RStr<'_>, lead: &[u64; 4], object_of: Opaque, table: ParserTableRef) |state| {
        let handle = ParserHandle {
            owner: Arc::clone(&state.owner),
            name: name.as_str().to_owned(),
            lead: ByteSet(*lead),
            object: object_of,
            table,
        };
        state.registrations.parsers.push(Arc::new(handle));
    };
    incoming(
        priority: i32,
        closure: RawClosure,
        call: MessageFn,
    ) |state| state.registrations.incoming.push((priority, MessageHook { closure: Closure::new(state, closure), call }));
    outgoing(
        priority: i32,
        closure: RawClosure,
        call: MessageFn,
    ) |state| state.registrations.outgoing.push((priority, MessageHook { closure: Closure::new(state, closure), call }));
    connection(
        priority: i32,
        closure: RawClosure,
        call: ConnectionFn,
    ) |state| state.registrations.connection.push((priority, ConnectionHook { closure: Closure::new(state, closure), call }));
    disconnection(
        priority: i32,
        closure: RawClosure,
        call: DisconnectionFn,
    ) |state| {
        let hook = DisconnectionHook { closure: Closure::new(state, closure), call };
        state.registrations.disconnection.push((priority, hook));
    };
    authorizer(
        priority: i32,
        closure: RawClosure,
        call: RequestFn,
    ) |state| state.registrations.authorizers.push((priority, RequestHook { closure: Closure::new(state, closure), call }));
    middleware(
        priority: i32,
        closure: RawClosure,
        call: MiddlewareFn,
    ) |state| state.registrations.middleware.push((priority, Middleware { closure: Closure::new(state, closure), call }));
    route(
        method: RStr<'_>,
        path: RStr<'_>,
        closure: RawClosure,
        call: RequestFn,
    ) |state| {
        let hook = RequestHook { closure: Closure::new(state, closure), call };
        state.registrations.routes.push((method.as_str().to_owned(), path.as_str().to_owned(), hook));
    };
    service(
        name: RStr<'_>,
        closure: RawClosure,
        call: ServiceFn,
    ) |state| {
        let service = Service { closure: Closure::new(state, closure), call };
        state.registrations.services.push((name.as_str().to_owned(), service));
    };
    client_part(kind: RStr<'_>, name: RStr<'_>, text: RStr<'_>) |state| {
        let part = (kind.as_str().to_owned(), name.as_str().to_owned(), text.as_str().to_owned());
        state.registrations.client_parts.push(part);
    };
    counter(name: RStr<'_>, description: RStr<'_>) -> u32 |state| {
        let counters = &mut state.registrations.counters;
        counters.push((name.as_str().to_owned(), description.as_str().to_owned()));
        counters.len() as u32 - 1
    };
}

fn registrar_table() -> RegistrarTableRef {
    static TABLE: std::sync::OnceLock<RegistrarTableRef> = std::sync::OnceLock::new();
    *TABLE.get_or_init(|| {
        RegistrarTable {
            transport,
            parser,
            incoming,
            outgoing,
            connection,
            disconnection,
            authorizer,
            middleware,
            route,
            service,
            client_part,
            counter,
        }
        .leak_into_prefix()
    })
}

/// A function's captured state, freed at the drop.
struct Closure {
    owner: Arc<Owner>,
    raw: RawClosure,
}

// SAFETY: the SDK only makes closures of Send + Sync types.
unsafe impl Send for Closure {}
// SAFETY: as above.
unsafe impl Sync for Closure {}

impl Closure {
    fn new(state: &Collecting, raw: RawClosure) -> Self {
        Self { owner: Arc::clone(&state.owner), raw }
    }
}

impl Drop for Closure {
    fn drop(&mut self) {
        self.owner.free(|| (self.raw.free)(self.raw.object));
    }
}

/// What a call that may wait has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It agrees; with the reply where there is one.
    Done(Vec<u8>),
    /// It refuses.
    Refused(Refusal),
    /// `complete` follows.
    Pending,
}

impl Answer {
    /// From what crosses the boundary, also through `complete`.
    pub fn of(status: u32, reply: &[u8]) -> Self {
        match status {
            status::OK => Self::Done(reply.to_vec()),
            status::PENDING => Self::Pending,
            status::PANICKED => Self::Refused(Refusal::new("a plugin failed").with_status(500)),
            _ => Self::Refused(
                value::decode(reply).unwrap_or_else(|_| Refusal::new("a plugin refused without a reason").with_status(500)),
            ),
        }
    }
}

/// A hook of messages.
pub struct MessageHook {
    closure: Closure,
    call: MessageFn,
}

/// A hook of new sparks.
pub struct ConnectionHook {
    closure: Closure,
    call: ConnectionFn,
}

impl ConnectionHook {
    /// `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, spark: SparkId, token: u64) -> Result<Answer, Fault> {
        let mut reply = RVec::new();
        let status = self.closure.owner.call(|| (self.call.call)(self.closure.raw.object, spark.raw(), token, &mut reply))?;
        Ok(Answer::of(status, &reply))
    }
}

/// A hook of ended sparks.
pub struct DisconnectionHook {
    closure: Closure,
    call: DisconnectionFn,
}

impl DisconnectionHook {
    /// `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, spark: SparkId, reason: &DisconnectReason) -> Result<(), Fault> {
        let reason = value::to_vec(reason).unwrap_or_default();
        let status =
            self.closure.owner.call(|| (self.call.call)(self.closure.raw.object, spark.raw(), RSlice::from_slice(&reason)));
        status.map(drop)
    }
}

/// An authorizer or a route's handler.
pub struct RequestHook {
    closure: Closure,
    call: RequestFn,
}

impl RequestHook {
    /// `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, request: &RawRequest<'_>, token: u64) -> Result<Answer, Fault> {
        let mut reply = RVec::new();
        let status = self.closure.owner.call(|| (self.call.call)(self.closure.raw.object, request, token, &mut reply))?;
        Ok(Answer::of(status, &reply))
    }
}

/// A middleware.
pub struct Middleware {
    closure: Closure,
    call: MiddlewareFn,
}

impl Middleware {
    /// The response that ends the request, if any. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, request: &RawRequest<'_>) -> Result<Option<Response>, Fault> {
        let mut reply = RVec::new();
        let status = self.closure.owner.call(|| (self.call.call)(self.closure.raw.object, request, &mut reply))?;
        match status {
            status::OK => Ok(value::decode(&reply).ok()),
            _ => Ok(None),
        }
    }
}

/// A service.
pub struct Service {
    closure: Closure,
    call: ServiceFn,
}

impl Service {
    /// Status and encoded reply. `[any]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, method: &str, arguments: &[u8]) -> Result<(u32, Vec<u8>), Fault> {
        let mut reply = RVec::new();
        let status = self
            .closure
            .owner
            .call(|| (self.call.call)(self.closure.raw.object, method.into(), RSlice::from_slice(arguments), &mut reply));
        status.map(|status| (status, reply.into_vec()))
    }
}

// ---- transports and sessions ----------------------------------------------------------------------------------------------

/// A transport.
pub struct TransportHandle {
    owner: Arc<Owner>,
    name: String,
    object: Opaque,
    table: TransportTableRef,
}

// SAFETY: `Transport` is Send + Sync.
unsafe impl Send for TransportHandle {}
// SAFETY: as above.
unsafe impl Sync for TransportHandle {}

impl TransportHandle {
    /// The transport's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose the request is. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn route(&self, request: &RawRequest<'_>) -> Result<Route, Fault> {
        let mut detail = RVec::new();
        let status = self.owner.call(|| (self.table.route())(self.object, request, &mut detail))?;
        Ok(match status {
            routed::OPEN => Route::Open,
            routed::OPEN_BARE => Route::OpenBare,
            routed::SESSION => Route::Session(String::from_utf8_lossy(&detail).into_owned()),
            routed::RESPOND => value::decode(&detail).map_or(Route::Pass, Route::Respond),
            _ => Route::Pass,
        })
    }

    /// Opens a session. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn open(self: &Arc<Self>, request: &RawRequest<'_>) -> Result<SessionHandle, Fault> {
        let mut raw = RawSession { object: std::ptr::null_mut(), table: None };
        let status = self.owner.call(|| (self.table.open())(self.object, request, &mut raw))?;
        self.session(status, raw)
    }

    /// Reopens a session from its saved state; `None` where the transport can't. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn restore(self: &Arc<Self>, state: &[u8]) -> Result<Option<SessionHandle>, Fault> {
        let mut raw = RawSession { object: std::ptr::null_mut(), table: None };
        let state = RSlice::from_slice(state);
        match self.owner.call(|| (self.table.restore())(self.object, state, &mut raw))? {
            status::UNSUPPORTED => Ok(None),
            status => self.session(status, raw).map(Some),
        }
    }

    fn session(self: &Arc<Self>, status: u32, raw: RawSession) -> Result<SessionHandle, Fault> {
        match (status, raw.table) {
            (status::OK, Some(table)) => Ok(SessionHandle { transport: Arc::clone(self), object: raw.object, table }),
            _ => Err(Fault { report: "the transport opened no session".to_owned() }),
        }
    }

    /// Appends a frame that all sessions of a class share. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked; nothing of use was appended.
    pub fn frame(&self, class: FrameClass, kind: Kind, payload: &[u8], out: &mut RVec<u8>) -> Result<(), Fault> {
        let status =
            self.owner.call(|| (self.table.frame())(self.object, class.0.get(), kind as u8, RSlice::from_slice(payload), out));
        status.map(drop)
    }
}

impl Drop for TransportHandle {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}

/// A session: 24 bytes. Freed at the drop.
pub struct SessionHandle {
    transport: Arc<TransportHandle>,
    object: Opaque,
    table: SessionTableRef,
}

// SAFETY: `Session` is Send, and every call takes the handle by exclusive reference.
unsafe impl Send for SessionHandle {}

impl SessionHandle {
    /// The transport that opened it.
    pub fn transport(&self) -> &Arc<TransportHandle> {
        &self.transport
    }

    #[inline]
    fn call(&self, call: impl FnOnce() -> u32) -> Result<(), Fault> {
        self.transport.owner.call(call).map(drop)
    }

    /// See [`crate::Session::request`].
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    pub fn request(&mut self, exchange: u64, request: &RawRequest<'_>, sink: &mut EventSink) -> Result<(), Fault> {
        self.call(|| (self.table.request())(self.object, exchange, request, sink))
    }

    /// See [`crate::Session::receive`]. Ranges of message events are into `input`.
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    #[inline]
    pub fn receive(&mut self, input: &mut [u8], sink: &mut EventSink) -> Result<(), Fault> {
        // SAFETY: the slice is initialised, lent for the call and to nobody else.
        self.call(|| unsafe { (self.table.receive())(self.object, input.as_mut_ptr(), input.len(), sink) })
    }

    /// See [`crate::Session::send`].
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    #[inline]
    pub fn send(&mut self, kind: Kind, payload: &[u8], sink: &mut EventSink) -> Result<(), Fault> {
        self.call(|| (self.table.send())(self.object, kind as u8, RSlice::from_slice(payload), sink))
    }

    /// See [`crate::Session::timeout`].
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    pub fn timeout(&mut self, timer: u32, sink: &mut EventSink) -> Result<(), Fault> {
        self.call(|| (self.table.timeout())(self.object, timer, sink))
    }

    /// See [`crate::Session::close`].
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    pub fn close(&mut self, code: Option<u16>, reason: &str, sink: &mut EventSink) -> Result<(), Fault> {
        self.call(|| (self.table.close())(self.object, code.unwrap_or(0), reason.into(), sink))
    }

    /// See [`crate::Session::disconnected`].
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    pub fn disconnected(&mut self, carrier: Carrier, sink: &mut EventSink) -> Result<(), Fault> {
        let exchange = match carrier {
            Carrier::Stream => u64::MAX,
            Carrier::Exchange(exchange) => exchange.0,
        };
        self.call(|| (self.table.disconnected())(self.object, exchange, sink))
    }

    /// See [`crate::Session::save`].
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn save(&self) -> Result<Option<Vec<u8>>, Fault> {
        let mut state = RVec::new();
        let status = self.transport.owner.call(|| (self.table.save())(self.object, &mut state))?;
        Ok((status == status::OK).then(|| state.into_vec()))
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.transport.owner.free(|| (self.table.free())(self.object));
    }
}

/// A response of a session's event, as the SDK's type.
pub fn response_of(raw: RawResponse) -> Response {
    Response {
        status: raw.status,
        headers: raw.headers.into_iter().map(|field| (field.name.into_string(), field.value.into_string())).collect(),
        body: raw.body.into_vec(),
    }
}

// ---- parsers and messages -------------------------------------------------------------------------------------------------

/// A parser.
pub struct ParserHandle {
    owner: Arc<Owner>,
    name: String,
    lead: ByteSet,
    object: Opaque,
    table: ParserTableRef,
}

// SAFETY: `Parser` is Send + Sync.
unsafe impl Send for ParserHandle {}
// SAFETY: as above.
unsafe impl Sync for ParserHandle {}

/// A parser did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParserFailure {
    /// It refuses the bytes or the value.
    #[error("{0}")]
    Refused(String),
    /// It panicked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl ParserHandle {
    /// The parser's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a message that begins with this byte may be a string.
    #[inline]
    pub fn may_be_string(&self, first: u8) -> bool {
        self.lead.contains(first)
    }

    /// Wire bytes to an encoded value. `[any]`
    ///
    /// # Errors
    ///
    /// The parser refuses or panicked.
    pub fn decode(&self, kind: Kind, wire: &[u8]) -> Result<Vec<u8>, ParserFailure> {
        let mut value = RVec::new();
        let status =
            self.owner.call(|| (self.table.decode())(self.object, kind as u8, RSlice::from_slice(wire), &mut value))?;
        match status {
            status::OK => Ok(value.into_vec()),
            _ => Err(ParserFailure::Refused(String::from_utf8_lossy(&value).into_owned())),
        }
    }

    /// An encoded value to wire bytes; `None`: such a value is not sent. `[any]`
    ///
    /// # Errors
    ///
    /// The parser refuses or panicked.
    pub fn encode(&self, value: &[u8]) -> Result<Option<(Kind, Vec<u8>)>, ParserFailure> {
        let mut wire = RVec::new();
        let mut kind = Kind::Text as u8;
        let status = self.owner.call(|| (self.table.encode())(self.object, RSlice::from_slice(value), &mut kind, &mut wire))?;
        match status {
            status::OK => Ok(Some((Kind::from_raw(kind), wire.into_vec()))),
            status::MISSING => Ok(None),
            _ => Err(ParserFailure::Refused(String::from_utf8_lossy(&wire).into_owned())),
        }
    }

    /// The string that a message is. `[any]`
    ///
    /// # Errors
    ///
    /// The parser panicked.
    pub fn decode_string(&self, kind: Kind, wire: &[u8], prefix: &str) -> Result<Option<String>, Fault> {
        let mut text = RVec::new();
        let status = self.owner.call(|| {
            (self.table.decode_string())(self.object, kind as u8, RSlice::from_slice(wire), prefix.into(), &mut text)
        })?;
        Ok((status == status::OK).then(|| String::from_utf8_lossy(&text).into_owned()))
    }
}

impl Drop for ParserHandle {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}

/// A message as the host leads it through the hooks.
pub struct HookMessage<'a> {
    state: MessageState<'a>,
    raw: RawMessage,
}

struct MessageState<'a> {
    parser: &'a ParserHandle,
    value: Vec<u8>,
    failure: Option<ParserFailure>,
    /// Ties `raw.wire` to the bytes.
    _wire: &'a [u8],
}

impl<'a> HookMessage<'a> {
    /// A message from the wire; `number` is the parser's host-wide number (from 1).
    #[inline]
    pub fn from_wire(kind: Kind, wire: &'a [u8], parser: &'a ParserHandle, number: u32) -> Self {
        Self {
            state: MessageState { parser, value: Vec::new(), failure: None, _wire: wire },
            raw: RawMessage {
                wire: wire.as_ptr(),
                wire_len: wire.len(),
                value: std::ptr::null(),
                value_len: 0,
                owner: std::ptr::null_mut(),
                decode: decode_message,
                replace: replace_message,
                parser: number,
                kind: kind as u8,
                has_wire: 1,
                deferred: 0,
            },
        }
    }

    /// A message that is on no wire yet.
    pub fn from_value(value: Vec<u8>, parser: &'a ParserHandle, number: u32) -> Self {
        let mut message = Self::from_wire(Kind::Text, &[], parser, number);
        message.raw.has_wire = 0;
        message.state.value = value;
        message.raw.value = message.state.value.as_ptr();
        message.raw.value_len = message.state.value.len();
        message
    }

    /// Leads it through one hook. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    #[inline]
    pub fn through(&mut self, hook: &MessageHook, spark: SparkId) -> Result<Flow, Fault> {
        self.raw.owner = (&raw mut self.state).cast();
        // A hook before this one may have asked for a token and then not deferred.
        self.raw.deferred = 0;
        match enter(|| (hook.call.call)(hook.closure.raw.object, spark.raw(), &mut self.raw)) {
            0 => Ok(Flow::Next),
            1 => Ok(Flow::Stop),
            2 => Ok(Flow::Defer),
            FLOW_PANICKED => Err(hook.closure.owner.fault()),
            _ => Ok(Flow::Next),
        }
    }

    /// What the parser had against it, where a hook asked for the value.
    pub fn failure(&mut self) -> Option<ParserFailure> {
        self.state.failure.take()
    }

    /// The token of the hook that deferred it.
    pub fn deferred(&self) -> u64 {
        self.raw.deferred
    }

    /// What is to be sent or kept of it: the wire bytes where they are unchanged, else the value.
    pub fn payload(&self) -> Payload<'_> {
        if self.raw.has_wire == 1 {
            Payload::Wire { parser: self.raw.parser, kind: Kind::from_raw(self.raw.kind), bytes: self.state._wire.into() }
        } else {
            Payload::Value(self.state.value.as_slice().into())
        }
    }
}

/// The host's `decode` of a [`RawMessage`].
///
/// # Safety
///
/// `raw` is the message that [`HookMessage::through`] lends, during its call, on its thread.
unsafe extern "C" fn decode_message(raw: *mut RawMessage) -> u32 {
    // SAFETY: by the contract of this function; the hook's own borrow is passed on to this call.
    let raw = unsafe { &mut *raw };
    // SAFETY: `through` has set it to the state beside `raw`, which nobody else uses during the hook's call.
    let state = unsafe { &mut *raw.owner.cast::<MessageState<'_>>() };
    if state.failure.is_some() {
        return status::FAILED;
    }
    // SAFETY: a message without a value has its wire bytes, which live as long as the state.
    let wire = unsafe { std::slice::from_raw_parts(raw.wire, raw.wire_len) };
    match state.parser.decode(Kind::from_raw(raw.kind), wire) {
        Ok(value) => {
            state.value = value;
            raw.value = state.value.as_ptr();
            raw.value_len = state.value.len();
            status::OK
        }
        Err(failure) => {
            state.failure = Some(failure);
            status::FAILED
        }
    }
}

/// The host's `replace` of a [`RawMessage`].
///
/// # Safety
///
/// As [`decode_message`]; `value` points to `len` bytes.
unsafe extern "C" fn replace_message(raw: *mut RawMessage, value: *const u8, len: usize) {
    // SAFETY: by the contract of this function.
    let raw = unsafe { &mut *raw };
    // SAFETY: as in `decode_message`.
    let state = unsafe { &mut *raw.owner.cast::<MessageState<'_>>() };
    // SAFETY: by the contract of this function.
    state.value = unsafe { std::slice::from_raw_parts(value, len) }.to_vec();
    raw.value = state.value.as_ptr();
    raw.value_len = len;
    raw.has_wire = 0;
}

/// Lends a request to a call.
pub fn with_raw<T>(request: &Request<'_>, call: impl FnOnce(&RawRequest<'_>) -> T) -> T {
    let headers: Vec<RawHeader<'_>> = request
        .headers
        .iter()
        .map(|(name, value)| RawHeader { name: RStr::from_str(name), value: RSlice::from_slice(value) })
        .collect();
    call(&RawRequest {
        method: RStr::from_str(&request.method),
        path: RStr::from_str(&request.path),
        rest: RStr::from_str(&request.rest),
        query: RStr::from_str(&request.query),
        headers: RSlice::from_slice(&headers),
        body: RSlice::from_slice(&request.body),
        address: RStr::from_str(&request.address),
        scheme: RStr::from_str(&request.scheme),
        host: RStr::from_str(&request.host),
        extensions: RSlice::EMPTY,
    })
}
