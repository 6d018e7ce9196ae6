//! A number as JavaScript has it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that came from JavaScript and goes back: it is written as an integer where it is one, whichever way it came.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

/// From here on, not every integer has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// The integer that it is.
    pub fn to_integer(self) -> Option<i64> {
        (self.0.trunc() == self.0 && self.0.abs() < EXACT).then_some(self.0 as i64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_integer() {
            Some(integer) => serializer.serialize_i64(integer),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self)
    }
}
