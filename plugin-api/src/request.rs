//! HTTP as plugins see it: a request, borrowed or owned, and a response.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::plugin::Refusal;

/// An HTTP request. Borrowed from the host where it is handed to a synchronous function; [`Request::into_owned`] keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request<'a> {
    pub(crate) method: Cow<'a, str>,
    pub(crate) path: Cow<'a, str>,
    pub(crate) rest: Cow<'a, str>,
    pub(crate) query: Cow<'a, str>,
    pub(crate) headers: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    pub(crate) body: Cow<'a, [u8]>,
    pub(crate) address: Cow<'a, str>,
    pub(crate) scheme: Cow<'a, str>,
    pub(crate) host: Cow<'a, str>,
    #[serde(default)]
    pub(crate) spark_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) lost_session: bool,
    #[serde(default)]
    pub(crate) refusal: Option<Refusal>,
}

impl Request<'static> {
    /// A request for tests and for plugins that make their own: method and target (`/path?query`).
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: Cow::Owned(method.to_owned()),
            path: Cow::Owned(path.to_owned()),
            rest: Cow::Owned(path.to_owned()),
            query: Cow::Owned(query.to_owned()),
            headers: Vec::new(),
            body: Cow::Borrowed(&[]),
            address: Cow::Borrowed("127.0.0.1:1"),
            scheme: Cow::Borrowed("http"),
            host: Cow::Borrowed("localhost"),
            spark_id: None,
            lost_session: false,
            refusal: None,
        }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((Cow::Owned(name.to_ascii_lowercase()), Cow::Owned(value.as_bytes().to_vec())));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Cow::Owned(body.into());
        self
    }

    /// The same of a client with this address.
    #[must_use]
    pub fn with_address(mut self, address: SocketAddr) -> Self {
        self.address = Cow::Owned(address.to_string());
        self
    }

    /// The same as the first request of a session, whose spark has this public id.
    #[must_use]
    pub fn with_spark_id(mut self, id: &str) -> Self {
        self.spark_id = Some(Cow::Owned(id.to_owned()));
        self
    }

    /// The same as a host tells it: `rest` follows the server's pathname in its path.
    #[must_use]
    pub fn under(mut self, rest: &str) -> Self {
        self.rest = Cow::Owned(rest.to_owned());
        self
    }

    /// The same as a request for a connection that is refused.
    #[must_use]
    pub fn refused(mut self, refusal: Refusal) -> Self {
        self.refusal = Some(refusal);
        self
    }
}

/// The parts of a [`Request`] that a host has to tell.
#[derive(Debug, Clone, Default)]
pub struct RequestParts {
    /// The method in upper case.
    pub method: String,
    /// The whole path.
    pub path: String,
    /// What follows the server's pathname in `path`; the whole path outside of it.
    pub rest: String,
    /// The query without the question mark.
    pub query: String,
    /// The header fields in their order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The client's address as `ip:port`.
    pub address: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The host (and port) that the client asked for.
    pub host: String,
}

impl From<RequestParts> for Request<'static> {
    fn from(parts: RequestParts) -> Self {
        Self {
            method: parts.method.into(),
            path: parts.path.into(),
            rest: parts.rest.into(),
            query: parts.query.into(),
            headers: parts.headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: parts.body.into(),
            address: parts.address.into(),
            scheme: parts.scheme.into(),
            host: parts.host.into(),
            spark_id: None,
            lost_session: false,
            refusal: None,
        }
    }
}

/// The same as [`RequestParts`], lent.
#[derive(Debug, Clone, Default)]
pub struct LentParts<'a> {
    /// The method in upper case.
    pub method: Cow<'a, str>,
    /// The whole path.
    pub path: Cow<'a, str>,
    /// What follows the server's pathname in `path`; the whole path outside of it.
    pub rest: Cow<'a, str>,
    /// The query without the question mark.
    pub query: Cow<'a, str>,
    /// The header fields in their order, names in lower case.
    pub headers: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    /// The body.
    pub body: Cow<'a, [u8]>,
    /// The client's address as `ip:port`.
    pub address: Cow<'a, str>,
    /// `http` or `https`.
    pub scheme: Cow<'a, str>,
    /// The host (and port) that the client asked for.
    pub host: Cow<'a, str>,
}

impl<'a> From<LentParts<'a>> for Request<'a> {
    fn from(parts: LentParts<'a>) -> Self {
        let LentParts { method, path, rest, query, headers, body, address, scheme, host } = parts;
        let (spark_id, lost_session, refusal) = (None, false, None);
        Self { method, path, rest, query, headers, body, address, scheme, host, spark_id, lost_session, refusal }
    }
}

impl From<&str> for Request<'static> {
    /// A `GET` of a target: `/path?query`.
    fn from(target: &str) -> Self {
        Self::new("GET", target)
    }
}

impl Request<'_> {
    /// The method in upper case.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What follows the server's pathname: `""`, `"/"`, `"/websocket"`; the whole path outside of the pathname.
    #[expect(clippy::misnamed_getters, reason = "a plugin's paths are relative to the server's")]
    pub fn path(&self) -> &str {
        &self.rest
    }

    /// The whole path.
    pub fn full_path(&self) -> &str {
        &self.path
    }

    /// The query, without the question mark, percent-encoded as it came.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The first value of a query parameter, decoded (`application/x-www-form-urlencoded`).
    pub fn query_value(&self, name: &str) -> Option<String> {
        query_fields(&self.query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The first value of a header field, where it is UTF-8. The name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// All header fields in their order, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The body, complete.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The client's address; a trusted proxy's word for it is already taken.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }

    /// `http` or `https`, as the client used it.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host (and port) that the client asked for.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The public id of the spark that this request has opened: what [`Route::Session`](crate::transport::Route::Session) names
    /// it by. Only the first request of a session has it.
    pub fn spark_id(&self) -> Option<&str> {
        self.spark_id.as_deref()
    }

    /// Whether the session that this request was routed to is not there: the transport is asked once more, for its protocol's
    /// answer ([`Route::Respond`](crate::transport::Route::Respond)). Without one, the host answers 404.
    pub fn is_for_lost_session(&self) -> bool {
        self.lost_session
    }

    /// Why the connection that this request came with is refused: the transport is asked once more, for what it tells the peer
    /// ([`Route::Respond`](crate::transport::Route::Respond), of which the body is written). Only with [`crate::Registrar::listen`].
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// The same request, lent, as the first one of a session.
    pub fn opening<'b>(&'b self, spark_id: &'b str) -> Request<'b> {
        Request {
            method: Cow::Borrowed(&self.method),
            path: Cow::Borrowed(&self.path),
            rest: Cow::Borrowed(&self.rest),
            query: Cow::Borrowed(&self.query),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (Cow::Borrowed(name.as_ref()), Cow::Borrowed(value.as_ref())))
                .collect(),
            body: Cow::Borrowed(&self.body),
            address: Cow::Borrowed(&self.address),
            scheme: Cow::Borrowed(&self.scheme),
            host: Cow::Borrowed(&self.host),
            spark_id: Some(Cow::Borrowed(spark_id)),
            lost_session: false,
            refusal: None,
        }
    }

    /// The same as a request whose session is not there.
    #[must_use]
    pub fn for_lost_session(mut self) -> Self {
        self.lost_session = true;
        self
    }

    /// The same request, owned: to be kept beyond the call.
    pub fn into_owned(self) -> Request<'static> {
        fn own(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        Request {
            method: own(self.method),
            path: own(self.path),
            rest: own(self.rest),
            query: own(self.query),
            headers: self.headers.into_iter().map(|(name, value)| (own(name), Cow::Owned(value.into_owned()))).collect(),
            body: Cow::Owned(self.body.into_owned()),
            address: own(self.address),
            scheme: own(self.scheme),
            host: own(self.host),
            spark_id: self.spark_id.map(own),
            lost_session: self.lost_session,
            refusal: self.refusal,
        }
    }
}

/// The decoded pairs of a query or form (`application/x-www-form-urlencoded`).
pub fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query_fields(query).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// A name and its value.
type Pair<'q> = (Cow<'q, str>, Cow<'q, str>);

/// The same, lent where they stand in the query as they are.
pub fn query_fields(query: &str) -> impl Iterator<Item = Pair<'_>> {
    let mut rest = query;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let pair;
            (pair, rest) = next_pair(rest);
            if pair.is_some() {
                return pair;
            }
        }
        None
    })
}

/// The pair at the start of a query, unless nothing stands there, and what follows it. In one look at each byte: queries are short,
/// and each request of a session has one.
fn next_pair(query: &str) -> (Option<Pair<'_>>, &str) {
    let (mut equals, mut end, mut is_plain) = (None, query.len(), true);
    for (at, byte) in query.bytes().enumerate() {
        match byte {
            b'&' => {
                end = at;
                break;
            }
            b'=' if equals.is_none() => equals = Some(at),
            b'%' | b'+' => is_plain = false,
            _ => {}
        }
    }
    let rest = query.get(end + 1..).unwrap_or_default();
    if end == 0 {
        return (None, rest);
    }
    let (name, value) = match equals {
        Some(at) => (&query[..at], &query[at + 1..end]),
        None => (&query[..end], ""),
    };
    let decoded = |text| if is_plain { Cow::Borrowed(text) } else { percent_decoded(text) };
    (Some((decoded(name), decoded(value))), rest)
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if first == b'+' { b' ' } else { first });
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl Response {
    /// An empty response.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).with_header("content-type", "text/plain; charset=utf-8").with_body(text.into())
    }

    /// A JSON document. An unserialisable value is a mistake of the program and gives a 500 that says so.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(status).with_header("content-type", "application/json").with_body(body),
            Err(error) => Self::text(500, format!("the answer can't be written as JSON: {error}")),
        }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_as_a_form() {
        let request = Request::new("GET", "/primus?name=a%20b+c&empty&broken=%zz");
        assert_eq!(request.query_value("name").as_deref(), Some("a b c"));
        assert_eq!(request.query_value("empty").as_deref(), Some(""));
        assert_eq!(request.query_value("broken").as_deref(), Some("%zz"));
        assert_eq!(request.query_value("absent"), None);
    }

    #[test]
    fn what_of_a_query_needs_no_decoding_is_lent() {
        let fields: Vec<_> = query_fields("&sid=a-b&&c=%64&").collect();
        assert!(
            matches!(&fields[..], [(Cow::Borrowed("sid"), Cow::Borrowed("a-b")), (Cow::Borrowed("c"), Cow::Owned(d))] if d == "d")
        );
    }
}
