//! Close frames: codes and reasons (RFC 6455, sections 5.5.1 and 7.4).
//!
//! Knows which codes may travel and how a close frame's payload is laid out. Knows nothing of timers or of who closes.

use crate::error::ProtocolError;
use crate::frame::MAX_CONTROL;

/// A code that may stand in a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1007: a payload is not what its type promises.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// 1009: a message is over the limit.
    pub const TOO_BIG: CloseCode = CloseCode(1009);

    /// `code`, if a peer may send it: 1004, 1005, 1006 and 1015 are reserved for local use, 1016 to 2999 are unassigned,
    /// 3000 to 4999 belong to libraries and applications.
    pub fn new(code: u16) -> Option<CloseCode> {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(CloseCode(code))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// What a received close frame says: nothing, or a code with a reason that may be empty.
///
/// # Errors
/// [`ProtocolError::CloseCode`] for half a code or one that may not be sent, [`ProtocolError::Utf8`] for the reason.
pub fn parse(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, ProtocolError> {
    let (code, reason) = match payload {
        [] => return Ok(None),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        [_] => return Err(ProtocolError::CloseCode),
    };
    let code = CloseCode::new(code).ok_or(ProtocolError::CloseCode)?;
    let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::Utf8)?;
    Ok(Some((code, reason)))
}

/// The payload of a close frame to send. A reason that is too long for a control frame is cut at a character.
pub fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut payload = code.0.to_be_bytes().to_vec();
    let fits = reason.floor_char_boundary(MAX_CONTROL - payload.len());
    payload.extend_from_slice(&reason.as_bytes()[..fits]);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_codes_of_the_rfc_and_its_registry_may_be_sent() {
        let allowed: Vec<u16> = (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_some()).collect();
        let expected: Vec<u16> =
            [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].into_iter().chain(3000..5000).collect();
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_close_frame_says_nothing_or_a_code_or_a_code_with_its_reason() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x03\xe8"), Ok(Some((CloseCode(1000), ""))));
        assert_eq!(parse(b"\x0f\xa0bye"), Ok(Some((CloseCode(4000), "bye"))));
    }

    #[test]
    fn a_damaged_close_frame_is_refused() {
        assert_eq!(parse(b"\x03"), Err(ProtocolError::CloseCode));
        assert_eq!(parse(b"\x03\xed"), Err(ProtocolError::CloseCode));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(ProtocolError::Utf8));
        assert_eq!(parse(b"\x03\xe8cut \xe2\x82"), Err(ProtocolError::Utf8));
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_between_characters() {
        let payload = payload(CloseCode(4000), &"€".repeat(50));
        assert_eq!(payload.len(), 2 + 41 * 3);
        assert_eq!(parse(&payload), Ok(Some((CloseCode(4000), "€".repeat(41).as_str()))));
    }
}
