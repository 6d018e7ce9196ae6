//! MessagePack (its specification as of 2017) token by token.

use plugin_api::ByteSet;
use rmp::Marker;
use tokens::{Cursor, Fault, Token, Tokens};

use crate::extension;

/// The first bytes of texts: fixstr, str 8, str 16, str 32.
pub(crate) const STRING_HEADS: ByteSet = ByteSet::of(&{
    let mut heads = [0; 35];
    let mut length = 0;
    while length < 32 {
        heads[length as usize] = 0xa0 + length;
        length += 1;
    }
    heads[32] = 0xd9;
    heads[33] = 0xda;
    heads[34] = 0xdb;
    heads
});

pub(crate) struct Reader<'w>(Cursor<'w>);

impl<'w> Reader<'w> {
    fn str(&mut self, len: u32) -> Result<Token<'w>, Fault> {
        self.0.take(len as usize).map(Token::lossy)
    }

    fn bytes(&mut self, len: u32) -> Result<Token<'w>, Fault> {
        Ok(Token::Bytes(self.0.take(len as usize)?.into()))
    }

    fn extension(&mut self, len: u32) -> Result<Token<'w>, Fault> {
        let kind = self.0.u8()?;
        extension::token(kind, self.0.take(len as usize)?)
    }
}

impl<'w> Tokens<'w> for Reader<'w> {
    fn new(message: &'w [u8]) -> Self {
        Self(Cursor::new(message))
    }

    fn offset(&self) -> usize {
        self.0.offset()
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }

    fn next(&mut self) -> Result<Token<'w>, Fault> {
        let from = &mut self.0;
        Ok(match Marker::from_u8(from.u8()?) {
            Marker::Null => Token::Null,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(value) => Token::U64(value.into()),
            Marker::FixNeg(value) => Token::I64(value.into()),
            Marker::U8 => Token::U64(from.u8()?.into()),
            Marker::U16 => Token::U64(from.u16()?.into()),
            Marker::U32 => Token::U64(from.u32()?.into()),
            Marker::U64 => Token::U64(from.u64()?),
            Marker::I8 => Token::I64(i8::from_be_bytes(from.array()?).into()),
            Marker::I16 => Token::I64(i16::from_be_bytes(from.array()?).into()),
            Marker::I32 => Token::I64(i32::from_be_bytes(from.array()?).into()),
            Marker::I64 => Token::I64(i64::from_be_bytes(from.array()?)),
            Marker::F32 => Token::F32(f32::from_be_bytes(from.array()?)),
            Marker::F64 => Token::F64(f64::from_be_bytes(from.array()?)),
            Marker::FixStr(len) => return self.str(len.into()),
            Marker::Str8 => {
                let len = from.u8()?;
                return self.str(len.into());
            }
            Marker::Str16 => {
                let len = from.u16()?;
                return self.str(len.into());
            }
            Marker::Str32 => {
                let len = from.u32()?;
                return self.str(len);
            }
            Marker::Bin8 => {
                let len = from.u8()?;
                return self.bytes(len.into());
            }
            Marker::Bin16 => {
                let len = from.u16()?;
                return self.bytes(len.into());
            }
            Marker::Bin32 => {
                let len = from.u32()?;
                return self.bytes(len);
            }
            Marker::FixArray(len) => Token::Array(Some(len.into())),
            Marker::Array16 => Token::Array(Some(from.u16()?.into())),
            Marker::Array32 => Token::Array(Some(from.u32()?.into())),
            Marker::FixMap(len) => Token::Object(Some(len.into())),
            Marker::Map16 => Token::Object(Some(from.u16()?.into())),
            Marker::Map32 => Token::Object(Some(from.u32()?.into())),
            Marker::FixExt1 => return self.extension(1),
            Marker::FixExt2 => return self.extension(2),
            Marker::FixExt4 => return self.extension(4),
            Marker::FixExt8 => return self.extension(8),
            Marker::FixExt16 => return self.extension(16),
            Marker::Ext8 => {
                let len = from.u8()?;
                return self.extension(len.into());
            }
            Marker::Ext16 => {
                let len = from.u16()?;
                return self.extension(len.into());
            }
            Marker::Ext32 => {
                let len = from.u32()?;
                return self.extension(len);
            }
            Marker::Reserved => return Err(Fault::Malformed("the byte 0xc1 begins nothing in MessagePack".into())),
        })
    }
}
