//! The opening handshake (RFC 6455, section 4.2): a request is judged, and the header fields of the answer are made.
//!
//! Knows requests and the endpoint's settings. Knows nothing of frames.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plugin_api::{Request, Response};
use sha1::{Digest, Sha1};

use crate::extension::{self, Agreement, is_token_byte};
use crate::origin;
use crate::settings::Settings;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the server answers to a handshake that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    accept: String,
    subprotocol: Option<String>,
    /// permessage-deflate, if both sides want it.
    pub deflate: Option<Agreement>,
}

impl Acceptance {
    /// Hands the header fields of the `101` to `use_them`.
    pub fn with_headers<T>(&self, use_them: impl FnOnce(&[(&str, &str)]) -> T) -> T {
        let deflate = self.deflate.as_ref().map(Agreement::header);
        let mut headers =
            vec![("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", self.accept.as_str())];
        headers.extend(self.subprotocol.as_deref().map(|name| ("sec-websocket-protocol", name)));
        headers.extend(deflate.as_deref().map(|header| ("sec-websocket-extensions", header)));
        use_them(&headers)
    }
}

/// Why a handshake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a request for a WebSocket.
    #[error("Upgrade Required")]
    NoUpgrade,
    /// `Connection` doesn't list `Upgrade`.
    #[error("Connection: Upgrade is missing")]
    Connection,
    /// Not version 13.
    #[error("only version 13 of the WebSocket protocol is spoken here")]
    Version,
    /// Not one key of 16 bytes in base64.
    #[error("Sec-WebSocket-Key is not a base64 text of 16 bytes")]
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of different tokens.
    #[error("Sec-WebSocket-Protocol is not a list of different tokens")]
    Subprotocols,
    /// `Sec-WebSocket-Extensions` breaks its grammar.
    #[error(transparent)]
    Extensions(#[from] extension::Malformed),
    /// A page of this origin may not connect.
    #[error("this origin may not connect")]
    Origin,
}

impl Refusal {
    /// The HTTP answer.
    pub fn response(self) -> Response {
        match self {
            Refusal::NoUpgrade => {
                Response::text(426, self.to_string()).with_header("upgrade", "websocket").with_header("connection", "Upgrade")
            }
            Refusal::Version => self
                .json(426)
                .with_header("upgrade", "websocket")
                .with_header("connection", "Upgrade")
                .with_header("sec-websocket-version", "13"),
            Refusal::Connection | Refusal::Key | Refusal::Subprotocols | Refusal::Extensions(_) => self.json(400),
            Refusal::Origin => self.json(403),
        }
    }

    fn json(self, status: u16) -> Response {
        Response::json(status, &std::collections::BTreeMap::from([("error", self.to_string())]))
    }
}

/// Judges a GET request.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn judge(request: &Request<'_>, settings: &Settings) -> Result<Acceptance, Refusal> {
    if !lists(request, "upgrade", "websocket") {
        return Err(Refusal::NoUpgrade);
    }
    if !lists(request, "connection", "upgrade") {
        return Err(Refusal::Connection);
    }
    if request.header("sec-websocket-version") != Some("13") {
        return Err(Refusal::Version);
    }
    let accept = only(request, "sec-websocket-key").and_then(accept).ok_or(Refusal::Key)?;
    if !origin::allowed(&settings.origins, told_origin(request), request.host()) {
        return Err(Refusal::Origin);
    }
    let subprotocol = choose_subprotocol(&offered_subprotocols(request)?, &settings.subprotocols);
    let extensions = joined(request, "sec-websocket-extensions").ok_or(extension::Malformed)?;
    let offers = extension::offers(&extensions)?;
    let deflate = settings.compression.as_ref().and_then(|compression| extension::agree(&offers, &compression.wanted));
    Ok(Acceptance { accept, subprotocol, deflate })
}

/// The answer to a key: proof that the server speaks WebSocket (section 4.2.2). `None` for what is no key.
fn accept(key: &str) -> Option<String> {
    let nonce = STANDARD.decode(key).ok()?;
    (nonce.len() == 16).then(|| STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize()))
}

/// The origin that the request tells; one that is not even text is none that could be allowed.
fn told_origin<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.headers().find(|(name, _)| *name == "origin").map(|(_, value)| std::str::from_utf8(value).unwrap_or_default())
}

/// The subprotocols that a client offers, in its order.
fn offered_subprotocols(request: &Request<'_>) -> Result<Vec<String>, Refusal> {
    let field = joined(request, "sec-websocket-protocol").ok_or(Refusal::Subprotocols)?;
    let mut offered: Vec<String> = Vec::new();
    for name in elements(&field) {
        if !name.bytes().all(is_token_byte) || offered.iter().any(|former| former == name) {
            return Err(Refusal::Subprotocols);
        }
        offered.push(name.to_owned());
    }
    Ok(offered)
}

/// The server's first choice among those offered; without a choice of its own, the client's first.
fn choose_subprotocol(offered: &[String], spoken: &[String]) -> Option<String> {
    if spoken.is_empty() { offered.first().cloned() } else { spoken.iter().find(|name| offered.contains(name)).cloned() }
}

/// Whether a header field that is a list of tokens has this one, in any case.
fn lists(request: &Request<'_>, field: &str, token: &str) -> bool {
    joined(request, field).is_some_and(|list| elements(&list).any(|element| element.eq_ignore_ascii_case(token)))
}

/// The elements of a list (RFC 9110, section 5.6.1).
fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty())
}

/// The value of a header field that may be spread over several lines; `None` when a line is not text.
fn joined(request: &Request<'_>, field: &str) -> Option<String> {
    let lines: Option<Vec<&str>> = lines(request, field).map(|value| std::str::from_utf8(value).ok()).collect();
    Some(lines?.join(","))
}

/// The value of a header field that may stand there once.
fn only<'r>(request: &'r Request<'_>, field: &str) -> Option<&'r str> {
    let mut lines = lines(request, field);
    match (lines.next(), lines.next()) {
        (Some(line), None) => std::str::from_utf8(line).ok(),
        _ => None,
    }
}

fn lines<'r>(request: &'r Request<'_>, field: &str) -> impl Iterator<Item = &'r [u8]> {
    request.headers().filter(move |(name, _)| *name == field).map(|(_, value)| value)
}
