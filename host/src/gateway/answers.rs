//! Responses: those of plugins, refusals, and short texts of the host.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use plugin_api::Refusal;

/// When a client may try again, in seconds (RFC 9110, section 10.2.3): a plugin is replaced or enabled by hand.
const RETRY_AFTER_S: &str = "5";

/// The answer of Primus's authorization hook: the status, `{"error": message}`, and the challenge that goes with a 401.
pub(super) fn refused(refusal: &Refusal) -> Response<Bytes> {
    let body = serde_json::json!({ "error": refusal.message });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if refusal.status == 401
        && let Some(challenge) = refusal.authenticate.as_deref().and_then(|challenge| HeaderValue::from_str(challenge).ok())
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A plugin's response; what is no valid header field is left out and logged.
pub(super) fn plugin_response(response: plugin_api::Response) -> Response<Bytes> {
    let status = status(&response);
    let mut headers = HeaderMap::new();
    for (name, value) in &response.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => tracing::warn!("a plugin's header field {name:?} is not valid and left out"),
        }
    }
    let mut answer = Response::new(Bytes::from(response.body));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// A plugin's status.
pub(super) fn status(response: &plugin_api::Response) -> StatusCode {
    StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What is asked for does not serve now, and may do so again.
pub(super) fn unavailable(why: impl Into<String>) -> Response<Bytes> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    response
}

pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
