//! Functions that a plugin registered, with their captured state: hooks, routes, services.

use std::sync::Arc;

use abi_stable::std_types::{RSlice, RVec};

use super::super::module::{ConnectionFn, DisconnectionFn, ErrorFn, MessageFn, MiddlewareFn, RawClosure, RequestFn, ServiceFn};
use super::super::status;
use super::super::types::RawRequest;
use super::call::{Fault, Owner};
use crate::plugin::Refusal;
use crate::request::Response;
use crate::spark::{SparkError, SparkId};
use crate::transport::DisconnectReason;
use crate::value;

/// A function's captured state, freed at the drop.
pub(super) struct Closure {
    pub(super) owner: Arc<Owner>,
    pub(super) raw: RawClosure,
}

// SAFETY: the SDK only makes closures of Send + Sync types.
unsafe impl Send for Closure {}
// SAFETY: as above.
unsafe impl Sync for Closure {}

impl Closure {
    pub(super) fn new(owner: &Arc<Owner>, raw: RawClosure) -> Self {
        Self { owner: Arc::clone(owner), raw }
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
    pub(super) closure: Closure,
    pub(super) call: MessageFn,
}

/// A hook of new sparks.
pub struct ConnectionHook {
    pub(super) closure: Closure,
    pub(super) call: ConnectionFn,
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
    pub(super) closure: Closure,
    pub(super) call: DisconnectionFn,
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

/// A hook of errors at sparks.
pub struct ErrorHook {
    pub(super) closure: Closure,
    pub(super) call: ErrorFn,
}

impl ErrorHook {
    /// `[shard]`
    ///
    /// # Errors
    ///
    /// The plugin panicked.
    pub fn call(&self, spark: SparkId, error: &SparkError) -> Result<(), Fault> {
        let error = value::to_vec(error).unwrap_or_default();
        let call = || (self.call.call)(self.closure.raw.object, spark.raw(), RSlice::from_slice(&error));
        self.closure.owner.call(call).map(drop)
    }
}

/// An authorizer or a route's handler.
pub struct RequestHook {
    pub(super) closure: Closure,
    pub(super) call: RequestFn,
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
    pub(super) closure: Closure,
    pub(super) call: MiddlewareFn,
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
    pub(super) closure: Closure,
    pub(super) call: ServiceFn,
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
