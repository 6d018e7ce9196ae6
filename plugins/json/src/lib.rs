//! The JSON parser.
#![forbid(unsafe_code)]
