//! What of a request comes after its head: a body, or the connection that it is upgraded to.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use plugin_api::Request;

use super::answers::text;

/// What of a request has not come yet. It is waited for by those only who have a use for it, and after they have agreed to the
/// request: a body costs memory.
pub(super) struct Coming {
    pub(super) body: Incoming,
    /// The bytes that a body may have.
    pub(super) limit: u64,
    /// How long it may take.
    pub(super) within: Duration,
    pub(super) upgrade: OnUpgrade,
}

impl Coming {
    /// The request with its body.
    pub(super) async fn received(self, request: Request<'static>) -> Result<(Request<'static>, OnUpgrade), Response<Bytes>> {
        let too_long = || text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {} bytes\n", self.limit));
        if self.body.size_hint().lower() > self.limit {
            return Err(closing(too_long()));
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        match tokio::time::timeout(self.within, Limited::new(self.body, limit).collect()).await {
            Ok(Ok(collected)) => Ok((request.with_body(collected.to_bytes()), self.upgrade)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(closing(too_long())),
            Ok(Err(error)) => Err(text(StatusCode::BAD_REQUEST, format!("the body can't be read: {error}\n"))),
            Err(_) => {
                let late = format!("the body did not come within {:?} (body_timeout)\n", self.within);
                Err(closing(text(StatusCode::REQUEST_TIMEOUT, late)))
            }
        }
    }
}

/// The same, and the connection with it: what still comes of the request is not read.
fn closing(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
