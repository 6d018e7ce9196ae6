//! A request as the host lends it.

use super::super::types::{RawRequest, extension};
use crate::request::Request;

pub(super) fn request_of<'a>(raw: &RawRequest<'a>) -> Request<'a> {
    Request {
        method: raw.method.as_str().into(),
        path: raw.path.as_str().into(),
        rest: raw.rest.as_str().into(),
        query: raw.query.as_str().into(),
        headers: raw
            .headers
            .as_slice()
            .iter()
            .map(|header| (header.name.as_str().into(), header.value.as_slice().into()))
            .collect(),
        body: raw.body.as_slice().into(),
        address: raw.address.as_str().into(),
        scheme: raw.scheme.as_str().into(),
        host: raw.host.as_str().into(),
        spark_id: raw
            .extensions
            .as_slice()
            .iter()
            .find(|told| told.name.as_str() == extension::SPARK_ID)
            .and_then(|told| std::str::from_utf8(told.value.as_slice()).ok())
            .map(Into::into),
        lost_session: raw.extensions.as_slice().iter().any(|told| told.name.as_str() == extension::LOST_SESSION),
    }
}
