//! The raw boundary between the host and a plugin: what crosses it, and both of its sides.
//!
//! Plugin authors never look here: they write against the safe types of the crate root. This folder knows layouts, function
//! pointers and ownership; it knows nothing of sockets, protocols or policy. It is the one place of the crate with `unsafe`.
//!
//! - [`types`] are the structs that cross, [`module`] the tables of functions: both are checked by `abi_stable` at load.
//! - [`plugin`] is the plugin's side: it turns the author's traits into tables and catches panics.
//! - [`host`] is the host's side: safe handles to what a plugin registered.
//! - [`functions`] is what the host offers to plugins, as a safe trait and the table that is made of it.
//!
//! # Rules
//!
//! Tables are prefix types: they grow by new last fields only. Structs that are passed by value or reference are frozen; `layout`
//! pins them.
//! Borrowed arguments live for the call. Whoever allocates frees (an `RVec` carries its functions). Every entry into a plugin
//! catches panics on the plugin's side and answers [`status::PANICKED`]; the host then asks for the report with `take_panic`.
//!
//! # Threads
//!
//! `[shard]`: the thread that owns the spark; must not block. `[any]`: any thread, several at once. `[control]`: the host's
//! control thread, one call at a time for one plugin.
#![expect(unsafe_code, reason = "the boundary is made of function pointers and opaque pointers")]
#![allow(non_local_definitions, reason = "abi_stable's macros expand to impls inside of functions")]

pub mod functions;
pub mod host;
mod layout;
pub mod module;
pub mod plugin;
pub mod types;

/// What a call into a plugin answers; unknown numbers count as [`status::FAILED`].
pub mod status {
    /// Done.
    pub const OK: u32 = 0;
    /// Refused or failed; the reply buffer has the encoded reason.
    pub const FAILED: u32 = 1;
    /// The plugin panicked; `take_panic` on the same thread has the report.
    pub const PANICKED: u32 = 2;
    /// The answer comes later, through `complete` with the token of the call.
    pub const PENDING: u32 = 3;
    /// What the call was about does not exist (any more).
    pub const MISSING: u32 = 4;
    /// The optional function is not offered.
    pub const UNSUPPORTED: u32 = 5;
    /// FAILED, of a parser: the message is too long.
    pub const OVER_LENGTH: u32 = 6;
    /// FAILED, of a parser: arrays and objects lie too deep in each other.
    pub const OVER_DEPTH: u32 = 7;
    /// FAILED, of a parser: the message has too many values.
    pub const OVER_VALUES: u32 = 8;
}
