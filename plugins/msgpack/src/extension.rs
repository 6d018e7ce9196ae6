//! The extension types of msgpack-lite, and the one that MessagePack itself defines.

use plugin_api::value::Date;
use tokens::{Cursor, Fault, Token, Tokens, date_from_ms};

use crate::read::Reader;

/// msgpack-lite's `Date`: around the number of milliseconds since the epoch.
pub(crate) const DATE: u8 = 0x0d;

/// MessagePack's timestamp: type -1.
const TIMESTAMP: u8 = 0xff;

/// What an extension stands for.
pub(crate) fn token(kind: u8, content: &[u8]) -> Result<Token<'_>, Fault> {
    match kind {
        DATE => date(content),
        TIMESTAMP => timestamp(content),
        // Errors, regular expressions, and the boxes of a truth value, a text and a number: around what they are made of.
        0x01..=0x06 | 0x0a..=0x0c | 0x0e | 0x0f => Ok(Token::Inner(content)),
        // Typed arrays, `ArrayBuffer`, `Buffer`, `DataView`: their bytes.
        0x11..=0x1b | 0x1d => Ok(Token::Bytes(content.into())),
        _ => Err(Fault::Malformed(format!("the extension type {} is unknown", kind.cast_signed()).into())),
    }
}

fn date(content: &[u8]) -> Result<Token<'_>, Fault> {
    let mut number = Reader::new(content);
    let ms = match number.next()? {
        Token::I64(ms) => date_from_ms(ms as f64),
        Token::U64(ms) => date_from_ms(ms as f64),
        Token::F32(ms) => date_from_ms(ms.into()),
        Token::F64(ms) => date_from_ms(ms),
        _ => return Err(Fault::Malformed("a date has something else than a number in it".into())),
    };
    if number.is_done() { Ok(Token::Date(ms)) } else { Err(Fault::Malformed("a date has more than a number in it".into())) }
}

/// Seconds and nanoseconds, in one of three widths.
fn timestamp(content: &[u8]) -> Result<Token<'_>, Fault> {
    let mut from = Cursor::new(content);
    let (seconds, nanoseconds) = match content.len() {
        4 => (from.u32()?.into(), 0),
        8 => {
            let both = from.u64()?;
            ((both & 0x3_ffff_ffff).cast_signed(), both >> 34)
        }
        12 => {
            let nanoseconds = from.u32()?;
            (from.u64()?.cast_signed(), nanoseconds.into())
        }
        _ => return Err(Fault::Malformed("a timestamp has a length that there isn't".into())),
    };
    if nanoseconds > 999_999_999 {
        return Err(Fault::Malformed("a timestamp has more than a second of nanoseconds".into()));
    }
    let ms = seconds.checked_mul(1000).and_then(|ms: i64| ms.checked_add((nanoseconds / 1_000_000).cast_signed()));
    Ok(Token::Date(ms.and_then(|ms| Date(ms).to_iso().is_some().then_some(Date(ms)))))
}
