//! Named events with acknowledgements, on primus-emitter packets.
#![forbid(unsafe_code)]
