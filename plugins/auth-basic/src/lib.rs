//! HTTP Basic credentials, checked against hashes in the configuration.
#![forbid(unsafe_code)]
