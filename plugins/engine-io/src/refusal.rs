//! The protocol's answers to requests that it doesn't take: a code and its text.

use plugin_api::Response;

/// Why a request is not taken. The numbers and texts are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `transport` is neither `polling` nor `websocket`.
    #[error("Transport unknown")]
    UnknownTransport,
    /// No session has this id, or has it any more.
    #[error("Session ID unknown")]
    UnknownSid,
    /// A session begins with a GET.
    #[error("Bad handshake method")]
    HandshakeMethod,
    /// The request makes no sense, or not now.
    #[error("Bad request")]
    BadRequest,
    /// The address of the client has `max_sessions_per_address`. The protocol has no word for it but this.
    #[error("Forbidden")]
    TooManySessions,
    /// JSONP is switched off, or asked for by a page of another site.
    #[error("Forbidden")]
    Forbidden,
    /// The version is not spoken here.
    #[error("Unsupported protocol version")]
    Version,
}

impl Refusal {
    fn code(self) -> u8 {
        match self {
            Refusal::UnknownTransport => 0,
            Refusal::UnknownSid => 1,
            Refusal::HandshakeMethod => 2,
            Refusal::BadRequest => 3,
            Refusal::TooManySessions | Refusal::Forbidden => 4,
            Refusal::Version => 5,
        }
    }

    /// The HTTP answer.
    pub fn response(self) -> Response {
        let body = format!(r#"{{"code":{},"message":"{self}"}}"#, self.code());
        let status = match self {
            Refusal::TooManySessions => 503,
            Refusal::Forbidden => 403,
            _ => 400,
        };
        Response::new(status).with_header("content-type", "application/json").with_body(body)
    }
}
