//! The frozen layouts, pinned: a change that moves a field of a struct that crosses the boundary does not compile.
//!
//! abi_stable tells a host at run time that a library does not fit; this tells an author at build time that it won't. Machines
//! with pointers of 64 bits are the only ones whose libraries the host loads.
#![cfg(target_pointer_width = "64")]

use std::mem::{align_of, offset_of, size_of};

use super::module::{RawClosure, RawHost, RawInstance, RawRegistrar, RawSession};
use super::types::{EventSink, RawEvent, RawField, RawHeader, RawMessage, RawPayload, RawRequest, RawResponse};

/// A struct's size, and where each of its fields begins, in bytes.
macro_rules! frozen {
    ($($type:ident: $size:literal { $($field:ident: $offset:literal),* $(,)? })*) => {$(
        const _: () = {
            assert!(size_of::<$type>() == $size, concat!("the size of ", stringify!($type)));
            assert!(align_of::<$type>() == 8, concat!("the alignment of ", stringify!($type)));
            $(assert!(offset_of!($type, $field) == $offset, concat!(stringify!($type), "::", stringify!($field)));)*
        };
    )*};
}

frozen! {
    RawHeader: 32 { name: 0, value: 16 }
    RawRequest: 160 {
        method: 0, path: 16, rest: 32, query: 48, headers: 64, body: 80, address: 96, scheme: 112, host: 128, extensions: 144,
    }
    RawField: 64 { name: 0, value: 32 }
    RawResponse: 72 { status: 0, headers: 8, body: 40 }
    RawEvent: 24 { what: 0, detail: 1, id: 4, start: 8, len: 16 }
    EventSink: 128 { events: 0, out: 32, owned: 64, responses: 96 }
    RawMessage: 72 {
        wire: 0, wire_len: 8, value: 16, value_len: 24, owner: 32, decode: 40, replace: 48, parser: 56, kind: 60, has_wire: 61,
        deferred: 64,
    }
    RawPayload: 24 { bytes: 0, parser: 16, kind: 20 }
    RawInstance: 16 { object: 0, table: 8 }
    RawClosure: 16 { object: 0, free: 8 }
    RawSession: 16 { object: 0, table: 8 }
    RawRegistrar: 24 { object: 0, table: 8, call: 16 }
    RawHost: 16 { object: 0, table: 8 }
}
