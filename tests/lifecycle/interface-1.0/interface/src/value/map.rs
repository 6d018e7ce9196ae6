//! An object: pairs of key and value in the order in which they came.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::Value;
use super::tree::cautious;

/// The pairs of an object, in the order of insertion.
///
/// A key that is inserted again keeps its place and gets the new value, as in JavaScript (which besides puts keys that look like
/// array indices first; this doesn't). Looking up walks over the pairs: it is made for the small objects that messages are.
#[derive(Clone, Default, PartialEq)]
pub struct Map {
    pairs: Vec<(String, Value)>,
}

/// From this number of pairs on, pairs that come at once are indexed to find the keys that come twice: a client must not be able to
/// make the server compare each with each.
const INDEXED_FROM: usize = 32;

impl Map {
    /// An empty object.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.pairs.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key and gives the earlier one back.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(place) => Some(std::mem::replace(place, value)),
            None => {
                self.pairs.push((key, value));
                None
            }
        }
    }

    /// Takes a key out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.pairs.iter().position(|(name, _)| name == key)?;
        Some(self.pairs.remove(place).1)
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.pairs.iter().map(|(key, _)| key.as_str())
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.pairs.iter().map(|(_, value)| value)
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

impl Extend<(String, Value)> for Map {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, pairs: I) {
        let mut pairs = pairs.into_iter();
        while self.len() < INDEXED_FROM {
            let Some((key, value)) = pairs.next() else { return };
            self.insert(key, value);
        }
        let mut index: HashMap<String, usize> =
            self.pairs.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect();
        for (key, value) in pairs {
            match index.get(&key) {
                Some(&place) => self.pairs[place].1 = value,
                None => {
                    index.insert(key.clone(), self.pairs.len());
                    self.pairs.push((key, value));
                }
            }
        }
    }
}

impl<K: Into<String>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Map {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl Index<&str> for Map {
    type Output = Value;

    /// The value of a key, or [`Value::Null`] where there is none, as JavaScript gives `undefined`.
    fn index(&self, key: &str) -> &Value {
        self.get(key).unwrap_or(&Value::Null)
    }
}

impl IndexMut<&str> for Map {
    /// The value of a key, which is inserted as [`Value::Null`] where it isn't there.
    fn index_mut(&mut self, key: &str) -> &mut Value {
        let place = match self.pairs.iter().position(|(name, _)| name == key) {
            Some(place) => place,
            None => {
                self.pairs.push((key.to_owned(), Value::Null));
                self.pairs.len() - 1
            }
        };
        &mut self.pairs[place].1
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MapVisitor)
    }
}

/// Reads the pairs of an object.
pub(super) struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = Map;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Map, A::Error> {
        let mut pairs = Vec::with_capacity(cautious(access.size_hint()));
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs.into_iter().collect())
    }
}
