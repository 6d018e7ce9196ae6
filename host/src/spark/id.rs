//! Public ids: 21 characters that name a spark and can't be guessed.
//!
//! 64 bits of the handle and 62 random ones in base64url, the form of Primus's own ids: so a spark is found by its id without
//! a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use plugin_api::SparkId;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What each character of the alphabet stands for; 64: it is none of it.
const DIGITS: [u8; 256] = {
    let mut digits = [64; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// What is known of a spark from its handshake on.
#[derive(Debug)]
pub struct Info {
    /// The handle.
    pub id: SparkId,
    /// The random part of the public id.
    pub secret: u64,
    /// When it came, in seconds since 1970: so it stays true in another process. Small, since each idle spark pays for it.
    pub since_s: u32,
    /// The encoded [`plugin_api::SparkInfo`].
    pub encoded: Box<[u8]>,
    /// HTTP requests of its session that are under way.
    pub exchanges: AtomicU32,
    /// The [`fingerprint`] of the name of the transport that carries it.
    pub transport: u32,
}

/// A number for a name (FNV-1a): it tells transports apart, and every spark has one.
pub fn fingerprint(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// One HTTP request of a session that is under way; the end of it is told by the drop.
#[derive(Debug)]
pub struct UnderWay(Arc<Info>);

impl UnderWay {
    /// One more, if there are fewer than `limit`.
    pub fn begin(info: Arc<Info>, limit: u32) -> Option<Self> {
        let under_way = Self(info);
        (under_way.0.exchanges.fetch_add(1, Ordering::Relaxed) < limit).then_some(under_way)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.exchanges.fetch_sub(1, Ordering::Relaxed);
    }
}

/// 62 bits that nobody can guess.
pub fn secret() -> u64 {
    getrandom::u64().expect("the system's random generator works") >> 2
}

/// The public id of a handle.
pub fn public(id: SparkId, secret: u64) -> String {
    let bits = u128::from(id.raw()) << 62 | u128::from(secret);
    (0..21).rev().map(|index| char::from(ALPHABET[(bits >> (index * 6)) as usize & 63])).collect()
}

/// The handle and the random part of a public id.
pub fn parse(public: &str) -> Option<(SparkId, u64)> {
    if public.len() != 21 {
        return None;
    }
    let mut bits = 0u128;
    for character in public.bytes() {
        let digit = DIGITS[usize::from(character)];
        if digit == 64 {
            return None;
        }
        bits = bits << 6 | u128::from(digit);
    }
    let id = SparkId::from_raw((bits >> 62) as u64)?;
    Some((id, bits as u64 & ((1 << 62) - 1)))
}

/// Whether two secrets are the same. Takes the same time wherever they differ.
pub fn is_same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    one.len() == other.len() && pairs.fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_handle() {
        let id = SparkId::from_parts(3, 70_000, 9).unwrap();
        for secret in [0, 1, (1 << 62) - 1, secret()] {
            let public = public(id, secret);
            assert_eq!(public.len(), 21);
            assert_eq!(parse(&public), Some((id, secret)));
        }
    }

    #[test]
    fn what_is_no_id_is_none() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("AAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(parse("äääääääääää"), None);
    }
}
