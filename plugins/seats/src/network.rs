//! What counts as one address. Knows addresses only.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plugin_api::Request;

/// An IPv4 address, or the /64 of an IPv6 address: whoever has one IPv6 address has all of its /64 (RFC 6177, RFC 4291, section
/// 2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// Of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// Of the client that asks, as trusted proxies tell it. Every client that the host has let in has an address.
    pub fn of_request(request: &Request<'_>) -> Self {
        Self::of(request.address().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip()))
    }

    /// An address of it.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(formatter),
            IpAddr::V6(address) => write!(formatter, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_one_client_has_are_one_network() {
        let of = |text: &str| Network::of(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:0:1::1"), "2001:db8:0:1::/64");
        assert_eq!(of("2001:db8:0:1:ffff:ffff:ffff:ffff"), "2001:db8:0:1::/64");
        assert_eq!(of("2001:db8:0:2::1"), "2001:db8:0:2::/64");
    }
}
