//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use plugin_api::StartError;
use schemars::JsonSchema;
use serde::Deserialize;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The UDP address to listen on, as `0.0.0.0:4433`. Default: nowhere.
    pub listen: Option<String>,
    /// The file of the certificate and those between it and its authority (PEM). It is looked at once an hour.
    pub certificate: Option<PathBuf>,
    /// The file of its private key (PEM, PKCS #8).
    pub key: Option<PathBuf>,
    /// Makes a certificate that no authority has signed, for development: clients of the served library are told its hash.
    /// It is valid for 13 days and renewed in time. Default: false.
    pub self_signed: bool,
    /// The names in that certificate. Default: `["localhost", "127.0.0.1", "::1"]`.
    pub names: Vec<String>,
    /// The longest message from a client, in bytes; a longer one ends its session. The server's `max_message` counts, too.
    /// Default: 10485760.
    pub max_message_bytes: usize,
    /// How many sessions an address may have. Default: 100.
    pub max_sessions_per_address: u32,
    /// How long a connection may show no sign of life, in milliseconds; it is asked for one three times as often.
    /// Default: 30000.
    pub idle_timeout_ms: u64,
    /// How long a client may take for the handshake, and then to open its stream, in milliseconds. Default: 10000.
    pub stream_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            certificate: None,
            key: None,
            self_signed: false,
            names: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            max_message_bytes: 10 * 1024 * 1024,
            max_sessions_per_address: 100,
            idle_timeout_ms: 30_000,
            stream_timeout_ms: 10_000,
        }
    }
}

/// The checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bytes of a message.
    pub max_message: usize,
    /// What listens; `None`: nothing does.
    pub carrier: Option<CarrierSettings>,
}

/// What listens.
#[derive(Debug, Clone)]
pub struct CarrierSettings {
    /// Where.
    pub listen: SocketAddr,
    /// As who.
    pub credentials: Credentials,
    /// How many sessions an address may have.
    pub sessions_per_address: u32,
    /// How long a connection may be silent.
    pub idle: Duration,
    /// How long a client may take until its stream is open.
    pub patience: Duration,
}

/// Where the certificate is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// From files.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// Made here, for these names.
    SelfSigned(Vec<String>),
}

impl Config {
    /// The checked settings.
    ///
    /// # Errors
    /// The first setting that makes no sense, with its key.
    pub fn settings(self) -> Result<Settings, StartError> {
        if self.max_message_bytes == 0 {
            return Err(StartError::at("max_message_bytes", "it is at least 1"));
        }
        if self.idle_timeout_ms == 0 || self.idle_timeout_ms > 24 * 3600 * 1000 {
            return Err(StartError::at("idle_timeout_ms", "it is from 1 to 86400000, a day"));
        }
        let max_message = self.max_message_bytes;
        let Some(listen) = &self.listen else { return Ok(Settings { max_message, carrier: None }) };
        let listen = listen
            .parse()
            .map_err(|_| StartError::at("listen", format!("`{listen}` is no address and port, as 0.0.0.0:4433")))?;
        let carrier = CarrierSettings {
            listen,
            sessions_per_address: self.max_sessions_per_address,
            idle: Duration::from_millis(self.idle_timeout_ms),
            patience: Duration::from_millis(self.stream_timeout_ms),
            credentials: self.credentials()?,
        };
        Ok(Settings { max_message, carrier: Some(carrier) })
    }

    fn credentials(self) -> Result<Credentials, StartError> {
        match (self.certificate, self.key, self.self_signed) {
            (Some(certificate), Some(key), false) => Ok(Credentials::Files { certificate, key }),
            (None, None, true) => Ok(Credentials::SelfSigned(self.names)),
            (Some(_), None, false) => Err(StartError::at("key", "the private key of `certificate` is missing")),
            (None, Some(_), false) => Err(StartError::at("certificate", "the certificate of `key` is missing")),
            (None, None, false) => {
                let message = "HTTP/3 needs one: set `certificate` and `key`, or self_signed = true for development";
                Err(StartError::at("certificate", message))
            }
            (_, _, true) => Err(StartError::at("self_signed", "there is a certificate already: remove one of the two")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Config {
        Config { listen: Some("127.0.0.1:0".to_owned()), ..Config::default() }
    }

    #[test]
    fn by_default_nobody_listens() {
        assert!(Config::default().settings().unwrap().carrier.is_none());
    }

    #[test]
    fn a_certificate_is_from_files_or_made_here() {
        let files = Config { certificate: Some("c.pem".into()), key: Some("k.pem".into()), ..listening() };
        let credentials = files.settings().unwrap().carrier.unwrap().credentials;
        assert_eq!(credentials, Credentials::Files { certificate: "c.pem".into(), key: "k.pem".into() });
        let made = Config { self_signed: true, names: vec!["a.example".to_owned()], ..listening() };
        let credentials = made.settings().unwrap().carrier.unwrap().credentials;
        assert_eq!(credentials, Credentials::SelfSigned(vec!["a.example".to_owned()]));
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named_by_its_key() {
        let cases = [
            ("listen", Config { listen: Some("4433".to_owned()), self_signed: true, ..Config::default() }),
            ("certificate", listening()),
            ("certificate", Config { key: Some("k.pem".into()), ..listening() }),
            ("key", Config { certificate: Some("c.pem".into()), ..listening() }),
            ("self_signed", Config { certificate: Some("c.pem".into()), self_signed: true, ..listening() }),
            ("max_message_bytes", Config { max_message_bytes: 0, ..Config::default() }),
            ("idle_timeout_ms", Config { idle_timeout_ms: 0, ..Config::default() }),
        ];
        for (path, config) in cases {
            assert_eq!(config.settings().unwrap_err().path, path);
        }
    }
}
