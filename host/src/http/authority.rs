//! The host that a request is for, as it has to be named (RFC 9112, section 3.2).

use bytes::Bytes;
use http::{Response, StatusCode, Version, header};

use super::fields::Fields;

/// The refusal of a request that does not name one host.
pub fn refusal(version: Version, fields: &(impl Fields + ?Sized)) -> Option<Response<Bytes>> {
    let mut hosts = fields.all(header::HOST.as_str());
    let fault = match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => return None,
        (Some(host), None) if is_authority(host) => return None,
        (None, _) => "The request names no host: HTTP/1.1 demands the field Host.\n",
        (Some(_), None) => "The field Host is no host.\n",
        (Some(_), Some(_)) => "The request names its host twice.\n",
    };
    Some(super::text(StatusCode::BAD_REQUEST, fault))
}

/// Whether it may be a host and a port (RFC 3986, sections 3.2.2 and 3.2.3): what is in it, not whether there is such a one.
fn is_authority(host: &[u8]) -> bool {
    let may_stand = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte);
    !host.is_empty() && host.iter().all(may_stand)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn status(version: Version, hosts: &[&'static str]) -> Option<StatusCode> {
        let mut fields = HeaderMap::new();
        for host in hosts {
            fields.append(header::HOST, HeaderValue::from_static(host));
        }
        refusal(version, &fields).map(|response| response.status())
    }

    #[test]
    fn one_host_is_named() {
        for host in ["chat.example", "chat.example:8080", "127.0.0.1", "[::1]:80", "_dns.example", "a%20b"] {
            assert_eq!(status(Version::HTTP_11, &[host]), None, "{host}");
        }
        for hosts in [&[][..], &[""], &["a", "a"], &["a", "b"], &["a b"], &["a/c"], &["u@a"], &["a?b"], &["a#b"], &["a\"b"]] {
            assert_eq!(status(Version::HTTP_11, hosts), Some(StatusCode::BAD_REQUEST), "{hosts:?}");
        }
    }

    #[test]
    fn older_clients_need_not_name_it() {
        assert_eq!(status(Version::HTTP_10, &[]), None);
        assert_eq!(status(Version::HTTP_10, &["a", "b"]), Some(StatusCode::BAD_REQUEST));
    }
}
