//! Which web pages may connect (RFC 6455, section 10.2).
//!
//! A browser tells the page's origin and doesn't let the page change it; other clients may say anything, or nothing. So
//! this protects users of browsers from foreign pages, and nothing else.

/// A rule for the `Origin` of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `*`: any origin.
    Any,
    /// `self`: the host (and port) that the request asks for.
    SameHost,
    /// Exactly this origin, in the form in which browsers send it.
    Exactly(String),
}

/// An entry of the setting `origins` that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: write `self`, `*`, `null`, or scheme and host with a port where it is not the scheme's own, as in `https://chat.example:8443`"
)]
pub struct NoOrigin(String);

impl Rule {
    /// Parses an entry of the setting.
    ///
    /// # Errors
    /// It is neither a keyword nor an origin.
    pub fn parse(entry: &str) -> Result<Rule, NoOrigin> {
        match entry {
            "*" => Ok(Rule::Any),
            "self" => Ok(Rule::SameHost),
            "null" => Ok(Rule::Exactly(entry.to_owned())),
            _ => {
                let origin = Origin::parse(entry).ok_or_else(|| NoOrigin(entry.to_owned()))?;
                if origin.host.is_empty() || origin.host.contains(['/', '?', '#', '@', '*']) {
                    return Err(NoOrigin(entry.to_owned()));
                }
                Ok(Rule::Exactly(entry.to_ascii_lowercase()))
            }
        }
    }

    fn allows(&self, origin: &str, host: &str) -> bool {
        match self {
            Rule::Any => true,
            Rule::Exactly(allowed) => origin.eq_ignore_ascii_case(allowed),
            Rule::SameHost => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
        }
    }
}

/// Whether a page of `origin` may connect to `host`, by any of the rules. A client that tells no origin is no page.
pub fn allowed(rules: &[Rule], origin: Option<&str>, host: &str) -> bool {
    origin.is_none_or(|origin| rules.iter().any(|rule| rule.allows(origin, host)))
}

/// An origin in its serialised form: `scheme://host[:port]` (RFC 6454, section 6.2).
struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn parse(origin: &'a str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let (host, port) = split_port(authority);
        Some(Origin { scheme, host, port })
    }

    fn is_at(&self, authority: &str) -> bool {
        let (host, port) = split_port(authority);
        let own = if self.scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
        self.host.eq_ignore_ascii_case(host) && self.port.unwrap_or(own) == port.unwrap_or(own)
    }
}

/// Host and port; an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_same_host_and_a_client_that_is_no_page_may_connect() {
        let cases = [
            (None, "chat.example", true),
            (Some("https://chat.example"), "chat.example", true),
            (Some("https://Chat.Example"), "chat.example:443", true),
            (Some("http://chat.example"), "chat.example:80", true),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("http://[::1]:8080"), "[::1]:8080", true),
            (Some("http://[::1]"), "[::1]", true),
            (Some("http://[::1]"), "[::1]:8080", false),
            (Some("https://chat.example"), "chat.example:80", false),
            (Some("https://evil.example"), "chat.example", false),
            (Some("https://chat.example.evil.example"), "chat.example", false),
            (Some("https://chat.example:8443"), "chat.example", false),
            (Some("null"), "chat.example", false),
            (Some("null"), "null", false),
            (Some(""), "", false),
            (Some("https://a.example https://chat.example"), "chat.example", false),
        ];
        for (origin, host, expected) in cases {
            assert_eq!(allowed(&[Rule::SameHost], origin, host), expected, "{origin:?} to {host}");
        }
    }

    #[test]
    fn listed_origins_are_exact() {
        let rules = ["https://App.example", "null"].map(|entry| Rule::parse(entry).unwrap());
        for (origin, expected) in [
            ("https://app.example", true),
            ("null", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("https://chat.example", false),
        ] {
            assert_eq!(allowed(&rules, Some(origin), "chat.example"), expected, "{origin}");
        }
        assert!(allowed(&[Rule::Any], Some("https://any.example"), "chat.example"));
    }

    #[test]
    fn what_is_no_origin_is_refused_in_the_configuration() {
        for entry in ["", "app.example", "https://", "https://app.example/", "https://*.example", "https://me@app.example"] {
            assert!(Rule::parse(entry).is_err(), "{entry}");
        }
    }
}
