//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Request, Response, StartError};
use schemars::JsonSchema;
use seats::Seats;
use serde::Deserialize;
use websocket_protocol::{Endpoint, Settings};

use crate::handshake::{Carriage, Parameters};
use crate::jsonp::Jsonp;
use crate::packet::Version;
use crate::refusal::Refusal;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The versions of the protocol that are spoken. Default: `[4, 3]`.
    pub versions: Vec<u8>,
    /// How often a client of version 4 is asked whether it is there, in milliseconds; one of version 3 asks as often itself.
    /// Default: 25000.
    pub ping_interval_ms: u64,
    /// How long it may take for its answer, in milliseconds. A session that nothing carries ends after both times, too.
    /// Default: 20000.
    pub ping_timeout_ms: u64,
    /// How long a session may take from the handshake of its WebSocket until it has moved there, in milliseconds. Default: 10000.
    pub upgrade_timeout_ms: u64,
    /// The longest body of a request and the longest message of a WebSocket, in bytes: clients are told. The server's
    /// `max_message` counts, too: the lower one decides. Default: 10485760.
    pub max_payload_bytes: usize,
    /// What may wait for a client's next request, in bytes. A session over it is closed, but one message may always wait, however
    /// long it is. Default: 16777216.
    pub max_pending_bytes: usize,
    /// How many sessions clients of one address may have at a time. Default: 10000. Those beyond get status 503.
    pub max_sessions_per_address: u32,
    /// Whether old browsers may poll by scripts and forms. Pages of another site may not: a script could be read by each. Default: true.
    pub jsonp: bool,
    /// The name of a cookie with the session's id, set by the first answer to polling, for a proxy that has to send all
    /// requests of a session to one machine. Default: none is set.
    pub cookie: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            versions: vec![4, 3],
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            upgrade_timeout_ms: 10_000,
            max_payload_bytes: 10 * 1024 * 1024,
            max_pending_bytes: 16 << 20,
            max_sessions_per_address: 10_000,
            jsonp: true,
            cookie: None,
        }
    }
}

/// A checked [`Config`], and what all sessions share.
pub struct Server {
    versions: Vec<Version>,
    /// Between two pings.
    pub ping_interval: Duration,
    /// From a ping to its answer.
    pub ping_timeout: Duration,
    /// From the handshake of a WebSocket until the session has moved there.
    pub upgrade_timeout: Duration,
    /// The longest body of a request, in bytes.
    pub max_payload: usize,
    /// What may wait for the next request, in bytes.
    pub max_pending: usize,
    /// How many sessions each address has.
    pub seats: Arc<Seats>,
    /// Whether JSONP is spoken.
    pub jsonp: bool,
    /// The name of the cookie, if one is set.
    pub cookie: Option<String>,
    /// The WebSockets.
    pub endpoint: Arc<Endpoint>,
}

impl Server {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first setting that makes no sense, with its key.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let versions = config.versions.iter().enumerate().map(|(at, number)| {
            let known = Version::of_number(&number.to_string());
            known.ok_or_else(|| StartError::at(format!("versions[{at}]"), format!("{number} is neither 4 nor 3")))
        });
        let versions: Vec<Version> = versions.collect::<Result<_, _>>()?;
        if versions.is_empty() {
            return Err(StartError::at("versions", "without any version nobody can connect".to_owned()));
        }
        for (key, time) in [("ping_interval_ms", config.ping_interval_ms), ("ping_timeout_ms", config.ping_timeout_ms)] {
            if time == 0 {
                return Err(StartError::at(key, "a session would end at once; it is at least 1".to_owned()));
            }
        }
        if config.max_sessions_per_address == 0 {
            return Err(StartError::at("max_sessions_per_address", "nobody could connect; it is at least 1".to_owned()));
        }
        let cookie_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if let Some(name) = &config.cookie
            && (name.is_empty() || !name.bytes().all(cookie_byte))
        {
            return Err(StartError::at("cookie", format!("`{name}` is no name of a cookie")));
        }
        let settings = Settings { max_message: config.max_payload_bytes, ..Settings::default() };
        Ok(Self {
            versions,
            ping_interval: Duration::from_millis(config.ping_interval_ms),
            ping_timeout: Duration::from_millis(config.ping_timeout_ms),
            upgrade_timeout: Duration::from_millis(config.upgrade_timeout_ms),
            max_payload: config.max_payload_bytes,
            max_pending: config.max_pending_bytes,
            seats: Arc::new(Seats::new(config.max_sessions_per_address)),
            jsonp: config.jsonp,
            cookie: config.cookie,
            endpoint: Arc::new(Endpoint::new(settings)),
        })
    }

    /// Whether a request by JSONP is taken.
    pub fn takes_jsonp(&self, request: &Request<'_>) -> bool {
        self.jsonp && !Jsonp::is_of_another_site(request)
    }

    /// Whether a request may open a session.
    ///
    /// # Errors
    /// The answer that says why not.
    pub fn admits(&self, request: &Request<'_>, parameters: &Parameters<'_>) -> Result<(), Response> {
        if request.method() != "GET" {
            return Err(Refusal::HandshakeMethod.response());
        }
        if !self.versions.contains(&parameters.dialect.version) {
            return Err(Refusal::Version.response());
        }
        if self.seats.check(request).is_err() {
            return Err(Refusal::TooManySessions.response());
        }
        match parameters.carriage {
            Carriage::Polling if request.header("upgrade").is_some() => Err(Refusal::BadRequest.response()),
            Carriage::Polling => Ok(()),
            Carriage::WebSocket if request.header("upgrade").is_none() => Err(Refusal::BadRequest.response()),
            Carriage::WebSocket => {
                websocket_protocol::judge(request, &self.endpoint.settings).map(|_| ()).map_err(|refusal| refusal.response())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_makes_no_sense_is_named_by_its_key() {
        let cases = [
            ("versions[1]", Config { versions: vec![4, 2], ..Config::default() }),
            ("versions", Config { versions: Vec::new(), ..Config::default() }),
            ("ping_interval_ms", Config { ping_interval_ms: 0, ..Config::default() }),
            ("ping_timeout_ms", Config { ping_timeout_ms: 0, ..Config::default() }),
            ("max_sessions_per_address", Config { max_sessions_per_address: 0, ..Config::default() }),
            ("cookie", Config { cookie: Some("a b".into()), ..Config::default() }),
        ];
        for (path, config) in cases {
            assert_eq!(Server::new(config).err().map(|error| error.path).as_deref(), Some(path));
        }
        assert!(Server::new(Config::default()).is_ok());
    }
}
