//! The WebSocket transport (RFC 6455, RFC 7692) as a sans-IO state machine.
#![forbid(unsafe_code)]
