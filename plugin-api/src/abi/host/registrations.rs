//! What a plugin brings: the host's registrar, and all that was declared on it.

use std::sync::Arc;

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::RStr;

use super::super::module::{
    ConnectionFn, DisconnectionFn, ErrorFn, MessageFn, MiddlewareFn, ParserTableRef, RawClosure, RawRegistrar, RegistrarTable,
    RegistrarTableRef, RequestFn, ServiceFn, TransportTableRef,
};
use super::super::types::Opaque;
use super::call::Owner;
use super::hooks::{Closure, ConnectionHook, DisconnectionHook, ErrorHook, MessageHook, Middleware, RequestHook, Service};
use super::parser::ParserHandle;
use super::transport::TransportHandle;
use crate::parser::ByteSet;

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
    /// Hooks on what is wrong at sparks.
    pub error: Vec<(i32, ErrorHook)>,
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
    /// Addresses to listen on.
    pub listens: Vec<Listen>,
}

/// An address that a plugin wants connections of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The transport whose sessions they become.
    pub transport: String,
    /// `ip:port`, as the plugin wrote it.
    pub address: String,
    /// The path and the query of the request that they come with.
    pub target: String,
}

/// The state behind a [`RawRegistrar`].
struct Collecting {
    owner: Arc<Owner>,
    registrations: Registrations,
}

/// Lends a registrar to `declare` and gathers what is registered.
pub(super) fn collect<T>(owner: &Arc<Owner>, declare: impl FnOnce(RawRegistrar<'_>) -> T) -> (T, Registrations) {
    let mut collecting = Collecting { owner: Arc::clone(owner), registrations: Registrations::default() };
    let raw = RawRegistrar { object: (&raw mut collecting).cast(), table: registrar_table(), call: &() };
    let result = declare(raw);
    (result, collecting.registrations)
}

/// The state behind the pointer that a registrar's function was handed.
///
/// # Safety
///
/// `object` is the pointer of [`super::Instance::register`], during its call.
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
        let handle = ParserHandle::new(&state.owner, name.as_str(), ByteSet(*lead), object_of, table);
        state.registrations.parsers.push(Arc::new(handle));
    };
    incoming(
        priority: i32,
        closure: RawClosure,
        call: MessageFn,
    ) |state| state.registrations.incoming.push((priority, MessageHook { closure: Closure::new(&state.owner, closure), call }));
    outgoing(
        priority: i32,
        closure: RawClosure,
        call: MessageFn,
    ) |state| state.registrations.outgoing.push((priority, MessageHook { closure: Closure::new(&state.owner, closure), call }));
    connection(
        priority: i32,
        closure: RawClosure,
        call: ConnectionFn,
    ) |state| state.registrations.connection.push((priority, ConnectionHook { closure: Closure::new(&state.owner, closure), call }));
    disconnection(
        priority: i32,
        closure: RawClosure,
        call: DisconnectionFn,
    ) |state| {
        let hook = DisconnectionHook { closure: Closure::new(&state.owner, closure), call };
        state.registrations.disconnection.push((priority, hook));
    };
    error(
        priority: i32,
        closure: RawClosure,
        call: ErrorFn,
    ) |state| state.registrations.error.push((priority, ErrorHook { closure: Closure::new(&state.owner, closure), call }));
    authorizer(
        priority: i32,
        closure: RawClosure,
        call: RequestFn,
    ) |state| state.registrations.authorizers.push((priority, RequestHook { closure: Closure::new(&state.owner, closure), call }));
    middleware(
        priority: i32,
        closure: RawClosure,
        call: MiddlewareFn,
    ) |state| state.registrations.middleware.push((priority, Middleware { closure: Closure::new(&state.owner, closure), call }));
    route(
        method: RStr<'_>,
        path: RStr<'_>,
        closure: RawClosure,
        call: RequestFn,
    ) |state| {
        let hook = RequestHook { closure: Closure::new(&state.owner, closure), call };
        state.registrations.routes.push((method.as_str().to_owned(), path.as_str().to_owned(), hook));
    };
    service(
        name: RStr<'_>,
        closure: RawClosure,
        call: ServiceFn,
    ) |state| {
        let service = Service { closure: Closure::new(&state.owner, closure), call };
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
    listen(transport: RStr<'_>, address: RStr<'_>, target: RStr<'_>) |state| {
        let [transport, address, target] = [transport, address, target].map(|text| text.as_str().to_owned());
        state.registrations.listens.push(Listen { transport, address, target });
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
            listen,
            error,
        }
        .leak_into_prefix()
    })
}
