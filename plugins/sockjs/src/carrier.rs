//! What carries frames to a client by HTTP: the head and the beginning of a response, and how a frame stands in its body.
//!
//! Knows the five ways of the protocol. Knows nothing of sessions.

use plugin_api::{Request, Response};

use crate::http::NO_CACHE;
use crate::path::Down;

/// How long the name of a JSONP client's function may be.
const LONGEST_CALLBACK: usize = 32;

/// The beginning of a page fills the buffers of browsers to this many bytes.
const PAGE_BYTES: usize = 1024;

/// A response to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    down: Down,
    /// The client's function that scripts call; empty where there are none.
    callback: String,
}

/// A request does not name the function that its scripts are to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCallback {
    /// It names none.
    #[error("\"callback\" parameter required")]
    Missing,
    /// What it names could be more than a function.
    #[error("invalid \"callback\" parameter")]
    Invalid,
}

impl Carrier {
    /// Of a request.
    ///
    /// # Errors
    /// A script is wanted, but not the function that it is to call.
    pub fn of(down: Down, request: &Request<'_>) -> Result<Self, NoCallback> {
        let callback = match down {
            Down::Xhr | Down::XhrStreaming | Down::EventSource => String::new(),
            Down::HtmlFile | Down::Jsonp => {
                let asked = request.query_value("c").or_else(|| request.query_value("callback"));
                let callback = asked.filter(|name| !name.is_empty()).ok_or(NoCallback::Missing)?;
                let is_name = callback.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
                if !is_name || callback.len() > LONGEST_CALLBACK {
                    return Err(NoCallback::Invalid);
                }
                callback
            }
        };
        Ok(Self { down, callback })
    }

    /// Whether it takes more than one frame.
    pub fn is_streaming(&self) -> bool {
        matches!(self.down, Down::XhrStreaming | Down::EventSource | Down::HtmlFile)
    }

    /// The response, with what its body begins with.
    pub fn head(&self) -> Response {
        let script = "application/javascript; charset=UTF-8";
        let (content_type, beginning) = match self.down {
            Down::Xhr => (script, Vec::new()),
            Down::XhrStreaming => (script, [&[b'h'; 2048][..], b"\n"].concat()),
            Down::EventSource => ("text/event-stream", b"\r\n".to_vec()),
            Down::HtmlFile => ("text/html; charset=UTF-8", page(&self.callback)),
            Down::Jsonp => (script, Vec::new()),
        };
        Response::new(200)
            .with_header("content-type", content_type)
            .with_header("cache-control", NO_CACHE)
            .with_header("x-content-type-options", "nosniff")
            // Proxies that follow nginx's example would keep a stream until it ends.
            .with_header("x-accel-buffering", "no")
            .with_body(beginning)
    }

    /// A frame as it stands in the body.
    pub fn wrap(&self, mut frame: Vec<u8>) -> Vec<u8> {
        match self.down {
            Down::Xhr | Down::XhrStreaming => {
                frame.push(b'\n');
                frame
            }
            Down::EventSource => event(&frame),
            Down::HtmlFile => [b"<script>\np(\"", &literal(&frame)[..], b"\");\n</script>\r\n"].concat(),
            Down::Jsonp => [b"/**/", self.callback.as_bytes(), b"(\"", &literal(&frame), b"\");\r\n"].concat(),
        }
    }

    /// A response of a single frame.
    pub fn whole(&self, frame: Vec<u8>) -> Response {
        let mut response = self.head();
        response.body.extend(self.wrap(frame));
        response
    }
}

/// The client undoes percent-encoding, so that signs of percent have to be encoded. A frame has no line breaks.
fn event(frame: &[u8]) -> Vec<u8> {
    let mut event = b"data: ".to_vec();
    for byte in frame {
        match byte {
            b'%' => event.extend_from_slice(b"%25"),
            byte => event.push(*byte),
        }
    }
    event.extend_from_slice(b"\r\n\r\n");
    event
}

/// A frame inside of a string literal of a script, which may stand in a page: no sign of it ends the literal or the script.
fn literal(frame: &[u8]) -> Vec<u8> {
    let mut literal = Vec::with_capacity(frame.len() + frame.len() / 4);
    for byte in frame {
        match byte {
            b'"' => literal.extend_from_slice(b"\\\""),
            b'\\' => literal.extend_from_slice(b"\\\\"),
            b'<' => literal.extend_from_slice(b"\\u003c"),
            byte => literal.push(*byte),
        }
    }
    literal
}

/// A page whose scripts call `p` with each frame, and the parent window's function with it.
fn page(callback: &str) -> Vec<u8> {
    let mut page = format!(
        "<!doctype html>\n\
         <html><head>\n\
         <meta http-equiv=\"X-UA-Compatible\" content=\"IE=edge\" />\n\
         <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n\
         </head><body>\n\
         <script>\n\
         document.domain = document.domain;\n\
         var c = parent.{callback};\n\
         c.start();\n\
         function p(frame) {{ c.message(frame); }}\n\
         window.onload = function () {{ c.stop(); }};\n\
         </script>"
    )
    .into_bytes();
    page.resize(page.len().max(PAGE_BYTES), b' ');
    page.extend_from_slice(b"\r\n\r\n");
    page
}
