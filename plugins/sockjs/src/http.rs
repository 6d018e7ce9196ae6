//! Answers that need no session: greeting, info, the iframe page, and what is wrong with a request.

use std::hash::{BuildHasher, Hasher, RandomState};

use plugin_api::{Request, Response};

use crate::path::Up;

/// Nothing of it may be kept by a cache.
pub const NO_CACHE: &str = "no-store, no-cache, no-transform, must-revalidate, max-age=0";

/// It stays as it is for a year.
const CACHE: &str = "public, max-age=31536000";

/// Says that this is SockJS.
pub fn greeting() -> Response {
    text(200, "Welcome to SockJS!\n")
}

/// What the server can do.
pub fn info() -> Response {
    // The standard library's keys are random; SockJS clients mix this into their own randomness.
    let entropy = RandomState::new().build_hasher().finish() as u32;
    let body = format!(r#"{{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":{entropy}}}"#);
    Response::new(200)
        .with_header("content-type", "application/json; charset=UTF-8")
        .with_header("cache-control", NO_CACHE)
        .with_body(body)
}

/// The page that old browsers load in a frame to reach another origin.
#[derive(Debug, Clone)]
pub struct Iframe {
    page: String,
    tag: String,
}

impl Iframe {
    /// A page that loads the client from `client_url`.
    pub fn new(client_url: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n\
             <html>\n\
             <head>\n  \
               <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n  \
               <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n  \
               <script src=\"{client_url}\"></script>\n  \
               <script>\n    \
                 document.domain = document.domain;\n    \
                 SockJS.bootstrap_iframe();\n  \
               </script>\n\
             </head>\n\
             <body>\n  \
               <h2>Don't panic!</h2>\n  \
               <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>\n\
             </body>\n\
             </html>"
        );
        let tag = format!("\"{:016x}\"", fingerprint(page.as_bytes()));
        Self { page, tag }
    }

    /// The answer to a request for it.
    pub fn answer(&self, request: &Request<'_>) -> Response {
        let known = request.header("if-none-match").is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == self.tag));
        let response = Response::new(if known { 304 } else { 200 })
            .with_header("cache-control", CACHE)
            .with_header("etag", self.tag.as_str());
        if known {
            return response;
        }
        response.with_header("content-type", "text/html; charset=UTF-8").with_body(self.page.as_str())
    }
}

/// FNV-1a: the same in every process, so that a page that is cached stays known after a restart.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The answer to `OPTIONS` of a client that asks for no leave of a browser's: those are the host's.
pub fn options(methods: &str) -> Response {
    Response::new(204).with_header("allow", methods).with_header("cache-control", CACHE)
}

/// The path is there, but not for this method.
pub fn method_not_allowed(methods: &str) -> Response {
    Response::new(405).with_header("allow", methods)
}

/// There is no such session.
pub fn no_session() -> Response {
    text(404, "404 Error: Page not found\n").with_header("cache-control", NO_CACHE)
}

/// A plain text that no cache keeps.
pub fn refusal(status: u16, reason: &str) -> Response {
    text(status, &format!("{reason}\n")).with_header("cache-control", NO_CACHE)
}

/// A client's messages have come.
pub fn accepted(up: Up) -> Response {
    let (status, body) = match up {
        Up::Xhr => (204, ""),
        Up::Jsonp => (200, "ok"),
    };
    text(status, body).with_header("cache-control", NO_CACHE)
}

fn text(status: u16, body: &str) -> Response {
    Response::new(status).with_header("content-type", "text/plain; charset=UTF-8").with_body(body)
}
