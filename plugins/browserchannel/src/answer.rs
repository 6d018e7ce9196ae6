//! Answers that need no session: which hosts there are, and what is wrong with a request.

use plugin_api::Response;
use seats::Full;

use crate::carrier;

/// A response that nobody keeps.
pub fn uncached(status: u16, content_type: &str) -> Response {
    Response::new(status)
        .with_header("content-type", content_type)
        .with_header("cache-control", "no-cache, no-store, max-age=0, must-revalidate")
        .with_header("pragma", "no-cache")
        .with_header("expires", "Fri, 01 Jan 1990 00:00:00 GMT")
        .with_header("x-content-type-options", "nosniff")
}

/// The host that a client's requests are to go to, if it is another one; no network is told to block any.
pub fn hosts(prefix: Option<&str>) -> Response {
    uncached(200, "text/plain")
        .with_header("x-accept", "application/json; application/x-www-form-urlencoded")
        .with_body(format!("[{},null]", json(prefix)))
}

/// A text as JSON, or `null`.
pub fn json(text: Option<&str>) -> String {
    let mut json = Vec::new();
    match text {
        Some(text) => json_text::encode::text(text, &mut json),
        None => json.extend_from_slice(b"null"),
    }
    String::from_utf8(json).expect("JSON of a text is a text")
}

/// The session is not there, or not any more: clients look for these words, and begin anew.
pub fn unknown_session() -> Response {
    refusal(400, "Unknown SID")
}

/// A request is refused.
pub fn refusal(status: u16, reason: &str) -> Response {
    uncached(status, "text/html").with_body(format!("<html><body><h1>{reason}</h1></body></html>"))
}

/// The client's address has too many sessions.
pub fn full(full: Full) -> Response {
    refusal(503, &full.to_string())
}

/// A client's messages have come. It is told whether arrays have a way to it, which was sent last (-1: none), and how many bytes
/// it hasn't acknowledged, by which it finds out that something on the way keeps them back.
pub fn taken(has_back_channel: bool, last_sent: i64, outstanding: usize) -> Response {
    let status = format!("[{},{last_sent},{outstanding}]", u8::from(has_back_channel));
    uncached(200, "text/plain").with_body(carrier::chunk(&status))
}

/// A session is forgotten; who asked does not look at the answer.
pub fn forgotten() -> Response {
    uncached(200, "text/plain")
}
