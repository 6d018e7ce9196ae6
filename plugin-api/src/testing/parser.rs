//! Values through a parser, as the host leads them.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::boundary::{host_of, registered};
use super::plugged::PluginHost;
use super::world::World;
use crate::abi::host::ParserHandle;
use crate::message::Kind;
use crate::parser::{ParseError, Parser};
use crate::runtime::PluginRuntime;
use crate::value::{self, Value};

/// A parser behind the boundary.
///
/// ```
/// # use plugin_api::{Kind, ParseError, Parser, value};
/// # struct Text;
/// # impl Parser for Text {
/// #     fn name(&self) -> &str { "text" }
/// #     fn decode(&self, _: Kind, wire: &[u8], value: &mut Vec<u8>) -> Result<(), ParseError> {
/// #         let text = std::str::from_utf8(wire).map_err(|error| ParseError::new(error.to_string()))?;
/// #         value::encode(text, value).map_err(|error| ParseError::new(error.to_string()))
/// #     }
/// #     fn encode(&self, value: &[u8], wire: &mut Vec<u8>) -> Result<Option<Kind>, ParseError> {
/// #         let text: &str = value::decode(value).map_err(|error| ParseError::new(error.to_string()))?;
/// #         wire.extend_from_slice(text.as_bytes());
/// #         Ok(Some(Kind::Text))
/// #     }
/// #     fn decode_string(&self, _: Kind, wire: &[u8], prefix: &str) -> Option<String> {
/// #         String::from_utf8(wire.to_vec()).ok().filter(|text| text.starts_with(prefix))
/// #     }
/// # }
/// use plugin_api::testing::ParserHarness;
///
/// let parser = ParserHarness::new(Text);
/// assert_eq!(parser.encode("hello"), Ok(Some((Kind::Text, b"hello".to_vec()))));
/// assert_eq!(parser.roundtrip::<String>("hello"), "hello");
/// assert!(parser.decode::<String>(Kind::Text, b"\xff").is_err());
/// ```
pub struct ParserHarness {
    parser: Arc<ParserHandle>,
}

impl ParserHarness {
    /// Over a parser.
    pub fn new(parser: impl Parser) -> Self {
        let host = host_of(PluginHost::new(&Arc::<World>::default(), "bench", 0));
        let registrations = registered(&host, &PluginRuntime::default(), |registrar| registrar.parser(parser));
        Self::of(registrations.parsers.into_iter().next().expect("one was registered"))
    }

    pub(super) fn of(parser: Arc<ParserHandle>) -> Self {
        Self { parser }
    }

    /// Wire bytes to a value of a type.
    ///
    /// # Errors
    ///
    /// The parser refuses the bytes.
    ///
    /// # Panics
    ///
    /// The parser panics, or what it makes of the bytes is no value of that type.
    #[track_caller]
    pub fn decode<T: DeserializeOwned>(&self, kind: Kind, wire: impl AsRef<[u8]>) -> Result<T, ParseError> {
        let encoded = self.checked(self.parser.decode(kind, wire.as_ref()))?;
        match value::decode(&encoded) {
            Ok(value) => Ok(value),
            Err(error) => panic!("the parser's value is no {}: {error}", std::any::type_name::<T>()),
        }
    }

    /// A value to wire bytes; `None`: such a value is not sent.
    ///
    /// # Errors
    ///
    /// The parser refuses the value.
    ///
    /// # Panics
    ///
    /// The parser panics, or the value can't be encoded.
    #[track_caller]
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Option<(Kind, Vec<u8>)>, ParseError> {
        let encoded = value::to_vec(value).unwrap_or_else(|error| panic!("the value can't be encoded: {error}"));
        self.checked(self.parser.encode(&encoded))
    }

    /// A value to wire bytes and back.
    ///
    /// # Panics
    ///
    /// The parser panics, refuses the value or its own bytes, does not send such a value, or makes no value of that type of it.
    #[track_caller]
    pub fn roundtrip<T: DeserializeOwned>(&self, value: &(impl Serialize + ?Sized)) -> T {
        let (kind, wire) = match self.encode(value) {
            Ok(Some(wire)) => wire,
            Ok(None) => panic!("the parser does not send such a value"),
            Err(error) => panic!("the parser can't encode the value: {error}"),
        };
        match self.decode(kind, &wire) {
            Ok(value) => value,
            Err(error) => panic!("the parser refuses what it has written: {error}\n{}", wire.escape_ascii()),
        }
    }

    /// The string that a message is, looked for as the host does it: only where the first byte allows one.
    ///
    /// # Panics
    ///
    /// The parser panics, or finds a string where [`Parser::string_lead`] rules one out: the host would miss it.
    #[track_caller]
    pub fn decode_string(&self, kind: Kind, wire: impl AsRef<[u8]>, prefix: &str) -> Option<String> {
        let wire = wire.as_ref();
        let string = match self.parser.decode_string(kind, wire, prefix) {
            Ok(string) => string,
            Err(fault) => panic!("{fault}"),
        };
        let allowed = wire.first().is_some_and(|first| self.parser.may_be_string(*first));
        assert!(allowed || string.is_none(), "`string_lead` rules out the string {:?}", wire.escape_ascii().to_string());
        string
    }

    /// The value as the parser hands it over, for types unknown.
    ///
    /// # Errors
    ///
    /// The parser refuses the bytes.
    ///
    /// # Panics
    ///
    /// As [`ParserHarness::decode`].
    #[track_caller]
    pub fn value(&self, kind: Kind, wire: impl AsRef<[u8]>) -> Result<Value, ParseError> {
        self.decode(kind, wire)
    }

    #[track_caller]
    fn checked<T>(&self, result: Result<T, crate::abi::host::ParserFailure>) -> Result<T, ParseError> {
        use crate::abi::host::ParserFailure;
        match result {
            Ok(done) => Ok(done),
            Err(ParserFailure::Refused(error)) => Err(error),
            Err(ParserFailure::Fault(fault)) => panic!("{fault}"),
        }
    }
}
