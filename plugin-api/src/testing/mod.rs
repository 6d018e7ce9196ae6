//! Runs plugins in memory.
