//! BinaryPack as the npm package writes it.

use plugin_api::value::Date;
use tokens::Format;

use crate::date;

pub(crate) struct BinaryPack;

/// The heads of a kind of piece, by the width of its length.
struct Heads {
    /// Up to 15, which are added to it.
    short: u8,
    /// Up to 16 bits.
    u16: u8,
    /// Up to 32 bits.
    u32: u8,
}

const RAW: Heads = Heads { short: 0xa0, u16: 0xda, u32: 0xdb };
const STRING: Heads = Heads { short: 0xb0, u16: 0xd8, u32: 0xd9 };
const ARRAY: Heads = Heads { short: 0x90, u16: 0xdc, u32: 0xdd };
const MAP: Heads = Heads { short: 0x80, u16: 0xde, u32: 0xdf };

impl Heads {
    fn write(&self, len: u32, out: &mut Vec<u8>) {
        match len {
            0..=0x0f => out.push(self.short + len as u8),
            0x10..=0xffff => {
                out.push(self.u16);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                out.push(self.u32);
                out.extend_from_slice(&len.to_be_bytes());
            }
        }
    }
}

fn headed<const N: usize>(head: u8, bytes: [u8; N], out: &mut Vec<u8>) {
    out.push(head);
    out.extend_from_slice(&bytes);
}

impl Format for BinaryPack {
    fn null(out: &mut Vec<u8>) {
        out.push(0xc0);
    }

    fn bool(value: bool, out: &mut Vec<u8>) {
        out.push(if value { 0xc3 } else { 0xc2 });
    }

    fn i64(value: i64, out: &mut Vec<u8>) {
        match value {
            -0x20..=0x7f => out.push(value as u8),
            0x80..=0xff => headed(0xcc, (value as u8).to_be_bytes(), out),
            -0x80..-0x20 => headed(0xd0, (value as i8).to_be_bytes(), out),
            0x100..=0xffff => headed(0xcd, (value as u16).to_be_bytes(), out),
            -0x8000..-0x80 => headed(0xd1, (value as i16).to_be_bytes(), out),
            0x1_0000..=0xffff_ffff => headed(0xce, (value as u32).to_be_bytes(), out),
            -0x8000_0000..-0x8000 => headed(0xd2, (value as i32).to_be_bytes(), out),
            _ => headed(0xcb, (value as f64).to_be_bytes(), out),
        }
    }

    fn u64(value: u64, out: &mut Vec<u8>) {
        headed(0xcb, (value as f64).to_be_bytes(), out);
    }

    fn f32(value: f32, out: &mut Vec<u8>) {
        if value.is_finite() && value.trunc() != value {
            headed(0xca, value.to_be_bytes(), out);
        } else {
            Self::f64(value.into(), out);
        }
    }

    fn f64(value: f64, out: &mut Vec<u8>) {
        let integer = value as i64;
        if integer as f64 == value && integer.unsigned_abs() <= 1 << 32 {
            Self::i64(integer, out);
        } else {
            headed(0xcb, value.to_be_bytes(), out);
        }
    }

    fn str(value: &str, out: &mut Vec<u8>) {
        STRING.write(value.len() as u32, out);
        out.extend_from_slice(value.as_bytes());
    }

    fn bytes(value: &[u8], out: &mut Vec<u8>) {
        RAW.write(value.len() as u32, out);
        out.extend_from_slice(value);
    }

    fn date(value: Date, out: &mut Vec<u8>) {
        Self::str(&date::text(value), out);
    }

    fn array(len: u32, out: &mut Vec<u8>) {
        ARRAY.write(len, out);
    }

    fn object(len: u32, out: &mut Vec<u8>) {
        MAP.write(len, out);
    }
}
