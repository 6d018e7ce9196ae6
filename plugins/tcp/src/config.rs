//! The plugin's table in `plugins.toml`, and what it means once it is checked.

use std::net::SocketAddr;
use std::time::Duration;

use plugin_api::{Kind, StartError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::framing::Framing;

/// The plugin's table in `plugins.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen, as `127.0.0.1:7000`. Default: nowhere.
    pub listen: Option<String>,
    /// How messages are told apart: `lines`, or `length` (four bytes in front of each, the highest first). Default: `lines`.
    pub framing: FramingName,
    /// How messages are written, by the name of a parser. Lines carry `json` and `ejson` only. Default: `json`.
    pub parser: String,
    /// Whether messages are `text` or `binary`. Default: `text` for the parsers `json` and `ejson`, `binary` for all others.
    pub kind: Option<KindName>,
    /// Further addresses, each with the four keys above.
    pub also: Vec<ListenerConfig>,
    /// The longest message from a client, in bytes; a longer one ends its session. The server's `max_message` counts, too.
    /// Default: 1048576.
    pub max_message_bytes: usize,
    /// How long a message may take from its first to its last byte, in milliseconds. Default: 30000.
    pub message_timeout_ms: u64,
    /// How many sessions an address may have. Default: 1000.
    pub max_sessions_per_address: u32,
}

impl Default for Config {
    fn default() -> Self {
        let ListenerConfig { framing, parser, kind, .. } = ListenerConfig::default();
        Self {
            listen: None,
            framing,
            parser,
            kind,
            also: Vec::new(),
            max_message_bytes: 1024 * 1024,
            message_timeout_ms: 30_000,
            max_sessions_per_address: 1000,
        }
    }
}

/// One address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerConfig {
    /// As in the plugin's table.
    pub listen: String,
    /// As in the plugin's table.
    pub framing: FramingName,
    /// As in the plugin's table.
    pub parser: String,
    /// As in the plugin's table.
    pub kind: Option<KindName>,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self { listen: String::new(), framing: FramingName::Lines, parser: "json".to_owned(), kind: None }
    }
}

/// [`Framing`] in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FramingName {
    /// See [`Framing::Lines`].
    Lines,
    /// See [`Framing::Length`].
    Length,
}

/// [`Kind`] in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindName {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// The checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// What a client may not pass.
    pub limits: Limits,
}

/// What a client may not pass.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The bytes of a message.
    pub message: usize,
    /// The time of a message.
    pub message_time: Duration,
    /// Sessions.
    pub sessions_per_address: u32,
}

/// One address and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: SocketAddr,
    /// The framing and the kind.
    pub mode: Mode,
    /// The parser's name.
    pub parser: String,
}

/// How messages are told apart, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// How they are told apart.
    pub framing: Framing,
    /// Text or bytes.
    pub kind: Kind,
}

impl Default for Mode {
    fn default() -> Self {
        Self { framing: Framing::Lines, kind: Kind::Text }
    }
}

/// The paths that tell the modes apart.
const MODES: [(&str, Mode); 3] = [
    ("/lines", Mode { framing: Framing::Lines, kind: Kind::Text }),
    ("/length/text", Mode { framing: Framing::Length, kind: Kind::Text }),
    ("/length/binary", Mode { framing: Framing::Length, kind: Kind::Binary }),
];

impl Mode {
    /// What [`Listener::target`] says.
    pub fn of_path(path: &str) -> Option<Self> {
        MODES.iter().find(|(known, _)| *known == path).map(|(_, mode)| *mode)
    }

    /// The path that [`Mode::of_path`] knows it by; empty for bytes in lines, which no configuration allows.
    pub fn path(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(path, _)| path)
    }
}

impl Listener {
    /// What the request says that comes with a connection.
    pub fn target(&self) -> String {
        format!("{}?_parser={}", self.mode.path(), self.parser)
    }
}

impl Config {
    /// The checked settings.
    ///
    /// # Errors
    /// The first setting that makes no sense, with its key.
    pub fn settings(self) -> Result<Settings, StartError> {
        let Self { listen, framing, parser, kind, also, .. } = self;
        let first = listen.map(|listen| ("".to_owned(), ListenerConfig { listen, framing, parser, kind }));
        let others = also.into_iter().enumerate().map(|(at, listener)| (format!("also[{at}]."), listener));
        let mut listeners: Vec<Listener> = Vec::new();
        for (path, listener) in first.into_iter().chain(others) {
            let listener = listener.checked(&path)?;
            if listeners.iter().any(|known| known.address == listener.address) {
                return Err(StartError::at(format!("{path}listen"), format!("{} is listened on twice", listener.address)));
            }
            listeners.push(listener);
        }
        if self.max_message_bytes == 0 || self.max_message_bytes > u32::MAX as usize {
            return Err(StartError::at("max_message_bytes", "it is from 1 to 4294967295"));
        }
        Ok(Settings {
            listeners,
            limits: Limits {
                message: self.max_message_bytes,
                message_time: Duration::from_millis(self.message_timeout_ms),
                sessions_per_address: self.max_sessions_per_address,
            },
        })
    }
}

impl ListenerConfig {
    fn checked(self, path: &str) -> Result<Listener, StartError> {
        let address = self.listen.parse().map_err(|_| {
            StartError::at(format!("{path}listen"), format!("`{}` is no address and port, as 127.0.0.1:7000", self.listen))
        })?;
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name(&self.parser) {
            return Err(StartError::at(format!("{path}parser"), format!("`{}` is no parser's name", self.parser)));
        }
        let writes_lines = matches!(self.parser.as_str(), "json" | "ejson");
        let kind = match self.kind {
            Some(KindName::Text) => Kind::Text,
            Some(KindName::Binary) => Kind::Binary,
            None if writes_lines => Kind::Text,
            None => Kind::Binary,
        };
        let framing = match self.framing {
            FramingName::Length => Framing::Length,
            FramingName::Lines if !writes_lines => {
                let message = format!("lines can't carry what `{}` writes: set framing = \"length\"", self.parser);
                return Err(StartError::at(format!("{path}framing"), message));
            }
            FramingName::Lines if kind == Kind::Binary => {
                return Err(StartError::at(format!("{path}kind"), "lines are text: set framing = \"length\""));
            }
            FramingName::Lines => Framing::Lines,
        };
        Ok(Listener { address, mode: Mode { framing, kind }, parser: self.parser })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(listen: &str, framing: FramingName, parser: &str, kind: Option<KindName>) -> ListenerConfig {
        ListenerConfig { listen: listen.to_owned(), framing, parser: parser.to_owned(), kind }
    }

    #[test]
    fn by_default_nobody_listens() {
        assert!(Config::default().settings().unwrap().listeners.is_empty());
    }

    #[test]
    fn what_an_address_speaks_is_told_by_its_target() {
        use FramingName::{Length, Lines};
        let cases = [
            (listener("127.0.0.1:1", Lines, "json", None), "/lines?_parser=json"),
            (listener("127.0.0.1:1", Length, "ejson", None), "/length/text?_parser=ejson"),
            (listener("[::1]:1", Length, "msgpack", None), "/length/binary?_parser=msgpack"),
            (listener("127.0.0.1:1", Length, "raw", Some(KindName::Text)), "/length/text?_parser=raw"),
        ];
        for (config, target) in cases {
            let listener = config.checked("").unwrap();
            assert_eq!(listener.target(), target);
            assert_eq!(Mode::of_path(target.split_once('?').unwrap().0), Some(listener.mode));
        }
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named_by_its_key() {
        use FramingName::{Length, Lines};
        let also = |listener| Config { also: vec![listener], ..Config::default() };
        let cases = [
            ("listen", Config { listen: Some("7000".to_owned()), ..Config::default() }),
            ("max_message_bytes", Config { max_message_bytes: 0, ..Config::default() }),
            ("also[0].framing", also(listener("127.0.0.1:1", Lines, "msgpack", None))),
            ("also[0].kind", also(listener("127.0.0.1:1", Lines, "json", Some(KindName::Binary)))),
            ("also[0].parser", also(listener("127.0.0.1:1", Length, "a b", None))),
            ("also[0].listen", also(ListenerConfig::default())),
            (
                "also[0].listen",
                Config { listen: Some("127.0.0.1:1".to_owned()), ..also(listener("127.0.0.1:1", Length, "cbor", None)) },
            ),
        ];
        for (path, config) in cases {
            assert_eq!(config.settings().unwrap_err().path, path);
        }
    }
}
