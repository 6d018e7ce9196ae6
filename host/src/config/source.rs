//! The text of a configuration file and where its keys stand.
//!
//! Knows TOML's structure and positions; does not know any option.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use toml_edit::{Document, Item, Table, Value};

use super::{
    error::{ConfigError, Refusal, nearest},
    typed::Fault,
};

/// A parsed file that can still say on which line a key stands.
#[derive(Debug)]
pub(super) struct Source {
    file: PathBuf,
    document: Document<String>,
}

impl Source {
    /// Parses `text`; a syntax error is refused with its place.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        match Document::parse(text.to_owned()) {
            Ok(document) => Ok(Self { file: file.to_owned(), document }),
            Err(error) => {
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                Err(ConfigError::Refused(Box::new(Refusal {
                    file: file.to_owned(),
                    line,
                    column,
                    key: String::new(),
                    message: error.message().trim().replace('\n', ", "),
                    allowed: Vec::new(),
                    suggestion: None,
                })))
            }
        }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Whether there is nothing but white space in it.
    pub fn is_blank(&self) -> bool {
        self.document.raw().trim().is_empty()
    }

    pub fn root(&self) -> &Table {
        self.document.as_table()
    }

    /// The keys of a table that stand in this file and in another one with other values, or in one of them only.
    pub fn differing_keys(&self, other: &Self, table: &str) -> Vec<String> {
        let entries = |source: &Self| -> std::collections::BTreeMap<String, String> {
            let table = source.root().get(table).and_then(Item::as_table_like);
            let entries = table.into_iter().flat_map(|table| table.iter());
            entries.map(|(key, item)| (key.to_owned(), item.to_string().trim().to_owned())).collect()
        };
        let (own, others) = (entries(self), entries(other));
        let keys: std::collections::BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        keys.into_iter().filter(|key| own.get(*key) != others.get(*key)).cloned().collect()
    }

    /// Turns a fault into an error with file, line and column. A fault without a place of its own gets that of the
    /// deepest key on its path that is in the file.
    pub fn refuse(&self, fault: Fault) -> ConfigError {
        let start = match &fault.span {
            Some(span) => span.start,
            None => self.locate(fault.path.iter().map(String::as_str)),
        };
        let (line, column) = self.position(start);
        let suggestion = fault
            .found
            .as_deref()
            .and_then(|found| nearest(found, fault.allowed.iter().map(String::as_str)))
            .map(str::to_owned);
        ConfigError::Refused(Box::new(Refusal {
            file: self.file.clone(),
            line,
            column,
            key: fault.path.join("."),
            message: fault.message,
            allowed: fault.allowed,
            suggestion,
        }))
    }

    /// The offset of the deepest key or element on `path` that the file has; 0 if it has none of it.
    pub fn locate<'a>(&self, path: impl Iterator<Item = &'a str>) -> usize {
        let mut place = 0;
        let mut here = Place::Table(self.root());
        for step in path {
            let Some((span, next)) = here.enter(step) else {
                break;
            };
            // A table written by dotted keys or headers of its children has no span of its own.
            place = span.map_or(place, |span| span.start);
            here = next;
        }
        place
    }

    /// Line and column, both from 1, of a byte offset.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        position(self.document.raw(), offset)
    }
}

/// Where a walk through the file stands.
enum Place<'a> {
    Table(&'a dyn toml_edit::TableLike),
    Array(&'a toml_edit::Array),
    Tables(&'a toml_edit::ArrayOfTables),
    Leaf,
}

impl<'a> Place<'a> {
    fn enter(&self, step: &str) -> Option<(Option<Range<usize>>, Place<'a>)> {
        match self {
            Place::Table(table) => {
                let (key, item) = table.get_key_value(step)?;
                Some((key.span(), Place::of_item(item)))
            }
            Place::Array(array) => {
                let value = array.get(step.parse().ok()?)?;
                Some((value.span(), Place::of_value(value)))
            }
            Place::Tables(tables) => {
                let table = tables.get(step.parse().ok()?)?;
                Some((table.span(), Place::Table(table)))
            }
            Place::Leaf => None,
        }
    }

    fn of_item(item: &'a Item) -> Self {
        match item {
            Item::Table(table) => Place::Table(table),
            Item::ArrayOfTables(tables) => Place::Tables(tables),
            Item::Value(value) => Place::of_value(value),
            Item::None => Place::Leaf,
        }
    }

    fn of_value(value: &'a Value) -> Self {
        match value {
            Value::InlineTable(table) => Place::Table(table),
            Value::Array(array) => Place::Array(array),
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Place::Leaf,
        }
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
