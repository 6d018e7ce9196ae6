//! A serde deserializer over parsed TOML whose errors know the key, its place and what is allowed there.
//!
//! toml_edit's own deserializer says the same in prose; here it stays data, so that an error can suggest the key that
//! was meant. Knows TOML and serde; does not know any option.

use std::{fmt, ops::Range};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use toml_edit::{Item, Key, Table, TableLike, Value};

/// Why a table could not be read into its type.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault {
    /// Bytes of the file that are to blame.
    pub span: Option<Range<usize>>,
    /// The keys that lead there, outermost first.
    pub path: Vec<String>,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What could stand there instead.
    pub allowed: Vec<String>,
    /// The word that stands there, if `allowed` has words to compare it with.
    pub found: Option<String>,
}

impl Fault {
    /// A fault that is said in one sentence.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..Self::default() }
    }

    /// The same fault, seen from the table that has `key`.
    pub fn inside(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }

    /// The same fault with this place, if it had none.
    pub fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = self.span.or(span);
        self
    }

    fn of_word(message: String, found: &str, allowed: &'static [&'static str]) -> Self {
        Self {
            message,
            allowed: allowed.iter().map(|word| (*word).to_owned()).collect(),
            found: Some(found.to_owned()),
            ..Self::default()
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::of_word("unknown key".to_owned(), field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::of_word(format!("unknown value {variant:?}"), variant, expected)
    }
}

/// Reads a `T` from a table or value of the file.
pub(super) fn read<'de, T: Deserialize<'de>>(node: Node<'de>) -> Result<T, Fault> {
    T::deserialize(node)
}

/// The keys that a struct can be read from.
pub(super) fn keys_of<'de, T: Deserialize<'de>>() -> impl Iterator<Item = &'static str> {
    let keys = match T::deserialize(Keys) {
        Ok(_) => &[],
        Err(KeysFound(keys)) => keys,
    };
    keys.iter().copied()
}

/// Reads nothing: its error is the list of keys that the type would have read.
struct Keys;

#[derive(Debug, thiserror::Error)]
#[error("not meant to be read")]
struct KeysFound(&'static [&'static str]);

impl de::Error for KeysFound {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self(&[])
    }
}

impl<'de> de::Deserializer<'de> for Keys {
    type Error = KeysFound;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, KeysFound> {
        Err(KeysFound(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, KeysFound> {
        Err(KeysFound(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A place in the file that holds something.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    Table(&'a Table),
    Item(&'a Item),
    Value(&'a Value),
}

impl Node<'_> {
    fn span(&self) -> Option<Range<usize>> {
        match self {
            Node::Table(table) => table.span(),
            Node::Item(item) => item.span(),
            Node::Value(value) => value.span(),
        }
    }
}

impl<'de> Node<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Table(table) | Node::Item(Item::Table(table)) => visitor.visit_map(Entries::of(table)),
            Node::Item(Item::ArrayOfTables(tables)) => visitor.visit_seq(Elements::of(tables.iter().map(Node::Table))),
            Node::Item(Item::Value(value)) | Node::Value(value) => visit_value(value, visitor),
            Node::Item(Item::None) => visitor.visit_unit(),
        }
    }
}

fn visit_value<'de, V: Visitor<'de>>(value: &'de Value, visitor: V) -> Result<V::Value, Fault> {
    match value {
        Value::String(text) => visitor.visit_borrowed_str(text.value()),
        Value::Integer(number) => visitor.visit_i64(*number.value()),
        Value::Float(number) => visitor.visit_f64(*number.value()),
        Value::Boolean(truth) => visitor.visit_bool(*truth.value()),
        // Plugins get their table as JSON, which has no dates: they see what RFC 3339 writes.
        Value::Datetime(date) => visitor.visit_string(date.value().to_string()),
        Value::Array(array) => visitor.visit_seq(Elements::of(array.iter().map(Node::Value))),
        Value::InlineTable(table) => visitor.visit_map(Entries::of(table)),
    }
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let span = self.span();
        self.visit(visitor).map_err(|fault| fault.at(span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let span = self.span();
        let word = match self {
            Node::Item(Item::Value(Value::String(text))) | Node::Value(Value::String(text)) => text.value().as_str(),
            Node::Table(_) | Node::Item(_) | Node::Value(_) => {
                return Err(Fault::new("expected a word in quotes").at(span));
            }
        };
        visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(word)).map_err(|fault| fault.at(span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The elements of a list, in the file's order.
struct Elements<I> {
    nodes: std::iter::Enumerate<I>,
}

impl<'a, I: Iterator<Item = Node<'a>>> Elements<I> {
    fn of(nodes: I) -> Self {
        Self { nodes: nodes.enumerate() }
    }
}

impl<'de, I: Iterator<Item = Node<'de>>> SeqAccess<'de> for Elements<I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, node)) = self.nodes.next() else {
            return Ok(None);
        };
        seed.deserialize(node).map(Some).map_err(|fault| fault.at(node.span()).inside(&index.to_string()))
    }
}

/// The entries of a table, in the file's order.
struct Entries<'a> {
    entries: std::vec::IntoIter<(&'a Key, &'a Item)>,
    value: Option<(&'a Key, &'a Item)>,
}

impl<'a> Entries<'a> {
    fn of(table: &'a dyn TableLike) -> Self {
        let entries: Vec<_> = table.iter().filter_map(|(name, _)| table.get_key_value(name)).collect();
        Self { entries: entries.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, item)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, item));
        seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(key.get()))
            .map(Some)
            .map_err(|fault: Fault| fault.at(key.span()).inside(key.get()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, item) = self.value.take().expect("serde asks for a value only after its key");
        let place = item.span().or(key.span());
        seed.deserialize(Node::Item(item)).map_err(|fault| fault.at(place).inside(key.get()))
    }
}
