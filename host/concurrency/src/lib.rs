//! Where the host's threads meet: all of its code that is right only if it is right under every interleaving.
//!
//! Knows threads, letters and moments; knows no spark, no plugin and no socket. `cargo xtask test --only models` builds it with
//! `--cfg loom` and has [loom](https://docs.rs/loom) try the interleavings of `tests/models`, with the stale reads that the
//! memory model allows.
#![forbid(unsafe_code)]

pub mod mailbox;
pub mod moment;
pub mod quarantine;
pub mod retirement;
pub mod switch;
pub mod sync;
