//! CBOR (RFC 8949, section 3) token by token.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;
use plugin_api::ByteSet;
use tokens::{Fault, Token, Tokens};

use crate::date;

/// The first bytes of texts: major type 3, and the tag 55799, which may stand before everything.
pub(crate) const STRING_HEADS: ByteSet = ByteSet::of(&[
    0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73,
    0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x7b, 0x7f, 0xd9, 0xda, 0xdb,
]);

/// "This is CBOR" (section 3.4.6).
const SELF_DESCRIBED: u64 = 55799;

pub(crate) struct Reader<'w>(Decoder<'w>);

impl<'w> Reader<'w> {
    /// A text; one in chunks (section 3.2.3) is put together.
    fn text(&mut self) -> Result<Cow<'w, str>, Error> {
        if self.0.datatype()? == Type::StringIndef {
            return self.0.str_iter()?.collect::<Result<String, _>>().map(Cow::Owned);
        }
        self.0.str().map(Cow::Borrowed)
    }

    fn bytes(&mut self) -> Result<Cow<'w, [u8]>, Error> {
        if self.0.datatype()? == Type::BytesIndef {
            let mut bytes = Vec::new();
            for chunk in self.0.bytes_iter()? {
                bytes.extend_from_slice(chunk?);
            }
            return Ok(Cow::Owned(bytes));
        }
        self.0.bytes().map(Cow::Borrowed)
    }

    /// What a tag is before.
    fn tagged(&mut self) -> Result<Token<'w>, Fault> {
        match self.0.tag().map_err(fault)?.as_u64() {
            date::TEXT_TAG => match self.plain()? {
                Token::Str(text) => date::from_rfc3339(&text).map(|date| Token::Date(Some(date))),
                _ => None,
            }
            .ok_or_else(|| Fault::Malformed("tag 0 is not before a date as text".into())),
            date::SECONDS_TAG => {
                let seconds = match self.plain()? {
                    Token::U64(seconds) => seconds as f64,
                    Token::I64(seconds) => seconds as f64,
                    Token::F32(seconds) => seconds.into(),
                    Token::F64(seconds) => seconds,
                    _ => return Err(Fault::Malformed("tag 1 is not before a number of seconds".into())),
                };
                Ok(Token::Date(date::from_seconds(seconds)))
            }
            tag => Err(Fault::Malformed(format!("the tag {tag} is unknown").into())),
        }
    }

    /// What has no tag.
    fn plain(&mut self) -> Result<Token<'w>, Fault> {
        let next = self.0.datatype().map_err(fault)?;
        let from = &mut self.0;
        let token = match next {
            Type::Null => from.null().map(|()| Token::Null),
            Type::Undefined => from.undefined().map(|()| Token::Null),
            Type::Bool => from.bool().map(Token::Bool),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => from.u64().map(Token::U64),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => from.i64().map(Token::I64),
            Type::F16 => from.f16().map(Token::F32),
            Type::F32 => from.f32().map(Token::F32),
            Type::F64 => from.f64().map(Token::F64),
            Type::String | Type::StringIndef => self.text().map(Token::Str),
            Type::Bytes | Type::BytesIndef => self.bytes().map(Token::Bytes),
            Type::Array | Type::ArrayIndef => from.array().map(Token::Array),
            Type::Map | Type::MapIndef => from.map().map(Token::Object),
            Type::Tag => return Err(Fault::Malformed("a date is not before a tag".into())),
            Type::Int => return Err(Fault::Malformed("an integer is below -2^63".into())),
            Type::Simple => return Err(Fault::Malformed("a simple value is unknown".into())),
            Type::Break => return Err(Fault::Malformed("an end is where nothing has begun".into())),
            Type::Unknown(head) => return Err(Fault::Malformed(format!("the byte {head:#04x} begins nothing in CBOR").into())),
        };
        token.map_err(fault)
    }
}

impl<'w> Tokens<'w> for Reader<'w> {
    fn new(message: &'w [u8]) -> Self {
        Self(Decoder::new(message))
    }

    fn offset(&self) -> usize {
        self.0.position()
    }

    fn is_done(&self) -> bool {
        self.0.position() == self.0.input().len()
    }

    fn next(&mut self) -> Result<Token<'w>, Fault> {
        while self.0.datatype().map_err(fault)? == Type::Tag {
            let at = self.0.position();
            if self.0.tag().map_err(fault)?.as_u64() != SELF_DESCRIBED {
                self.0.set_position(at);
                return self.tagged();
            }
        }
        self.plain()
    }

    fn ends(&mut self) -> Result<bool, Fault> {
        let ends = self.0.datatype().map_err(fault)? == Type::Break;
        if ends {
            self.0.set_position(self.0.position() + 1);
        }
        Ok(ends)
    }
}

fn fault(error: Error) -> Fault {
    if error.is_end_of_input() { Fault::Truncated } else { Fault::Malformed(error.to_string().into()) }
}
