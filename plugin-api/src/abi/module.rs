//! The tables of functions: what a plugin's library exports and what the host hands to it. They grow at their end only.

use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RSlice, RStr, RString, RVec};
use abi_stable::{StableAbi, package_version_strings};

use super::types::{EventSink, Opaque, RawHeader, RawMessage, RawPayload, RawRequest};

/// What a plugin's library exports: the root module.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
#[sabi(missing_field(panic))]
pub struct PluginModule {
    /// The manifest as JSON ([`crate::Manifest`]). `[control]`, before `start`, may be called in a process of its own.
    pub manifest: extern "C" fn() -> RString,
    /// Starts an instance. `[control]`. The configuration is JSON text. The reference of `host` is handed over, whatever the
    /// answer is. OK: `instance` is set; FAILED: `error` has the encoded [`crate::StartError`].
    pub start: extern "C" fn(host: RawHost, config: RSlice<'_, u8>, instance: &mut RawInstance, error: &mut RVec<u8>) -> u32,
    /// Moves the report of the calling thread's last caught panic into `report`, as text. `[any]`.
    #[sabi(last_prefix_field)]
    pub take_panic: extern "C" fn(report: &mut RVec<u8>),
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "switchboard_plugin";
    const NAME: &'static str = "switchboard plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// A started plugin. Freed by `free` of its table, once, after `stop`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawInstance {
    /// The plugin's object; null when there is none.
    pub object: Opaque,
    /// Its functions; set together with `object`.
    pub table: Option<InstanceTableRef>,
}

/// The functions of a started plugin. All `[control]`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = InstanceTableRef)))]
#[sabi(missing_field(panic))]
pub struct InstanceTable {
    /// Declares what the plugin brings. Called once.
    pub register: extern "C" fn(Opaque, registrar: RawRegistrar<'_>) -> u32,
    /// Takes a changed configuration (JSON text). OK, UNSUPPORTED (make a new generation), FAILED with the encoded error.
    pub reconfigure: extern "C" fn(Opaque, config: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32,
    /// Hands the state over for the next generation. OK, UNSUPPORTED.
    pub save: extern "C" fn(Opaque, state: &mut RVec<u8>) -> u32,
    /// Takes the state of the former generation. OK, or FAILED with the encoded error: then this generation is not used.
    pub restore: extern "C" fn(Opaque, state: RSlice<'_, u8>, error: &mut RVec<u8>) -> u32,
    /// A timer that the plugin set through the host has come. `[control]`.
    pub timer: extern "C" fn(Opaque, timer: u64) -> u32,
    /// Ends the plugin's work and joins its threads. Called once; nothing but `free` is called after it.
    pub stop: extern "C" fn(Opaque) -> u32,
    /// Frees the object.
    #[sabi(last_prefix_field)]
    pub free: extern "C" fn(Opaque) -> u32,
    /// Another process serves in this one's place, and waits for what the plugin holds alone. Called at most once, before `stop`.
    #[sabi(missing_field(option))]
    pub followed: extern "C" fn(Opaque) -> u32,
}

/// A function of a plugin with its captured state. Freed once by the host.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawClosure {
    /// The captured state.
    pub object: Opaque,
    /// Frees it. `[any]`.
    pub free: extern "C" fn(Opaque) -> u32,
}

/// A transport. The object and its functions are used from all shards at once.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = TransportTableRef)))]
#[sabi(missing_field(panic))]
pub struct TransportTable {
    /// Decides whose a request is; the decision is written into `detail` (see [`super::plugin`]). `[shard]`.
    pub route: extern "C" fn(Opaque, request: &RawRequest<'_>, detail: &mut RVec<u8>) -> u32,
    /// Opens a session. `[shard]`.
    pub open: extern "C" fn(Opaque, request: &RawRequest<'_>, session: &mut RawSession) -> u32,
    /// Appends the frame of one message for all sessions of a class. `[shard]`.
    pub frame: extern "C" fn(Opaque, class: u32, kind: u8, payload: RSlice<'_, u8>, out: &mut RVec<u8>) -> u32,
    /// Frees the transport; no session of it is left. `[any]`.
    pub free: extern "C" fn(Opaque) -> u32,
    /// Reopens a session from what `SessionTable::save` gave, for a process hand-over. `[shard]`. UNSUPPORTED where it can't.
    #[sabi(last_prefix_field)]
    pub restore: extern "C" fn(Opaque, state: RSlice<'_, u8>, session: &mut RawSession) -> u32,
    /// What the session that a request opens can carry: `CARRIES_EVERYTHING` or `CARRIES_TEXT`. `[shard]` and
    /// `[control]`.
    #[sabi(missing_field(option))]
    pub carries: extern "C" fn(Opaque, request: &RawRequest<'_>) -> u32,
    /// Appends what closes the stream carrier of a session that panicked; `class` 0 means none, as does `code`. `[shard]`.
    #[sabi(missing_field(option))]
    pub last_words: extern "C" fn(Opaque, class: u32, code: u16, reason: RStr<'_>, out: &mut RVec<u8>) -> u32,
}

/// A session. Freed by `free` of its table.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawSession {
    /// The session's object; null when there is none.
    pub object: Opaque,
    /// Its functions; set together with `object`.
    pub table: Option<SessionTableRef>,
}

/// The functions of a session. All `[shard]`; none may call back into the host.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = SessionTableRef)))]
#[sabi(missing_field(panic))]
pub struct SessionTable {
    /// An HTTP exchange of this session.
    pub request: extern "C" fn(Opaque, exchange: u64, request: &RawRequest<'_>, sink: &mut EventSink) -> u32,
    /// Bytes of the stream carrier, to be worked on in place: `input` points to `len` bytes that live until the next call.
    pub receive: unsafe extern "C" fn(Opaque, input: *mut u8, len: usize, sink: &mut EventSink) -> u32,
    /// One message to the client.
    pub send: extern "C" fn(Opaque, kind: u8, payload: RSlice<'_, u8>, sink: &mut EventSink) -> u32,
    /// A timer that was set by an event has come.
    pub timeout: extern "C" fn(Opaque, timer: u32, sink: &mut EventSink) -> u32,
    /// The host closes the session; `code` 0 means none.
    pub close: extern "C" fn(Opaque, code: u16, reason: RStr<'_>, sink: &mut EventSink) -> u32,
    /// The carrier is gone: `exchange`, or `u64::MAX` for the stream carrier.
    pub disconnected: extern "C" fn(Opaque, exchange: u64, sink: &mut EventSink) -> u32,
    /// The session's state, for a process hand-over. UNSUPPORTED where it can't be saved.
    pub save: extern "C" fn(Opaque, state: &mut RVec<u8>) -> u32,
    /// Frees the session.
    #[sabi(last_prefix_field)]
    pub free: extern "C" fn(Opaque) -> u32,
    /// Another session takes the spark over; `word` is the client's. OK: what remains is told by events, and only `free` is
    /// called from now on. UNSUPPORTED: it goes on.
    #[sabi(missing_field(option))]
    pub succeed: extern "C" fn(Opaque, word: RStr<'_>, sink: &mut EventSink) -> u32,
}

/// A parser. Used from all shards at once.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ParserTableRef)))]
#[sabi(missing_field(panic))]
pub struct ParserTable {
    /// Wire bytes to an encoded value, appended to `value`. FAILED: `value` has the error's text instead. `[any]`.
    pub decode: extern "C" fn(Opaque, kind: u8, wire: RSlice<'_, u8>, value: &mut RVec<u8>) -> u32,
    /// An encoded value to wire bytes, appended to `wire`; `kind` is set. MISSING: this value is not sent at all. `[any]`.
    pub encode: extern "C" fn(Opaque, value: RSlice<'_, u8>, kind: &mut u8, wire: &mut RVec<u8>) -> u32,
    /// Whether the wire bytes are a string that begins with `prefix`, and which: OK and the UTF-8 bytes, or MISSING. `[any]`.
    pub decode_string: extern "C" fn(Opaque, kind: u8, wire: RSlice<'_, u8>, prefix: RStr<'_>, text: &mut RVec<u8>) -> u32,
    /// Frees the parser. `[any]`.
    #[sabi(last_prefix_field)]
    pub free: extern "C" fn(Opaque) -> u32,
}

/// Where a plugin declares what it brings. Lent by the host for `register`.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RawRegistrar<'a> {
    /// The host's state.
    pub object: Opaque,
    /// Its functions.
    pub table: RegistrarTableRef,
    /// Ties the registrar to the call.
    pub call: &'a (),
}

/// A hook of messages: `[shard]`; answers a [`crate::Flow`] as a number, or PANICKED + 16.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct MessageFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, spark: u64, message: &mut RawMessage) -> u32,
}

/// A hook of new sparks: `[shard]`; OK, PENDING, FAILED with the encoded [`crate::Refusal`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ConnectionFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, spark: u64, token: u64, reply: &mut RVec<u8>) -> u32,
}

/// A hook of ended sparks: `[shard]`; the reason is an encoded [`crate::DisconnectReason`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct DisconnectionFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, spark: u64, reason: RSlice<'_, u8>) -> u32,
}

/// A hook of errors at sparks: `[shard]`; the error is an encoded [`crate::SparkError`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ErrorFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, spark: u64, error: RSlice<'_, u8>) -> u32,
}

/// An authorizer or a route: `[shard]`; OK with the encoded reply, PENDING, FAILED with the encoded refusal.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct RequestFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, request: &RawRequest<'_>, token: u64, reply: &mut RVec<u8>) -> u32,
}

/// A middleware: `[shard]`; MISSING (go on), OK with an encoded [`crate::Response`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct MiddlewareFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, request: &RawRequest<'_>, reply: &mut RVec<u8>) -> u32,
}

/// A service: `[any]`; OK with the encoded reply, FAILED with the encoded reason, MISSING for an unknown method.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct ServiceFn {
    /// The function; the first argument is the object of its [`RawClosure`].
    pub call: extern "C" fn(Opaque, method: RStr<'_>, arguments: RSlice<'_, u8>, reply: &mut RVec<u8>) -> u32,
}

/// What became of an adopted stream: `[shard]`; its spark, or 0 and the encoded [`crate::Refusal`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct AdoptedFn {
    /// The function; the first argument is the object of its [`RawClosure`]. Called once at most.
    pub call: extern "C" fn(Opaque, spark: u64, refusal: RSlice<'_, u8>) -> u32,
}

/// The functions of the registrar. All `[control]`, only during `register`. The host copies strings.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RegistrarTableRef)))]
#[sabi(missing_field(panic))]
pub struct RegistrarTable {
    /// A transport.
    pub transport: extern "C" fn(Opaque, name: RStr<'_>, priority: i32, object: Opaque, table: TransportTableRef),
    /// A parser; `lead` has a bit for every first byte that an encoded string may have.
    pub parser: extern "C" fn(Opaque, name: RStr<'_>, lead: &[u64; 4], object: Opaque, table: ParserTableRef),
    /// A hook on messages from clients.
    pub incoming: extern "C" fn(Opaque, priority: i32, RawClosure, MessageFn),
    /// A hook on messages to clients.
    pub outgoing: extern "C" fn(Opaque, priority: i32, RawClosure, MessageFn),
    /// A hook on new sparks, which may wait. `[shard]`: OK, PENDING, FAILED (the spark is ended).
    pub connection: extern "C" fn(Opaque, priority: i32, RawClosure, ConnectionFn),
    /// A hook on sparks that ended. `[shard]`.
    pub disconnection: extern "C" fn(Opaque, priority: i32, RawClosure, DisconnectionFn),
    /// An authorizer, which may wait. `[shard]`: OK, PENDING, FAILED with the encoded refusal.
    pub authorizer: extern "C" fn(Opaque, priority: i32, RawClosure, RequestFn),
    /// A hook on every HTTP request. `[shard]`: MISSING (go on), OK with an encoded response.
    pub middleware: extern "C" fn(Opaque, priority: i32, RawClosure, MiddlewareFn),
    /// An HTTP route, which may wait. `[shard]`: OK with an encoded response, PENDING.
    pub route: extern "C" fn(Opaque, method: RStr<'_>, path: RStr<'_>, RawClosure, RequestFn),
    /// A service. `[any]`; `payload` may be null.
    pub service: extern "C" fn(Opaque, name: RStr<'_>, RawClosure, ServiceFn),
    /// A part of the client: kind is one of `library`, `extension`, `transport`, `parser`.
    pub client_part: extern "C" fn(Opaque, kind: RStr<'_>, name: RStr<'_>, text: RStr<'_>),
    /// A counter; the answer is its number for `HostTable::count`.
    #[sabi(last_prefix_field)]
    pub counter: extern "C" fn(Opaque, name: RStr<'_>, description: RStr<'_>) -> u32,
    /// An address (`ip:port`) to listen on: each connection becomes a session of the transport of that name, by a request for
    /// `target`.
    #[sabi(missing_field(option))]
    pub listen: extern "C" fn(Opaque, transport: RStr<'_>, address: RStr<'_>, target: RStr<'_>),
    /// A hook on what is wrong at sparks that go on. `[shard]`. Not of hosts of 1.0.0.
    #[sabi(missing_field(option))]
    pub error: extern "C" fn(Opaque, priority: i32, RawClosure, ErrorFn),
}

/// The host as a plugin sees it. Reference-counted: `retain` and `release`.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawHost {
    /// The host's state for this plugin.
    pub object: Opaque,
    /// Its functions.
    pub table: HostTableRef,
}

/// The functions of the host. All `[any]`, none blocks.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostTableRef)))]
#[sabi(missing_field(panic))]
pub struct HostTable {
    /// One more handle.
    pub retain: extern "C" fn(Opaque),
    /// One handle less.
    pub release: extern "C" fn(Opaque),
    /// A log record; `level` 1 (error) to 5 (trace); fields as name and text.
    pub log: extern "C" fn(Opaque, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RSlice<'_, RawHeader<'_>>),
    /// The most verbose level that is wanted: 0 (nothing) to 5.
    pub log_level: extern "C" fn(Opaque) -> u8,
    /// To one spark. OK, MISSING, FAILED (over its limit).
    pub send: extern "C" fn(Opaque, spark: u64, payload: &RawPayload<'_>) -> u32,
    /// To many sparks; the answer is how many of them are not known to be gone.
    pub send_many: extern "C" fn(Opaque, sparks: RSlice<'_, u64>, payload: &RawPayload<'_>) -> u64,
    /// To all sparks but some.
    pub broadcast: extern "C" fn(Opaque, except: RSlice<'_, u64>, payload: &RawPayload<'_>) -> u64,
    /// Ends a spark; `options` is an encoded [`crate::EndOptions`]. OK, MISSING.
    pub end: extern "C" fn(Opaque, spark: u64, options: RSlice<'_, u8>) -> u32,
    /// What is known of a spark: an encoded [`crate::SparkInfo`]. OK, MISSING.
    pub spark_info: extern "C" fn(Opaque, spark: u64, info: &mut RVec<u8>) -> u32,
    /// The spark with this public id, or 0.
    pub find_spark: extern "C" fn(Opaque, id: RStr<'_>) -> u64,
    /// All sparks.
    pub sparks: extern "C" fn(Opaque, sparks: &mut RVec<u64>),
    /// Calls a service. OK with the encoded reply, FAILED with the encoded error, MISSING, PANICKED. `each`: all services of
    /// that name are called, the first that does not answer MISSING gives the reply.
    pub call_service:
        extern "C" fn(Opaque, service: RStr<'_>, method: RStr<'_>, arguments: RSlice<'_, u8>, reply: &mut RVec<u8>) -> u32,
    /// The answer to a PENDING call: its status and its encoded reply, as the call itself would have answered; PANICKED with the
    /// report as text; MISSING with an encoded refusal where the plugin was stopped before it knew.
    pub complete: extern "C" fn(Opaque, token: u64, status: u32, reply: RSlice<'_, u8>),
    /// A number that a hook uses to defer the message that it looks at.
    pub defer: extern "C" fn(Opaque, spark: u64) -> u64,
    /// Goes on with a deferred message: `flow` as a hook's answer.
    pub resume: extern "C" fn(Opaque, spark: u64, token: u64, flow: u32),
    /// A timer of the plugin: fires `InstanceTable::timer` once, after at least `after_ms`.
    pub set_timer: extern "C" fn(Opaque, timer: u64, after_ms: u64),
    /// The timer is not to fire.
    pub clear_timer: extern "C" fn(Opaque, timer: u64),
    /// Adds to a counter.
    pub count: extern "C" fn(Opaque, counter: u32, by: u64),
    /// 1 while this thread is in a call of the host into a plugin, else 0: whether a panic is going to be caught.
    #[sabi(last_prefix_field)]
    pub calling: extern "C" fn() -> u8,
    /// Makes a connected stream socket that the plugin brought a session of the plugin's transport of that name. `request` is
    /// lent; `stream` (a file descriptor) and `closure` are handed over, whatever becomes of it. The answer comes through `call`,
    /// once; where the closure is freed without it, the host has ended.
    #[sabi(missing_field(option))]
    pub adopt:
        extern "C" fn(Opaque, stream: i32, transport: RStr<'_>, request: &RawRequest<'_>, closure: RawClosure, call: AdoptedFn),
    /// Reports a panic that no call of the host has come to: one on a thread of the plugin's own. `report` is text. 1: the host has
    /// logged it; 0: it is still to be printed.
    #[sabi(missing_field(option))]
    pub panicked: extern "C" fn(Opaque, report: RStr<'_>) -> u8,
    /// 1 in a process that follows another one which still serves: what only one process can have is still had by that; else 0.
    #[sabi(missing_field(option))]
    pub follows: extern "C" fn(Opaque) -> u8,
}
