//! The `Authorization` field of the scheme Basic (RFC 7617), and the challenge that asks for it.
//!
//! Knows the form; not whose credentials are right.

use base64ct::{Base64, Encoding};

/// A name and a password, as a client sent them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The credentials in the value of an `Authorization` field (RFC 7617, section 2). `None` for another scheme, and for what isn't
/// well formed: a password may have colons, a name has none, and both are UTF-8 (section 2.1).
pub(crate) fn credentials(field: &str) -> Option<Credentials> {
    let (scheme, token) = field.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(Base64::decode_vec(token.trim_start()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}

/// The value of the `WWW-Authenticate` field for a realm (RFC 7617, section 2). `None` if a realm can't have such a name: it has
/// printable ASCII.
pub(crate) fn challenge(realm: &str) -> Option<String> {
    if !realm.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return None;
    }
    // A quoted string of RFC 9110, section 5.6.4.
    let quoted = realm.replace('\\', r"\\").replace('"', "\\\"");
    Some(format!("Basic realm=\"{quoted}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parsed(field: &str) -> Option<(String, String)> {
        credentials(field).map(|found| (found.user, found.password))
    }

    #[test]
    fn credentials_are_read_as_the_rfc_has_them() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        // The examples of RFC 7617, sections 2 and 2.1.
        assert_eq!(parsed("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        assert_eq!(parsed("basic  dGVzdDoxMjPCow=="), pair("test", "123£"));
        assert_eq!(parsed("BASIC YTpiOmM="), pair("a", "b:c"));
        assert_eq!(parsed("Basic Og=="), pair("", ""));
    }

    #[test]
    fn anything_else_is_no_credentials() {
        for field in ["", "Basic", "Basic ", "Bearer YTpi", "Basic YTpi!", "Basic YWI=", "Basic /zphYg==", "Basic YTpi YTpi"] {
            assert!(parsed(field).is_none(), "{field}");
        }
    }

    #[test]
    fn a_realm_is_quoted() {
        assert_eq!(challenge(r#"The "inner" \ room"#).as_deref(), Some(r#"Basic realm="The \"inner\" \\ room""#));
        assert_eq!(challenge("two\r\nlines"), None);
        assert_eq!(challenge("Käse"), None);
    }
}
