//! The author's [`Session`] as a table of functions.

use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::std_types::{RSlice, RStr, RVec};

use super::super::module::{SessionTable, SessionTableRef};
use super::super::status;
use super::super::types::{EventSink, Opaque, RawRequest};
use super::guard::guarded;
use super::object::{exclusive, free, shared};
use super::request::request_of;
use super::transport::close_of;
use crate::message::Kind;
use crate::transport::{Carrier, Events, ExchangeId, Session, TimerId};

pub(super) fn session_table<S: Session>() -> SessionTableRef {
    SessionTable {
        request: session_request::<S>,
        receive: session_receive::<S>,
        send: session_send::<S>,
        timeout: session_timeout::<S>,
        close: session_close::<S>,
        disconnected: session_disconnected::<S>,
        save: session_save::<S>,
        free: free::<S>,
        succeed: session_succeed::<S>,
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
        session.close(&close_of(code, reason), &mut Events::new(sink));
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

extern "C" fn session_succeed<S: Session>(object: Opaque, word: RStr<'_>, sink: &mut EventSink) -> u32 {
    guarded(|| {
        // SAFETY: as in `session_request`.
        let session = unsafe { exclusive::<S>(object) };
        if session.succeed(word.as_str(), &mut Events::new(sink)) { status::OK } else { status::UNSUPPORTED }
    })
}
