//! A session: one client's protocol state, called with what came in and what is to go out.

use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};

use super::super::module::SessionTableRef;
use super::super::status;
use super::super::types::{EventSink, Opaque, RawRequest, RawResponse};
use super::call::Fault;
use super::transport::TransportHandle;
use crate::message::Kind;
use crate::request::Response;
use crate::transport::Carrier;

/// A session: 24 bytes. Freed at the drop.
pub struct SessionHandle {
    pub(super) transport: Arc<TransportHandle>,
    pub(super) object: Opaque,
    pub(super) table: SessionTableRef,
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

    /// See [`crate::Session::succeed`]. A plugin of an older interface does not know it.
    ///
    /// # Errors
    ///
    /// The plugin panicked: the session is to be dropped.
    pub fn succeed(&mut self, word: &str, sink: &mut EventSink) -> Result<bool, Fault> {
        let Some(succeed) = self.table.succeed() else { return Ok(false) };
        let status = self.transport.owner.call(|| succeed(self.object, word.into(), sink))?;
        Ok(status == status::OK)
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
