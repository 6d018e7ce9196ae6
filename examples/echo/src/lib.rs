//! An application that sends every message back.
#![forbid(unsafe_code)]
