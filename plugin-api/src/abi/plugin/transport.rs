//! The author's [`Transport`] as functions.

use abi_stable::std_types::{RSlice, RStr, RVec};

use super::super::module::{RawSession, SessionTableRef};
use super::super::status;
use super::super::types::{Opaque, RawRequest};
use super::guard::guarded;
use super::object::{boxed, shared};
use super::reply::encode_into;
use super::request::request_of;
use crate::message::Kind;
use crate::transport::{Carries, Close, FrameClass, Out, Route, Transport};

/// How a [`Route`] crosses: the status of `route`.
pub(crate) mod routed {
    pub(crate) const PASS: u32 = 32;
    pub(crate) const OPEN: u32 = 33;
    pub(crate) const OPEN_BARE: u32 = 34;
    pub(crate) const SESSION: u32 = 35;
    pub(crate) const RESPOND: u32 = 36;
}

/// A transport with the table that its sessions share.
pub(super) struct SharedTransport<T> {
    pub(super) transport: T,
    pub(super) sessions: SessionTableRef,
}

pub(super) extern "C" fn route<T: Transport>(object: Opaque, request: &RawRequest<'_>, detail: &mut RVec<u8>) -> u32 {
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

/// How [`Carries`] crosses: what `carries` answers.
pub(crate) const CARRIES_EVERYTHING: u32 = 32;
pub(crate) const CARRIES_TEXT: u32 = 33;

pub(super) extern "C" fn carries<T: Transport>(object: Opaque, request: &RawRequest<'_>) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        match shared.transport.carries(&request_of(request)) {
            Carries::Everything => CARRIES_EVERYTHING,
            Carries::Text => CARRIES_TEXT,
        }
    })
}

pub(super) extern "C" fn open<T: Transport>(object: Opaque, request: &RawRequest<'_>, session: &mut RawSession) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        session.object = boxed(shared.transport.open(&request_of(request)));
        session.table = Some(shared.sessions);
        status::OK
    })
}

pub(super) extern "C" fn frame<T: Transport>(
    object: Opaque,
    class: u32,
    kind: u8,
    payload: RSlice<'_, u8>,
    out: &mut RVec<u8>,
) -> u32 {
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

pub(super) extern "C" fn last_words<T: Transport>(
    object: Opaque,
    class: u32,
    code: u16,
    reason: RStr<'_>,
    out: &mut RVec<u8>,
) -> u32 {
    guarded(|| {
        // SAFETY: as in `route`.
        let shared = unsafe { shared::<SharedTransport<T>>(object) };
        let class = std::num::NonZeroU32::new(class).map(FrameClass);
        shared.transport.last_words(class, &close_of(code, reason), &mut Out::new(out));
        status::OK
    })
}

/// How the host wants a session to be closed, as it crosses.
pub(super) fn close_of(code: u16, reason: RStr<'_>) -> Close {
    Close { code: (code != 0).then_some(code), reason: reason.as_str().to_owned() }
}

pub(super) extern "C" fn restore_session<T: Transport>(object: Opaque, state: RSlice<'_, u8>, session: &mut RawSession) -> u32 {
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
