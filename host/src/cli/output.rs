//! What a command prints for its caller. A reader that has gone, or a full disk, is an error like any other.

use std::fmt::Display;
use std::io::Write as _;

use anyhow::Context as _;

/// Prints to standard output, at once.
///
/// # Errors
///
/// Nobody takes it.
pub(super) fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    write!(out, "{text}").and_then(|()| out.flush()).context("the answer can't be printed")
}
