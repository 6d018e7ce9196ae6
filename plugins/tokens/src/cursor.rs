//! A place in bytes that moves forward; numbers are in network byte order.

use crate::Fault;

/// Bytes that are read from their beginning to their end.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'w> {
    bytes: &'w [u8],
    at: usize,
}

impl<'w> Cursor<'w> {
    /// At the beginning.
    pub fn new(bytes: &'w [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Whether all are read.
    pub fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    ///
    /// There aren't as many.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'w [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or(Fault::Truncated)?;
        self.at += len;
        Ok(taken)
    }

    /// The next `N` bytes, for a number's `from_be_bytes`.
    ///
    /// # Errors
    ///
    /// There aren't as many.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// There is none.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(|[byte]| byte)
    }

    /// The next two bytes as a number.
    ///
    /// # Errors
    ///
    /// There aren't as many.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes as a number.
    ///
    /// # Errors
    ///
    /// There aren't as many.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes as a number.
    ///
    /// # Errors
    ///
    /// There aren't as many.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }
}
