//! The smallest plugin there can be.
#![forbid(unsafe_code)]
