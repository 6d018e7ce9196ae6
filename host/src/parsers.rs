//! Parsers by number and by name.
//!
//! A name has the same number for the life of the host, whatever generation brings it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use plugin_api::Kind;
use plugin_api::abi::host::{ParserFailure, ParserHandle};

use crate::generation::Generation;

/// A parser with its host-wide number.
pub struct ParserEntry {
    /// The number; 1 is the first.
    pub number: u32,
    /// The parser.
    pub handle: Arc<ParserHandle>,
    /// Who brought it.
    pub generation: Arc<Generation>,
    /// The same for clients that take its bytes as text, in base64; `None` where it makes text anyway.
    pub in_base64: Option<Arc<ParserEntry>>,
}

impl ParserEntry {
    /// A parser under its number, and under one more in base64 where it makes bytes.
    pub fn new(handle: &Arc<ParserHandle>, generation: &Arc<Generation>, numbers: &ParserNumbers) -> Self {
        let name = handle.name();
        let entry = |number, handle, in_base64| Self { number, handle, generation: Arc::clone(generation), in_base64 };
        let text = plugin_api::value::to_vec("").expect("a text is plain data");
        let makes_bytes = matches!(handle.encode(&text), Ok(Some((Kind::Binary, _))));
        let in_base64 = makes_bytes.then(|| {
            let number = numbers.of(&format!("{name} in base64"));
            Arc::new(entry(number, Arc::new(handle.in_base64()), None))
        });
        entry(numbers.of(name), Arc::clone(handle), in_base64)
    }

    /// Encodes a control message.
    ///
    /// # Errors
    ///
    /// The parser can't, or panicked.
    pub fn control(&self, text: &str) -> Option<(Kind, Vec<u8>)> {
        let value = plugin_api::value::to_vec(&text).expect("a text is plain data");
        match self.handle.encode(&value) {
            Ok(encoded) => encoded,
            Err(failure) => {
                self.failed("encode", &failure);
                None
            }
        }
    }

    /// It did not do its work: a panic puts its plugin into quarantine, anything else is the message's fault.
    pub fn failed(&self, entry: &str, failure: &ParserFailure) {
        match failure {
            ParserFailure::Fault(fault) => self.generation.panicked(&format!("a parser's {entry}"), fault),
            ParserFailure::Refused(error) => {
                tracing::debug!(parser = self.handle.name(), "it refuses to {entry} a message: {error}");
            }
        }
    }
}

/// Gives numbers to names, and knows which parser has had one last. Clones share it.
#[derive(Clone, Default)]
pub struct ParserNumbers {
    known: Arc<Mutex<Vec<Known>>>,
}

struct Known {
    name: String,
    latest: Weak<ParserEntry>,
}

impl ParserNumbers {
    /// The number of a name; 1 is the first, 0 is none.
    pub fn of(&self, name: &str) -> u32 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|known| known.name == name).unwrap_or_else(|| {
            known.push(Known { name: name.to_owned(), latest: Weak::new() });
            known.len() - 1
        });
        u32::try_from(at + 1).expect("there are not 2^32 parsers")
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Some(known.get(index(number)?)?.name.clone())
    }

    /// Makes a parser the latest of its number.
    pub fn remember(&self, parser: &Arc<ParserEntry>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = index(parser.number).and_then(|at| known.get_mut(at)) {
            known.latest = Arc::downgrade(parser);
        }
    }

    /// The latest parser of a number, as long as a picture or a spark has it: that of a plugin that is no longer there, too.
    pub fn latest(&self, number: u32) -> Option<Arc<ParserEntry>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(index(number)?)?.latest.upgrade()
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()?.checked_sub(1)
}

/// Which of these parsers speaks with a client that asks for none: the one that the configuration names, else `json`, else the first.
pub fn default_of<'a>(names: impl Iterator<Item = &'a str> + Clone, wanted: Option<&str>) -> Option<usize> {
    let place = |name| names.clone().position(|known| known == name);
    match wanted {
        Some(name) => place(name),
        None => place("json").or_else(|| names.clone().next().map(|_| 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let numbers = ParserNumbers::default();
        assert_eq!([numbers.of("json"), numbers.of("msgpack"), numbers.clone().of("json"), numbers.of("cbor")], [1, 2, 1, 3]);
        assert_eq!([0, 2, 9].map(|number| numbers.name(number)), [None, Some("msgpack".to_owned()), None]);
        assert!(numbers.latest(0).is_none() && numbers.latest(1).is_none() && numbers.latest(9).is_none());
    }

    #[test]
    fn the_configured_parser_is_the_default_or_there_is_none() {
        let default = |names: &[&str], wanted| default_of(names.iter().copied(), wanted);
        assert_eq!(default(&["cbor", "json"], None), Some(1));
        assert_eq!(default(&["cbor", "msgpack"], None), Some(0));
        assert_eq!(default(&[], None), None);
        assert_eq!(default(&["json", "msgpack"], Some("msgpack")), Some(1));
        assert_eq!(default(&["json"], Some("msgpack")), None);
    }
}
