//! The host's registrar, as the safe [`crate::Registrar`] uses it: closures become functions with captured state.

use std::future::Future;

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RVec};

use super::super::module::{
    ConnectionFn, DisconnectionFn, ErrorFn, MessageFn, MiddlewareFn, ParserTable, RawClosure, RawRegistrar, RequestFn,
    ServiceFn, TransportTable,
};
use super::super::status;
use super::super::types::{Opaque, RawMessage, RawRequest};
use super::guard::{FLOW_PANICKED, guard, guarded};
use super::message::MessageRef;
use super::object::{boxed, free, shared};
use super::parser::{decode, decode_string, encode};
use super::reply::{encode_into, give};
use super::request::request_of;
use super::session::session_table;
use super::transport::{SharedTransport, carries, frame, last_words, open, restore_session, route};
use crate::host::Host;
use crate::message::{Flow, Message};
use crate::parser::Parser;
use crate::plugin::{Refusal, ServiceReply};
use crate::request::{Request, Response};
use crate::runtime::{self, Answer, PluginRuntime};
use crate::spark::{Spark, SparkError, SparkId};
use crate::transport::{DisconnectReason, Transport};
use crate::value;

/// The host's registrar, as the safe [`crate::Registrar`] uses it.
pub struct RegistrarHandle<'a> {
    raw: RawRegistrar<'a>,
    runtime: &'a PluginRuntime,
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
            carries: carries::<T>,
            last_words: last_words::<T>,
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

    pub(crate) fn error<F>(&self, host: &Host, priority: i32, hook: F)
    where
        F: Fn(Spark<'_>, &SparkError) + Send + Sync + 'static,
    {
        extern "C" fn call<F>(object: Opaque, spark: u64, error: RSlice<'_, u8>) -> u32
        where
            F: Fn(Spark<'_>, &SparkError) + Send + Sync + 'static,
        {
            guarded(|| {
                // SAFETY: as in `connection`.
                let hooked = unsafe { shared::<Hooked<F>>(object) };
                // One of a later host is of a kind that this plugin doesn't know.
                if let (Some(id), Ok(error)) = (SparkId::from_raw(spark), value::decode(error.as_slice())) {
                    (hooked.hook)(Spark::new(id, &hooked.host), &error);
                }
                status::OK
            })
        }
        // An older host tells of no errors.
        if let Some(error) = self.raw.table.error() {
            let closure = closure(Hooked { host: host.clone(), hook });
            error(self.raw.object, priority, closure, ErrorFn { call: call::<F> });
        }
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

    /// Whether the host listens for plugins: older ones don't.
    pub(crate) fn listen(&self, transport: &str, address: &str, target: &str) -> bool {
        let listen = self.raw.table.listen();
        listen.inspect(|listen| listen(self.raw.object, transport.into(), address.into(), target.into())).is_some()
    }
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
