//! Who a request comes from, seen past the proxies that are trusted (`X-Forwarded-*`, or `Forwarded` of RFC 7239).
//!
//! A header counts only as far as a chain of trusted proxies vouches for it: the walk starts at the connection's peer
//! and goes from the last hop to the first, up to the first address that is not trusted. That address is the client;
//! whatever stands before it in the header is the client's own claim and is not read.

use std::net::{IpAddr, SocketAddr};

use http::header;
use ipnet::IpNet;

use super::fields::{Fields, texts};
use crate::config::ForwardedBy;

/// Who a request comes from and what it was sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address. Its port is 0 if a proxy didn't tell it.
    pub address: SocketAddr,
    /// Whether the client came by `https` or `wss`.
    pub secure: bool,
    /// Host and port that the client asked for, as its `Host` header said.
    pub host: Option<String>,
}

/// The proxies whose word counts.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    by: ForwardedBy,
}

impl TrustedProxies {
    /// Trusts addresses within `networks`, which say whom they speak for in the headers of `by`.
    pub fn new(networks: Vec<IpNet>, by: ForwardedBy) -> Self {
        Self { networks, by }
    }

    /// The client behind a request that came from `peer` without TLS.
    pub fn client(&self, peer: SocketAddr, headers: &(impl Fields + ?Sized)) -> Client {
        let mut client = Client {
            address: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            secure: false,
            host: headers.text(header::HOST.as_str()).map(str::to_owned),
        };
        if !self.trusts(client.address.ip()) {
            return client;
        }
        let hops = match self.by {
            ForwardedBy::XForwarded => x_forwarded(headers),
            ForwardedBy::Forwarded => forwarded(headers),
        };
        for hop in hops.into_iter().rev() {
            if let Some(proto) = hop.proto {
                client.secure = matches!(proto.to_ascii_lowercase().as_str(), "https" | "wss");
            }
            client.host = hop.host.or(client.host);
            let Some(address) = hop.address else {
                break;
            };
            client.address = address;
            if !self.trusts(address.ip()) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Whether a request says that it came through a proxy, be that trusted or not.
pub fn is_forwarded(headers: &(impl Fields + ?Sized)) -> bool {
    [header::FORWARDED.as_str(), "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]
        .iter()
        .any(|name| headers.first(name).is_some())
}

/// What one proxy said about the side that it got the request from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hop {
    /// `None` for `unknown`, an obfuscated name, or nonsense: the walk can't go past it.
    address: Option<SocketAddr>,
    proto: Option<String>,
    host: Option<String>,
}

/// The hops of `X-Forwarded-For`. Most proxies set one protocol and one host for all of them; lists count from the end.
fn x_forwarded(headers: &(impl Fields + ?Sized)) -> Vec<Hop> {
    let list = |name: &'static str| -> Vec<String> {
        texts(headers, name)
            .flat_map(|line| line.split(','))
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect()
    };
    let (addresses, protos, hosts) = (list("x-forwarded-for"), list("x-forwarded-proto"), list("x-forwarded-host"));
    let from_end = |values: &[String], distance: usize| -> Option<String> {
        let last = values.len().checked_sub(1)?;
        Some(values[last.saturating_sub(distance)].clone())
    };
    let count = addresses.len().max(1);
    (0..count)
        .map(|index| Hop {
            address: addresses.get(index).and_then(|text| node(text)),
            proto: from_end(&protos, count - 1 - index),
            host: from_end(&hosts, count - 1 - index),
        })
        .collect()
}

/// The hops of `Forwarded` (RFC 7239, section 4). A malformed line is dropped whole, since its hops can't be told apart.
fn forwarded(headers: &(impl Fields + ?Sized)) -> Vec<Hop> {
    texts(headers, header::FORWARDED.as_str()).filter_map(elements).flatten().collect()
}

/// `for=192.0.2.43;proto=https, for="[2001:db8::17]:4711"`
fn elements(line: &str) -> Option<Vec<Hop>> {
    let mut hops = vec![Hop::default()];
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(',') {
            hops.push(Hop::default());
            rest = after.trim_start();
            continue;
        }
        if let Some(after) = rest.strip_prefix(';') {
            rest = after.trim_start();
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        let hop = hops.last_mut()?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.address = node(&value),
            "proto" => hop.proto = Some(value),
            "host" => hop.host = Some(value),
            _ => {}
        }
        rest = after.trim_start();
        if !(rest.is_empty() || rest.starts_with([',', ';'])) {
            return None;
        }
    }
    Some(hops)
}

/// A token or a quoted string (RFC 9110, section 5.6.4) and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let token = text[..end].trim();
        return (!token.contains('"')).then(|| (token.to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80` (RFC 7239, section 6, and older use).
fn node(text: &str) -> Option<SocketAddr> {
    let address = if let Ok(ip) = text.parse::<IpAddr>() {
        SocketAddr::new(ip, 0)
    } else if let Ok(address) = text.parse::<SocketAddr>() {
        address
    } else {
        let ip = text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
        SocketAddr::new(ip, 0)
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    const PROXY: &str = "127.0.0.1:5000";

    fn client(by: ForwardedBy, peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let networks =
            ["127.0.0.0/8", "10.0.0.0/8", "::1/128"].map(|network| network.parse().expect("it is a network")).to_vec();
        let headers: http::HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let value = value.parse().expect("it is a header's value");
                (HeaderName::from_static(name), value)
            })
            .collect();
        TrustedProxies::new(networks, by).client(peer.parse().expect("it is an address"), &headers)
    }

    #[track_caller]
    fn check(by: ForwardedBy, headers: &[(&'static str, &str)], address: &str, secure: bool, host: Option<&str>) {
        let expected = Client { address: address.parse().expect("it is an address"), secure, host: host.map(str::to_owned) };
        assert_eq!(client(by, PROXY, headers), expected);
    }

    use ForwardedBy::{Forwarded, XForwarded};

    #[test]
    fn without_headers_the_peer_is_the_client() {
        check(XForwarded, &[("host", "a.example")], PROXY, false, Some("a.example"));
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let headers = [
            ("host", "a.example"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "b.example"),
            ("forwarded", "for=192.0.2.1;proto=https"),
        ];
        for by in [XForwarded, Forwarded] {
            let client = client(by, "198.51.100.7:99", &headers);
            assert_eq!(client.address.to_string(), "198.51.100.7:99");
            assert!(!client.secure);
            assert_eq!(client.host.as_deref(), Some("a.example"));
        }
    }

    #[test]
    fn a_trusted_proxy_names_client_protocol_and_host() {
        let headers = [
            ("host", "inner"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "chat.example"),
        ];
        check(XForwarded, &headers, "192.0.2.1:0", true, Some("chat.example"));
        let headers = [("host", "inner"), ("forwarded", "for=\"192.0.2.1:4711\";proto=https;host=chat.example")];
        check(Forwarded, &headers, "192.0.2.1:4711", true, Some("chat.example"));
    }

    #[test]
    fn what_a_client_wrote_before_the_proxies_did_is_not_read() {
        let headers = [("x-forwarded-for", "203.0.113.66, 192.0.2.1, 10.1.1.1")];
        check(XForwarded, &headers, "192.0.2.1:0", false, None);
        let headers = [("forwarded", "for=203.0.113.66;proto=https, for=192.0.2.1;proto=http, for=10.1.1.1")];
        check(Forwarded, &headers, "192.0.2.1:0", false, None);
    }

    #[test]
    fn the_header_that_the_proxies_do_not_write_is_not_read() {
        let headers = [("forwarded", "for=203.0.113.66"), ("x-forwarded-for", "192.0.2.1")];
        check(XForwarded, &headers, "192.0.2.1:0", false, None);
        check(Forwarded, &headers, "203.0.113.66:0", false, None);
    }

    #[test]
    fn lines_of_one_header_are_one_list() {
        let headers = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.1.1.1")];
        check(XForwarded, &headers, "192.0.2.1:0", false, None);
    }

    #[test]
    fn a_chain_of_trusted_addresses_ends_at_the_first() {
        let headers = [("x-forwarded-for", "10.0.0.9, 10.0.0.8")];
        check(XForwarded, &headers, "10.0.0.9:0", false, None);
    }

    #[test]
    fn an_unknown_hop_ends_the_walk_at_the_proxy_that_said_so() {
        let headers = [("forwarded", "for=192.0.2.1, for=unknown;proto=https, for=10.1.1.1")];
        check(Forwarded, &headers, "10.1.1.1:0", true, None);
        let headers = [("x-forwarded-for", "192.0.2.1, nonsense")];
        check(XForwarded, &headers, PROXY, false, None);
    }

    #[test]
    fn addresses_are_read_in_every_spelling() {
        for (spelling, expected) in [
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("::ffff:192.0.2.1", "192.0.2.1:0"),
        ] {
            check(XForwarded, &[("x-forwarded-for", spelling)], expected, false, None);
        }
    }

    #[test]
    fn a_proxy_reached_over_a_mapped_address_is_still_trusted() {
        let headers = [("x-forwarded-for", "192.0.2.1")];
        let client = client(XForwarded, "[::ffff:127.0.0.1]:5000", &headers);
        assert_eq!(client.address.to_string(), "192.0.2.1:0");
    }

    #[test]
    fn a_quoted_comma_does_not_split_and_a_broken_line_is_dropped() {
        let headers = [("forwarded", "for=192.0.2.1;by=\"a, \\\"b;\";host=h")];
        check(Forwarded, &headers, "192.0.2.1:0", false, Some("h"));
        for broken in ["for=\"192.0.2.1", "for", "for=\"a\"b", "for=a\"b"] {
            check(Forwarded, &[("forwarded", broken)], PROXY, false, None);
        }
    }
}
