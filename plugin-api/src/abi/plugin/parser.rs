//! The author's [`Parser`] as functions.

use abi_stable::std_types::{RSlice, RStr, RVec};

use super::super::status;
use super::super::types::Opaque;
use super::guard::guarded;
use super::object::shared;
use super::reply::give;
use crate::message::Kind;
use crate::parser::{ParseLimit, Parser};

pub(super) extern "C" fn decode<P: Parser>(object: Opaque, kind: u8, wire: RSlice<'_, u8>, value: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: the host hands back the object that was registered with this table.
        let parser = unsafe { shared::<P>(object) };
        let mut bytes = Vec::new();
        match parser.decode(Kind::from_raw(kind), wire.as_slice(), &mut bytes) {
            Ok(()) => {
                give(value, bytes);
                status::OK
            }
            Err(error) => {
                value.extend_from_copy_slice(error.reason.as_bytes());
                match error.limit {
                    None => status::FAILED,
                    Some(ParseLimit::Length) => status::OVER_LENGTH,
                    Some(ParseLimit::Depth) => status::OVER_DEPTH,
                    Some(ParseLimit::Values) => status::OVER_VALUES,
                }
            }
        }
    })
}

pub(super) extern "C" fn encode<P: Parser>(object: Opaque, value: RSlice<'_, u8>, kind: &mut u8, wire: &mut RVec<u8>) -> u32 {
    guarded(|| {
        // SAFETY: as in `decode`.
        let parser = unsafe { shared::<P>(object) };
        let mut bytes = Vec::new();
        match parser.encode(value.as_slice(), &mut bytes) {
            Ok(Some(of)) => {
                *kind = of as u8;
                give(wire, bytes);
                status::OK
            }
            Ok(None) => status::MISSING,
            Err(error) => {
                wire.extend_from_copy_slice(error.reason.as_bytes());
                status::FAILED
            }
        }
    })
}

pub(super) extern "C" fn decode_string<P: Parser>(
    object: Opaque,
    kind: u8,
    wire: RSlice<'_, u8>,
    prefix: RStr<'_>,
    text: &mut RVec<u8>,
) -> u32 {
    guarded(|| {
        // SAFETY: as in `decode`.
        let parser = unsafe { shared::<P>(object) };
        match parser.decode_string(Kind::from_raw(kind), wire.as_slice(), prefix.as_str()) {
            Some(string) => {
                text.extend_from_copy_slice(string.as_bytes());
                status::OK
            }
            None => status::MISSING,
        }
    })
}
