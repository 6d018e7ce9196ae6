//! The lean host.
