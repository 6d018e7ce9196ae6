//! When a plugin that panics is taken out of service: `"immediately"`, `"never"`, or `{ after = 3, within = "60s" }`.
//!
//! Knows how it is written in the file; does not count panics.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use super::units;

/// When a plugin that panics is taken out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarantine {
    /// It serves on, whatever it does.
    Never,
    /// At the last of so many panics within a time.
    After {
        /// How many.
        count: NonZeroU32,
        /// Within which time.
        within: Duration,
    },
}

impl Quarantine {
    /// At the first panic.
    pub const IMMEDIATELY: Self = Self::After { count: NonZeroU32::MIN, within: Duration::from_secs(60) };
}

impl<'de> Deserialize<'de> for Quarantine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The table.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Limit {
            after: NonZeroU32,
            #[serde(deserialize_with = "units::time", default = "minute")]
            within: Duration,
        }
        fn minute() -> Duration {
            Duration::from_secs(60)
        }
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Quarantine;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"immediately\", \"never\", or a limit such as { after = 3, within = \"60s\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quarantine, E> {
                match text {
                    "immediately" => Ok(Quarantine::IMMEDIATELY),
                    "never" => Ok(Quarantine::Never),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Quarantine, A::Error> {
                let Limit { after, within } = Limit::deserialize(MapAccessDeserializer::new(map))?;
                if after.get() > MOST {
                    return Err(de::Error::custom(format!("after may be at most {MOST}")));
                }
                Ok(Quarantine::After { count: after, within })
            }
        }
        /// Each panic that counts is remembered with its time.
        const MOST: u32 = 1000;
        deserializer.deserialize_any(Visitor)
    }
}
