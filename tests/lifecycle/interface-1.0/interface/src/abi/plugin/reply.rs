//! Bytes that go into a buffer of the host.

use abi_stable::std_types::RVec;

use crate::value;

pub(super) fn encode_into(reply: &mut RVec<u8>, value: &impl serde::Serialize) {
    let encoded = value::to_vec(value).unwrap_or_default();
    reply.extend_from_copy_slice(&encoded);
}

/// Moves bytes into an empty buffer of the host, or appends them.
pub(super) fn give(buffer: &mut RVec<u8>, bytes: Vec<u8>) {
    if buffer.is_empty() {
        *buffer = RVec::from(bytes);
    } else {
        buffer.extend_from_copy_slice(&bytes);
    }
}
