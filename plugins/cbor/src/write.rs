//! CBOR in its preferred serialization (RFC 8949, section 4.1).

use half::f16;
use minicbor::Encoder;
use minicbor::data::Tag;
use plugin_api::value::Date;
use tokens::Format;

use crate::date;

/// A `Vec` takes every byte.
const INFALLIBLE: &str = "writing to a Vec never fails";

pub(crate) struct Rfc8949;

macro_rules! written {
    ($($method:ident($value:ident: $argument:ty) => $encoder:ident($($written:expr)?);)*) => {
        $(fn $method($value: $argument, out: &mut Vec<u8>) {
            Encoder::new(out).$encoder($($written)?).expect(INFALLIBLE);
        })*
    };
}

impl Format for Rfc8949 {
    fn null(out: &mut Vec<u8>) {
        Encoder::new(out).null().expect(INFALLIBLE);
    }

    written! {
        bool(value: bool) => bool(value);
        i64(value: i64) => i64(value);
        u64(value: u64) => u64(value);
        str(value: &str) => str(value);
        bytes(value: &[u8]) => bytes(value);
        array(len: u32) => array(len.into());
        object(len: u32) => map(len.into());
    }

    /// NaN is the half that section 4.1 names.
    fn f32(value: f32, out: &mut Vec<u8>) {
        let narrow = f16::from_f32(value);
        if narrow.to_f32() == value {
            Encoder::new(out).f16(value).expect(INFALLIBLE);
        } else if value.is_nan() {
            Encoder::new(out).f16(f32::NAN).expect(INFALLIBLE);
        } else {
            Encoder::new(out).f32(value).expect(INFALLIBLE);
        }
    }

    fn f64(value: f64, out: &mut Vec<u8>) {
        let narrow = value as f32;
        if f64::from(narrow) == value || value.is_nan() {
            Self::f32(narrow, out);
        } else {
            Encoder::new(out).f64(value).expect(INFALLIBLE);
        }
    }

    fn date(value: Date, out: &mut Vec<u8>) {
        Encoder::new(&mut *out).tag(Tag::new(date::SECONDS_TAG)).expect(INFALLIBLE);
        if value.0 % 1000 == 0 {
            Self::i64(value.0 / 1000, out);
        } else {
            Self::f64(value.0 as f64 / 1000.0, out);
        }
    }
}
