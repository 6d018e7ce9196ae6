//! A transport: whose a request is, new sessions, shared frames.

use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};

use super::super::module::{RawSession, TransportTableRef};
use super::super::plugin::{CARRIES_TEXT, routed};
use super::super::status;
use super::super::types::{Opaque, RawRequest};
use super::call::{Fault, Owner};
use super::session::SessionHandle;
use crate::message::Kind;
use crate::transport::{Carries, FrameClass, Route};
use crate::value;

/// A transport.
pub struct TransportHandle {
    pub(super) owner: Arc<Owner>,
    pub(super) name: String,
    pub(super) object: Opaque,
    pub(super) table: TransportTableRef,
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
            routed::SESSION => match String::from_utf8(detail.into_vec()) {
                Ok(id) => Route::Session(id),
                // Its SDK writes a text.
                Err(_) => Route::Pass,
            },
            routed::RESPOND => value::decode(&detail).map_or(Route::Pass, Route::Respond),
            _ => Route::Pass,
        })
    }

    /// What the session that a request opens can carry; a library from before the question carries everything. `[any]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn carries(&self, request: &RawRequest<'_>) -> Result<Carries, Fault> {
        let Some(carries) = self.table.carries() else { return Ok(Carries::Everything) };
        Ok(match self.owner.call(|| carries(self.object, request))? {
            CARRIES_TEXT => Carries::Text,
            _ => Carries::Everything,
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

    /// Appends what closes the stream carrier of a session that panicked, in place of the session; a library from before the
    /// question has nothing to say. `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked again; nothing of use was appended.
    pub fn last_words(&self, class: Option<FrameClass>, code: u16, reason: &str, out: &mut RVec<u8>) -> Result<(), Fault> {
        let Some(last_words) = self.table.last_words() else { return Ok(()) };
        let class = class.map_or(0, |class| class.0.get());
        self.owner.call(|| last_words(self.object, class, code, reason.into(), out)).map(drop)
    }
}

impl Drop for TransportHandle {
    fn drop(&mut self) {
        self.owner.free(|| (self.table.free())(self.object));
    }
}
