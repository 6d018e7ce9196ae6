//! A request as it is lent to a plugin.

use abi_stable::std_types::{RSlice, RStr};

use super::super::types::{RawHeader, RawRequest, extension};
use crate::request::Request;
use crate::value;

/// Most requests have no more header fields: those are lent from the stack.
const FEW: usize = 16;

/// Lends a request to a call.
pub fn with_raw<T>(request: &Request<'_>, call: impl FnOnce(&RawRequest<'_>) -> T) -> T {
    let lent =
        request.headers.iter().map(|(name, value)| RawHeader { name: RStr::from_str(name), value: RSlice::from_slice(value) });
    let mut few = [RawHeader { name: RStr::from_str(""), value: RSlice::EMPTY }; FEW];
    let many: Vec<RawHeader<'_>>;
    let headers = if let Some(few) = few.get_mut(..request.headers.len()) {
        few.iter_mut().zip(lent).for_each(|(slot, header)| *slot = header);
        &*few
    } else {
        many = lent.collect();
        &many
    };
    let spark_id = request
        .spark_id
        .as_deref()
        .map(|id| RawHeader { name: RStr::from_str(extension::SPARK_ID), value: RSlice::from_slice(id.as_bytes()) });
    let lost =
        request.lost_session.then_some(RawHeader { name: RStr::from_str(extension::LOST_SESSION), value: RSlice::EMPTY });
    let encoded = request.refusal.as_ref().map(|refusal| value::to_vec(refusal).unwrap_or_default());
    let refused = encoded
        .as_deref()
        .map(|refusal| RawHeader { name: RStr::from_str(extension::REFUSED), value: RSlice::from_slice(refusal) });
    let extensions: Vec<RawHeader<'_>> = spark_id.into_iter().chain(lost).chain(refused).collect();
    call(&RawRequest {
        method: RStr::from_str(&request.method),
        path: RStr::from_str(&request.path),
        rest: RStr::from_str(&request.rest),
        query: RStr::from_str(&request.query),
        headers: RSlice::from_slice(headers),
        body: RSlice::from_slice(&request.body),
        address: RStr::from_str(&request.address),
        scheme: RStr::from_str(&request.scheme),
        host: RStr::from_str(&request.host),
        extensions: RSlice::from_slice(&extensions),
    })
}
