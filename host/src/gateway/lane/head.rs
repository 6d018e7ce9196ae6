//! Requests that a lane reads itself: plain ones, whose meaning no two servers would differ about (RFC 9112).
//!
//! `GET`, or `POST` with a length, in HTTP/1.1, for a path, with one host, on a connection that goes on. All else is somebody
//! else's to judge, be it correct or not: two lengths, a length and chunks, folded lines, line ends without a carriage return,
//! an upgrade, an expectation, a large body. Knows no path and no session.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use http::Method;

/// A longer head is for others.
const LONGEST_HEAD: usize = 8 * 1024;

/// A longer body is for others.
const LONGEST_BODY: usize = 128 * 1024;

/// More fields are for others.
const MOST_FIELDS: usize = 64;

/// The longest request, with the beginning of another.
pub(super) const ROOM: usize = LONGEST_HEAD + LONGEST_BODY;

/// A request, whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'b> {
    pub(super) method: Method,
    pub(super) path: &'b str,
    /// Without the question mark.
    pub(super) query: &'b str,
    /// The header fields in their order, names in lower case.
    pub(super) fields: Vec<(Cow<'b, str>, Cow<'b, [u8]>)>,
    pub(super) body: &'b [u8],
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'b> {
    /// A request, and how many bytes it has.
    Request(Head<'b>, usize),
    /// The beginning of one.
    Partial,
    /// Something that a lane does not judge.
    Foreign,
}

/// Reads the request at the start of `input`.
pub(super) fn read(input: &[u8]) -> Read<'_> {
    if !is_plain_start(input) {
        return Read::Foreign;
    }
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(input, &mut fields) {
        Ok(httparse::Status::Complete(end)) if end <= LONGEST_HEAD => match request(input, &parsed, end) {
            Some(length) if input.len() - end < length => Read::Partial,
            Some(length) => match head(&parsed, &input[end..end + length]) {
                Some(head) => Read::Request(head, end + length),
                None => Read::Foreign,
            },
            None => Read::Foreign,
        },
        Ok(httparse::Status::Partial) if input.len() <= LONGEST_HEAD => Read::Partial,
        Ok(_) | Err(_) => Read::Foreign,
    }
}

/// Whether it may be the start of one of the two methods, with a path.
fn is_plain_start(input: &[u8]) -> bool {
    [&b"GET /"[..], b"POST /"].iter().any(|start| {
        let count = input.len().min(start.len());
        input[..count] == start[..count]
    })
}

/// The length of a plain request's body; `None`: it is not plain.
fn request(input: &[u8], parsed: &httparse::Request<'_, '_>, end: usize) -> Option<usize> {
    if parsed.version != Some(1) || !input[..end].ends_with(b"\r\n\r\n") {
        return None;
    }
    let (mut length, mut hosts) = (None, 0);
    for field in parsed.headers.iter() {
        // What stands between fields is one line end, and a whole one.
        let start = field.name.as_ptr() as usize - input.as_ptr() as usize;
        if !input[..start].ends_with(b"\r\n") {
            return None;
        }
        match field.name.len() {
            4 if is(field, "host") => hosts += 1,
            6 if is(field, "expect") => return None,
            7 if is(field, "upgrade") || is(field, "trailer") => return None,
            10 if is(field, "connection") && !field.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            14 if is(field, "content-length") => {
                if length.is_some() {
                    return None;
                }
                length = Some(number(field.value)?);
            }
            14 if is(field, "http2-settings") => return None,
            16 if is(field, "proxy-connection") => return None,
            17 if is(field, "transfer-encoding") => return None,
            _ => {}
        }
    }
    let length = match (parsed.method?, length) {
        ("GET", None) => 0,
        ("POST", Some(length)) if length <= LONGEST_BODY => length,
        _ => return None,
    };
    (hosts == 1).then_some(length)
}

fn is(field: &httparse::Header<'_>, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

fn head<'b>(parsed: &httparse::Request<'_, 'b>, body: &'b [u8]) -> Option<Head<'b>> {
    let target = parsed.path?;
    if !target.bytes().all(is_plain) {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields = parsed.headers.iter().map(|field| (in_lower_case(field.name), Cow::Borrowed(field.value)));
    let method = if parsed.method? == "GET" { Method::GET } else { Method::POST };
    Some(Head { method, path, query, fields: fields.collect(), body })
}

/// A name as it is told. Most are known: they need no room of their own.
fn in_lower_case(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    match KNOWN.iter().find(|known| known.len() == name.len() && known.eq_ignore_ascii_case(name)) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_ascii_lowercase()),
    }
}

/// What clients send with each request.
const KNOWN: [&str; 14] = [
    "host",
    "accept",
    "content-type",
    "content-length",
    "connection",
    "user-agent",
    "accept-encoding",
    "accept-language",
    "origin",
    "referer",
    "cookie",
    "authorization",
    "cache-control",
    "pragma",
];

/// What may stand in a path or a query (RFC 3986, section 3.3), and is written without doubt.
fn is_plain(byte: u8) -> bool {
    const MARKS: [bool; 256] = bytes_of(b"-._~!$&'()*+,;=:@/%?");
    byte.is_ascii_alphanumeric() || MARKS[usize::from(byte)]
}

/// A set of bytes, to be asked for by each.
pub(super) const fn bytes_of(members: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut at = 0;
    while at < members.len() {
        set[members[at] as usize] = true;
        at += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(lines: &str) -> String {
        format!("{lines}\r\n\r\n").replace('|', "\r\n")
    }

    #[track_caller]
    fn is_foreign(text: &str) {
        assert_eq!(read(text.as_bytes()), Read::Foreign, "{text:?}");
    }

    #[test]
    fn a_plain_request_is_read() {
        let text = plain("GET /primus/?EIO=4&sid=a%20b HTTP/1.1|Host: a|x-b:  c d |Cookie: e");
        let Read::Request(head, taken) = read(text.as_bytes()) else { panic!("{text:?}") };
        assert_eq!(taken, text.len());
        assert_eq!((head.method, head.path, head.query), (Method::GET, "/primus/", "EIO=4&sid=a%20b"));
        let fields: Vec<_> = head.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(fields, [("host", &b"a"[..]), ("x-b", b"c d"), ("cookie", b"e")]);
        assert!(head.body.is_empty());
    }

    #[test]
    fn a_body_comes_with_its_request_and_what_follows_stays() {
        let text = plain("POST /a HTTP/1.1|host: a|Content-Length: 3") + "abcGET";
        let Read::Request(head, taken) = read(text.as_bytes()) else { panic!("{text:?}") };
        assert_eq!((head.body, taken), (&b"abc"[..], text.len() - 3));
    }

    #[test]
    fn every_beginning_of_a_plain_request_waits_for_more() {
        let text = plain("POST /a HTTP/1.1|host: a|content-length: 3|connection: Keep-Alive") + "abc";
        for end in 0..text.len() {
            assert_eq!(read(&text.as_bytes()[..end]), Read::Partial, "{end}");
        }
    }

    #[test]
    fn what_is_not_plain_is_for_others() {
        for lines in [
            "HEAD / HTTP/1.1|host: a",
            "PUT / HTTP/1.1|host: a|content-length: 0",
            "GET / HTTP/1.0|host: a",
            "GET http://a/ HTTP/1.1|host: a",
            "GET /#a HTTP/1.1|host: a",
            "GET /\"a HTTP/1.1|host: a",
            "GET  / HTTP/1.1|host: a",
            "GET / HTTP/1.1",
            "GET / HTTP/1.1|host: a|host: a",
            "GET / HTTP/1.1|host: a|content-length: 0",
            "GET / HTTP/1.1|host: a|connection: close",
            "GET / HTTP/1.1|host: a|connection: keep-alive, x",
            "GET / HTTP/1.1|host: a|upgrade: websocket|connection: upgrade",
            "GET / HTTP/1.1|host: a|expect: 100-continue",
            "GET / HTTP/1.1|host: a|x: a| b",
            "GET / HTTP/1.1|host: a|x : a",
            "GET / HTTP/1.1|host: a|x",
            "POST / HTTP/1.1|host: a",
            "POST / HTTP/1.1|host: a|content-length: 1|content-length: 1",
            "POST / HTTP/1.1|host: a|content-length: 1, 1",
            "POST / HTTP/1.1|host: a|content-length: +1",
            "POST / HTTP/1.1|host: a|content-length: -1",
            "POST / HTTP/1.1|host: a|content-length:",
            "POST / HTTP/1.1|host: a|content-length: 131073",
            "POST / HTTP/1.1|host: a|content-length: 99999999999999999999",
            "POST / HTTP/1.1|host: a|content-length: 1|transfer-encoding: chunked",
            "POST / HTTP/1.1|host: a|transfer-encoding: chunked",
        ] {
            is_foreign(&(plain(lines) + "a"));
        }
        is_foreign("GET / HTTP/1.1\nhost: a\n\n");
        is_foreign("GET / HTTP/1.1\r\nhost: a\n\r\n");
        is_foreign("GET / HTTP/1.1\r\nhost: a\r\n\n");
        is_foreign("GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n");
        is_foreign("\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n");
        is_foreign(&format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(LONGEST_HEAD)));
        is_foreign(&plain(&format!("GET / HTTP/1.1|host: a{}", "|x: y".repeat(MOST_FIELDS))));
    }
}
