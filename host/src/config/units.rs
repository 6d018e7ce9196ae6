//! Quantities as people write them: `"30s"`, `"1 MiB"`.
//!
//! Knows how they are written in the file; does not know what any of them is for.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A number of bytes: an integer, or text with a unit such as `"64 KiB"` (1024) or `"64 kB"` (1000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// The number as a length in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bytesize::ByteSize(self.0).fmt(f)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, such as 65536 or \"64 KiB\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ByteCount, E> {
                u64::try_from(number).map(ByteCount).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteCount, E> {
                text.parse::<bytesize::ByteSize>()
                    .map(|size| ByteCount(size.as_u64()))
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How often the server asks a client whether it is there, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingInterval(pub Option<Duration>);

impl<'de> Deserialize<'de> for PingInterval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = PingInterval;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time of at least 10 ms, such as \"30s\", or false to send no pings")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<PingInterval, E> {
                match on {
                    false => Ok(PingInterval(None)),
                    true => Err(E::invalid_value(de::Unexpected::Bool(true), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PingInterval, E> {
                match humantime::parse_duration(text) {
                    Ok(time) if time >= Duration::from_millis(10) => Ok(PingInterval(Some(time))),
                    Ok(_) | Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// For `#[serde(deserialize_with)]`: a length of time in text, such as `"1m 30s"`.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time with its unit, such as \"500ms\", \"30s\" or \"2m\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Visitor)
}
