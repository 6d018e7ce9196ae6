//! What the host itself answers over HTTP, and what it makes of a request before anybody else sees it.
//!
//! Each file is one concept, as a value or function over requests and responses: no sockets, no router, no state of the
//! server. Knows HTTP; knows no transport, no plugin and no credential.
//!
//! The order in which a request meets them: [`authority`] (for whom is it?), [`forwarded`] (who is it?), [`cors`] (may its page ask?), then one of
//! [`health`], [`metrics`], [`spec`], [`library`], a plugin, and last [`static_files`].

pub mod authority;
pub mod cors;
pub mod fields;
pub mod forwarded;
pub mod health;
pub mod library;
pub mod metrics;
pub mod spec;
pub mod static_files;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// A short answer in plain text.
fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
