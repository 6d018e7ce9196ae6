//! Rooms: named groups of sparks.
#![forbid(unsafe_code)]
