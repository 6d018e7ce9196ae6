//! Answers as they are written (RFC 9112): a head with a length, or one with chunks that follow.
//!
//! Knows header fields and framing. Knows nothing of who asked.

use std::time::SystemTime;

use abi_stable::std_types::RVec;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::head::bytes_of;
use crate::spark::out::{OutBuffer, SHARE_FROM};

/// How a connection goes on behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// With another request.
    Request,
    /// It ends.
    End,
}

/// Bytes that are shared only where they are many.
pub(super) trait Body: AsRef<[u8]> + Into<Bytes> {}

impl Body for Vec<u8> {}
impl Body for Bytes {}

/// An answer as it is being written.
pub(super) struct Answer<'a> {
    out: &'a mut OutBuffer,
    status: StatusCode,
    has_date: bool,
    has_connection: bool,
    next: Next,
}

impl<'a> Answer<'a> {
    /// Begins it. `next` is how the connection would go on, but for what fields say.
    pub(super) fn begin(out: &'a mut OutBuffer, status: StatusCode, next: Next) -> Self {
        // There is no further answer that such a one would be an omen of.
        let status = if status.is_informational() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
        put(&mut out.tail, &[b"HTTP/1.1 ", status.as_str().as_bytes(), b" "]);
        put(&mut out.tail, &[status.canonical_reason().unwrap_or("<none>").as_bytes(), b"\r\n"]);
        Self { out, status, has_date: false, has_connection: false, next }
    }

    /// A field of a plugin. What is no valid one is left out and logged.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        if !is_name(name.as_bytes()) || !is_value(value.as_bytes()) {
            tracing::warn!("a plugin's header field {name:?} is not valid and left out");
        } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.put_field(&name.to_ascii_lowercase(), value.as_bytes());
        } else {
            self.put_field(name, value.as_bytes());
        }
    }

    /// Fields that are valid.
    pub(super) fn fields(&mut self, fields: &HeaderMap) {
        for (name, value) in fields {
            self.put_field(name.as_str(), HeaderValue::as_bytes(value));
        }
    }

    /// Fields that are written already.
    pub(super) fn written(&mut self, lines: &[u8]) {
        put(&mut self.out.tail, &[lines]);
    }

    fn put_field(&mut self, name: &str, value: &[u8]) {
        match name {
            // How an answer ends is said by who writes it.
            "content-length" | "transfer-encoding" => return,
            "date" => self.has_date = true,
            "connection" => {
                self.has_connection = true;
                if value.to_ascii_lowercase().windows(5).any(|word| word == b"close") {
                    self.next = Next::End;
                }
            }
            _ => {}
        }
        put(&mut self.out.tail, &[name.as_bytes(), b": ", value, b"\r\n"]);
    }

    /// Ends it with its body. How the connection goes on.
    pub(super) fn whole(mut self, body: impl Body, clock: &mut Clock) -> Next {
        if !self.has_body() {
            return self.end(b"\r\n", clock);
        }
        let mut digits = [0; 20];
        let length = decimal(body.as_ref().len(), &mut digits);
        put(&mut self.out.tail, &[b"content-length: ", length, b"\r\n"]);
        let next = self.last_fields(clock);
        put(&mut self.out.tail, &[b"\r\n"]);
        append(self.out, body);
        next
    }

    /// Ends the head, and leaves the body open: it is written by [`chunk`] and ended by [`END`]. `None`: such an answer has
    /// no body.
    pub(super) fn open(mut self, clock: &mut Clock) -> (Next, bool) {
        if !self.has_body() {
            return (self.end(b"\r\n", clock), false);
        }
        (self.end(b"transfer-encoding: chunked\r\n\r\n", clock), true)
    }

    fn has_body(&self) -> bool {
        !matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    fn end(&mut self, last: &[u8], clock: &mut Clock) -> Next {
        let next = self.last_fields(clock);
        put(&mut self.out.tail, &[last]);
        next
    }

    fn last_fields(&mut self, clock: &mut Clock) -> Next {
        if !self.has_date {
            put(&mut self.out.tail, &[b"date: ", clock.now(), b"\r\n"]);
        }
        if self.next == Next::End && !self.has_connection {
            put(&mut self.out.tail, &[b"connection: close\r\n"]);
        }
        self.next
    }
}

/// Fields as [`Answer::written`] takes them, instead of what `lines` had.
pub(super) fn write_lines(fields: &HeaderMap, lines: &mut Vec<u8>) {
    lines.clear();
    for (name, value) in fields {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(piece);
        }
    }
}

/// A piece of an open body.
pub(super) fn chunk(out: &mut OutBuffer, piece: impl Body) {
    // An empty one would be the end.
    if !piece.as_ref().is_empty() {
        let mut digits = [0; 20];
        put(&mut out.tail, &[hexadecimal(piece.as_ref().len(), &mut digits), b"\r\n"]);
        append(out, piece);
        put(&mut out.tail, &[b"\r\n"]);
    }
}

/// What is long is not copied.
fn append(out: &mut OutBuffer, body: impl Body) {
    if body.as_ref().len() < SHARE_FROM {
        put(&mut out.tail, &[body.as_ref()]);
    } else {
        out.push_shared(&body.into());
    }
}

/// The end of an open body.
pub(super) const END: &[u8] = b"0\r\n\r\n";

/// Appends bytes.
pub(super) fn put(out: &mut RVec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_copy_slice(piece);
    }
}

/// What may be a name (RFC 9110, section 5.6.2).
fn is_name(name: &[u8]) -> bool {
    const MARKS: [bool; 256] = bytes_of(b"!#$%&'*+-.^_`|~");
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || MARKS[usize::from(*byte)])
}

/// What may stand in a value (RFC 9110, section 5.5).
fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| (*byte >= b' ' && *byte != 0x7f) || *byte == b'\t')
}

fn decimal(number: usize, digits: &mut [u8; 20]) -> &[u8] {
    based(number, 10, digits)
}

fn hexadecimal(number: usize, digits: &mut [u8; 20]) -> &[u8] {
    based(number, 16, digits)
}

fn based(mut number: usize, base: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[number % base];
        number /= base;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// The time as a header field says it, asked for once a turn and made anew each second.
#[derive(Debug, Default)]
pub(super) struct Clock {
    is_right: bool,
    second: u64,
    text: String,
}

impl Clock {
    /// The turn is over: time goes on.
    pub(super) fn go_on(&mut self) {
        self.is_right = false;
    }

    fn now(&mut self) -> &[u8] {
        if self.is_right {
            return self.text.as_bytes();
        }
        self.is_right = true;
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an answer is, without its date.
    fn written(out: &OutBuffer) -> String {
        let text = String::from_utf8(out.tail.to_vec()).unwrap();
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: "));
        lines.collect()
    }

    #[test]
    fn a_whole_answer_has_a_length_and_no_field_that_says_another() {
        let mut out = OutBuffer::new();
        let mut answer = Answer::begin(&mut out, StatusCode::OK, Next::Request);
        answer.field("X-A", "b");
        answer.field("Content-Length", "7");
        answer.field("a b", "c");
        answer.field("c", "d\r\ne: f");
        answer.written(b"vary: origin\r\n");
        assert_eq!(answer.whole(Bytes::from_static(b"hello"), &mut Clock::default()), Next::Request);
        assert_eq!(written(&out), "HTTP/1.1 200 OK\r\nx-a: b\r\nvary: origin\r\ncontent-length: 5\r\n\r\nhello");
    }

    #[test]
    fn an_answer_without_a_body_has_no_length() {
        let mut out = OutBuffer::new();
        let answer = Answer::begin(&mut out, StatusCode::NO_CONTENT, Next::Request);
        answer.whole(Bytes::from_static(b"ignored"), &mut Clock::default());
        assert_eq!(written(&out), "HTTP/1.1 204 No Content\r\n\r\n");
    }

    #[test]
    fn a_field_that_closes_ends_the_connection() {
        let mut out = OutBuffer::new();
        let mut answer = Answer::begin(&mut out, StatusCode::OK, Next::Request);
        answer.field("Connection", "Close");
        assert_eq!(answer.whole(Bytes::new(), &mut Clock::default()), Next::End);
        assert_eq!(written(&out), "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n");
    }

    #[test]
    fn an_open_body_is_written_in_chunks() {
        let mut out = OutBuffer::new();
        let answer = Answer::begin(&mut out, StatusCode::OK, Next::Request);
        assert_eq!(answer.open(&mut Clock::default()), (Next::Request, true));
        chunk(&mut out, Bytes::from_static(b"0123456789abcdef"));
        chunk(&mut out, Bytes::new());
        put(&mut out.tail, &[END]);
        let expected = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        assert_eq!(written(&out), expected);
    }

    #[test]
    fn a_date_is_told_once() {
        let mut out = OutBuffer::new();
        let mut answer = Answer::begin(&mut out, StatusCode::OK, Next::Request);
        answer.field("date", "never");
        answer.whole(Bytes::new(), &mut Clock::default());
        assert_eq!(String::from_utf8(out.tail.to_vec()).unwrap().matches("date: ").count(), 1);
    }
}
