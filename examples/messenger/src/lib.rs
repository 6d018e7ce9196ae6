//! A chat in rooms: the demo.
#![forbid(unsafe_code)]
