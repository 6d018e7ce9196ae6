//! The path under which the real-time server answers, such as `/primus` or `/rt/primus`.
//!
//! Knows path segments; does not know what is served there.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// An absolute path without a slash at its end: `/primus`, `/rt/primus`; or `/` alone for the whole site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pathname(String);

impl Pathname {
    /// Checks `path`; a slash at its end is dropped.
    ///
    /// # Errors
    /// What is wrong with it: it must start with `/`, and its segments may hold letters, digits and `-._~` only (what
    /// RFC 3986, section 2.3 leaves unencoded), no empty ones and no `.` or `..`.
    pub fn new(path: &str) -> Result<Self, &'static str> {
        if path == "/" {
            return Ok(Self(path.to_owned()));
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err("must start with a slash");
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        for segment in rest.split('/') {
            match segment {
                "" => return Err("has an empty segment"),
                "." | ".." => return Err("may not go up or stay"),
                segment if !segment.bytes().all(is_unreserved) => {
                    return Err("may hold letters, digits and -._~ between slashes only");
                }
                _ => {}
            }
        }
        Ok(Self(format!("/{rest}")))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows this path in `path`: empty, or with a leading slash; `None` if `path` lies elsewhere.
    ///
    /// Whole segments count: `/primusfoo` does not lie under `/primus`.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.0 == "/" {
            return path.starts_with('/').then_some(path);
        }
        let rest = path.strip_prefix(self.0.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

impl fmt::Display for Pathname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pathname {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(|fault| de::Error::custom(format!("{text:?} {fault}")))
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
