//! MessagePack as msgpack-lite writes it.

use plugin_api::value::Date;
use rmp::encode;
use tokens::Format;

use crate::extension;

/// A `Vec` takes every byte.
const INFALLIBLE: &str = "writing to a Vec never fails";

/// Up to here, every integer has a float of its own.
const EXACT: u64 = 1 << 53;

/// From this length on, byte strings take two bytes for it: msgpack-lite is off by one.
const BIN16_FROM: u32 = 0xff;

pub(crate) struct MsgpackLite;

/// A number as JavaScript has it: an integer if it is one of 32 bits, else a float.
fn number(value: f64, out: &mut Vec<u8>) {
    let integer = value as i32;
    if f64::from(integer) == value {
        encode::write_sint(out, integer.into()).expect(INFALLIBLE);
    } else {
        encode::write_f64(out, value).expect(INFALLIBLE);
    }
}

impl Format for MsgpackLite {
    fn null(out: &mut Vec<u8>) {
        encode::write_nil(out).expect(INFALLIBLE);
    }

    fn bool(value: bool, out: &mut Vec<u8>) {
        encode::write_bool(out, value).expect(INFALLIBLE);
    }

    fn i64(value: i64, out: &mut Vec<u8>) {
        if value.unsigned_abs() <= EXACT {
            number(value as f64, out);
        } else {
            encode::write_sint(out, value).expect(INFALLIBLE);
        }
    }

    fn u64(value: u64, out: &mut Vec<u8>) {
        encode::write_uint(out, value).expect(INFALLIBLE);
    }

    fn f32(value: f32, out: &mut Vec<u8>) {
        if value.trunc() == value {
            number(value.into(), out);
        } else {
            encode::write_f32(out, value).expect(INFALLIBLE);
        }
    }

    fn f64(value: f64, out: &mut Vec<u8>) {
        number(value, out);
    }

    fn str(value: &str, out: &mut Vec<u8>) {
        encode::write_str(out, value).expect(INFALLIBLE);
    }

    fn bytes(value: &[u8], out: &mut Vec<u8>) {
        match value.len() as u32 {
            BIN16_FROM => {
                out.extend_from_slice(&[0xc5, 0x00, 0xff]);
            }
            len => {
                encode::write_bin_len(out, len).expect(INFALLIBLE);
            }
        }
        out.extend_from_slice(value);
    }

    fn date(value: Date, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        number(if value.to_iso().is_some() { value.0 as f64 } else { f64::NAN }, &mut content);
        encode::write_ext_meta(out, content.len() as u32, extension::DATE.cast_signed()).expect(INFALLIBLE);
        out.extend_from_slice(&content);
    }

    fn array(len: u32, out: &mut Vec<u8>) {
        encode::write_array_len(out, len).expect(INFALLIBLE);
    }

    fn object(len: u32, out: &mut Vec<u8>) {
        encode::write_map_len(out, len).expect(INFALLIBLE);
    }
}
