//! The table `[server]`: what the host itself can be told.
//!
//! Each field's doc says its key's default, unit and effect. Knows no plugin.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use http::{HeaderName, Method};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};
use toml_edit::Item;

use super::{
    Pathname, Quarantine,
    typed::{self, Fault, Node},
    units::{self, ByteCount, PingInterval},
};

/// The name of the host's own table.
pub(super) const TABLE: &str = "server";

/// In which order the served client tries transports where the file does not say: what costs least first. Others follow in the
/// order in which they were loaded.
pub const PREFERRED_TRANSPORTS: [&str; 4] = ["webtransport", "websocket", "sse", "long-polling"];

/// The host's options, with defaults where the file is silent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on; port 0 lets the system choose. Default `"127.0.0.1:8080"`.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Path of the real-time server, compiled into the served client; may be nested. Default `"/primus"`.
    pub path: Pathname,
    /// Threads that own connections. Default: one for each processor core.
    pub shards: NonZeroUsize,
    /// How often a client is asked whether it is there; `false`: never. Default `"30s"`.
    pub ping_interval: PingInterval,
    /// Longest message that a client may send. Default `"10 MiB"`.
    pub max_message: ByteCount,
    /// Bytes that may wait to be sent to one spark before `overflow` applies; a message for which nothing waits is none too
    /// many. Default `"16 MiB"`, or `max_message` if that
    /// is more.
    pub max_buffered: ByteCount,
    /// What happens to a spark that reads too slowly. Default `"close"`.
    pub overflow: Overflow,
    /// Folder of the plugins' libraries. Default `"plugins"`.
    pub plugins: PathBuf,
    /// Whether a library is loaded that the file has no table for. Default `true`.
    pub auto_load: bool,
    /// When a plugin that panics is taken out of service. Default: at its first panic.
    pub quarantine: Quarantine,
    /// Retired generations from which on the log says that `switchboard upgrade` gives their memory back. Default 64.
    pub max_retired: usize,
    /// How long a plugin may take to start. Default `"20s"`.
    #[serde(deserialize_with = "units::time")]
    pub start_timeout: Duration,
    /// How long a plugin may take to stop. Default `"10s"`.
    #[serde(deserialize_with = "units::time")]
    pub stop_timeout: Duration,
    /// The most bytes that a generation may hand over to the next one. Default `"64 MiB"`.
    pub max_state: ByteCount,
    /// How long that may take, while all messages wait. Default `"5s"`.
    #[serde(deserialize_with = "units::time")]
    pub state_timeout: Duration,
    /// Path of the control socket, by which `switchboard reload` and the like ask this server. Default: one that this file's
    /// path gives, in a private folder of the user that the server runs as.
    pub control: Option<PathBuf>,
    /// The parser of clients whose request names none in `_parser`. Default: `json` if it is enabled, else the first that is
    /// loaded.
    pub parser: Option<String>,
    /// Parsers that the served client has besides that one, for its option `parser`. Default: none.
    pub client_parsers: Vec<String>,
    /// Transports of the served client, the preferred first, by the names of their plugins. Default: all that are enabled, in
    /// the order of [`PREFERRED_TRANSPORTS`].
    pub client_transports: Option<Vec<String>>,
    /// HTTP requests of one session that may be under way at a time: those beyond get status 429. Default 16.
    pub max_exchanges: NonZeroU32,
    /// How long a client may take for the head of a request. Default `"15s"`.
    #[serde(deserialize_with = "units::time")]
    pub head_timeout: Duration,
    /// How long it may take for the body; then it gets status 408. Default `"60s"`.
    #[serde(deserialize_with = "units::time")]
    pub body_timeout: Duration,
    /// Name of the client's global in a page without modules. Default `"Primus"`.
    #[serde(deserialize_with = "identifier")]
    pub global: String,
    /// Folders served as they are, by the path they appear under: `{ "/" = "public" }`. Default: none.
    #[serde(rename = "static")]
    pub static_files: BTreeMap<Pathname, PathBuf>,
    /// Proxies whose word on a client's address counts, as addresses or networks. Default: none.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Which headers those proxies write. Default `"x-forwarded"`.
    pub forwarded_by: ForwardedBy,
    /// Who may connect from pages of other sites.
    pub cors: CorsOptions,
    /// What is logged, and how.
    pub log: LogOptions,
    /// How the server goes down.
    pub shutdown: ShutdownOptions,
    /// How a new process takes over.
    pub upgrade: UpgradeOptions,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            path: Pathname::new("/primus").expect("a plain path is valid"),
            shards: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            ping_interval: PingInterval(Some(Duration::from_secs(30))),
            max_message: ByteCount(10 << 20),
            max_buffered: ByteCount(16 << 20),
            overflow: Overflow::Close,
            plugins: PathBuf::from("plugins"),
            auto_load: true,
            quarantine: Quarantine::IMMEDIATELY,
            max_retired: 64,
            start_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(10),
            max_state: ByteCount(64 << 20),
            state_timeout: Duration::from_secs(5),
            control: None,
            parser: None,
            client_parsers: Vec::new(),
            client_transports: None,
            max_exchanges: NonZeroU32::new(16).expect("16 is not 0"),
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            global: "Primus".to_owned(),
            static_files: BTreeMap::new(),
            trusted_proxies: Vec::new(),
            forwarded_by: ForwardedBy::XForwarded,
            cors: CorsOptions::default(),
            log: LogOptions::default(),
            shutdown: ShutdownOptions::default(),
            upgrade: UpgradeOptions::default(),
        }
    }
}

impl Server {
    /// Reads the table and checks what its keys say together.
    pub(super) fn read(item: &Item) -> Result<Self, Fault> {
        let mut server: Self = typed::read(Node::Item(item))?;
        if item.get("max_buffered").is_none() {
            server.max_buffered = server.max_buffered.max(server.max_message);
        }
        if server.path.as_str() == "/" {
            return Err(Fault::new("needs at least one segment, such as \"/primus\"").inside("path"));
        }
        for (key, time) in [("head_timeout", server.head_timeout), ("body_timeout", server.body_timeout)] {
            if time.is_zero() {
                return Err(Fault::new("must be more than 0: no request would ever come whole").inside(key));
            }
        }
        if server.max_message.0 == 0 {
            return Err(Fault::new("must be more than 0 bytes").inside("max_message"));
        }
        if server.max_buffered < server.max_message {
            // Else a message of the allowed length could never be echoed.
            return Err(
                Fault::new(format!("must be at least max_message, which is {}", server.max_message)).inside("max_buffered")
            );
        }
        if server.client_transports.as_ref().is_some_and(Vec::is_empty) {
            return Err(Fault::new("is empty: the served client needs a transport").inside("client_transports"));
        }
        if server.cors.credentials && server.cors.origins.iter().any(|origin| origin == "*") {
            return Err(Fault::new(
                "cannot be true while origins has \"*\": any site could then act for a signed-in user; list the origins",
            )
            .inside("credentials")
            .inside("cors"));
        }
        Ok(server)
    }

    /// Makes relative folders start from the file's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.plugins = folder.join(&self.plugins);
        self.control = self.control.take().map(|path| folder.join(path));
        for path in self.static_files.values_mut() {
            *path = folder.join(&*path);
        }
    }
}

/// What happens to a spark over `max_buffered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// The spark is closed and may reconnect.
    Close,
    /// The message is dropped and counted.
    Drop,
}

/// The headers in which trusted proxies say whom they speak for.
///
/// One of the two, since a proxy that writes one passes the other on as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Who may use the server from pages of other origins. A page of the server's own origin always may.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsOptions {
    /// Origins such as `"https://chat.example.com"`, or `"*"` for all. Default: none.
    #[serde(deserialize_with = "origins")]
    pub origins: Vec<String>,
    /// Methods a preflight allows. Default: GET, POST, PUT, DELETE, OPTIONS.
    #[serde(deserialize_with = "list")]
    pub methods: Vec<Method>,
    /// Request headers a preflight allows; empty: those that it asks for. Default: empty.
    #[serde(deserialize_with = "list")]
    pub headers: Vec<HeaderName>,
    /// Response headers that a page may read. Default: none.
    #[serde(deserialize_with = "list")]
    pub exposed: Vec<HeaderName>,
    /// Whether cookies and credentials may come along. Default `false`.
    pub credentials: bool,
    /// How long a browser may remember a preflight's answer. Default `"10m"`.
    #[serde(deserialize_with = "units::time")]
    pub max_age: Duration,
}

impl Default for CorsOptions {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: vec![Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS],
            headers: Vec::new(),
            exposed: Vec::new(),
            credentials: false,
            max_age: Duration::from_mins(10),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogOptions {
    /// Default `"text"`.
    pub format: LogFormat,
    /// Default `"info"`.
    pub level: LogLevel,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important event that is still logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is wrong, and the server goes on.
    Warn,
    /// What an operator wants to have seen.
    Info,
    /// What explains a behaviour.
    Debug,
    /// Everything.
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// How the server goes down when it is told to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownOptions {
    /// Whether clients are to come back: if not, they get `primus::server::close`, which ends them. Default `true`.
    pub reconnect: bool,
    /// How long `/readyz` says 503 while everything is still served, so that a balancer can look away. Default `"0s"`.
    #[serde(deserialize_with = "units::time")]
    pub drain: Duration,
    /// How long buffers may take to empty before connections are cut. Default `"10s"`.
    #[serde(deserialize_with = "units::time")]
    pub timeout: Duration,
}

impl Default for ShutdownOptions {
    fn default() -> Self {
        Self { reconnect: true, drain: Duration::ZERO, timeout: Duration::from_secs(10) }
    }
}

/// The table `[server.upgrade]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpgradeOptions {
    /// How long the new process may take to start, with all its plugins. Default `"30s"`.
    #[serde(deserialize_with = "units::time")]
    pub start: Duration,
    /// How long requests and messages that plugins still think about are waited for, while no others are read. Default `"5s"`.
    #[serde(deserialize_with = "units::time")]
    pub patience: Duration,
}

impl Default for UpgradeOptions {
    fn default() -> Self {
        Self { start: Duration::from_secs(30), patience: Duration::from_secs(5) }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom(format!("{text:?} is no address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\""))
    })
}

fn identifier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut letters = text.chars();
    let starts_well = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '_' | '$'));
    if starts_well && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$')) {
        Ok(text)
    } else {
        Err(de::Error::custom(format!("{text:?} is no JavaScript name of ASCII letters, digits, _ and $")))
    }
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    /// An address alone is the network of itself.
    struct Network(IpNet);
    impl FromStr for Network {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            let alone = text.parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| text.parse::<IpNet>()).map(Self).map_err(|_| ())
        }
    }
    impl fmt::Display for Expected<Network> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address or network, such as \"127.0.0.1\" or \"10.0.0.0/8\"")
        }
    }
    let networks: Vec<Parsed<Network>> = Deserialize::deserialize(deserializer)?;
    Ok(networks.into_iter().map(|parsed| parsed.0.0).collect())
}

fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Origin(String);
    impl FromStr for Origin {
        type Err = ();

        fn from_str(text: &str) -> Result<Self, ()> {
            let (scheme, authority) = match text {
                "*" => return Ok(Self(text.to_owned())),
                text => text.split_once("://").ok_or(())?,
            };
            let authority: http::uri::Authority = authority.parse().map_err(|_| ())?;
            let is_plain = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
            is_plain.then(|| Self(text.to_ascii_lowercase())).ok_or(())
        }
    }
    impl fmt::Display for Expected<Origin> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an origin without a path, such as \"https://chat.example.com\", or \"*\"")
        }
    }
    let origins: Vec<Parsed<Origin>> = Deserialize::deserialize(deserializer)?;
    Ok(origins.into_iter().map(|parsed| parsed.0.0).collect())
}

fn list<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    Expected<T>: fmt::Display,
{
    let items: Vec<Parsed<T>> = Deserialize::deserialize(deserializer)?;
    Ok(items.into_iter().map(|parsed| parsed.0).collect())
}

/// Text that was parsed where it stands, so that an error points at the element and not at the list.
struct Parsed<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Parsed<T>
where
    Expected<T>: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| de::Error::custom(format!("{text:?} is not {}", Expected::<T>(PhantomData))))
    }
}

/// Says what a `T` should look like.
struct Expected<T>(PhantomData<T>);

impl fmt::Display for Expected<Method> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP method, such as \"GET\"")
    }
}

impl fmt::Display for Expected<HeaderName> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header name, such as \"x-request-id\"")
    }
}
