//! BinaryPack token by token.

use plugin_api::ByteSet;
use tokens::{Cursor, Fault, Token, Tokens};

/// The first bytes of texts: up to 15 bytes long, 16 bits of length, 32 bits of length.
pub(crate) const STRING_HEADS: ByteSet =
    ByteSet::of(&[0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0xd8, 0xd9]);

pub(crate) struct Reader<'w>(Cursor<'w>);

impl<'w> Reader<'w> {
    fn str(&mut self, len: u32) -> Result<Token<'w>, Fault> {
        self.0.take(len as usize).map(Token::lossy)
    }

    fn raw(&mut self, len: u32) -> Result<Token<'w>, Fault> {
        Ok(Token::Bytes(self.0.take(len as usize)?.into()))
    }
}

/// The length in a head's lower four bits.
fn short(head: u8) -> u32 {
    (head & 0x0f).into()
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
        let head = from.u8()?;
        Ok(match head {
            0x00..=0x7f => Token::U64(head.into()),
            0x80..=0x8f => Token::Object(Some(short(head).into())),
            0x90..=0x9f => Token::Array(Some(short(head).into())),
            0xa0..=0xaf => return self.raw(short(head)),
            0xb0..=0xbf => return self.str(short(head)),
            // 0xc1 and the ones from 0xd4 on are `undefined`.
            0xc0 | 0xc1 | 0xd4..=0xd7 => Token::Null,
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xca => Token::F32(f32::from_be_bytes(from.array()?)),
            0xcb => Token::F64(f64::from_be_bytes(from.array()?)),
            0xcc => Token::U64(from.u8()?.into()),
            0xcd => Token::U64(from.u16()?.into()),
            0xce => Token::U64(from.u32()?.into()),
            0xcf => Token::U64(from.u64()?),
            0xd0 => Token::I64(i8::from_be_bytes(from.array()?).into()),
            0xd1 => Token::I64(i16::from_be_bytes(from.array()?).into()),
            0xd2 => Token::I64(i32::from_be_bytes(from.array()?).into()),
            0xd3 => Token::I64(i64::from_be_bytes(from.array()?)),
            0xd8 => {
                let len = from.u16()?;
                return self.str(len.into());
            }
            0xd9 => {
                let len = from.u32()?;
                return self.str(len);
            }
            0xda => {
                let len = from.u16()?;
                return self.raw(len.into());
            }
            0xdb => {
                let len = from.u32()?;
                return self.raw(len);
            }
            0xdc => Token::Array(Some(from.u16()?.into())),
            0xdd => Token::Array(Some(from.u32()?.into())),
            0xde => Token::Object(Some(from.u16()?.into())),
            0xdf => Token::Object(Some(from.u32()?.into())),
            0xe0..=0xff => Token::I64(head.cast_signed().into()),
            0xc4..=0xc9 => return Err(Fault::Malformed(format!("the byte {head:#04x} begins nothing in BinaryPack").into())),
        })
    }
}
