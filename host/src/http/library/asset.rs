//! A text that is served from memory, compressed beforehand, with an `ETag`.
//!
//! Knows content negotiation (RFC 9110, sections 8.8.3, 12.5.3 and 13.1.2); does not know what the text is.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// A text in its encodings.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    plain: Encoded,
    /// Best first.
    compressed: [Encoded; 2],
}

#[derive(Debug, Clone)]
struct Encoded {
    encoding: &'static str,
    bytes: Bytes,
    /// One for each encoding: a strong validator stands for exact bytes.
    etag: HeaderValue,
}

impl Encoded {
    fn new(encoding: &'static str, bytes: impl Into<Bytes>, hash: &str) -> Self {
        Self {
            encoding,
            bytes: bytes.into(),
            etag: HeaderValue::try_from(format!("\"{hash}-{encoding}\"")).expect("a hexadecimal hash is valid in a header"),
        }
    }
}

impl Asset {
    /// Compresses `text` as well as the formats can: slow, and done once.
    pub fn new(text: String, hash: &str) -> Self {
        Self {
            compressed: [Encoded::new("br", brotli(text.as_bytes()), hash), Encoded::new("gzip", gzip(text.as_bytes()), hash)],
            plain: Encoded::new("identity", text, hash),
        }
    }

    pub fn text(&self) -> &Bytes {
        &self.plain.bytes
    }

    /// 200 with the best encoding that the client takes, or 304 if it has it already.
    pub fn respond(&self, headers: &HeaderMap) -> Response<Bytes> {
        let chosen = self.compressed.iter().find(|encoded| accepts(headers, encoded.encoding)).unwrap_or(&self.plain);
        let is_known =
            list(headers, header::IF_NONE_MATCH).any(|tag| tag == "*" || tag.trim_start_matches("W/") == chosen.etag);
        let mut response = Response::new(Bytes::new());
        let answer = response.headers_mut();
        answer.insert(header::ETAG, chosen.etag.clone());
        // The client may be another one at any time, and asking is cheap.
        answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if chosen.encoding != self.plain.encoding {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(chosen.encoding));
        }
        *response.body_mut() = chosen.bytes.clone();
        response
    }
}

/// Whether `Accept-Encoding` takes `encoding`: named or covered by `*`, and not with a weight of 0.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let weight = |wanted: &str| {
        list(headers, header::ACCEPT_ENCODING).find_map(|entry| {
            let mut pieces = entry.split(';').map(str::trim);
            let name = pieces.next().unwrap_or_default();
            name.eq_ignore_ascii_case(wanted).then(|| {
                pieces
                    .find_map(|piece| piece.strip_prefix("q=").or(piece.strip_prefix("Q=")))
                    .map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok())
                    .is_some_and(|weight| weight > 0.0)
            })
        })
    };
    weight(encoding).or_else(|| weight("*")).unwrap_or(false)
}

/// The elements of a header that is a list, over all of its lines.
fn list(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

fn brotli(text: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint: text.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &text[..], &mut compressed, &parameters).expect("writing to memory does not fail");
    compressed
}
