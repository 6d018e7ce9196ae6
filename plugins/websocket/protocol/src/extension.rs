//! Negotiation of permessage-deflate in `Sec-WebSocket-Extensions` (RFC 6455, section 9.1; RFC 7692, section 7.1).
//!
//! Knows header fields and parameters. Compresses nothing.

use std::borrow::Cow;

use crate::deflate::{Context, Parameters, WindowBits};

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

/// The header field breaks its grammar: the handshake has to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Extensions is malformed")]
pub struct Malformed;

/// One extension that a client offers, with its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The offers of one header field, in the client's order of preference.
///
/// # Errors
/// The field breaks the grammar.
pub fn offers(field: &str) -> Result<Vec<Offer<'_>>, Malformed> {
    let mut scanner = Scanner { rest: field };
    let mut offers = Vec::new();
    loop {
        // The list rule of HTTP allows empty elements.
        while scanner.takes(',') {}
        if scanner.at_end() {
            return Ok(offers);
        }
        let name = scanner.token()?;
        let mut parameters = Vec::new();
        while scanner.takes(';') {
            let name = scanner.token()?;
            let value = if scanner.takes('=') { Some(scanner.value()?) } else { None };
            parameters.push((name, value));
        }
        offers.push(Offer { name, parameters });
        if !scanner.at_end() && !scanner.takes(',') {
            return Err(Malformed);
        }
    }
}

/// The first offer that this server can take, as it takes it: `wanted` is what it would like. `None` when there is none.
pub fn agree(offers: &[Offer<'_>], wanted: &Parameters) -> Option<Agreement> {
    offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| accept(offer, wanted))
}

/// Parameters of permessage-deflate that hold for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// What was agreed upon.
    pub parameters: Parameters,
    /// Whether the client lets the server limit its window.
    client_window: Option<WindowBits>,
}

impl Agreement {
    /// The header field of the response.
    pub fn header(&self) -> String {
        let Parameters { server, client, server_window, .. } = &self.parameters;
        let mut header = NAME.to_owned();
        for (name, context) in [(SERVER_NO_CONTEXT, server), (CLIENT_NO_CONTEXT, client)] {
            if *context == Context::Reset {
                header += &format!("; {name}");
            }
        }
        if *server_window != WindowBits::MAX {
            header += &format!("; {SERVER_WINDOW}={}", server_window.get());
        }
        if let Some(window) = self.client_window {
            header += &format!("; {CLIENT_WINDOW}={}", window.get());
        }
        header
    }
}

/// `None`: the offer has a parameter that is unknown, repeated or of a wrong value, and must be declined (section 7.1).
fn accept(offer: &Offer<'_>, wanted: &Parameters) -> Option<Agreement> {
    let mut agreed = Parameters { client_window: WindowBits::MAX, ..*wanted };
    let mut client_window = None;
    for (at, (name, value)) in offer.parameters.iter().enumerate() {
        if offer.parameters[..at].iter().any(|(former, _)| former == name) {
            return None;
        }
        match (*name, value) {
            (SERVER_NO_CONTEXT, None) => agreed.server = Context::Reset,
            (CLIENT_NO_CONTEXT, None) => agreed.client = Context::Reset,
            (SERVER_WINDOW, Some(bits)) => agreed.server_window = wanted.server_window.min(window(bits)?),
            (CLIENT_WINDOW, bits) => {
                let offered = bits.as_deref().map_or(Some(WindowBits::MAX), window)?;
                agreed.client_window = wanted.client_window.min(offered);
                client_window = (agreed.client_window != WindowBits::MAX).then_some(agreed.client_window);
            }
            _ => return None,
        }
    }
    Some(Agreement { parameters: agreed, client_window })
}

/// 8 to 15, without leading zeros.
fn window(bits: &str) -> Option<WindowBits> {
    let number = bits.parse().ok().and_then(WindowBits::new)?;
    (number.get().to_string() == bits).then_some(number)
}

/// Whether `byte` may stand in a token (RFC 9110, section 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads a header field from left to right; white space before each piece is skipped.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    fn takes(&mut self, delimiter: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(delimiter) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Result<&'a str, Malformed> {
        self.skip_space();
        let end = self.rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// A token, or a quoted string whose content is one.
    fn value(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if !self.takes('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut rest = self.rest.chars();
        loop {
            match rest.next().ok_or(Malformed)? {
                '"' => break,
                '\\' => value.push(rest.next().ok_or(Malformed)?),
                other => value.push(other),
            }
        }
        self.rest = rest.as_str();
        if value.is_empty() || !value.bytes().all(is_token_byte) {
            return Err(Malformed);
        }
        Ok(Cow::Owned(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Parameters = Parameters {
        server: Context::Kept,
        client: Context::Kept,
        server_window: WindowBits::MAX,
        client_window: WindowBits::MAX,
    };

    fn answer(field: &str, wanted: &Parameters) -> Option<String> {
        agree(&offers(field).unwrap(), wanted).map(|agreement| agreement.header())
    }

    #[test]
    fn offers_are_answered_as_the_rfc_says() {
        let cases = [
            ("permessage-deflate", Some("permessage-deflate")),
            ("permessage-deflate; client_max_window_bits", Some("permessage-deflate")),
            ("permessage-deflate; server_no_context_takeover", Some("permessage-deflate; server_no_context_takeover")),
            ("permessage-deflate; client_no_context_takeover", Some("permessage-deflate; client_no_context_takeover")),
            ("permessage-deflate; server_max_window_bits=8", Some("permessage-deflate; server_max_window_bits=8")),
            ("permessage-deflate; server_max_window_bits=15", Some("permessage-deflate")),
            ("permessage-deflate; client_max_window_bits=10", Some("permessage-deflate; client_max_window_bits=10")),
            ("permessage-deflate;server_max_window_bits=\"10\"", Some("permessage-deflate; server_max_window_bits=10")),
            // Offers that must be declined, and what comes after them.
            ("permessage-deflate; unknown", None),
            ("permessage-deflate; server_no_context_takeover=1", None),
            ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
            ("permessage-deflate; server_max_window_bits", None),
            ("permessage-deflate; server_max_window_bits=7", None),
            ("permessage-deflate; server_max_window_bits=16", None),
            ("permessage-deflate; server_max_window_bits=08", None),
            ("permessage-deflate; server_max_window_bits=+9", None),
            ("permessage-deflate; client_max_window_bits=x", None),
            ("x-webkit-deflate-frame", None),
            ("permessage-deflate; unknown, permessage-deflate", Some("permessage-deflate")),
            ("x-other; a=b,, permessage-deflate", Some("permessage-deflate")),
            ("", None),
        ];
        for (offer, expected) in cases {
            assert_eq!(answer(offer, &WANTED).as_deref(), expected, "{offer}");
        }
    }

    #[test]
    fn what_the_server_wants_is_said_even_when_it_was_not_offered() {
        let wanted = Parameters {
            server: Context::Reset,
            client: Context::Reset,
            server_window: WindowBits::new(12).unwrap(),
            client_window: WindowBits::new(11).unwrap(),
        };
        let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                        server_max_window_bits=12";
        assert_eq!(answer("permessage-deflate", &wanted).as_deref(), Some(expected));
        let limited = answer("permessage-deflate; client_max_window_bits", &wanted);
        assert_eq!(limited, Some(format!("{expected}; client_max_window_bits=11")));
    }

    #[test]
    fn a_client_that_does_not_let_its_window_be_limited_gets_the_largest() {
        let wanted = Parameters { client_window: WindowBits::new(9).unwrap(), ..WANTED };
        let agreed = agree(&offers("permessage-deflate").unwrap(), &wanted).unwrap();
        assert_eq!(agreed.parameters.client_window, WindowBits::MAX);
    }

    #[test]
    fn a_field_that_breaks_the_grammar_is_malformed() {
        for field in ["a b", ";", "a;", "a; b=", "a; b=\"", "a; b=\"\"", "a; b=\"x y\"", "a=b", "a; b=\"\\", "a, (", "ä"] {
            assert_eq!(offers(field), Err(Malformed), "{field}");
        }
    }
}
