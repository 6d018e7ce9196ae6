//! JSON text and values, as `JSON.parse` and `JSON.stringify` have them: what the parsers on JSON share. No plugin.
//!
//! What becomes of each kind of value is told in the crate `json`, whose tests these are as well.
#![forbid(unsafe_code)]

pub mod decode;
pub mod encode;
mod surrogates;
