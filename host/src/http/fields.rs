//! The header fields of a request, whoever has read it.
//!
//! hyper keeps them in a map, a connection's lane in a list. What is decided by them is the same.

use std::borrow::Cow;

use http::HeaderMap;

/// Header fields.
pub trait Fields {
    /// The first value of a field. The name in lower case.
    fn first(&self, name: &str) -> Option<&[u8]>;

    /// All values of a field, in their order.
    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]>;

    /// The first value of a field, where it is a text of visible ASCII characters.
    fn text(&self, name: &str) -> Option<&str> {
        text(self.first(name)?)
    }
}

/// All values of a field that are texts of visible ASCII characters.
pub fn texts<'a>(fields: &'a (impl Fields + ?Sized), name: &str) -> impl Iterator<Item = &'a str> {
    fields.all(name).filter_map(text)
}

fn text(value: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if value.iter().all(is_visible) { std::str::from_utf8(value).ok() } else { None }
}

impl Fields for HeaderMap {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(http::HeaderValue::as_bytes)
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).into_iter().map(http::HeaderValue::as_bytes)
    }
}

/// A list, as plugins get it.
impl Fields for [(Cow<'_, str>, Cow<'_, [u8]>)] {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }
}
