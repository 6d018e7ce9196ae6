//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::time::Duration;

use plugin_api::StartError;
use schemars::JsonSchema;
use serde::Deserialize;
use websocket_protocol::{CloseCode, Compression, Context, Parameters, Rule, Settings, WindowBits, is_token_byte};

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The longest message from a client, in bytes; of a compressed one, what it inflates to. The server's `max_message`
    /// counts, too: the lower one decides. Default: 10485760. A longer
    /// one closes the connection with code 1009.
    pub max_message_bytes: usize,
    /// The origins whose pages may connect, where they are fewer than those that the server's `cors` lets in: `self` is the
    /// host that the request asks for, `*` any origin, others are exact, as `https://chat.example`. Clients without an
    /// `Origin` are no pages and may always connect. Default: `["*"]`, the server's rule alone.
    pub origins: Vec<String>,
    /// The subprotocols that are spoken, the best first. Default: none, then the first one that a client offers is taken.
    pub subprotocols: Vec<String>,
    /// The code of a close frame that ends a connection normally. Default: none, as Primus' `websockets` does; its `faye`
    /// sends 1000.
    pub close_code: Option<u16>,
    /// How long to wait for a client's answer to a close frame, in milliseconds. Default: 10000.
    pub close_timeout_ms: u64,
    /// How many connections clients of one address may have at a time; an IPv6 address counts with its /64. Those beyond get
    /// status 503. Default: 10000.
    pub max_sessions_per_address: u32,
    /// Turns permessage-deflate on for clients that offer it. Default: off.
    pub compression: Option<CompressionConfig>,
    /// A path below the server's pathname that sends every message back as it came, without any spark: for conformance
    /// tools and benchmarks. Default: none.
    pub echo_path: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message_bytes: 10 * 1024 * 1024,
            origins: vec!["*".to_owned()],
            subprotocols: Vec::new(),
            close_code: None,
            close_timeout_ms: 10_000,
            max_sessions_per_address: 10_000,
            compression: None,
            echo_path: None,
        }
    }
}

/// The settings of permessage-deflate (RFC 7692).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionConfig {
    /// Messages shorter than this many bytes are sent as they are. Default: 1024.
    pub threshold_bytes: usize,
    /// From 1, the fastest, to 9, the smallest. Default: 6.
    pub level: u32,
    /// Messages to clients stand alone: a broadcast is compressed once for all, and an idle connection holds no context
    /// (about 300 KiB). Default: true.
    pub server_no_context_takeover: bool,
    /// Messages of clients stand alone: an idle connection holds no context (about 40 KiB). Default: true.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the window for messages to clients, 8 to 15. Default: 15.
    pub server_max_window_bits: u8,
    /// The same for messages of clients; those that don't let it be limited use 15. Default: 15.
    pub client_max_window_bits: u8,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self {
            threshold_bytes: 1024,
            level: 6,
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::MAX.get(),
            client_max_window_bits: WindowBits::MAX.get(),
        }
    }
}

impl Config {
    /// The checked settings.
    ///
    /// # Errors
    /// The first setting that makes no sense, with its key.
    pub fn settings(self) -> Result<Settings, StartError> {
        let origins =
            self.origins.iter().enumerate().map(|(at, entry)| {
                Rule::parse(entry).map_err(|error| StartError::at(format!("origins[{at}]"), error.to_string()))
            });
        for (at, name) in self.subprotocols.iter().enumerate() {
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(StartError::at(
                    format!("subprotocols[{at}]"),
                    format!("`{name}` is no token: letters, digits and !#$%&'*+-.^_`|~"),
                ));
            }
        }
        if self.max_sessions_per_address == 0 {
            return Err(StartError::at("max_sessions_per_address", "nobody could connect; it is at least 1"));
        }
        Ok(Settings {
            max_message: self.max_message_bytes,
            origins: origins.collect::<Result<_, _>>()?,
            subprotocols: self.subprotocols,
            close_code: self.close_code.map(close_code).transpose()?,
            close_timeout: Duration::from_millis(self.close_timeout_ms),
            compression: self.compression.map(compression).transpose()?,
        })
    }

    /// The checked path of the echo below the pathname.
    ///
    /// # Errors
    /// It is no such path.
    pub fn checked_echo_path(&self) -> Result<Option<String>, StartError> {
        self.echo_path.clone().map(echo_path).transpose()
    }
}

fn close_code(code: u16) -> Result<CloseCode, StartError> {
    CloseCode::new(code).ok_or_else(|| {
        StartError::at(
            "close_code",
            format!("{code} may not stand in a close frame: 1000 to 1003, 1007 to 1014 and 3000 to 4999 may"),
        )
    })
}

fn echo_path(path: String) -> Result<String, StartError> {
    if path.starts_with('/') && path.len() > 1 && !path.ends_with('/') {
        Ok(path)
    } else {
        let message = format!("`{path}` is no path below the server's pathname, as `/echo`");
        Err(StartError::at("echo_path", message))
    }
}

fn compression(config: CompressionConfig) -> Result<Compression, StartError> {
    if !(1..=9).contains(&config.level) {
        let message = format!("{} is not from 1, the fastest, to 9, the smallest", config.level);
        return Err(StartError::at("compression.level", message));
    }
    Ok(Compression {
        threshold: config.threshold_bytes.max(1),
        level: config.level,
        wanted: Parameters {
            server: context(config.server_no_context_takeover),
            client: context(config.client_no_context_takeover),
            server_window: window("server_max_window_bits", config.server_max_window_bits)?,
            client_window: window("client_max_window_bits", config.client_max_window_bits)?,
        },
    })
}

fn context(no_takeover: bool) -> Context {
    if no_takeover { Context::Reset } else { Context::Kept }
}

fn window(key: &str, bits: u8) -> Result<WindowBits, StartError> {
    WindowBits::new(bits).ok_or_else(|| StartError::at(format!("compression.{key}"), format!("{bits} is not from 8 to 15")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_compress_nothing() {
        let settings = Config::default().settings().unwrap();
        assert_eq!(settings.max_message, 10_485_760);
        assert_eq!(settings.origins, [Rule::Any]);
        assert!(settings.compression.is_none());
        assert!(settings.close_code.is_none());
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named_by_its_key() {
        let compression = |change: fn(&mut CompressionConfig)| {
            let mut config = CompressionConfig::default();
            change(&mut config);
            Config { compression: Some(config), ..Config::default() }
        };
        let cases = [
            ("origins[1]", Config { origins: vec!["self".into(), "chat".into()], ..Config::default() }),
            ("subprotocols[0]", Config { subprotocols: vec!["a b".into()], ..Config::default() }),
            ("close_code", Config { close_code: Some(1005), ..Config::default() }),
            ("max_sessions_per_address", Config { max_sessions_per_address: 0, ..Config::default() }),
            ("echo_path", Config { echo_path: Some("echo".into()), ..Config::default() }),
            ("echo_path", Config { echo_path: Some("/".into()), ..Config::default() }),
            ("compression.level", compression(|config| config.level = 0)),
            ("compression.server_max_window_bits", compression(|config| config.server_max_window_bits = 7)),
            ("compression.client_max_window_bits", compression(|config| config.client_max_window_bits = 16)),
        ];
        for (path, config) in cases {
            assert_eq!(config.checked_echo_path().and_then(|_| config.settings()).unwrap_err().path, path);
        }
    }
}
