//! `/healthz` and `/readyz`: what a supervisor and a load balancer ask.
//!
//! Knows the two questions; does not know how the server finds the answers.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// Path of [`live`].
pub const LIVE_PATH: &str = "/healthz";

/// Path of [`ready`].
pub const READY_PATH: &str = "/readyz";

/// Whether new connections are welcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// They are.
    Ready,
    /// Every one would be refused, for this reason.
    Refusing(String),
    /// The server is about to go down: those that exist are served, new ones should go elsewhere.
    Draining,
}

/// The answer to "are you alive?": 200 for as long as the process can answer at all.
pub fn live() -> Response<Bytes> {
    answer(StatusCode::OK, "alive\n")
}

/// The answer to "shall I send you clients?": 200 or 503.
pub fn ready(readiness: Readiness) -> Response<Bytes> {
    match readiness {
        Readiness::Ready => answer(StatusCode::OK, "ready\n"),
        Readiness::Refusing(reason) => answer(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        Readiness::Draining => answer(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

fn answer(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = super::text(status, text);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draining_server_is_alive_and_not_ready() {
        assert_eq!(live().status(), StatusCode::OK);
        assert_eq!(ready(Readiness::Ready).status(), StatusCode::OK);
        let draining = ready(Readiness::Draining);
        assert_eq!(draining.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(draining.body().as_ref(), b"draining\n");
    }

    #[test]
    fn no_cache_may_answer_in_the_servers_place() {
        for answer in [live(), ready(Readiness::Ready), ready(Readiness::Draining)] {
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        }
    }
}
