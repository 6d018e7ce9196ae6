//! A point in time as JavaScript's `Date` has it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::DATE_TOKEN;

/// Milliseconds since the Unix epoch, without leap seconds.
///
/// In the encoding it is a type of its own; where another format is read or written, it is a number of milliseconds. A field of
/// type `i64` or `f64` takes an encoded date too, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(pub i64);

/// What JavaScript's `Date` can represent: 100,000,000 days to both sides of the epoch.
const RANGE_MS: u64 = 8_640_000_000_000_000;

impl Date {
    /// The present time of the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The date as JavaScript's `toISOString` writes it (`2023-11-14T22:13:20.000Z`), or `None` where that would throw because
    /// the date is out of JavaScript's range.
    pub fn to_iso(self) -> Option<Iso> {
        (self.0.unsigned_abs() <= RANGE_MS).then_some(Iso(self.0))
    }
}

/// Displays a date of JavaScript's range in ISO 8601, in UTC, with milliseconds and a signed six-digit year where four digits don't
/// do. Made by [`Date::to_iso`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iso(i64);

impl fmt::Display for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY_MS: i64 = 86_400_000;
        let (year, month, day) = civil(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        match year {
            0..=9999 => write!(f, "{year:04}")?,
            _ => write!(f, "{year:+07}")?,
        }
        let (seconds, ms) = (ms / 1000, ms % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of a day number (0 = 1970-01-01) in the proleptic Gregorian calendar.
///
/// Counts in years that begin in March, so that the leap day is a year's last day, and in eras of 400 years, which all have the
/// same number of days.
fn civil(day_number: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    const DAYS_TO_EPOCH: i64 = 719_468; // from 0000-03-01
    let days = day_number + DAYS_TO_EPOCH;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // March to January have 153 days in each five months.
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

impl From<SystemTime> for Date {
    /// Times that an `i64` can't hold become the nearest that it can.
    fn from(time: SystemTime) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(ms(after)),
            Err(before) => Self(-ms(before.duration())),
        }
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(DATE_TOKEN, &self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DateVisitor;

        impl<'de> Visitor<'de> for DateVisitor {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date, or milliseconds since the Unix epoch")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Date, D::Error> {
                inner.deserialize_i64(self)
            }

            fn visit_i64<E>(self, ms: i64) -> Result<Date, E> {
                Ok(Date(ms))
            }

            fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<Date, E> {
                i64::try_from(ms).map(Date).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(ms), &self))
            }
        }

        deserializer.deserialize_newtype_struct(DATE_TOKEN, DateVisitor)
    }
}
