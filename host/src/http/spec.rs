//! `/primus/spec`: what a client that was not served by this server needs to know to talk to it.
//!
//! The keys and their order are Primus 8's. Knows nothing of what the names in it mean.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde::{Serialize, Serializer};

/// The version of Primus whose protocol is spoken.
pub const PRIMUS_VERSION: &str = "8.0.9";

/// The server's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// How often the server pings; `None` is written as `false`.
    #[serde(serialize_with = "milliseconds")]
    pub ping_interval: Option<Duration>,
    /// The path of the server.
    pub pathname: String,
    /// The version of Primus whose protocol is spoken: [`PRIMUS_VERSION`].
    pub version: &'static str,
    /// The name of the parser in force.
    pub parser: String,
    /// The name of the transport in force, as Primus calls its transformers.
    pub transformer: String,
    /// The names of all transports, in the order in which requests are offered to them; the key, which Primus does not have, is left
    /// out where there is one at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
    /// What each of them offers, in the same order; left out with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// Plugins that are there and don't serve; the key is left out while there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<Quarantined>,
}

/// What a transport offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The name of the transport, as in `transports`.
    pub transport: String,
    /// The plugin that brings it.
    pub plugin: String,
    /// The kinds of messages that it carries: `text`, `binary`.
    pub carries: Vec<&'static str>,
    /// The path that its requests are under; `None` where it has ports of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its own ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// A plugin that has been taken out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its name.
    pub plugin: String,
    /// Why, in one line.
    pub reason: String,
}

impl Spec {
    /// The answer to a request for it.
    pub fn respond(&self) -> Response<Bytes> {
        let body = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_u128(time.as_millis()),
        None => serializer.serialize_bool(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec {
            ping_interval: Some(Duration::from_secs(30)),
            pathname: "/primus".to_owned(),
            version: PRIMUS_VERSION,
            parser: "json".to_owned(),
            transformer: "websockets".to_owned(),
            transports: Vec::new(),
            offers: Vec::new(),
            quarantined: Vec::new(),
        }
    }

    #[test]
    fn it_reads_byte_by_byte_as_primus_writes_it() {
        let response = spec().respond();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(
            std::str::from_utf8(response.body()),
            Ok(r#"{"pingInterval":30000,"pathname":"/primus","version":"8.0.9","parser":"json","transformer":"websockets"}"#)
        );
    }

    #[test]
    fn a_server_that_does_not_ping_says_false() {
        let spec = Spec { ping_interval: None, ..spec() };
        assert!(spec.respond().body().starts_with(br#"{"pingInterval":false,"#));
    }

    #[test]
    fn where_there_are_several_transports_all_are_named_behind_the_keys_of_primus() {
        let spec = Spec { transports: vec!["sse".to_owned(), "websockets".to_owned()], ..spec() };
        assert!(spec.respond().body().ends_with(br#","transformer":"websockets","transports":["sse","websockets"]}"#));
    }

    #[test]
    fn what_a_transport_offers_is_told_behind_its_name() {
        let offer = |transport: &str, carries: &[_], path: Option<&str>, ports: &[_]| Offer {
            transport: transport.to_owned(),
            plugin: "p".to_owned(),
            carries: carries.to_vec(),
            path: path.map(str::to_owned),
            ports: ports.to_vec(),
        };
        let offers = vec![offer("sse", &["text", "binary"], Some("/primus"), &[]), offer("tcp", &["text"], None, &[7000])];
        let spec = Spec { offers, ..spec() };
        let expected = br#","offers":[{"transport":"sse","plugin":"p","carries":["text","binary"],"path":"/primus"},{"transport":"tcp","plugin":"p","carries":["text"],"ports":[7000]}]}"#;
        assert!(spec.respond().body().ends_with(expected));
    }

    #[test]
    fn a_plugin_in_quarantine_is_named_with_the_reason() {
        let reason = Quarantined { plugin: "rooms".to_owned(), reason: "panicked".to_owned() };
        let spec = Spec { quarantined: vec![reason], ..spec() };
        assert!(spec.respond().body().ends_with(br#","quarantined":[{"plugin":"rooms","reason":"panicked"}]}"#));
    }
}
